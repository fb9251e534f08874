/// Cuts a byte stream into packets, acknowledgments and interrupt requests (GDB manual, appendix "Remote Serial
/// Protocol", sections "Overview", "Interrupts" and "Binary Data").
///
/// Any byte is accepted in any state: bytes between packets that mean nothing are dropped, a `$` inside a packet starts
/// it anew, and a packet above the size limit is counted but not stored.
public struct PacketDecoder: Sendable {
  /// What the stream brought.
  public enum Event: Equatable, Sendable {
    /// A packet with a right checksum; its payload, unescaped.
    case packet([UInt8])
    /// The byte 0x03 between packets: stop the guest.
    case interrupt
    /// `+`: the other side has our last packet.
    case acknowledged
    /// `-`: the other side wants our last packet again.
    case rejected
    /// A packet whose checksum is wrong or is no number.
    case damaged
    /// A packet with a payload above the limit.
    case tooLong
  }

  private enum State {
    case idle, payload, escape, checksumHigh, checksumLow
  }

  /// The largest payload stored, in bytes.
  public let maximumSize: Int
  private var state = State.idle
  private var payload: [UInt8] = []
  private var sum: UInt8 = 0
  private var high: UInt8?
  private var overflowed = false

  public init(maximumSize: Int) {
    self.maximumSize = maximumSize
  }

  /// Takes the next byte of the stream; answers what it completed.
  public mutating func decode(_ byte: UInt8) -> Event? {
    switch state {
    case .idle: return decodeBetweenPackets(byte)
    case .payload, .escape:
      decodePayload(byte)
      return nil
    case .checksumHigh, .checksumLow: return decodeChecksum(byte)
    }
  }

  private mutating func decodeBetweenPackets(_ byte: UInt8) -> Event? {
    switch byte {
    case UInt8(ascii: "$"):
      start()
      return nil
    case UInt8(ascii: "+"): return .acknowledged
    case UInt8(ascii: "-"): return .rejected
    case 0x03: return .interrupt
    default: return nil
    }
  }

  private mutating func start() {
    payload.removeAll(keepingCapacity: true)
    sum = 0
    overflowed = false
    state = .payload
  }

  private mutating func decodePayload(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "$"): start()
    case UInt8(ascii: "#"): state = .checksumHigh
    default:
      sum &+= byte
      if state == .escape {
        state = .payload
        store(byte ^ 0x20)
      } else if byte == UInt8(ascii: "}") {
        state = .escape
      } else {
        store(byte)
      }
    }
  }

  private mutating func store(_ byte: UInt8) {
    if payload.count < maximumSize { payload.append(byte) } else { overflowed = true }
  }

  private mutating func decodeChecksum(_ byte: UInt8) -> Event? {
    if byte == UInt8(ascii: "$") {
      start()
      return .damaged
    }
    if state == .checksumHigh {
      high = Hex.value(byte)
      state = .checksumLow
      return nil
    }
    state = .idle
    return finish(low: Hex.value(byte))
  }

  private func finish(low: UInt8?) -> Event {
    if overflowed { return .tooLong }
    guard let high, let low, high << 4 | low == sum else { return .damaged }
    return .packet(payload)
  }
}
