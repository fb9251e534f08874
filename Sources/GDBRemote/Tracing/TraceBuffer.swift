// Owns the frames that tracing has collected: a buffer of a given size that ends full, or forgets the oldest.

/// Frames in the order of collection, numbered from 0: the oldest that is left.
public struct TraceBuffer: Sendable {
  public static let defaultCapacity = 8 << 20
  public static let largestCapacity = 64 << 20

  private struct Entry: Sendable {
    var tracepoint: Int
    var programCounter: UInt64
    /// Of its words in the storage, which they may go round the end of.
    var position: Int
    var count: Int
  }

  /// In bytes, what is kept of each frame beside its pieces included.
  public let capacity: Int
  /// Whether the oldest frames make room for new ones.
  public var isCircular: Bool
  /// Frames collected, those forgotten too.
  public private(set) var created: UInt64 = 0
  public private(set) var used = 0

  private var entries: [Entry] = []
  /// Of the oldest.
  private var first = 0
  /// Grows up to the capacity as it is needed.
  private var storage: [UInt64] = []
  /// Where the next frame begins.
  private var tail = 0

  public init(capacity: Int = Self.defaultCapacity, isCircular: Bool = false) {
    self.capacity = min(max(capacity, 0), Self.largestCapacity)
    self.isCircular = isCircular
  }

  public var count: Int { entries.count - first }

  /// Words of storage.
  private var room: Int { capacity / 8 }

  /// - Returns: the bytes that the frame takes; nil: it does not fit.
  package mutating func append(tracepoint: Int, programCounter: UInt64, words: [UInt64]) -> Int? {
    let size = words.count * 8 + MemoryLayout<Entry>.stride
    guard size <= capacity, isCircular || used + size <= capacity else { return nil }
    while used + size > capacity { forgetOldest() }
    entries.append(
      Entry(tracepoint: tracepoint, programCounter: programCounter, position: tail, count: words.count))
    for word in words {
      if tail < storage.count { storage[tail] = word } else { storage.append(word) }
      tail += 1
      if tail == room { tail = 0 }
    }
    used += size
    created += 1
    return size
  }

  private mutating func forgetOldest() {
    used -= entries[first].count * 8 + MemoryLayout<Entry>.stride
    first += 1
    guard first > 1 << 12, first * 2 > entries.count else { return }
    entries.removeFirst(first)
    first = 0
  }

  /// The frame of a number; nil if there is none.
  public func frame(_ number: Int) -> TraceFrame? {
    guard number >= 0, number < count else { return nil }
    let entry = entries[first + number]
    let straight = min(entry.count, room - entry.position)
    let words = storage[entry.position..<entry.position + straight] + storage[..<(entry.count - straight)]
    return TraceFrame(tracepoint: entry.tracepoint, programCounter: entry.programCounter, words: Array(words))
  }

  /// The number of the first frame behind number `start` (-1: of all) that `isWanted`, by tracepoint and program counter.
  public func find(after start: Int, _ isWanted: (Int, UInt64) -> Bool) -> Int? {
    let begin = first + max(start, -1) + 1
    guard begin < entries.count else { return nil }
    return entries[begin...].firstIndex { isWanted($0.tracepoint, $0.programCounter) }.map { $0 - first }
  }
}
