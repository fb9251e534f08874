// Owns listings as JSON (RFC 8259), on one line.

import Bits

extension Listing {
  public var json: String { value.json }

  func text(asJSON: Bool) -> String { asJSON ? json : textLines.joined(separator: "\n") }

  /// The listing as one value.
  var value: Value {
    switch self {
    case .lines(let lines): .list(lines.map { .text($0) })
    case .custom(_, let value): value
    case .fields(let fields), .grid(let fields, _): .object(fields)
    case .table(let columns, let rows):
      .list(rows.map { row in .object(zip(columns, row).map { NamedValue($0.title, $1) }) })
    case .sections(let sections): .object(sections.map { NamedValue($0.title, $0.listing.value) })
    }
  }
}

extension Value {
  var json: String {
    switch self {
    case .nothing: "null"
    case .text(let text): Self.quoted(text)
    case .number(let value): String(value)
    case .hex: "\"" + text + "\""
    case .real(let value, _): value.isFinite ? text : "null"
    case .truth(let value): value ? "true" : "false"
    case .list(let values): "[" + values.map(\.json).joined(separator: ",") + "]"
    case .object(let fields):
      "{" + fields.map { Self.quoted(Self.key($0.name)) + ":" + $0.value.json }.joined(separator: ",") + "}"
    }
  }

  /// A title as a key: lower-case words joined by underscores. A name of the guest's or of a file stays as it is.
  private static func key(_ title: String) -> String {
    title.contains(" ")
      ? title.replacing(", ", with: "_").replacing(/[ -]/, with: "_").lowercased() : title.lowercased()
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20: result += "\\u" + scalar.value.hex(digits: 4)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
