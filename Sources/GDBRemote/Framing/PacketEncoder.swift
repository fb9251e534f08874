/// Wraps payloads into packets and notifications: escapes, optional run-length encoding, checksum (GDB manual,
/// appendix "Remote Serial Protocol", section "Overview").
public struct PacketEncoder: Sendable {
  /// Whether runs of four and more equal characters are shortened to `c*n`.
  public var runLengthEncoding: Bool

  public init(runLengthEncoding: Bool = false) {
    self.runLengthEncoding = runLengthEncoding
  }

  /// `$payload#checksum`.
  public func packet(_ payload: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    append(payload, to: &bytes)
    return bytes
  }

  /// `%payload#checksum`, which is never acknowledged.
  public func notification(_ payload: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    append(payload, lead: UInt8(ascii: "%"), to: &bytes)
    return bytes
  }

  /// Appends what ``packet(_:)`` returns.
  func append(_ payload: [UInt8], lead: UInt8 = UInt8(ascii: "$"), to bytes: inout [UInt8]) {
    bytes.reserveCapacity(bytes.count + payload.count + payload.count / 32 + 4)
    bytes.append(lead)
    let start = bytes.count
    if runLengthEncoding { appendRuns(payload, to: &bytes) } else { Self.appendEscaped(payload, to: &bytes) }
    let sum = Bytes.sum(bytes, from: start)
    bytes.append(UInt8(ascii: "#"))
    bytes.append(Hex.digit(sum >> 4))
    bytes.append(Hex.digit(sum & 15))
  }

  private static func appendEscaped(_ payload: [UInt8], to bytes: inout [UInt8]) {
    var position = 0
    while true {
      let end = Bytes.firstSpecial(payload, from: position)
      bytes += payload[position..<end]
      guard end < payload.count else { return }
      bytes.append(UInt8(ascii: "}"))
      bytes.append(payload[end] ^ 0x20)
      position = end + 1
    }
  }

  private func appendRuns(_ payload: [UInt8], to bytes: inout [UInt8]) {
    var rest = payload[...]
    while let byte = rest.first {
      rest = rest.dropFirst()
      if Bytes.isSpecial(byte) {
        bytes.append(UInt8(ascii: "}"))
        bytes.append(byte ^ 0x20)
        continue
      }
      bytes.append(byte)
      let repeats = Self.encodableRepeats(rest.prefix(97).prefix { $0 == byte }.count)
      guard repeats > 0 else { continue }
      bytes.append(UInt8(ascii: "*"))
      bytes.append(UInt8(repeats + 29))
      rest = rest.dropFirst(repeats)
    }
  }

  /// The largest count, at most `repeats`, whose character may appear in a packet; 0 if shortening does not pay.
  private static func encodableRepeats(_ repeats: Int) -> Int {
    guard repeats >= 3 else { return 0 }
    switch UInt8(repeats + 29) {
    case UInt8(ascii: "#"), UInt8(ascii: "+"), UInt8(ascii: "-"): return repeats - 1
    case UInt8(ascii: "$"): return repeats - 2
    default: return repeats
    }
  }
}
