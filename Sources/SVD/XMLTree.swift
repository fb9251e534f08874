// Owns the reading of XML, as much of it as register descriptions use.
//
// Source: W3C, "Extensible Markup Language (XML) 1.0", fifth edition. Documents are UTF-8; a document type declaration is
// passed over, and one that declares anything itself is refused.

/// An element: its text is all the characters directly inside it.
struct XMLElement {
  var name: String
  var attributes: [String: String] = [:]
  var children: [XMLElement] = []
  var text = ""
  /// Where it begins, from 1.
  var line: Int
  /// The byte of the document behind its name: no other element has the same.
  var place: Int

  func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }
}

/// Reads a document in one pass.
struct XMLTree {
  /// Elements inside one another.
  private static let deepest = 64

  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var open: [XMLElement] = []

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The root element.
  static func read(_ bytes: [UInt8]) throws(SVDError) -> XMLElement {
    var tree = XMLTree(bytes)
    return try tree.document()
  }

  private func failure(_ message: String) -> SVDError { SVDError(line: line, message: message) }

  private mutating func document() throws(SVDError) -> XMLElement {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    var root: XMLElement?
    while position < bytes.count {
      if let element = try item(isInside: !open.isEmpty) {
        guard root == nil else { throw failure("a second root element <\(element.name)>") }
        root = element
      }
    }
    if let last = open.last { throw SVDError(line: last.line, message: "<\(last.name)> is never closed") }
    guard let root else { throw failure("this is no XML: there is no element") }
    return root
  }

  /// Takes the next piece of the document; returns the root once it is closed.
  private mutating func item(isInside: Bool) throws(SVDError) -> XMLElement? {
    guard bytes[position] == UInt8(ascii: "<") else {
      let text = try characters(until: UInt8(ascii: "<"))
      if isInside {
        open[open.count - 1].text += text
      } else if !text.allSatisfy(\.isWhitespace) {
        throw failure("this is no XML: text outside of all elements")
      }
      return nil
    }
    if skip("<!--") {
      _ = try raw(until: "-->")
    } else if skip("<![CDATA[") {
      let text = try raw(until: "]]>")
      if isInside { open[open.count - 1].text += text }
    } else if skip("<?") {
      _ = try raw(until: "?>")
    } else if skip("<!") {
      let declaration = try raw(until: ">")
      guard !declaration.contains("[") else { throw failure("a document type of its own is not understood") }
    } else if skip("</") {
      return try close()
    } else {
      position += 1
      return try start()
    }
    return nil
  }

  private mutating func start() throws(SVDError) -> XMLElement? {
    var element = XMLElement(name: try name(), line: line, place: position)
    guard open.count < Self.deepest else { throw failure("more than \(Self.deepest) elements inside one another") }
    while true {
      skipSpace()
      if skip("/>") {
        open.append(element)
        return finish()
      }
      if skip(">") {
        open.append(element)
        return nil
      }
      let attribute = try name()
      skipSpace()
      guard skip("=") else { throw failure("attribute '\(attribute)' of <\(element.name)> has no value") }
      skipSpace()
      guard position < bytes.count, [UInt8(ascii: "\""), UInt8(ascii: "'")].contains(bytes[position]) else {
        throw failure("the value of attribute '\(attribute)' is not in quotes")
      }
      let quote = bytes[position]
      position += 1
      element.attributes[attribute] = try characters(until: quote)
      guard position < bytes.count else { throw failure("the value of attribute '\(attribute)' never ends") }
      position += 1
    }
  }

  private mutating func close() throws(SVDError) -> XMLElement? {
    let name = try name()
    skipSpace()
    guard skip(">") else { throw failure("</\(name) is not closed") }
    guard let last = open.last, last.name == name else {
      throw failure("</\(name)> closes nothing" + (open.last.map { "; <\($0.name)> of line \($0.line) is open" } ?? ""))
    }
    return finish()
  }

  private mutating func finish() -> XMLElement? {
    let element = open.removeLast()
    guard !open.isEmpty else { return element }
    open[open.count - 1].children.append(element)
    return nil
  }

  // MARK: Characters

  private mutating func skip(_ text: String) -> Bool {
    let count = text.utf8.count
    guard count <= bytes.count - position, bytes[position..<position + count].elementsEqual(text.utf8) else {
      return false
    }
    position += count
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
      if bytes[position] == 0x0A { line += 1 }
      position += 1
    }
  }

  private mutating func name() throws(SVDError) -> String {
    let start = position
    while position < bytes.count, Self.isNamed(bytes[position]) { position += 1 }
    guard position > start else { throw failure("this is no XML: a name is missing") }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private static func isNamed(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x3A, 0x41...0x5A, 0x61...0x7A, 0x80...0xFF, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// Up to the end mark, which is passed.
  private mutating func raw(until end: String) throws(SVDError) -> String {
    let mark = Array(end.utf8)
    let start = position
    while position + mark.count <= bytes.count {
      if bytes[position..<position + mark.count].elementsEqual(mark) {
        position += mark.count
        return String(decoding: bytes[start..<position - mark.count], as: UTF8.self)
      }
      if bytes[position] == 0x0A { line += 1 }
      position += 1
    }
    throw failure("'\(end)' is missing")
  }

  /// Up to a byte, which is not passed, or the end; entities are replaced.
  private mutating func characters(until end: UInt8) throws(SVDError) -> String {
    var text = ""
    var start = position
    while position < bytes.count, bytes[position] != end {
      if bytes[position] == 0x0A { line += 1 }
      guard bytes[position] == UInt8(ascii: "&") else {
        position += 1
        continue
      }
      text += String(decoding: bytes[start..<position], as: UTF8.self)
      position += 1
      text.unicodeScalars.append(try entity())
      start = position
    }
    return text + String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func entity() throws(SVDError) -> Unicode.Scalar {
    let start = position
    while position < bytes.count, position - start < 12, bytes[position] != UInt8(ascii: ";") { position += 1 }
    let word = String(decoding: bytes[start..<position], as: UTF8.self)
    guard position < bytes.count, bytes[position] == UInt8(ascii: ";") else {
      throw failure("'&\(word)' lacks its ';'")
    }
    position += 1
    switch word {
    case "lt": return "<"
    case "gt": return ">"
    case "amp": return "&"
    case "quot": return "\""
    case "apos": return "'"
    default: break
    }
    let code =
      word.hasPrefix("#x")
      ? UInt32(word.dropFirst(2), radix: 16) : word.hasPrefix("#") ? UInt32(word.dropFirst()) : nil
    guard let code, let scalar = Unicode.Scalar(code) else { throw failure("'&\(word);' is no character") }
    return scalar
  }
}
