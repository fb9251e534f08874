// Owns the tests of runs on Cortex-M boards: images that cannot run, lock-up, software trace.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct ArmTests {
  /// 16-bit instructions as words, two each.
  private static func code(_ halves: [UInt16]) -> [UInt32] {
    stride(from: 0, to: halves.count, by: 2).map {
      UInt32(halves[$0]) | UInt32($0 + 1 < halves.count ? halves[$0 + 1] : 0) << 16
    }
  }

  /// A vector table of 16 entries with these for stack, reset and HardFault, and code behind it, at 0x40.
  private static func image(
    stack: UInt32 = 0x2000_8000, reset: UInt32 = 0x41, hardFault: UInt32 = 0x41, _ code: [UInt16]
  )
    -> [UInt32]
  {
    [stack, reset, 0, hardFault] + [UInt32](repeating: 0, count: 12) + Self.code(code)
  }

  private static let loop: [UInt16] = [0xE7FE]

  private func run(_ words: [UInt32], _ flags: String...) throws -> Run {
    let image = try Program.file(Guest.bytes(words))
    return try Program.run(
      ["-M", "mps2_an385", "-kernel", image, "-nographic", "--max-instructions", "100000", "--timeout", "20"] + flags)
  }

  // MARK: Vector tables

  @Test func aGoodImageRuns() throws {
    let ended = try run(Self.image(Self.loop))
    #expect(ended.code == 7, "\(ended.errors)")
  }

  @Test func aStackOutsideOfMemoryIsRefused() throws {
    let ended = try run(Self.image(stack: 0x7000_0000, Self.loop))
    #expect(ended.code == 2)
    #expect(ended.errors.contains("the stack pointer 0x70000000, below which is no memory"), "\(ended.errors)")
  }

  @Test func aStartWithoutTheThumbBitIsRefused() throws {
    let ended = try run(Self.image(reset: 0x40, Self.loop))
    #expect(ended.code == 2)
    #expect(ended.errors.contains("leads to 0x40 at reset, which lacks the Thumb bit"), "\(ended.errors)")
    // Without the bit, the first instruction is a fault, and so is the handler's.
    let forced = try run(Self.image(reset: 0x40, Self.loop), "--force")
    #expect(forced.errors.contains("leads to 0x40 at reset") && forced.code != 2, "\(forced.errors)")
  }

  @Test(arguments: ["70000001", "40000001", "e0000001"]) func aStartOutsideOfMemoryIsRefused(address: String) throws {
    let ended = try run(Self.image(reset: UInt32(address, radix: 16)!, Self.loop))
    #expect(ended.code == 2)
    #expect(ended.errors.contains("at reset, where no code can be"), "\(ended.errors)")
  }

  // MARK: Lock-up

  @Test(arguments: ["jit", "interpreter"]) func aFaultInAFaultHandlerIsALockUp(host: String) throws {
    let ended = try run(Self.image([0xDE01]), "--host", host)
    #expect(ended.code == 4)
    #expect(
      ended.errors.contains("a fault in its HardFault handler: UsageFault (UNDEFINSTR) at 0x40; CFSR 0x10000"),
      "\(ended.errors)")
  }

  /// The HardFault vector leads nowhere.
  @Test func aFaultWithoutAHandlerIsALockUp() throws {
    let ended = try run(Self.image(hardFault: 0, [0xDE01]))
    #expect(ended.code == 4)
    #expect(ended.errors.contains("UsageFault (INVSTATE) at 0x0"), "\(ended.errors)")
  }

  // MARK: Files for other cores

  /// An ELF file of a vector table and a loop with these build attributes.
  private func elf(machine: UInt16 = 40, _ attributes: [UInt8]) -> [UInt8] {
    func bytes(_ value: Int, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let program = Guest.bytes(Self.image(stack: 0x2000_2000, Self.loop))
    let section =
      [0x41] + bytes(4 + 6 + 5 + attributes.count, 4) + Array("aeabi\0".utf8) + [1]
      + bytes(5 + attributes.count, 4) + attributes
    let (code, table) = (84, 84 + program.count + section.count)
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 1, 1, 1] + [UInt8](repeating: 0, count: 9)
    file += bytes(2, 2) + bytes(Int(machine), 2) + bytes(1, 4) + bytes(0x41, 4) + bytes(52, 4) + bytes(table, 4)
    file += bytes(0, 4) + bytes(52, 2) + bytes(32, 2) + bytes(1, 2) + bytes(40, 2) + bytes(2, 2) + bytes(0, 2)
    for value in [1, code, 0, 0, program.count, program.count, 5, 4] { file += bytes(value, 4) }
    file += program + section + [UInt8](repeating: 0, count: 40)
    for value in [0, 0x7000_0003, 0, 0, code + program.count, section.count, 0, 0, 1, 0] { file += bytes(value, 4) }
    return file
  }

  private func run(elf: [UInt8], on board: String = "mps2_an385", _ flags: String...) throws -> Run {
    let path = try Program.file(elf, "guest.elf")
    return try Program.run(
      ["-M", board, "-kernel", path, "-nographic", "--max-instructions", "100000", "--timeout", "20"] + flags)
  }

  @Test func filesForThisCoreRun() throws {
    for attributes in [[6, 10, 7, 0x4D], [6, 11, 7, 0x4D], []] as [[UInt8]] {
      let ended = try run(elf: elf(attributes))
      #expect(ended.code == 7, "\(ended.errors)")
      #expect(!ended.errors.contains("built for"), "\(ended.errors)")
    }
  }

  /// What the file may use and the CPU lacks is said, and the file runs.
  @Test(
    arguments: [
      ("mps2_an385", [6, 13, 7, 0x4D], "it was built for ARMv7E-M, but the CPU is a cortex-m3 (armv7-m)"),
      ("mps2_an385", [6, 16, 7, 0x4D], "it was built for ARMv8-M Baseline, but the CPU is a cortex-m3"),
      ("mps2_an386", [6, 17, 7, 0x4D], "it was built for ARMv8-M Mainline, but the CPU is a cortex-m4"),
      ("bbc_microbit", [6, 9, 9, 1], "an older architecture than ARMv6-M, of whose code only Thumb's runs here"),
    ] as [(String, [UInt8], String)])
  func filesThatMayWantMoreRun(board: String, attributes: [UInt8], text: String) throws {
    let ended = try run(elf: elf(attributes), on: board)
    #expect(ended.code == 7, "\(ended.errors)")
    #expect(ended.errors.contains(text), "\(ended.errors)")
  }

  @Test(
    arguments: [
      ([6, 10, 7, 0x41], "it was built for a Cortex-A, but the CPU is a cortex-m3"),
      ([5, 0x61, 0x62, 0, 6, 10, 7, 0x52], "it was built for a Cortex-R, but the CPU is a cortex-m3 (ab)"),
      ([6, 2], "an older architecture than ARMv6-M"),
      ([6, 21, 7, 0x4D], "Tag_CPU_arch 21"), ([6, 10, 7, 0x4D, 28, 1], "the hard-float calling convention"),
    ] as [([UInt8], String)])
  func filesForAnotherCoreAreRefused(attributes: [UInt8], text: String) throws {
    let ended = try run(elf: elf(attributes))
    #expect(ended.code == 2)
    #expect(ended.errors.contains(text) && ended.errors.contains("; --force starts it anyway"), "\(ended.errors)")
    let forced = try run(elf: elf(attributes), "--force")
    #expect(forced.code == 7)
    #expect(forced.errors.contains(text), "\(forced.errors)")
  }

  @Test func filesForABetterCoreAreRefused() throws {
    for attributes in [[6, 10, 7, 0x4D], [6, 13, 7, 0x4D], [6, 17, 7, 0x4D]] as [[UInt8]] {
      let ended = try run(elf: elf(attributes), on: "bbc_microbit")
      #expect(ended.code == 2)
      #expect(ended.errors.contains("but the CPU is a cortex-m0 (armv6-m)"), "\(ended.errors)")
    }
  }

  @Test func filesForAnotherMachineAreRefused() throws {
    let ended = try run(elf: elf(machine: 243, []))
    #expect(ended.code == 2)
    #expect(ended.errors.contains("an ELF file for RISC-V, 32 bits, but the CPU is armv7-m"), "\(ended.errors)")
  }

  // MARK: Trace

  /// `movs r0, 0xE0; lsls r0, r0, 24; movs r1, 'A'; strb r1, [r0]; strb r1, [r0, 4]; b .`
  private static let trace: [UInt16] = [0x20E0, 0x0600, 0x2141, 0x7001, 0x7101, 0xE7FE]

  @Test func traceGoesToTheConsole() throws {
    let ended = try run(Self.image(Self.trace), "--itm", "console", "--expect", "Aitm 1: 0x41")
    #expect(ended.code == 0, "\(ended.errors)")
    let silent = try run(Self.image(Self.trace))
    #expect(!silent.output.contains("A"), "\(silent.output)")
  }

  @Test func traceGoesToAFile() throws {
    let file = try Program.file([], "trace.bin")
    #expect(try run(Self.image(Self.trace), "--itm", file).code == 7)
    #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: file))) == [0x01, 0x41, 0x09, 0x41])
  }

  @Test func boardsWithoutTraceSaySo() throws {
    let image = try Program.file(Guest.bytes(Guest.loop))
    let ended = try Program.run(["-M", "virt", "-bios", image, "-nographic", "--itm", "console"])
    #expect(ended.code == 2)
    #expect(ended.errors.contains("--itm: the board has no ITM"), "\(ended.errors)")
  }

  // MARK: The monitor

  @Test func vectorsAreCaughtFromTheMonitor() throws {
    let ended = try run(
      Self.image(hardFault: 0x45, [0xDE01, 0xBF00, 0xE7FE]), "--monitor-script",
      try Program.file(Array("catch hard_err\ncortex_m maskisr on\n".utf8), "script"), "--end-script",
      try Program.file(Array("info registers\n".utf8), "end"))
    #expect(ended.output.contains("hard_err"), "\(ended.output)")
    #expect(ended.output.contains("stay pending"), "\(ended.output)")
  }
}
