// Characters that wait for somebody to take them, however many there are.

/// Bytes in the order in which they came. Taking some costs as much as there are taken, not as many as are left.
public struct ByteQueue: Sendable {
  private var bytes: [UInt8]
  /// Those before it have been taken; they are dropped once they are as many as the others.
  private var head = 0

  public init(_ bytes: [UInt8] = []) { self.bytes = bytes }

  public var count: Int { bytes.count - head }
  public var isEmpty: Bool { head == bytes.count }
  public var first: UInt8? { isEmpty ? nil : bytes[head] }

  public static func += (queue: inout ByteQueue, more: [UInt8]) { queue.bytes += more }

  /// Takes the oldest byte.
  public mutating func popFirst() -> UInt8? {
    guard let byte = first else { return nil }
    drop(1)
    return byte
  }

  /// Takes the oldest bytes, up to so many.
  public mutating func take(_ most: Int) -> [UInt8] {
    let taken = Array(bytes[head...].prefix(most))
    drop(taken.count)
    return taken
  }

  public mutating func removeAll() { self = ByteQueue() }

  private mutating func drop(_ number: Int) {
    head += number
    if head * 2 >= bytes.count {
      bytes.removeFirst(head)
      head = 0
    }
  }
}

extension ByteQueue: Equatable {
  public static func == (one: ByteQueue, other: ByteQueue) -> Bool {
    one.bytes[one.head...] == other.bytes[other.head...]
  }
}

/// As a list of the bytes that wait: what was taken leaves no trace in a snapshot.
extension ByteQueue: Codable {
  public init(from decoder: any Decoder) throws {
    bytes = try decoder.singleValueContainer().decode([UInt8].self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(Array(bytes[head...]))
  }
}
