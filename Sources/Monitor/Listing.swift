// Owns what a command returns: a small tree of values that becomes aligned text or JSON.

import Bits

/// One thing in a listing.
public indirect enum Value: Sendable, Equatable {
  case nothing
  case text(String)
  case number(UInt64)
  /// Shown as `0x…` with at least so many digits; a string in JSON, which has no 64-bit integers.
  case hex(UInt64, digits: Int)
  /// With so many decimals.
  case real(Double, decimals: Int)
  case truth(Bool)
  case list([Value])
  case object([NamedValue])

  public static func hex(_ value: UInt64) -> Value { .hex(value, digits: 1) }
  static func count(_ value: some BinaryInteger) -> Value { .number(UInt64(clamping: value)) }

  /// The value as it stands in a table.
  var text: String {
    switch self {
    case .nothing: "-"
    case .text(let text): text
    case .number(let value): String(value)
    case .hex(let value, let digits): value.hex0x(digits: digits)
    case .real(let value, let decimals): fixedPoint(value, decimals)
    case .truth(let value): value ? "yes" : "no"
    case .list(let values): values.map(\.text).joined(separator: " ")
    case .object(let fields): fields.map { "\($0.name)=\($0.value.text)" }.joined(separator: " ")
    }
  }
}

/// A named value.
public struct NamedValue: Sendable, Equatable {
  public var name: String
  public var value: Value
  public init(_ name: String, _ value: Value) {
    self.name = name
    self.value = value
  }
}

/// A column of a table; its title, in JSON without spaces, is also its key.
public struct Column: Sendable {
  var title: String
  var alignsRight: Bool
  /// A column on the left edge is padded on its right, unless it is the last.
  static func left(_ title: String) -> Column { Column(title: title, alignsRight: false) }
  static func right(_ title: String) -> Column { Column(title: title, alignsRight: true) }
}

/// What a command shows.
public indirect enum Listing: Sendable {
  /// Lines as they are; an array of strings in JSON.
  case lines([String])
  /// `name  value`, one a line; an object in JSON.
  case fields([NamedValue])
  /// As `fields`, several to a line.
  case grid([NamedValue], columns: Int)
  /// Rows under titles; an array of objects in JSON.
  case table([Column], [[Value]])
  /// Listings under headings; an object in JSON.
  case sections([(title: String, listing: Listing)])
  /// Text that has its own layout, with the same as a value for JSON.
  case custom([String], Value)

  static func text(_ text: String) -> Listing { .lines([text]) }
  /// Says that there is nothing to list; an empty array in JSON.
  static func none(_ text: String) -> Listing { .custom([text], .list([])) }
  /// A sentence with what it is about; an object in JSON.
  static func said(_ text: String, _ values: NamedValue...) -> Listing { .custom([text], .object(values)) }
  static var empty: Listing { .lines([]) }
}

/// `value` with `decimals` digits after the point, rounded half up.
func fixedPoint(_ value: Double, _ decimals: Int) -> String {
  guard value.isFinite, value.magnitude < 1e15 else { return "-" }
  var scale: UInt64 = 1
  for _ in 0..<decimals { scale *= 10 }
  let scaled = UInt64((value.magnitude * Double(scale)).rounded())
  let fraction = String(scaled % scale)
  let whole = (value < 0 ? "-" : "") + String(scaled / scale)
  return decimals == 0 ? whole : whole + "." + String(repeating: "0", count: decimals - fraction.count) + fraction
}
