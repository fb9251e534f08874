// Owns the meaning of Ctrl-A in what the user types.

/// Takes typed bytes apart into what goes on and what is meant for the emulator.
struct EscapeKeys {
  enum Event: Equatable {
    case typed([UInt8])
    case quit
    /// From serial to monitor or back.
    case toggle
    case help
    /// A key after Ctrl-A that means nothing.
    case unknown(UInt8)
  }

  static let help = """

    Ctrl-A h       this help
    Ctrl-A c       from the serial console to the monitor and back
    Ctrl-A x       quit
    Ctrl-A Ctrl-A  send Ctrl-A itself

    """

  private static let prefix: UInt8 = 1
  private var isPrefixed = false

  mutating func feed(_ bytes: [UInt8]) -> [Event] {
    var events: [Event] = []
    var plain: [UInt8] = []
    for byte in bytes {
      guard isPrefixed || byte == Self.prefix else {
        plain.append(byte)
        continue
      }
      guard isPrefixed else {
        isPrefixed = true
        continue
      }
      isPrefixed = false
      if byte == Self.prefix {
        plain.append(byte)
        continue
      }
      if !plain.isEmpty { events.append(.typed(plain)) }
      plain.removeAll()
      switch byte {
      case UInt8(ascii: "x"), UInt8(ascii: "X"): events.append(.quit)
      case UInt8(ascii: "c"), UInt8(ascii: "C"): events.append(.toggle)
      case UInt8(ascii: "h"), UInt8(ascii: "H"), UInt8(ascii: "?"): events.append(.help)
      default: events.append(.unknown(byte))
      }
    }
    if !plain.isEmpty { events.append(.typed(plain)) }
    return events
  }
}
