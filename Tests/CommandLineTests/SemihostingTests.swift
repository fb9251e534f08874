// Owns the tests of the files a guest opens by semihosting.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct SemihostingTests {
  /// Where the tests put the guest's data: the page behind its code.
  static let data: UInt32 = 0x8000_1000

  /// `auipc a1, 1; addi a1, a1, …`: an address in the data page, for code at `position` of the program.
  static func address(_ offset: UInt32, at position: Int) -> [UInt32] {
    [0x0000_1597, (offset &- UInt32(4 * position)) << 20 | 0x0005_8593]
  }

  static func append(_ program: inout [UInt32], call operation: UInt32, block: UInt32) {
    program += Guest.call(operation, address(block, at: program.count + 2))
  }

  /// `sd a0, offset(a1)`, with a1 the data page plus `block`.
  static func append(_ program: inout [UInt32], storeAt block: UInt32, _ offset: UInt32) {
    program += address(block, at: program.count) + [0x00A5_B023 | offset << 7]
  }

  static func doublewords(_ values: [UInt64]) -> [UInt8] {
    values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) } }
  }

  /// The data page: OPEN's block at 0, the exit block at 0x20, READ's block at 0x40, a buffer at 0x80, the name at 0x100.
  static func page(name: String, mode: UInt64) -> [UInt8] {
    var page = [UInt8](repeating: 0, count: 0x200)
    let base = UInt64(data)
    page.replaceSubrange(0..<24, with: doublewords([base + 0x100, mode, UInt64(name.utf8.count)]))
    page.replaceSubrange(0x20..<0x30, with: doublewords([0x20026, 0]))
    page.replaceSubrange(0x40..<0x58, with: doublewords([0, base + 0x80, 64]))
    page.replaceSubrange(0x100..<0x100 + name.utf8.count, with: Array(name.utf8))
    return page
  }

  func run(_ program: [UInt32], name: String, mode: UInt64, root: String?) throws -> Run {
    let code = try Program.file(Guest.bytes(program))
    let data = try Program.file(Self.page(name: name, mode: mode), "data.bin")
    return try Program.run(
      [
        "-M", "virt", "-m", "16M", "-bios", code, "-device", "loader,file=\(data),addr=0x80001000", "-timeout", "20",
        "-semihosting-config", "enable=on" + (root.map { ",root=" + $0 } ?? ""), "--exit-code-from-guest",
      ])
  }

  func makeRoot() throws -> String {
    let file = try Program.file(Array("contents\n".utf8), "in.txt")
    let root = (file as NSString).deletingLastPathComponent
    try FileManager.default.createSymbolicLink(atPath: root + "/link", withDestinationPath: "/etc/passwd")
    try FileManager.default.createSymbolicLink(atPath: root + "/out", withDestinationPath: "/etc")
    try FileManager.default.createDirectory(atPath: root + "/sub", withIntermediateDirectories: false)
    return root
  }

  /// The exit code is what OPEN returned; 255 is −1.
  @Test(arguments: [
    ("in.txt", 0, 1), ("/in.txt", 0, 1), ("./in.txt", 0, 1), ("new.txt", 4, 1), ("sub/new.txt", 8, 1),
    ("nope", 0, 255), ("../in.txt", 0, 255), ("sub/../in.txt", 0, 255), ("link", 0, 255), ("out/passwd", 0, 255),
    ("sub", 0, 255), ("", 0, 255), ("in.txt", 12, 255), (":tt", 0, 1), (":tt", 4, 1), (":semihosting-features", 0, 1),
    (":semihosting-features", 4, 255),
  ])
  func opensOnlyInsideTheRoot(name: String, mode: UInt64, expected: Int32) throws {
    var program: [UInt32] = []
    Self.append(&program, call: 0x01, block: 0)
    Self.append(&program, storeAt: 0x20, 8)
    Self.append(&program, call: 0x20, block: 0x20)
    let ended = try run(program, name: name, mode: mode, root: makeRoot())
    #expect(ended.code == expected, "\(ended.errors)")
  }

  @Test func withoutARootNoFileOpens() throws {
    var program: [UInt32] = []
    Self.append(&program, call: 0x01, block: 0)
    Self.append(&program, storeAt: 0x20, 8)
    Self.append(&program, call: 0x20, block: 0x20)
    #expect(try run(program, name: "/etc/passwd", mode: 0, root: nil).code == 255)
    #expect(try run(program, name: ":tt", mode: 4, root: nil).code == 1)
  }

  @Test func readsWhatIsThere() throws {
    var program: [UInt32] = []
    Self.append(&program, call: 0x01, block: 0)
    Self.append(&program, storeAt: 0x40, 0)
    Self.append(&program, call: 0x06, block: 0x40)
    Self.append(&program, storeAt: 0x20, 8)
    Self.append(&program, call: 0x04, block: 0x80)
    Self.append(&program, call: 0x20, block: 0x20)
    let ended = try run(program, name: "in.txt", mode: 0, root: makeRoot())
    #expect(ended.output == "contents\n")
    #expect(ended.code == 64 - 9, "\(ended.errors)")
  }

  @Test func writesWhatIsGiven() throws {
    var program: [UInt32] = []
    Self.append(&program, call: 0x01, block: 0)
    Self.append(&program, storeAt: 0x40, 0)
    Self.append(&program, call: 0x05, block: 0x40)
    Self.append(&program, storeAt: 0x20, 8)
    Self.append(&program, call: 0x20, block: 0x20)
    let root = try makeRoot()
    #expect(try run(program, name: "new.bin", mode: 5, root: root).code == 0)
    #expect(try Data(contentsOf: URL(fileURLWithPath: root + "/new.bin")) == Data(repeating: 0, count: 64))
  }

  /// Reads characters by SYS_READC and writes each, increased by one, until a `q` comes.
  @Test func theConsoleIsRead() throws {
    var program = Guest.call(0x07, [])
    let compare = program.count
    program += Guest.load(5, 0x71) + [0]
    // Stores the character, adds one, writes it by SYS_WRITEC.
    program += [0x0015_0513]
    program += Self.address(0x80, at: program.count) + [0x00A5_8023]
    program += Guest.call(0x03, Self.address(0x80, at: program.count + 2))
    let back = UInt32(bitPattern: Int32(-4 * program.count))
    program.append((back >> 20 & 1) << 31 | (back >> 1 & 0x3FF) << 21 | (back >> 11 & 1) << 20 | back & 0xFF000 | 0x6F)
    // `beq a0, t0, end`
    let distance = UInt32(4 * (program.count - compare - 2))
    program[compare + 2] = (distance >> 5 & 0x3F) << 25 | 5 << 20 | 10 << 15 | (distance >> 1 & 0xF) << 8 | 0x63
    program += Guest.finish(0x5555)
    let run = try Program.run(
      ["-M", "virt", "-m", "16M", "-bios", Program.file(Guest.bytes(program)), "-timeout", "20", "-semihosting"],
      input: "GZKKNq")
    #expect(run.output == "H[LLO", "\(run.output.debugDescription)")
    #expect(run.code == 0, "\(run.errors)")
  }

  /// `BKPT 0xAB` on a Cortex-M: SYS_WRITE0 of a text, then SYS_EXIT, from vectors at 0.
  @Test func cortexMCallsByBreakpoint() throws {
    let halfwords: [UInt16] = [
      0x1000, 0x2000, 0x0009, 0, 0x4904, 0x2004, 0xBEAB, 0x4904, 0x2018, 0xBEAB, 0xE7FE, 0, 0, 0, 0x0024, 0, 0x0026,
      0x0002,
    ]
    let image = try Program.file(
      halfwords.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] } + Array("Hello, BKPT\n".utf8) + [0])
    let arguments = ["-M", "mps2_an385", "-device", "loader,file=\(image),addr=0,force-raw=on", "-timeout", "20"]
    let run = try Program.run(arguments + ["-semihosting", "--exit-code-from-guest"])
    #expect(run.code == 0 && run.output == "Hello, BKPT\n", "\(run.output)\(run.errors)")
    // Without semihosting it is a fault in a handler that does not exist: a lock-up, said so.
    let locked = try Program.run(arguments)
    #expect(locked.code == 4, "\(locked.errors)")
  }

  /// Runs a guest that prints by semihosting and through the UART, reads a character by semihosting, and exits with it.
  private func talk(_ flags: [String], input: String) throws -> Run {
    var program: [UInt32] = []
    Self.append(&program, call: 0x04, block: 0x100)
    program += Guest.say("uart") + Guest.call(0x07, [])
    Self.append(&program, storeAt: 0x20, 8)
    Self.append(&program, call: 0x20, block: 0x20)
    let code = try Program.file(Guest.bytes(program))
    let data = try Program.file(Self.page(name: "semihosted", mode: 0), "data.bin")
    return try Program.run(
      [
        "-M", "virt", "-m", "16M", "-bios", code, "-device", "loader,file=\(data),addr=0x80001000", "-timeout", "20",
        "-semihosting", "--exit-code-from-guest",
      ] + flags, input: input)
  }

  /// Semihosting's console is the host's, whatever the serial lines are connected to, unless a connection is chosen.
  @Test func theConsoleIsTheHosts() throws {
    let file = try Program.file([], "serial")
    let other = try Program.file([], "other")
    for (flags, console, serial, semihosted) in [
      (["-serial", "null", "-monitor", "none"], "semihosted", "", ""),
      (["-serial", "null", "-serial", "stdio", "-monitor", "none"], "semihosted", "", ""),
      (["-serial", "file:" + file, "-nographic", "-monitor", "none"], "semihosted", "uart", ""),
      (["-serial", "stdio", "-monitor", "none"], "semihosteduart", "", ""),
      (
        ["-serial", "stdio", "-chardev", "file,id=c,path=" + other, "-semihosting-config", "chardev=c"], "uart", "",
        "semihosted"
      ),
    ] {
      try Data().write(to: URL(fileURLWithPath: file))
      let run = try talk(flags, input: "A")
      #expect(run.output == console, "\(flags): \(run.output)\(run.errors)")
      #expect(try String(contentsOfFile: file, encoding: .utf8) == serial, "\(flags)")
      #expect(try String(contentsOfFile: other, encoding: .utf8) == semihosted, "\(flags)")
      // What is connected to a file only writes: it has no input, and the call says so.
      #expect(run.code == (semihosted.isEmpty ? 0x41 : 0xFF), "\(flags): \(run.errors)")
    }
  }
}
