// Owns what the translator counts of its own work.

import Bits
import GuestKit
import IR

/// What translation at one tier has cost so far.
public struct TranslationCost: Sendable {
  public var blocks: UInt64 = 0
  public var instructions: UInt64 = 0
  public var guestBytes: UInt64 = 0
  public var hostBytes: UInt64 = 0
  public var opsBeforePasses: UInt64 = 0
  public var opsAfterPasses: UInt64 = 0
  /// Instructions of the blocks whose translation was timed: every eighth, since reading the clock takes a while.
  public var timedInstructions: UInt64 = 0
  /// Host nanoseconds by stage for those.
  public var decodeTime: UInt64 = 0
  public var optimizeTime: UInt64 = 0
  public var compileTime: UInt64 = 0
  public init() {}

  /// Whether the next translation is timed.
  var isTimed: Bool { blocks & 7 == 0 }

  /// Notes a translation; `times` are those of its start, and of the ends of decoding, of the passes and of the rest,
  /// all 0 if it was not timed.
  mutating func add(
    _ extent: GuestExtent, opsAfterPasses: Int, hostBytes: Int, times: (UInt64, UInt64, UInt64, UInt64)
  ) {
    if isTimed { timedInstructions &+= UInt64(extent.instructions) }
    blocks &+= 1
    instructions &+= UInt64(extent.instructions)
    guestBytes &+= extent.size
    self.hostBytes &+= UInt64(hostBytes)
    opsBeforePasses &+= UInt64(extent.ops)
    self.opsAfterPasses &+= UInt64(opsAfterPasses)
    decodeTime &+= Self.net(times.0, times.1)
    optimizeTime &+= Self.net(times.1, times.2)
    compileTime &+= Self.net(times.2, times.3)
  }
}

extension TranslationCost {
  /// From `start` to `end` without the time it takes to read the clock.
  private static func net(_ start: UInt64, _ end: UInt64) -> UInt64 { end &- start &- min(end &- start, clockCost) }

  /// Nanoseconds from one reading of the clock to the next.
  private static let clockCost: UInt64 = (0..<32).reduce(UInt64.max) { least, _ in
    let start = HostClock.nanoseconds
    return min(least, HostClock.nanoseconds &- start)
  }
}

/// What the translator has done so far, for `info jit`.
public struct EngineStatistics: Sendable {
  public var interpreted = TranslationCost()
  public var quick = TranslationCost()
  public var thorough = TranslationCost()
  /// Times a sample of the running code was taken.
  public var samples: UInt64 = 0
  public var invalidations: UInt64 = 0
  public var flushes: UInt64 = 0
  public var chainsMade: UInt64 = 0
  public var entries: UInt64 = 0
  public var indirectMisses: UInt64 = 0
  public var exceptions: UInt64 = 0
  public var interrupts: UInt64 = 0
  public var slowAccesses: UInt64 = 0
  /// Times a loop that only waits was taken to the end of the budget at once.
  public var spinsSkipped: UInt64 = 0
  public var tlbFills: UInt64 = 0
  public init() {}

  public subscript(tier: Tier) -> TranslationCost {
    _read {
      switch tier {
      case .interpreted: yield interpreted
      case .quick: yield quick
      case .thorough: yield thorough
      }
    }
    _modify {
      switch tier {
      case .interpreted: yield &interpreted
      case .quick: yield &quick
      case .thorough: yield &thorough
      }
    }
  }
}

/// How much guest code a block was decoded from. Passes may drop instructions that are never reached.
struct GuestExtent {
  /// Bytes.
  var size: UInt64 = 0
  var instructions: UInt32 = 0
  /// IR ops before any pass.
  var ops: Int

  init(_ code: PackedCode) {
    size = code.size
    instructions = code.instructionCount
    ops = code.opCount
  }

  init(_ block: BlockView) {
    ops = block.opCount
    var index = block.opCount &- 1
    while index >= 0, block.ops[index].opcode != .instruction { index &-= 1 }
    guard index >= 0 else { return }
    let last = block.ops[index]
    size = UInt64(bitPattern: last.imm) &- block.pc &+ UInt64(last.aux)
    instructions = last.extra &+ 1
  }
}
