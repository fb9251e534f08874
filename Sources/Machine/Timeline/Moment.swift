// Owns moments: conditions of the machine that the timeline keeps, and the pages of memory that have changed up to each.

import Bus

/// A page of the machine's memories: by memory, then by number.
struct PageKey: Hashable, Comparable, Sendable {
  private let value: UInt64

  init(memory: Int, page: Int) { value = UInt64(memory) << 40 | UInt64(page) }

  var memory: Int { Int(value >> 40) }
  var page: Int { Int(value & (1 << 40 - 1)) }

  static func < (left: PageKey, right: PageKey) -> Bool { left.value < right.value }
}

/// How far the harts have come: two conditions of one history that have equal positions are equal.
public struct Position: Codable, Equatable, Sendable {
  public struct Hart: Codable, Equatable, Sendable {
    public var ticks: UInt64
    public var pc: UInt64
  }
  /// Where a round stands whose time has come: at the same time, but not the same.
  enum Phase: Int, Codable, Sendable {
    case full, over, begun
  }
  public var harts: [Hart]
  var phase: Phase

  /// The time that all harts have come to.
  public var ticks: UInt64 { harts.map(\.ticks).min() ?? 0 }

  /// Whether this comes earlier in a history than `other` does.
  func isBefore(_ other: Position) -> Bool {
    let (own, others) = (harts.map(\.ticks), other.harts.map(\.ticks))
    if own == others { return phase.rawValue < other.phase.rawValue }
    return zip(own, others).allSatisfy { $0 <= $1 }
  }

  /// What no hart but one comes to, and that one at a time.
  init(reaching ticks: UInt64, of hart: Int, harts count: Int) {
    harts = (0..<count).map { Hart(ticks: $0 == hart ? ticks : .max, pc: 0) }
    phase = .begun
  }

  init(_ harts: [Hart], _ round: Round) {
    self.harts = harts
    phase = round.isOver ? .over : harts.allSatisfy { $0.ticks >= round.end } ? .full : .begun
  }
}

extension MachineCondition {
  var position: Position { Position(cpus.map { Position.Hart(ticks: $0.progress.ticks, pc: $0.pc) }, round) }
}

struct Moment {
  /// Seconds of the host's time that running up to it has taken.
  var cost: Double
  var condition: MachineCondition
  /// The copies of pages that differ from those of the moment before.
  var pages: [PageKey: PagePool.Copy]
  /// Bytes of console output up to it, by backend.
  var printed: [Int]
  /// The semihosting files that are open, and how many answers of the host's there were about files.
  var files: (table: SemihostingFiles.Table, answers: Int)
  /// Where the machine stood when somebody changed it into this: it does not follow from the moment before. Else nil.
  var cut: Position?
  /// The recording that is written has it, or begins there.
  var isRecorded = false

  var position: Position { condition.position }
  /// Where the way that leads here from the moment before ends.
  var arrival: Position { cut ?? position }
  /// Bytes beside those of its pages' copies.
  var bytes: Int { condition.bytes + pages.count * 24 + 256 }
}
