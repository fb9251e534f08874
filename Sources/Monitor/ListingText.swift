// Owns listings as aligned text.

extension Listing {
  /// The listing's lines, without trailing spaces.
  public var textLines: [String] {
    switch self {
    case .lines(let lines): return lines
    case .custom(let lines, _): return lines
    case .fields(let fields):
      let width = fields.map(\.name.count).max() ?? 0
      return fields.map { trimmed(padded($0.name, width) + "  " + $0.value.text) }
    case .grid(let fields, let columns): return grid(fields, columns)
    case .table(let columns, let rows): return table(columns, rows)
    case .sections(let sections):
      return sections.enumerated().flatMap { index, section in
        (index == 0 ? [] : [""]) + [section.title] + section.listing.textLines.map { $0.isEmpty ? "" : "  " + $0 }
      }
    }
  }

  private func grid(_ fields: [NamedValue], _ columns: Int) -> [String] {
    let names = (0..<columns).map { column in
      fields.indices.filter { $0 % columns == column }.map { fields[$0].name.count }.max() ?? 0
    }
    let values = (0..<columns).map { column in
      fields.indices.filter { $0 % columns == column }.map { fields[$0].value.text.count }.max() ?? 0
    }
    return stride(from: 0, to: fields.count, by: columns).map { start in
      trimmed(
        fields[start..<min(start + columns, fields.count)].enumerated().map { column, field in
          padded(field.name, names[column]) + " " + padded(field.value.text, values[column])
        }.joined(separator: "   "))
    }
  }

  private func table(_ columns: [Column], _ rows: [[Value]]) -> [String] {
    let cells = [columns.map(\.title)] + rows.map { $0.map(\.text) }
    let widths = columns.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
    return cells.map { row in
      trimmed(
        columns.indices.map { index in
          columns[index].alignsRight ? padded(left: row[index], widths[index]) : padded(row[index], widths[index])
        }.joined(separator: "  "))
    }
  }
}

/// `text` with spaces after it up to `width` characters.
func padded(_ text: String, _ width: Int) -> String {
  text.count >= width ? text : text + String(repeating: " ", count: width - text.count)
}

/// `text` with spaces before it.
func padded(left text: String, _ width: Int) -> String {
  text.count >= width ? text : String(repeating: " ", count: width - text.count) + text
}

func trimmed(_ text: String) -> String {
  var end = text.endIndex
  while end > text.startIndex, text[text.index(before: end)] == " " { end = text.index(before: end) }
  return String(text[..<end])
}
