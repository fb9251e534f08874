// Owns the tests of regions: random programs of nested loops, run in every tier, must leave the same behind.

import Engine
import GuestRISCV
import HostInterpreter
import HostKit
import HostX86_64
import TestSupport
import Testing

/// A random program of nested loops with branches, memory accesses and, now and then, an access that faults; its handler
/// steps over that. It uses all registers.
private struct LoopProgram {
  private static let scratch: UInt32 = 28
  private static let nowhere: UInt32 = 29
  private static let counters: [UInt32] = [30, 27, 26]
  private static let handlerSize: Int32 = 8

  private var random: SplitMix
  private(set) var code: [UInt32]

  init(seed: UInt64) {
    random = SplitMix(seed: seed)
    let csr = { (number: UInt32, function: UInt32, d: UInt32, s: UInt32) in
      number << 20 | s << 15 | function << 12 | d << 7 | 0x73
    }
    let (mtvec, mscratch, mepc): (UInt32, UInt32, UInt32) = (0x305, 0x340, 0x341)
    code = [
      Code.jal(0, 4 * Self.handlerSize),
      // The handler.
      csr(mscratch, 1, 31, 31), csr(mepc, 2, 31, 0), Code.addi(31, 31, 4), csr(mepc, 1, 0, 31),
      csr(mscratch, 1, 31, 31), 0x3020_0073, Code.nop,
      Code.auipc(1), Code.addi(1, 1, -28), csr(mtvec, 1, 0, 1),
      Code.auipc(Self.scratch, 0x10), Code.addi(Self.nowhere, 0, 0x10),
    ]
    for register in 1..<UInt32(26) { code.append(Code.addi(register, 0, Int32(random.next() % 4096) - 2048)) }
    code += loop(depth: 0, count: 2000)
    code.append(Code.stop)
  }

  private mutating func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
  private mutating func register() -> UInt32 { UInt32(1 + below(25)) }

  /// - Parameters:
  ///   - depth: loops around them; more than there are counters for where there are to be none.
  ///   - nesting: branches around them.
  private mutating func statements(depth: Int, nesting: Int) -> [UInt32] {
    (0..<2 + below(4)).flatMap { _ in statement(depth: depth, nesting: nesting) }
  }

  private mutating func statement(depth: Int, nesting: Int) -> [UInt32] {
    switch below(nesting < 3 ? 12 : 8) {
    case 0..<5:
      let function = [0, 4, 6, 7][below(4)] as UInt32
      return [Code.add(register(), register(), register()) | function << 12]
    case 5: return [Code.addi(register(), register(), Int32(below(4096) - 2048))]
    case 6: return [Code.lw(register(), Int32(below(64) * 4), Self.scratch)]
    case 7: return [Code.sw(register(), Int32(below(64) * 4), Self.scratch)]
    case 8: return [Code.lw(register(), below(8) == 0 ? 0 : 0x700, below(8) == 0 ? Self.nowhere : Self.scratch)]
    case 9 where depth < Self.counters.count: return loop(depth: depth, count: 1 + below(5))
    case 10:
      let body = statements(depth: Self.counters.count, nesting: nesting + 1)
      return [Code.bne(register(), register(), 4 * Int32(body.count + 1))] + body
    default:
      let yes = statements(depth: Self.counters.count, nesting: nesting + 1)
      let no = statements(depth: Self.counters.count, nesting: nesting + 1)
      return [Code.bne(register(), register(), 4 * Int32(no.count + 2))] + no
        + [Code.jal(0, 4 * Int32(yes.count + 1))] + yes
    }
  }

  private mutating func loop(depth: Int, count: Int) -> [UInt32] {
    let counter = Self.counters[depth]
    let body = statements(depth: depth + 1, nesting: 0)
    return [Code.addi(counter, 0, Int32(count))] + body
      + [Code.addi(counter, counter, -1), Code.bne(counter, 0, -4 * Int32(body.count + 1))]
  }
}

@Suite struct RegionTests {
  private static let end: UInt64 = 600_000

  private func outcome(
    _ host: any Host.Type, interpreter: (any PackedTier.Type)? = nil, _ program: [UInt32], _ tiers: TierPolicy
  ) throws -> (Rig.Outcome, Rig) {
    var options = EngineOptions()
    options.tiers = tiers
    let rig = try Rig(host, interpreter: interpreter, program, options: options)
    var at: UInt64 = 0
    // In slices, so that loops are left and entered again.
    while at < Self.end {
      at += 70_001
      #expect(rig.run(at) == .deadline)
    }
    return (rig.outcome, rig)
  }

  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func tiersAgree(seed: UInt64) throws {
    let program = LoopProgram(seed: seed).code
    let expected = try outcome(InterpreterHost.self, program, .quick).0
    for tiers in TierPolicy.allCases {
      let found = try outcome(X86_64Host.self, program, tiers).0
      #expect(found == expected, "seed \(seed), tiers \(tiers)")
    }
    #expect(try outcome(InterpreterHost.self, program, .adaptive).0 == expected, "seed \(seed), interpreter")
    let (found, rig) = try outcome(X86_64Host.self, interpreter: Interpreter.self, program, .adaptive)
    #expect(found == expected, "seed \(seed), three tiers")
    #expect(rig.engine.statistics.interpreted.blocks > 0 && rig.engine.statistics.quick.blocks > 0)
  }

  /// Where nothing counts instructions, the timer finds hot code.
  @Test(arguments: [InterruptStrategy.flag, .page, .unchain])
  func hotCodeIsFoundUnderAllStrategies(strategy: InterruptStrategy) throws {
    var options = EngineOptions()
    options.interrupts = strategy
    options.tiers = .adaptive
    let rig = try Rig(X86_64Host.self, LoopProgram(seed: 1).code, options: options)
    var slices = 0
    while rig.engine.code.regions.isEmpty, slices < 1000 {
      slices += 1
      #expect(rig.run(rig.vcpu.ticks + 10_000_000) == .deadline)
    }
    #expect(!rig.engine.code.regions.isEmpty && rig.engine.statistics.samples > 1)
  }

  @Test func hotLoopBecomesRegion() throws {
    let (_, rig) = try outcome(X86_64Host.self, LoopProgram(seed: 1).code, .adaptive)
    let (id, region) = try #require(rig.engine.code.regions.first)
    let block = rig.engine.store[id]
    #expect(block.isValid && block.tier == .thorough)
    #expect(region.shape.isLabel(region.hottest))
    let view = try rig.engine.inspect(id)
    #expect(view.outgoing.contains { $0.target == id })
    #expect(!view.host.isEmpty && view.host.contains { $0.op != nil })
  }

  /// Writing into a region ends it; so does a breakpoint in it, which is hit.
  @Test func regionsEndLikeBlocks() throws {
    let (_, rig) = try outcome(X86_64Host.self, LoopProgram(seed: 1).code, .adaptive)
    let (id, region) = try #require(rig.engine.code.regions.first)
    rig.engine.insertBreakpoint(region.hottest)
    #expect(!rig.engine.store[id].isValid && rig.engine.code.regions[id] == nil)
  }
}
