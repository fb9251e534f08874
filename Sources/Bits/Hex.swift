// Hexadecimal text without Foundation.

extension BinaryInteger {
  /// Lower-case hexadecimal digits of this value, padded with zeros to `digits`; no prefix.
  public func hex(digits: Int = 1) -> String {
    let text = String(self, radix: 16)
    return text.count >= digits ? text : String(repeating: "0", count: digits - text.count) + text
  }

  /// As `hex(digits:)` with `0x` in front.
  public func hex0x(digits: Int = 1) -> String { "0x" + hex(digits: digits) }
}
