// Owns the splitting of a line of IR text into words, numbers and punctuation.

/// Reads one line token by token. A token is one of `, [ ] ( ) = + - -> #`, or a run of other characters.
struct LineReader {
  private let tokens: [String]
  private var next = 0
  private let line: Int

  init(_ text: some StringProtocol, number: Int) {
    line = number
    var tokens: [String] = []
    var word = ""
    func flush() {
      if !word.isEmpty { tokens.append(word) }
      word = ""
    }
    for character in text {
      if character == ";" { break }
      switch character {
      case " ", "\t", "\r": flush()
      case ",", "[", "]", "(", ")", "=", "+", "-", "#":
        flush()
        tokens.append(String(character))
      case ">" where word.isEmpty && tokens.last == "-": tokens[tokens.count - 1] = "->"
      default: word.append(character)
      }
    }
    flush()
    self.tokens = tokens
  }

  func error(_ message: String) -> ParseError { ParseError(line: line, message: message) }

  var isAtEnd: Bool { next == tokens.count }

  private var found: String { isAtEnd ? "the end of the line" : "`\(tokens[next])`" }

  func end() throws(ParseError) {
    guard isAtEnd else { throw error("\(found) is not expected here") }
  }

  /// Takes the next token if it is `token`.
  mutating func takes(_ token: String) -> Bool {
    guard !isAtEnd, tokens[next] == token else { return false }
    next += 1
    return true
  }

  mutating func expect(_ token: String) throws(ParseError) {
    guard takes(token) else { throw error("`\(token)` expected, \(found) found") }
  }

  mutating func word(_ what: String) throws(ParseError) -> String {
    guard !isAtEnd else { throw error("\(what) expected, \(found) found") }
    next += 1
    return tokens[next - 1]
  }

  /// Takes the next token if it is a value, `%3`.
  mutating func optionalValue() throws(ParseError) -> ValueID? {
    guard !isAtEnd, tokens[next].first == "%" else { return nil }
    return try value()
  }

  mutating func value() throws(ParseError) -> ValueID {
    let word = try word("a value")
    guard word.first == "%", let index = UInt16(word.dropFirst()), index != ValueID.none.index else {
      throw error("a value expected, `\(word)` found")
    }
    return ValueID(index)
  }

  /// A 64-bit number, decimal or hexadecimal, signed or the bits of an unsigned one.
  mutating func number() throws(ParseError) -> Int64 {
    let negative = takes("-")
    let word = try word("a number")
    let magnitude = word.hasPrefix("0x") ? UInt64(word.dropFirst(2), radix: 16) : UInt64(word)
    guard let magnitude, !negative || magnitude <= 1 << 63 else { throw error("a number expected, `\(word)` found") }
    return Int64(bitPattern: negative ? 0 &- magnitude : magnitude)
  }

  mutating func number<T: FixedWidthInteger>(as type: T.Type) throws(ParseError) -> T {
    let value = try number()
    guard let value = T(exactly: value) else { throw error("\(value) is out of range") }
    return value
  }

  /// The case of an enum whose name is the next word.
  mutating func named<T>(_ cases: [T], _ name: (T) -> String, _ what: String) throws(ParseError) -> T {
    let word = try word(what)
    guard let match = cases.first(where: { name($0) == word }) else { throw error("\(what) expected, `\(word)` found") }
    return match
  }
}
