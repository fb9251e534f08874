/// A cursor over a packet's payload: numbers, addresses, thread ids and hexadecimal bytes, each refused with a clear
/// error when it is missing, malformed or too large.
struct PacketReader {
  private(set) var rest: ArraySlice<UInt8>

  init(_ payload: [UInt8]) {
    rest = payload[...]
  }

  var isAtEnd: Bool { rest.isEmpty }

  /// The remaining payload as text; invalid UTF-8 is replaced.
  var text: String { String(decoding: rest, as: UTF8.self) }

  /// Takes `character` if it comes next.
  mutating func skip(_ character: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: character) else { return false }
    rest = rest.dropFirst()
    return true
  }

  mutating func drop(_ count: Int) {
    rest = rest.dropFirst(count)
  }

  mutating func expect(_ character: Unicode.Scalar) throws(TargetError) {
    guard skip(character) else { throw .invalid("malformed packet: '\(character)' expected") }
  }

  func expectEnd() throws(TargetError) {
    guard isAtEnd else { throw .invalid("malformed packet: unexpected text at its end") }
  }

  /// What was taken since the rest was `earlier`, as text.
  func taken(from earlier: ArraySlice<UInt8>) -> String {
    String(decoding: earlier.prefix(earlier.count - rest.count), as: UTF8.self)
  }

  /// Takes everything before `separator`, or everything; the separator itself is taken too.
  mutating func field(upTo separator: Unicode.Scalar) -> ArraySlice<UInt8> {
    let field = rest.prefix { $0 != UInt8(ascii: separator) }
    rest = rest.dropFirst(field.count).dropFirst()
    return field
  }

  /// Takes a hexadecimal number of one digit or more that fits into `type`.
  mutating func number<Number: FixedWidthInteger & UnsignedInteger>(_ type: Number.Type) throws(TargetError) -> Number {
    var value: Number = 0
    var digits = 0
    while let byte = rest.first, let digit = Hex.value(byte) {
      let (shifted, overflow) = value.multipliedReportingOverflow(by: 16)
      guard !overflow else { throw .invalid("malformed packet: number too large") }
      value = shifted | Number(digit)
      digits += 1
      rest = rest.dropFirst()
    }
    guard digits > 0 else { throw .invalid("malformed packet: hexadecimal number expected") }
    return value
  }

  /// Takes a number with an optional minus sign.
  mutating func signedNumber() throws(TargetError) -> Int64 {
    let negative = skip("-")
    let magnitude = try number(UInt64.self)
    guard magnitude <= UInt64(Int64.max) + (negative ? 1 : 0) else {
      throw .invalid("malformed packet: number too large")
    }
    return Int64(truncatingIfNeeded: negative ? 0 &- magnitude : magnitude)
  }

  /// Takes `address,length`.
  mutating func addressAndLength() throws(TargetError) -> (address: UInt64, length: UInt64) {
    let address = try number(UInt64.self)
    try expect(",")
    return (address, try number(UInt64.self))
  }

  /// Takes the rest, two digits a byte.
  mutating func hexBytes() throws(TargetError) -> [UInt8] {
    guard let bytes = Hex.decode(rest) else { throw .invalid("malformed packet: hexadecimal bytes expected") }
    rest = []
    return bytes
  }

  /// Takes `count` bytes, two digits each.
  mutating func hexBytes(count: Int) throws(TargetError) -> [UInt8] {
    let digits = rest.prefix(2 * count)
    guard digits.count == 2 * count, let bytes = Hex.decode(digits) else {
      throw .invalid("malformed packet: \(count) hexadecimal bytes expected")
    }
    rest = rest.dropFirst(digits.count)
    return bytes
  }

  /// Takes a thread id in any of its forms: `t`, `pP`, `pP.t`, each number also 0 (any) or -1 (all).
  mutating func threadSelector() throws(TargetError) -> ThreadSelector {
    guard skip("p") else { return ThreadSelector(process: .any, thread: try selection()) }
    let process = try selection()
    guard skip(".") else { return ThreadSelector(process: process, thread: .all) }
    return ThreadSelector(process: process, thread: try selection())
  }

  private mutating func selection() throws(TargetError) -> ThreadSelector.Selection {
    if skip("-") {
      try expect("1")
      return .all
    }
    let id = try number(UInt32.self)
    return id == 0 ? .any : .only(id)
  }
}
