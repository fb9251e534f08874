// Owns how a frame is written while the guest runs, and how that is read again.

/// The pieces of one frame as the buffer keeps them, in words: what the piece is and how many bytes it has, what it is of, its
/// bytes. A class, so that whoever writes a piece writes it where it lies.
public final class TraceFrameWriter {
  /// In words, of one frame.
  static let limit = (1 << 20) / 8

  enum Kind: UInt64 {
    case register, memory, variable
  }

  package private(set) var words: [UInt64] = []
  /// Something did not fit.
  private(set) var isOverfull = false
  /// Bytes of the piece that is being written.
  private var count = 0

  public init() {}

  func clear() {
    words.removeAll(keepingCapacity: true)
    isOverfull = false
  }

  /// Appends bytes to the piece that is being written: the low `size` (1 to 8) of `value`, the lowest first.
  public func append(_ value: UInt64, size: Int) {
    let value = value & UInt64.max >> UInt64(64 - 8 * size)
    let place = count & 7
    if place == 0 {
      words.append(value)
    } else {
      words[words.count - 1] |= value << UInt64(8 * place)
      if place + size > 8 { words.append(value >> UInt64(64 - 8 * place)) }
    }
    count += size
  }

  public func append(_ bytes: some Collection<UInt8>) {
    for byte in bytes { append(UInt64(byte), size: 1) }
  }

  package func addRegister(_ number: Int, _ write: () -> Bool) {
    let start = begin(.register, UInt64(truncatingIfNeeded: number))
    if write(), words.count <= Self.limit { end(start) } else { undo(start) }
  }

  /// - Parameter write: appends the bytes that can be read.
  package func addMemory(_ address: UInt64, _ count: UInt64, _ write: (Int) -> Void) {
    guard count > 0 else { return }
    guard count <= UInt64(Self.limit * 8), words.count + Int(count) / 8 <= Self.limit else { return isOverfull = true }
    let start = begin(.memory, address)
    write(Int(count))
    if self.count > 0 { end(start) } else { undo(start) }
  }

  func addVariable(_ number: Int, _ value: Int64) {
    guard words.count <= Self.limit else { return isOverfull = true }
    let start = begin(.variable, UInt64(truncatingIfNeeded: number))
    append(UInt64(bitPattern: value), size: 8)
    end(start)
  }

  private func begin(_ kind: Kind, _ place: UInt64) -> Int {
    let start = words.count
    words.append(kind.rawValue)
    words.append(place)
    count = 0
    return start
  }

  private func end(_ start: Int) { words[start] |= UInt64(count) << 8 }

  private func undo(_ start: Int) {
    if words.count > Self.limit { isOverfull = true }
    words.removeLast(words.count - start)
  }
}

extension TraceFrame {
  /// Reads what ``TraceFrameWriter`` has written.
  package init(tracepoint: Int, programCounter: UInt64, words: [UInt64]) {
    self.init(tracepoint: tracepoint, programCounter: programCounter)
    var rest = words[...]
    while let head = rest.popFirst(), let kind = TraceFrameWriter.Kind(rawValue: head & 0xFF),
      let place = rest.popFirst()
    {
      let count = Int(head >> 8)
      let content = rest.prefix((count + 7) / 8)
      rest = rest.dropFirst(content.count)
      let bytes = content.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
        .prefix(count)
      switch kind {
      case .register: registers[Int(truncatingIfNeeded: place)] = Array(bytes)
      case .memory: memory.append(Piece(address: place, bytes: Array(bytes)))
      case .variable: variables[Int(truncatingIfNeeded: place)] = content.first.map { Int64(bitPattern: $0) }
      }
    }
  }
}
