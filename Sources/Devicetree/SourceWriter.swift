// Owns the writing of nodes as devicetree source.
//
// Source: Devicetree Specification v0.4, chapter 6.

extension Node {
  /// The node with all below it as lines of source. What kind a property has does not stand in a tree: bytes that read as
  /// text are taken for strings, others for cells if their count allows it.
  public func source(indentation: String = "") -> [String] {
    let inner = indentation + "\t"
    var lines = [indentation + (name.isEmpty ? "/" : name) + " {"]
    lines += properties.map { inner + $0.source }
    for child in children {
      if lines.count > 1 { lines.append("") }
      lines += child.source(indentation: inner)
    }
    return lines + [indentation + "};"]
  }
}

extension Property {
  /// `name = value;`
  var source: String {
    guard !bytes.isEmpty else { return name + ";" }
    if let strings, strings.allSatisfy(Self.isText) {
      return name + " = " + strings.map { "\"" + Self.escaped($0) + "\"" }.joined(separator: ", ") + ";"
    }
    if let cells { return name + " = <" + cells.map { "0x" + String($0, radix: 16) }.joined(separator: " ") + ">;" }
    let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    return name + " = [" + digits.joined(separator: " ") + "];"
  }

  private static func isText(_ text: String) -> Bool {
    !text.isEmpty && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
  }
}
