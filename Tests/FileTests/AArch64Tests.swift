// Owns the runs of file cases in code for AArch64, by an emulator of that machine. The host is a skeleton: it is given the
// cases whose ops it has.

import Foundation
import HostAArch64
import HostKit
import IR
import Optimizer
import TestSupport
import Testing

@Suite struct AArch64Tests {
  /// Whether the emulator is there.
  static let canRun = Toolchain.find("qemu-aarch64") != nil

  static let cases = [
    "comparisons", "exit-with", "exit-without-check", "extensions", "indirect", "indirect-32", "logic",
    "loop-over-memory",
    "loop-until-budget", "many-values", "raise-op", "sums", "unchainable", "unchainable-miss", "unchained",
    "window-accesses",
  ]

  /// What is blessed is the interpreter's result.
  @Test(.enabled(if: canRun, "needs qemu-aarch64"), arguments: cases)
  func codeDoesAsTheInterpreter(_ name: String) throws {
    let kind = try #require(FileKind.portable.first { $0.folder == "run" })
    let file = try #require(kind.cases.first { $0.name == name })
    for optimizes in [false, true] {
      var blocks = try verified(file)
      if optimizes {
        let optimizer = Optimizer(helpers: TestGuest.helpers.map(\.effects))
        for index in blocks.indices { optimizer.run(&blocks[index]) }
      }
      let cpu = try startState(file)
      try EmulatedRun(cpu).run(blocks, chained: file.directives("chains") != ["none"])
      #expect(
        cpu.outcome + "\n" + cpu.changes(since: try startState(file)) == file.expected,
        "\(optimizes ? "optimised" : "as it is")")
    }
  }

  @Test func anOpThatIsMissingIsNamed() throws {
    let host = try AArch64Host(TestGuest.configuration)
    var builder = Builder(pc: 0x1000)
    let value = builder.getRegister(1, .i64)
    builder.setRegister(2, builder.binary(.mul, value, value))
    builder.exit(to: 0x1004)
    #expect(throws: HostError.unsupported("mul on the AArch64 host, which is a skeleton")) {
      try host.compile(builder.block, dataPath: .window)
    }
    // What was begun leaves nothing behind.
    let (_, outline) = try host.compile(Builder.onlyExit(to: 0x2000), dataPath: .window)
    #expect(outline.exits.map(\.site) == [1])
  }
}

extension Builder {
  fileprivate static func onlyExit(to pc: UInt64) -> Block {
    var builder = Builder(pc: 0x1000)
    builder.exit(to: pc)
    return builder.block
  }
}

/// A program for AArch64 Linux that enters translated code once and writes the state and memory out.
private struct EmulatedRun {
  private let cpu: TestCPU
  private let stateSize = TestGuest.file.stateSize

  /// Host addresses in the program.
  private static let code: UInt64 = 0x1000_0000
  private static let state: UInt64 = 0x2000_0000
  private static let jumpCache: UInt64 = 0x2001_0000
  private static let memory: UInt64 = 0x2004_0000

  init(_ cpu: TestCPU) { self.cpu = cpu }

  /// Compiles `blocks` and runs them from the first; the vCPU and its memory are then as the program left them.
  func run(_ blocks: [Block], chained: Bool) throws {
    let host = try AArch64Host(TestGuest.configuration)
    var entries: [UInt64: CodeAddress] = [:]
    var exits: [ChainSite] = []
    for block in blocks {
      let (compiled, outline) = try host.compile(block, dataPath: .window)
      entries[block.pc] = compiled.entry
      exits += outline.exits.filter(\.mayChain)
    }
    var jumps = (0..<JumpCache.count).map { _ in (pc: JumpCache.emptyPC, target: UInt64(0)) }
    if chained {
      for exit in exits { if let entry = entries[exit.target] { host.chain(exit.site, to: entry) } }
      for (pc, entry) in entries { jumps[JumpCache.index(pc)] = (pc, Self.code + UInt64(entry.offset)) }
    }
    cpu.state.store(Self.jumpCache, at: StateOffset.jumpCache)
    cpu.state.store(Self.memory, at: StateOffset.dataBase)
    cpu.state.store(UInt32.max, at: StateOffset.exitSite)
    cpu.state.exitReason = nil

    let start = host.cache.used
    let code = host.cache.bytes(0..<start) + main(host, try #require(entries[blocks[0].pc]), at: start)
    var data = (0..<stateSize).map { cpu.state.load($0, as: UInt8.self) }
    data += [UInt8](repeating: 0, count: Int(Self.jumpCache - Self.state) - data.count)
    for jump in jumps { data += bytes(jump.pc) + bytes(jump.target) }
    data += [UInt8](repeating: 0, count: Int(Self.memory - Self.state) - data.count)
    data += (0..<Int(TestMemory.size)).map { cpu[memory: $0] }

    let output = try emulate(ELF(entry: Self.code + UInt64(start), [(Self.code, code, 5), (Self.state, data, 6)]).file)
    try #require(output.count == stateSize + Int(TestMemory.size), "the program ended early")
    for (offset, byte) in output.prefix(stateSize).enumerated() { cpu.state.store(byte, at: offset) }
    for (address, byte) in output.dropFirst(stateSize).enumerated() { cpu[memory: address] = byte }
    let site: UInt32 = cpu.state.load(StateOffset.exitSite)
    if site != .max { host.noteExit(cpu.state, calledFrom: site) }
  }

  /// Enters `entry`, then writes state and memory to standard output and exits (`write` is 64, `exit` 93).
  private func main(_ host: AArch64Host, _ entry: CodeAddress, at offset: Int) -> [UInt8] {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 16)
    defer { unsafe memory.deallocate() }
    var assembler = unsafe Assembler(memory, runningAt: Self.code + UInt64(offset))
    assembler.mov(.x0, Int64(Self.state))
    assembler.mov(.x1, Int64(Self.code + UInt64(entry.offset)))
    assembler.bl(toOffset: Int(host.enter.offset) - offset)
    for (address, size) in [(Self.state, stateSize), (Self.memory, Int(TestMemory.size))] {
      assembler.mov(.x0, 1)
      assembler.mov(.x1, Int64(address))
      assembler.mov(.x2, Int64(size))
      assembler.mov(.x8, 64)
      assembler.svc()
    }
    assembler.mov(.x0, 0)
    assembler.mov(.x8, 93)
    assembler.svc()
    return unsafe Array(memory.prefix(assembler.count))
  }

  private func emulate(_ program: [UInt8]) throws -> [UInt8] {
    let file = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID())")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(program).write(to: file)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
    let process = Process()
    process.executableURL = URL(filePath: try #require(Toolchain.find("qemu-aarch64")))
    process.arguments = [file.path]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Array(data)
  }
}

private func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
  (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
}

/// A static program file for AArch64: segments of an address, bytes, and flags (4 readable, 2 writable, 1 executable).
private struct ELF {
  let file: [UInt8]

  init(entry: UInt64, _ segments: [(address: UInt64, bytes: [UInt8], flags: UInt32)]) {
    var header: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    // Executable, AArch64, version; entry, program headers, no section headers; flags; sizes and numbers.
    header += bytes(UInt16(2)) + bytes(UInt16(183)) + bytes(UInt32(1)) + bytes(entry) + bytes(UInt64(64))
    header += bytes(UInt64(0)) + bytes(UInt32(0)) + bytes(UInt16(64)) + bytes(UInt16(56))
    header += bytes(UInt16(segments.count)) + bytes(UInt16(64)) + bytes(UInt16(0)) + bytes(UInt16(0))
    var body: [UInt8] = []
    for segment in segments {
      // Offsets in the file agree with addresses modulo the size of pages.
      body += [UInt8](repeating: 0, count: -body.count & 0xFFFF)
      let (offset, size) = (UInt64(0x1_0000 + body.count), UInt64(segment.bytes.count))
      header += bytes(UInt32(1)) + bytes(segment.flags) + bytes(offset) + bytes(segment.address)
      header += bytes(segment.address) + bytes(size) + bytes(size) + bytes(UInt64(0x1_0000))
      body += segment.bytes
    }
    file = header + [UInt8](repeating: 0, count: 0x1_0000 - header.count) + body
  }
}
