// Owns the tests of when code is interpreted and when it is compiled, and of what is shown of it.

import Engine
import GuestKit
import HostInterpreter
import HostX86_64
import IR
import Testing

@Suite struct InterpretedTierTests {
  /// Counts x5 down to 0, and stops.
  private static func loop(_ turns: Int32) -> [UInt32] {
    [Code.addi(5, 0, turns), Code.addi(10, 10, 3), Code.addi(5, 5, -1), Code.bne(5, 0, -8), Code.nop, Code.stop]
  }

  private func rig(_ program: [UInt32], _ change: (inout EngineOptions) -> Void = { _ in }) throws -> Rig {
    var options = EngineOptions()
    options.tiers = .adaptive
    options.interpretedRuns = 20
    change(&options)
    return try Rig(X86_64Host.self, interpreter: Interpreter.self, program, options: options)
  }

  private func tiers(_ rig: Rig) -> [Tier] { rig.engine.store.valid.map { rig.engine.store[$0].tier } }

  @Test func codeThatRunsSeldomIsNotCompiled() throws {
    let rig = try rig(Self.loop(10))
    #expect(rig.run(35) == .deadline)
    #expect(rig.x(10) == 30)
    #expect(tiers(rig).allSatisfy { $0 == .interpreted } && !tiers(rig).isEmpty)
    #expect(rig.engine.statistics.quick.blocks == 0)
    #expect(rig.engine.interpretedBytesUsed > 0)
  }

  @Test func codeThatRunsOftenIsCompiled() throws {
    let rig = try rig(Self.loop(1000))
    #expect(rig.run(3100) == .deadline)
    #expect(rig.x(10) == 3000)
    #expect(rig.engine.statistics.quick.blocks >= 1)
    #expect(rig.engine.statistics.invalidations == 0)
  }

  @Test(arguments: [TierPolicy.quick, .thorough])
  func otherPoliciesCompileAtOnce(policy: TierPolicy) throws {
    let rig = try rig(Self.loop(10)) { $0.tiers = policy }
    #expect(rig.run(35) == .deadline)
    #expect(!tiers(rig).contains(.interpreted) && rig.engine.statistics.interpreted.blocks == 0)
  }

  @Test func countersAreInCompiledCode() throws {
    let rig = try rig(Self.loop(10)) { $0.countsExecutions = true }
    #expect(rig.run(35) == .deadline)
    #expect(!tiers(rig).contains(.interpreted))
  }

  /// Every line of packed code stands by the guest instruction it comes from.
  @Test func listingsAreAligned() throws {
    let rig = try rig(Self.loop(10))
    #expect(rig.run(3) == .deadline)
    let view = try rig.engine.inspect(try #require(rig.engine.store.valid.first))
    let markers = view.compiled.ops.indices.filter { view.compiled.ops[$0].opcode == .instruction }
    #expect(
      view.host.map(\.text) == ["const.i64 10 -> r5", "add.i64 r10, 3 -> r10", "add.i64 r5, -1 -> r5"]
        + view.host.dropFirst(3).map(\.text))
    #expect(view.host.prefix(3).map(\.op) == markers.prefix(3).map { $0 + 1 })
    #expect(view.host.allSatisfy { $0.op != nil })
  }

  /// Two calls of a function and two of another by AUIPC and JALR, `turns` times.
  private static func calls(_ turns: Int32) -> [UInt32] {
    [
      Code.addi(5, 0, turns),
      Code.jal(1, 28), Code.jal(1, 24), Code.auipc(1), jalr(1, 28), Code.addi(5, 5, -1), Code.bne(5, 0, -20), Code.stop,
      Code.addi(10, 10, 1), jalr(0, 0),
      Code.addi(10, 10, 100), jalr(0, 0),
    ]
  }
  /// From `ra`.
  private static func jalr(_ d: UInt32, _ offset: Int32) -> UInt32 { Code.addi(d, 1, offset) & ~0x7F | 0x67 }

  /// What was once looked up is gone through without the engine, calls and returns as well.
  @Test func blocksAreConnected() throws {
    let rig = try rig(Self.calls(9))
    #expect(rig.run(40) == .deadline)
    let entries = rig.engine.statistics.entries
    #expect(rig.run(100) == .deadline)
    #expect(rig.engine.statistics.entries - entries <= 4)
    #expect(rig.run(112) == .deadline)
    #expect(rig.x(10) == 9 * 102)
    #expect(!tiers(rig).contains(.quick))
  }

  /// Cutting what is chained changes nothing but the way, and code that becomes other code is not gone into.
  @Test func chainsAreCut() throws {
    let rigs = try [rig(Self.calls(9)), rig(Self.calls(9)) { $0.tiers = .quick }]
    for rig in rigs {
      #expect(rig.run(40) == .deadline)
      #expect(rig.engine.code.unchainAll() >= 5)
      #expect(rig.engine.code.unchainAll() == 0)
      #expect(rig.run(62) == .deadline)
      // The first function.
      try rig.engine.space.write(Rig.base + 32, size: 4, UInt64(Code.addi(10, 10, 7)))
      #expect(rig.run(1000) == .deadline)
      #expect(rig.x(10) > 9 * 102)
    }
    #expect(rigs[0].outcome == rigs[1].outcome)
    #expect(tiers(rigs[0]).contains(.interpreted) && !tiers(rigs[1]).contains(.interpreted))
  }

  /// A branch on the zero register alone, whose operands are nothing, is chained and cut like others: forwards and back.
  @Test func branchesWithoutOperandsAreChained() throws {
    let beq = { Code.bne(0, 0, $0) ^ 0x1000 }
    let program = [
      Code.addi(5, 0, 9), beq(12), Code.nop, Code.addi(10, 10, 5), Code.addi(10, 10, 3), Code.addi(5, 5, -1),
      Code.bne(5, 0, 8), Code.stop, beq(-20),
    ]
    let rigs = try [rig(program), rig(program) { $0.tiers = .quick }]
    for rig in rigs {
      for ticks in [10, 20, 30, 300] as [UInt64] {
        #expect(rig.run(ticks) == .deadline)
        #expect(rig.engine.code.unchainAll() > 0 || ticks == 300)
      }
      #expect(rig.x(10) > 9 * 3)
    }
    #expect(rigs[0].outcome == rigs[1].outcome)
  }

  /// What is chained is listed with where it leads, and cut one by one.
  @Test func chainsAreListed() throws {
    let rig = try rig(Self.calls(9))
    #expect(rig.run(40) == .deadline)
    let engine = rig.engine
    let all = engine.code.chains().all
    let function = try #require(engine.blocks(at: Rig.base + 32).first)
    let calls = engine.code.chains().incoming(function)
    #expect(calls.count == 3 && calls.allSatisfy { $0.targetPC == Rig.base + 32 && !$0.isReturn })
    let returns = all.filter { $0.isReturn && $0.isChained }
    #expect(Set(returns.map { $0.targetPC - Rig.base }) == [8, 12, 20])
    let chained = all.count(where: \.isChained)
    #expect(engine.code.chainCount == chained)

    #expect(engine.code.cut(calls[0]) && !engine.code.cut(calls[0]))
    #expect(engine.code.chains().incoming(function).count == 2)
    #expect(engine.code.chains().all.map(\.targetPC) == all.map(\.targetPC))
    #expect(engine.code.unchainAll() == chained - 1)
    #expect(engine.code.chains().all.count(where: \.isChained) == 0)
    #expect(rig.run(1000) == .deadline)
    #expect(rig.x(10) == 9 * 102)
  }

  /// Branches that stay in their block, the last to itself, are no ways that the engine could cut.
  @Test func branchesWithinBlocksAreListed() throws {
    let rig = try rig([
      Code.addi(5, 0, 1), Code.bne(5, 0, 8), Code.jal(0, 8), Code.addi(10, 10, 3), Code.stop,
    ])
    #expect(rig.run(3) == .deadline)
    let id = try #require(rig.engine.store.valid.first)
    let inside = rig.engine.code.chains().outgoing(id).filter { $0.target == id }
    #expect(inside.map { $0.targetPC - Rig.base } == [12, 16])
    #expect(!inside.contains(where: rig.engine.code.cut))
  }

  /// Of two labels only the one behind the call is an entry.
  @Test(arguments: [LogItem.inAsm, .op, .opOpt, .outAsm])
  func theLogShowsInterpretedCode(item: LogItem) throws {
    let rig = try rig([
      Code.addi(5, 0, 1), Code.bne(5, 0, 8), Code.jal(0, 100), Code.bne(5, 0, 8), Code.jal(1, 200),
      Code.addi(10, 10, 3),
      Code.stop,
    ])
    var lines: [String] = []
    rig.engine.log.items = [item]
    rig.engine.log.sink = { lines.append($1) }
    #expect(rig.run(20) == .deadline)
    #expect(rig.x(10) == 3)
    #expect(tiers(rig).allSatisfy { $0 == .interpreted })
    #expect(lines.contains { $0.hasPrefix("block 0x80000000") } && lines.count > 5)
  }

  /// Interpreted, compiled, hot: none of it goes from block to block by itself.
  @Test(arguments: [TierPolicy.adaptive, .quick, .thorough])
  func blocksThatAreNotChainedAreAllShown(policy: TierPolicy) throws {
    let rig = try rig(Self.loop(-1)) { $0.tiers = policy }
    var lines: [String: Int] = [:]
    rig.engine.log.items = [.exec, .noChain]
    rig.engine.log.ranges = [Rig.base + 4...Rig.base + 4]
    rig.engine.log.sink = { lines[$1, default: 0] += 1 }
    #expect(rig.run(60_100) == .deadline)
    #expect(rig.x(10) == 60_099)
    #expect(lines == ["hart 0: 0x80000004": 20_032])
    rig.engine.log.items = []
    #expect(rig.engine.statistics.chainsMade == 0)
  }

  /// Code that no longer fits in is compiled, whatever the log shows.
  @Test(arguments: [[], [LogItem.inAsm]])
  func theCodeCacheFillsUp(items: [LogItem]) throws {
    // Blocks that are interpreted once each, then again.
    let blocks = 4000
    var program = [Code.addi(5, 0, 3)]
    for _ in 0..<blocks { program += [Code.addi(10, 10, 1), Code.jal(0, 8), Code.nop] }
    program += [Code.addi(5, 5, -1), Code.bne(5, 0, 8), Code.stop, Code.jal(0, -Int32(12 * blocks + 12))]
    let rig = try rig(program) { $0.codeCacheSize = 128 << 10 }
    rig.engine.log.items = items
    #expect(rig.run(1_000_000) == .deadline)
    #expect(rig.x(10) == UInt64(3 * blocks))
    #expect(tiers(rig).contains(.quick))
  }

  /// The words for returns and entries are no ops.
  @Test func listingsGoOnBehindCalls() throws {
    let rig = try rig([
      Code.addi(5, 0, 1), Code.bne(5, 0, 8), Code.jal(1, 12), Code.addi(10, 10, 3), Code.stop, Code.addi(6, 6, 1),
      Code.stop,
    ])
    #expect(rig.run(3) == .deadline)
    let view = try rig.engine.inspect(try #require(rig.engine.store.valid.first))
    #expect(
      view.host.map(\.text).suffix(6) == [
        "const.i64 2147483660 -> r1", "exit +20", "add.i64 r10, 3 -> r10", "exit +16", "add.i64 r6, 1 -> r6",
        "exit +24",
      ])
  }

  /// Between blocks that the interpreter runs one after the other, and in front of a block that is there already.
  @Test func breakpointsStopInterpretedCode() throws {
    let rig = try rig(Self.loop(10))
    #expect(rig.run(12) == .deadline)
    let count = rig.x(10)
    rig.engine.insertBreakpoint(Rig.base + 8)
    #expect(rig.run(1000) == .breakpoint)
    #expect(rig.vcpu.state.pc == Rig.base + 8)
    rig.engine.removeBreakpoint(Rig.base + 8)
    #expect(rig.run(1000) == .deadline)
    #expect(rig.x(10) == 30 && count < 30)
  }
}
