// Owns the random programs that write their own code: every host and tier, cut anywhere, leaves the same behind.

import Engine
import class Foundation.ProcessInfo
import HostInterpreter
import HostKit
import HostX86_64
import TestSupport
import Testing

/// A loop whose additions are replaced, whole or by their immediates alone, while it runs; data lie among and behind the
/// code. Equal seeds give equal programs.
struct SelfModifyingProgram {
  private static let (base, rounds, one, there): (UInt32, UInt32, UInt32, UInt32) = (6, 7, 8, 9)
  private static let sources: [UInt32] = [20, 21, 22, 23]
  /// Bytes from the start of memory: some begin in one page and end in the next.
  let offset: UInt64
  let isMirrored: Bool
  private(set) var code: [UInt32]
  private var random: SplitMix
  /// Words that may be written: additions, and data that are jumped over.
  private var targets: [Int] = []

  init(seed: UInt64) {
    random = SplitMix(seed: seed)
    isMirrored = random.below(4) == 0
    let start = random.below(3) == 0 ? 0x1000 - 4 * random.below(100) : 4 * random.below(64)
    offset = UInt64(start + (random.below(4) == 0 ? 2 : 0))
    code = [
      Code.auipc(Self.base), Code.addi(Self.rounds, 0, Int32(10 + random.below(60))), Code.lui(Self.one, 0x100),
      Code.lui(Self.there, isMirrored ? 0x10000 : 0), Code.add(Self.there, Self.there, Self.base),
    ]
    let loads = code.count
    code += Self.sources.map { _ in Code.nop }
    let top = code.count
    // The kinds come first: what stores go to must be known before they are made.
    let kinds = (0..<8 + random.below(60)).map { _ in random.below(12) }
    for (index, kind) in kinds.enumerated() where kind < 5 { targets.append(top + index) }
    if targets.isEmpty { targets = [top + kinds.count + 3] }
    for kind in kinds { code.append(statement(kind)) }
    code += [
      Code.addi(Self.rounds, Self.rounds, -1), Code.bne(Self.rounds, 0, Int32(4 * (top - code.count - 1))), Code.stop,
    ]
    for (index, register) in Self.sources.enumerated() {
      code[loads + index] = Code.lw(register, Int32(4 * code.count), Self.base)
      code.append(addition())
    }
  }

  private mutating func value() -> UInt32 { UInt32(10 + random.below(8)) }

  private mutating func addition() -> UInt32 { Code.addi(value(), value(), Int32(random.below(4096) - 2048)) }

  private mutating func statement(_ kind: Int) -> UInt32 {
    let target = Int32(4 * targets[random.below(targets.count)])
    let source = Self.sources[random.below(Self.sources.count)]
    let place = random.below(2) == 0 ? Self.base : Self.there
    switch kind {
    case 0..<5: return addition()
    case 5, 6: return Code.sw(source, target, place)
    // The immediate, but for the bits that it shares with the number of a register: those are another register's.
    case 7: return Code.sh(value(), target + 2, place)
    // One more in the immediate of what is stored next.
    case 8: return Code.add(source, source, Self.one)
    case 9: return Code.bne(value(), value(), 8)
    case 10: return random.below(3) == 0 ? Code.fenceI : Code.lw(value(), target, place)
    default: return Code.sw(value(), Int32(4 * code.count + 0x600 - 4 * random.below(8)), Self.base)
    }
  }
}

@Suite struct SelfModifyingProgramTests {
  /// Programs; MARTLET_SELF_MODIFYING asks for more.
  private static let count = UInt64(ProcessInfo.processInfo.environment["MARTLET_SELF_MODIFYING"] ?? "") ?? 60
  private static let end: UInt64 = 8_000

  private func run(
    _ program: SelfModifyingProgram, _ host: any HostKit.Host.Type, _ interpreter: (any PackedTier.Type)? = nil,
    _ tiers: TierPolicy = .quick, maximum: Int? = nil, looks: UInt64? = nil
  ) throws -> Rig.Outcome {
    var options = EngineOptions()
    options.tiers = tiers
    options.interpretedRuns = 4
    if let maximum { options.maximumInstructions = maximum }
    let rig = try Rig(
      host, interpreter: interpreter, program.code, offset: program.offset, options: options,
      isMirrored: program.isMirrored)
    if let looks {
      // Steps, flushes and breaks on the way change nothing.
      var random = SplitMix(seed: looks)
      while rig.vcpu.ticks < Self.end - 1_000 {
        switch random.below(4) {
        case 0: for _ in 0..<random.below(20) { _ = rig.vcpu.step(until: Self.end) }
        case 1: rig.engine.flush()
        default: _ = rig.run(min(rig.vcpu.ticks + UInt64(random.below(500)), Self.end - 500))
        }
      }
    }
    #expect(rig.run(Self.end) == .deadline)
    return rig.outcome
  }

  @Test func allConfigurationsAgree() throws {
    for seed in 1...Self.count {
      let program = SelfModifyingProgram(seed: seed)
      let expected = try run(program, InterpreterHost.self, maximum: 1)
      #expect(expected.retired >= Self.end, "seed \(seed)")
      let found = [
        "interpreter": try run(program, InterpreterHost.self),
        "quick": try run(program, X86_64Host.self),
        "one by one": try run(program, X86_64Host.self, maximum: 1),
        "thorough": try run(program, X86_64Host.self, nil, .thorough),
        "three tiers": try run(program, X86_64Host.self, Interpreter.self, .adaptive),
        "looked at": try run(program, X86_64Host.self, Interpreter.self, .adaptive, looks: seed),
      ]
      for (name, outcome) in found { #expect(outcome == expected, "seed \(seed), \(name)") }
    }
  }
}
