// Owns the trace of branches of one thread: the stretches of code it went through, the newest ones.

/// Straight stretches of code that a thread has executed. What GDB's `record btrace` reads.
public struct BranchTrace: Sendable, Equatable {
  /// Addresses of the first and last instruction of a stretch.
  public struct Block: Sendable, Equatable {
    public var begin: UInt64
    public var end: UInt64

    public init(begin: UInt64, end: UInt64) {
      self.begin = begin
      self.end = end
    }
  }

  /// What of it a client wants.
  public enum Part: Sendable {
    case all
    /// All, if something was executed since the last read; else nothing.
    case new
    /// From where the last read ended; the first block's beginning is 0.
    case delta
  }

  /// Bytes that a block takes of a size: those of a record of x86-64, by which GDB's users reckon.
  public static let recordSize = 24
  /// In bytes.
  public static let sizes = recordSize...(4 << 20)

  /// In bytes, as asked for.
  public let size: Int
  private let limit: Int
  private var blocks: [Block] = []
  /// Where the next one goes once there are as many as may be.
  private var oldest = 0
  private var open: Block?
  /// The address behind the last instruction executed.
  private var next: UInt64 = 0
  /// Blocks closed so far.
  private var closed: UInt64 = 0
  /// The blocks closed at the last read, where the thread stood then, and the instructions executed since.
  private var closedBefore: UInt64 = 0
  private var stood: UInt64?
  private var executed: UInt64 = 0

  public init(size: Int) {
    self.size = min(max(size, Self.sizes.lowerBound), Self.sizes.upperBound)
    limit = self.size / Self.recordSize
  }

  /// The instruction at `pc`, behind which lies `next`, is executed.
  public mutating func execute(_ pc: UInt64, next: UInt64) {
    if open != nil, pc == self.next {
      open?.end = pc
    } else {
      if let open { close(open) }
      open = Block(begin: pc, end: pc)
    }
    self.next = next
    executed &+= 1
  }

  private mutating func close(_ block: Block) {
    closed &+= 1
    if blocks.count < limit {
      blocks.append(block)
    } else {
      blocks[oldest] = block
      oldest = oldest + 1 == limit ? 0 : oldest + 1
    }
  }

  /// Reads a part of the trace of a thread that stands at `pc`, which it has not executed yet: the newest block first.
  /// - Returns: nil if what the thread did since the last read does not go on from what was read then: blocks are lost, or the
  ///   instruction where it stood was not the next after all.
  public mutating func read(_ part: Part, at pc: UInt64) -> [Block]? {
    if let block = open, pc != next {
      close(block)
      open = nil
    }
    let newest = Block(begin: open?.begin ?? pc, end: pc)
    let (since, isUnchanged) = (closed &- closedBefore, executed == 0)
    var result = [newest]
    switch part {
    case .all: result += recent(blocks.count)
    case .new: result = isUnchanged ? [] : result + recent(blocks.count)
    case .delta:
      guard since <= UInt64(blocks.count) else { return nil }
      if !isUnchanged { result += recent(Int(since)) }
      if let stood, result[result.count - 1].end < stood { return nil }
      result[result.count - 1].begin = 0
    }
    (closedBefore, executed, stood) = (closed, 0, pc)
    return result
  }

  /// The last so many closed blocks, the newest first.
  private func recent(_ count: Int) -> [Block] {
    (0..<count).map { blocks[(oldest + blocks.count - 1 - $0) % blocks.count] }
  }
}
