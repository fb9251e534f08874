// Owns the lines that breakpoints log: text with expressions in braces.

import Bits

/// `count={*counter} a0={$a0:x}`: an expression with, behind a colon, how it is shown: `d` signed (so it is without one), `u`
/// unsigned, `x` hexadecimal, `c` a character, `s` the string at the address, `a` an address with its symbol. `{{` is a brace.
struct LogFormat: Sendable {
  private enum Piece: Sendable {
    case text(String)
    case value(Expression, style: Character)
  }

  let source: String
  private var pieces: [Piece] = []

  /// The most bytes of a string.
  private static let longestString: UInt64 = 1024

  init(_ source: String, _ memory: DebugMemory) throws(MonitorError) {
    self.source = source
    var rest = source[...]
    while !rest.isEmpty {
      let text = rest.prefix { $0 != "{" }
      rest = rest.dropFirst(text.count)
      if !text.isEmpty { pieces.append(.text(String(text))) }
      guard !rest.isEmpty else { break }
      if rest.hasPrefix("{{") {
        pieces.append(.text("{"))
        rest = rest.dropFirst(2)
        continue
      }
      let inside = rest.dropFirst().prefix { $0 != "}" }
      guard rest.dropFirst(inside.count + 1).first == "}" else { throw .refused("'\(rest)': a '}' is missing") }
      rest = rest.dropFirst(inside.count + 2)
      pieces.append(try Self.value(inside, memory))
    }
  }

  private static func value(_ text: Substring, _ memory: DebugMemory) throws(MonitorError) -> Piece {
    var (expression, style) = (text, Character("d"))
    // `Type::function` is a name.
    if let colon = text.lastIndex(of: ":"), colon > text.startIndex, text[text.index(before: colon)] != ":" {
      let word = text[text.index(after: colon)...]
      if word.count == 1, let letter = word.first {
        guard "duxcsa".contains(letter) else { throw .refused("'{\(text)}': a value is shown as d, u, x, c, s or a") }
        (expression, style) = (text[..<colon], letter)
      }
    }
    return .value(try ExpressionParser.parse(String(expression), memory), style: style)
  }

  func text(_ memory: DebugMemory) throws(MonitorError) -> String {
    var line = ""
    for piece in pieces {
      switch piece {
      case .text(let text): line += text
      case .value(let expression, let style): line += Self.show(try expression.value(memory), style, memory)
      }
    }
    return line
  }

  private static func show(_ value: UInt64, _ style: Character, _ memory: DebugMemory) -> String {
    switch style {
    case "u": return String(value)
    case "x": return value.hex0x()
    case "c": return String(Character(Unicode.Scalar(UInt8(truncatingIfNeeded: value))))
    case "a": return memory.addressText(value) + memory.symbolSuffix(value)
    case "s":
      var bytes: [UInt8] = []
      for offset in 0..<longestString {
        guard let byte = memory.read(value &+ offset, size: 1), byte != 0 else { break }
        bytes.append(UInt8(truncatingIfNeeded: byte))
      }
      return String(decoding: bytes, as: UTF8.self)
    default:
      return String(Int64(bitPattern: memory.wordSize == 4 ? UInt64(bitPattern: value.signExtended(from: 32)) : value))
    }
  }
}
