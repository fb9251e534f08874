// qCRC, qSearch:memory: memory gone through on the target's side, piece by piece and up to a limit.

extension Session {
  static let pieceSize = 1 << 16

  /// `qCRC:address,length`
  func checksumMemory(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let (address, length) = try packet.addressAndLength()
    try packet.expectEnd()
    try checkScan(at: address, length: length)
    let thread = try selectedThread()
    var crc = CRC32()
    var done: UInt64 = 0
    return .job { [unowned self] () throws(TargetError) in
      guard done < length else { return .text("C" + String(crc.value, radix: 16)) }
      let piece = try memory(at: address + done, length: length - done, limit: Self.pieceSize, thread: thread)
      crc.add(piece)
      done += UInt64(piece.count)
      return nil
    }
  }

  /// `qSearch:memory:address;length;pattern`, the pattern in binary.
  func searchMemory(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let address = try packet.number(UInt64.self)
    try packet.expect(";")
    let length = try packet.number(UInt64.self)
    try packet.expect(";")
    let pattern = Array(packet.rest)
    guard !pattern.isEmpty else { throw .invalid("malformed packet: search pattern expected") }
    try checkScan(at: address, length: length)
    let thread = try selectedThread()
    var matcher = PatternMatcher(pattern)
    var done: UInt64 = 0
    return .job { [unowned self] () throws(TargetError) in
      guard done < length else { return .text("0") }
      let piece = try memory(at: address + done, length: length - done, limit: Self.pieceSize, thread: thread)
      if let end = matcher.end(in: piece) {
        return .text("1," + String(address + (done + UInt64(end) - UInt64(pattern.count)), radix: 16))
      }
      done += UInt64(piece.count)
      return nil
    }
  }

  private func checkScan(at address: UInt64, length: UInt64) throws(TargetError) {
    guard length <= configuration.scanLimit else { throw TargetError(.tooLarge, "range too large to go through") }
    guard length == 0 || length - 1 <= UInt64.max - address else { throw .badAddress(.max) }
  }
}

/// Finds a pattern in a stream of pieces, in time linear in both (Knuth, Morris and Pratt).
struct PatternMatcher {
  private let pattern: [UInt8]
  /// For each length matched, the longest shorter one that is matched as well.
  private var shorter: [Int]
  private var matched = 0

  /// - Parameter pattern: not empty.
  init(_ pattern: [UInt8]) {
    self.pattern = pattern
    shorter = [0, 0]
    var length = 0
    for byte in pattern.dropFirst() {
      while length > 0, pattern[length] != byte { length = shorter[length] }
      if pattern[length] == byte { length += 1 }
      shorter.append(length)
    }
  }

  /// The offset in `piece` just behind the first match, which may have begun in an earlier piece.
  mutating func end(in piece: [UInt8]) -> Int? {
    for (offset, byte) in piece.enumerated() {
      while matched > 0, pattern[matched] != byte { matched = shorter[matched] }
      if pattern[matched] == byte { matched += 1 }
      if matched == pattern.count { return offset + 1 }
    }
    return nil
  }
}

/// The CRC of `qCRC`: polynomial 0x04c11db7, most significant bit first, from 0xffffffff, not inverted at the end.
struct CRC32 {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index) << 24) { value, _ in value & 1 << 31 != 0 ? value << 1 ^ 0x04c1_1db7 : value << 1 }
  }

  private(set) var value: UInt32 = .max

  mutating func add(_ bytes: [UInt8]) {
    let table = Self.table
    for byte in bytes {
      value = value << 8 ^ table[Int(UInt8(truncatingIfNeeded: value >> 24) ^ byte)]
    }
  }
}
