// Owns the tests of what a host promises the engine, on the interpreter.

import HostInterpreter
import HostKit
import IR
import TestSupport
import Testing

@Suite struct InterpreterHostTests {
  private func block(_ text: String) throws -> Block { try Parser(TestGuest.names).block(text) }

  @Test func chainAndUnchain() throws {
    let host = try InterpreterHost(TestGuest.configuration)
    let (first, outline) = try host.compile(block("block 0x10\n  exit -> 0x20 retired 1"), dataPath: .slow)
    let (second, none) = try host.compile(
      block("block 0x20\n  exit.with wait -> 0x24 retired 1"), dataPath: .slow)
    #expect(outline.exits.count == 1 && none.exits.isEmpty && first.entry != second.entry)
    let exit = try #require(outline.exits.first)
    #expect(exit.site != 0 && exit.target == 0x20 && exit.mayChain && !exit.isReturn)
    #expect(first.entry.offset != 0, "0 stands for no code")
    let cpu = TestCPU()
    host.run(first.entry, cpu.state)
    #expect(cpu.state.exitReason == .unchained && cpu.state.exitSite == exit.site && cpu.state.pc == 0x20)
    host.chain(exit.site, to: second.entry)
    host.run(first.entry, cpu.state)
    #expect(cpu.state.exitReason == .wait && cpu.state.pc == 0x24 && cpu.state.budget == 997)
    host.unchain(exit.site)
    host.run(first.entry, cpu.state)
    #expect(cpu.outcome == "unchained pc 0x20 budget 996")
  }

  @Test func countsExecutions() throws {
    let host = try InterpreterHost(TestGuest.configuration)
    let counter = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
    defer { unsafe counter.deallocate() }
    unsafe counter.pointee = 7
    let text = "block 0\n  count \(UInt(bitPattern: counter))\n  exit -> 4"
    let (compiled, _) = try host.compile(block(text), dataPath: .slow)
    let cpu = TestCPU()
    host.run(compiled.entry, cpu.state)
    #expect(cpu.outcome == "unchained pc 0x4 budget 1000")
    #expect(unsafe counter.pointee == 8)
  }

  @Test func cacheFillsUpAndResets() throws {
    var configuration = TestGuest.configuration
    configuration.codeCacheSize = 192
    let host = try InterpreterHost(configuration)
    let block = try block("block 0\n  %0 = get.i64 x1\n  set x2, %0\n  fence seq\n  exit -> 4")
    _ = try host.compile(block, dataPath: .slow)
    _ = try host.compile(block, dataPath: .slow)
    #expect(throws: HostError.codeCacheFull) { try host.compile(block, dataPath: .slow) }
    host.reset()
    #expect(host.codeBytesUsed == 0)
    let (compiled, _) = try host.compile(block, dataPath: .slow)
    #expect(host.listing(compiled, of: nil, dataPath: .slow).map(\.text).last == "exit +4")
  }

  @Test func saysWhatItCannotDo() throws {
    let host = try InterpreterHost(TestGuest.configuration)
    for text in [
      "block 0\n  %0 = get.i64 x1", "block 0\n  %0 = get.i64 r99\n  exit -> 0",
      "block 0\n  %0 = get.i32 x1\n  exit -> 0",
      "block 0\n  %0 = call.i64 @99()\n  exit -> 0", "block 0\n  %0 = get.v128 x1\n  exit -> 0",
    ] {
      let error = #expect(throws: HostError.self) { try host.compile(block(text), dataPath: .slow) }
      guard case .unsupported = error else {
        Issue.record("\(text): \(String(describing: error))")
        continue
      }
    }
  }
}
