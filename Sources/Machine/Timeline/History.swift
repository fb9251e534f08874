// Owns what others see of the past that is kept: how far it goes, and what happened in it.

/// Something that happened in the past.
public struct HistoryEntry: Sendable {
  public enum Kind: Sendable {
    /// Characters came for a device.
    case input(device: String, count: Int)
    /// A debugger, or who used the monitor, changed something, or moved single harts.
    case change
    case bookmark(String)
  }
  public var kind: Kind
  public var ticks: UInt64
}

/// The past that is kept.
public struct History: Sendable {
  /// Ticks: where it begins, where the machine stands, and how far it has come.
  public var begin: UInt64
  public var here: UInt64
  public var end: UInt64
  /// Conditions of the machine that are kept, and the bytes they take, of those they may take.
  public var moments: Int
  public var bytes: Int
  public var limit: Int
  /// In their order.
  public var entries: [HistoryEntry]
}

extension Machine {
  /// Nil where the past is not kept.
  public var history: History? {
    guard let timeline else { return nil }
    let begin = timeline.moments.first?.position.ticks ?? 0
    var entries = (recorded + replay.reversed()).filter { $0.ticks >= begin }
      .map { HistoryEntry(kind: .input(device: $0.device, count: $0.bytes.count), ticks: $0.ticks) }
    entries += timeline.moments.compactMap(\.cut).map { HistoryEntry(kind: .change, ticks: $0.ticks) }
    entries += timeline.bookmarks.map { HistoryEntry(kind: .bookmark($0), ticks: $1.ticks) }
    return History(
      begin: begin, here: position.ticks, end: max(timeline.end.ticks, position.ticks), moments: timeline.moments.count,
      bytes: timeline.bytes, limit: timeline.limit,
      entries: entries.enumerated().sorted { ($0.element.ticks, $0.offset) < ($1.element.ticks, $1.offset) }
        .map(\.element))
  }

  /// Gives the place where the machine stands a name, in place of one that had it. Throws ``MachineError/badInput(_:)`` where
  /// the past is not kept.
  public func setBookmark(_ name: String) throws(MachineError) {
    try kept().bookmarks[name] = position
  }

  /// The way to a place with a name; nil if there is none.
  public func bookmark(_ name: String) -> ReverseRequest? { timeline?.bookmarks[name].map { .go($0) } }

  /// The way to the beginning, or to the end.
  public func historyEnd(isFirst: Bool) throws(MachineError) -> ReverseRequest {
    let timeline = try kept()
    timeline.noteEnd(self)
    return .go(isFirst ? timeline.moments[0].position : timeline.end)
  }

  func kept() throws(MachineError) -> Timeline {
    guard let timeline else { throw .badInput("the past is not kept; start with --timeline SIZE") }
    return timeline
  }
}
