/// Hexadecimal text as the protocol writes it: two lower-case digits a byte, in memory order.
public enum Hex {
  /// The ASCII digit for a value below 16.
  public static func digit(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
  }

  /// The value of one ASCII digit of either case, or nil.
  public static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// The text of `bytes`, twice as long.
  public static func encode(_ bytes: some Collection<UInt8>) -> [UInt8] {
    let count = bytes.count
    return unsafe [UInt8](unsafeUninitializedCapacity: 2 * count) { text, initialized in
      var place = 0
      for byte in bytes {
        guard place < 2 * count else { break }
        unsafe text[place] = digit(byte >> 4)
        unsafe text[place + 1] = digit(byte & 15)
        place += 2
      }
      initialized = place
    }
  }

  /// The bytes written in `text`, or nil if a digit is missing or is none.
  public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard text.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2)
    var high: UInt8?
    for digit in text {
      guard let nibble = value(digit) else { return nil }
      if let upper = high {
        bytes.append(upper << 4 | nibble)
        high = nil
      } else {
        high = nibble
      }
    }
    return bytes
  }
}
