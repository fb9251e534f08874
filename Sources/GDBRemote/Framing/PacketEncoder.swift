/// Wraps payloads into packets and notifications: escapes, optional run-length encoding, checksum (GDB manual,
/// appendix "Remote Serial Protocol", section "Overview").
public struct PacketEncoder: Sendable {
  /// Whether runs of four and more equal characters are shortened to `c*n`.
  public var runLengthEncoding: Bool

  public init(runLengthEncoding: Bool = false) {
    self.runLengthEncoding = runLengthEncoding
  }

  /// `$payload#checksum`.
  public func packet(_ payload: some Collection<UInt8>) -> [UInt8] {
    frame(UInt8(ascii: "$"), payload)
  }

  /// `%payload#checksum`, which is never acknowledged.
  public func notification(_ payload: some Collection<UInt8>) -> [UInt8] {
    frame(UInt8(ascii: "%"), payload)
  }

  private func frame(_ lead: UInt8, _ payload: some Collection<UInt8>) -> [UInt8] {
    var frame = [lead]
    frame.reserveCapacity(payload.count + 4)
    var rest = payload[...]
    while let byte = rest.first {
      if Self.isSpecial(byte) {
        frame.append(UInt8(ascii: "}"))
        frame.append(byte ^ 0x20)
        rest = rest.dropFirst()
        continue
      }
      frame.append(byte)
      rest = rest.dropFirst()
      guard runLengthEncoding else { continue }
      let repeats = Self.encodableRepeats(rest.prefix(97).prefix { $0 == byte }.count)
      guard repeats > 0 else { continue }
      frame.append(UInt8(ascii: "*"))
      frame.append(UInt8(repeats + 29))
      rest = rest.dropFirst(repeats)
    }
    let sum = frame.dropFirst().reduce(0 as UInt8, &+)
    frame.append(UInt8(ascii: "#"))
    frame.append(Hex.digit(sum >> 4))
    frame.append(Hex.digit(sum & 15))
    return frame
  }

  private static func isSpecial(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "}"), UInt8(ascii: "*"): true
    default: false
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
