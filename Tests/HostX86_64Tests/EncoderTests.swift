// The assembler against two independent disassemblers, and its labels and limits.

import Foundation
import HostKit
import HostX86_64
import Testing

/// Assembles `list` into one block; each instruction's offset, and the code.
func assemble(_ list: [Instruction], at address: UInt64 = 0) -> (offsets: [Int], code: [UInt8]) {
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: list.count * 16 + 64, alignment: 16)
  defer { unsafe memory.deallocate() }
  var assembler = unsafe Assembler(memory, runningAt: address)
  let offsets = list.map { instruction in
    let offset = assembler.count
    instruction.emit(&assembler)
    return offset
  }
  #expect(assembler.failure == .none)
  return (offsets, unsafe Array(memory.prefix(assembler.count)))
}

/// Compares a listing with what was meant, reporting the first few differences.
func compare(_ list: [Instruction], _ offsets: [Int], _ lines: [(offset: Int, text: String)]) {
  let sameBoundaries = lines.map(\.offset) == offsets
  #expect(sameBoundaries, "instruction boundaries differ")
  var differences = 0
  for (instruction, line) in zip(list, lines) where differences < 8 {
    let sizes = instruction.text.contains("ptr")
    let expected = canonical(instruction.text, bits: instruction.bits, sizes: sizes)
    let shown = canonical(line.text, bits: instruction.bits, sizes: sizes)
    if expected != shown && !(expected == shown + ",1") {
      differences += 1
      Issue.record("assembled as \(line.text) but meant \(instruction.text)")
    }
  }
}

struct Group: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let make: @Sendable () -> [Instruction]

  static let all = [
    Group(testDescription: "addressing", make: addressing),
    Group(testDescription: "arithmetic", make: arithmetic),
    Group(testDescription: "moves", make: moves),
    Group(testDescription: "bits", make: bits),
    Group(testDescription: "BMI", make: bmi),
    Group(testDescription: "control", make: control),
    Group(testDescription: "vectors", make: vectors),
  ]
}

@Suite struct EncoderOracles {
  @Test(arguments: Group.all) func capstoneAgrees(group: Group) throws {
    let list = group.make()
    let (offsets, code) = assemble(list)
    let disassembler = try HostDisassembler()
    let lines = disassembler.lines(code.span, at: 0)
    #expect(lines.flatMap(\.bytes) == code)
    compare(list, offsets, lines.map { (Int($0.address), $0.text) })
  }

  @Test(.enabled(if: LLVM.tools != nil, "needs llvm-objdump and llvm-objcopy"), arguments: Group.all)
  func llvmAgrees(group: Group) throws {
    let list = group.make()
    let (offsets, code) = assemble(list)
    compare(list, offsets, try LLVM.disassemble(code))
  }
}

/// LLVM's binary tools, where they are installed.
enum LLVM {
  static let tools: (objcopy: String, objdump: String)? = {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") + ["/usr/bin"]
    for folder in folders {
      let objcopy = "\(folder)/llvm-objcopy"
      let objdump = "\(folder)/llvm-objdump"
      let files = FileManager.default
      if files.isExecutableFile(atPath: objcopy) && files.isExecutableFile(atPath: objdump) {
        return (objcopy, objdump)
      }
    }
    return nil
  }()

  static func disassemble(_ code: [UInt8]) throws -> [(offset: Int, text: String)] {
    let tools = try #require(tools)
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let raw = folder.appending(path: "code.bin").path
    let object = folder.appending(path: "code.o").path
    try Data(code).write(to: URL(filePath: raw))
    _ = try run(
      tools.objcopy,
      ["-I", "binary", "-O", "elf64-x86-64", "--rename-section", ".data=.text,alloc,load,readonly,code", raw, object])
    let listing = try run(tools.objdump, ["-d", "--no-show-raw-insn", "--x86-asm-syntax=intel", object])
    var lines: [(offset: Int, text: String)] = []
    var prefix: (offset: Int, text: String)?
    for line in listing.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":"), let offset = Int(line[..<colon].drop { $0 == " " }, radix: 16)
      else { continue }
      let text = line[colon...].dropFirst().drop(while: \.isWhitespace)
      // A lock prefix is listed as a line of its own.
      if text == "lock" {
        prefix = (offset, "lock ")
      } else {
        lines.append((prefix?.offset ?? offset, (prefix?.text ?? "") + text))
        prefix = nil
      }
    }
    return lines
  }

  private static func run(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(program) failed")
    return String(decoding: data, as: UTF8.self)
  }
}

@Suite struct EncoderLabels {
  /// The text of each line of what `body` assembles, running at 0x1000.
  func listing(_ body: @escaping (inout Assembler) -> Void) throws -> [HostLine] {
    let (_, code) = assemble(
      [Instruction("", body)] + Array(repeating: Instruction("") { _ in }, count: 64), at: 0x1000)
    let disassembler = try HostDisassembler()
    return disassembler.lines(code.span, at: 0x1000)
  }

  @Test func forwardAndBackwardBranches() throws {
    let lines = try listing {
      let start = $0.makeLabel()
      let end = $0.makeLabel()
      $0.bind(start)
      $0.jcc(.e, end)
      $0.jmp(end)
      $0.jmp(start)
      $0.jcc(.ne, start)
      $0.bind(end)
      $0.plain(.ret)
    }
    let texts = lines.map(\.text)
    #expect(
      texts == [
        "je 0x100f", "jmp 0x100f", "jmp 0x1000", "jne 0x1000", "ret",
      ])
  }

  @Test func ripOperandsCountTheBytesBehindThem() throws {
    let lines = try listing {
      let data = $0.makeLabel()
      $0.load(.qword, .rax, Memory(data))
      $0.alu(.add, .dword, Memory(data), 1)
      $0.alu(.add, .dword, Memory(data), 0x1234)
      $0.store(.word, Memory(data), 7)
      $0.vector(.addsd, .xmm3, Memory(data))
      $0.bind(data)
      $0.alu(.cmp, .byte, Memory(data), 5)
      $0.lea(.qword, .rcx, Memory(data))
      if let near = $0.near(0x1000) { $0.alu(.cmp, .dword, near, 0x1234) } else { Issue.record("0x1000 is near") }
    }
    let targets = try lines.map { line in
      let inside = try #require(line.text.split(separator: "[").last?.split(separator: "]").first)
      let parts = inside.split(separator: " ")
      let distance = parts.count < 3 ? 0 : try #require(UInt64(parts[2].drop { $0 == "0" || $0 == "x" }, radix: 16))
      let end = line.address + UInt64(line.bytes.count)
      return parts.count > 1 && parts[1] == "-" ? end - distance : end + distance
    }
    #expect(Array(targets.prefix(7)) == Array(repeating: lines[5].address, count: 7))
    #expect(targets[7] == 0x1000)
  }

  @Test func shortJumpsLand() throws {
    let lines = try listing {
      let over = $0.shortJcc(.b)
      $0.nop(9)
      let out = $0.shortJmp()
      $0.land(over)
      $0.plain(.ud2)
      $0.land(out)
      $0.plain(.ret)
    }
    #expect(lines.map(\.text).filter { $0.hasPrefix("j") } == ["jb 0x100d", "jmp 0x100f"])
  }

  @Test func farBackwardBranchesUseTheLongForm() throws {
    let lines = try listing {
      let start = $0.makeLabel()
      $0.bind(start)
      $0.nop(126)
      $0.jmp(start)
      $0.jcc(.e, start)
    }
    #expect(lines.suffix(2).map(\.text) == ["jmp 0x1000", "je 0x1000"])
    #expect(lines.suffix(2).map(\.bytes.count) == [2, 6])
  }

  @Test func addressesAndAlignment() throws {
    let lines = try listing {
      for pad in 0..<4 {
        $0.nop(pad)
        $0.alignDisplacement(after: 1)
        #expect($0.jmp(toAddress: 0x4000) % 4 == 0)
        $0.alignDisplacement(after: 2)
        #expect($0.jcc(.g, toAddress: 0x800) % 4 == 0)
      }
      $0.align(to: 16)
      #expect($0.count % 16 == 0)
      $0.call(toAddress: 0x1000)
    }
    let branches = lines.map(\.text).filter { !$0.hasPrefix("nop") && !$0.hasPrefix("xchg") }
    #expect(branches == Array(repeating: ["jmp 0x4000", "jg 0x800"], count: 4).flatMap { $0 } + ["call 0x1000"])
  }
}

@Suite struct EncoderLimits {
  @Test func nothingIsWrittenOutside() {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 128, alignment: 16)
    defer { unsafe memory.deallocate() }
    let list = control() + bits().prefix(200)
    for capacity in 1..<64 {
      for instruction in list.prefix(40) {
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0xA5)
        var assembler = unsafe Assembler(.init(rebasing: memory[..<capacity]), runningAt: 0)
        while assembler.failure == .none { instruction.emit(&assembler) }
        #expect(assembler.failure == .bufferFull)
        let untouched = unsafe memory[capacity...].allSatisfy { $0 == 0xA5 }
        #expect(untouched, "\(instruction.text) wrote outside \(capacity) bytes")
      }
    }
  }

  @Test func distantTargetsAreReported() {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 16)
    defer { unsafe memory.deallocate() }
    var assembler = unsafe Assembler(memory, runningAt: 0x1000)
    assembler.jmp(toAddress: 0x7FFF_FFFF)
    #expect(assembler.failure == .none)
    assembler.jmp(toAddress: 0x1_0000_0000)
    #expect(assembler.failure == .outOfReach)
    #expect(assembler.near(0x1_0000_0000) == nil)

    unsafe assembler.restart(memory, runningAt: 0)
    #expect(assembler.failure == .none)
    let jump = assembler.shortJmp()
    assembler.nop(128)
    assembler.land(jump)
    #expect(assembler.failure == .outOfReach)
  }

  @Test func undecodableBytesAreListedAsBytes() throws {
    let disassembler = try HostDisassembler()
    let lines = disassembler.lines(([0x06, 0xC3] as [UInt8]).span, at: 0x10)
    #expect(lines.map(\.text) == [".byte 0x06", "ret"])
    #expect(lines.map(\.address) == [0x10, 0x11])
  }
}
