// Owns the reading of expressions.

import Bits
import Machine

/// Reads `0x10`, `0b1`, `'c'`, `$a0`, `main+4`, `Module.function`, `'Type::function(int)'`, `*$sp`, `u8(buffer + 3)`, and what C's
/// operators make of them. A number with a trailing `k` or `m` counts 2^10 or 2^20.
struct ExpressionParser {
  private let memory: DebugMemory
  private var text: Substring
  private var depth = 0
  private var operators = 0
  /// Parentheses and signs within each other.
  private static var deepest: Int { 200 }
  private static var mostOperators: Int { 1000 }

  static func parse(_ text: String, _ memory: DebugMemory) throws(MonitorError) -> Expression {
    var parser = ExpressionParser(memory: memory, text: text[...])
    let expression = try parser.binary(0)
    parser.skipSpaces()
    guard parser.text.isEmpty else { throw .refused("'\(text)': nothing is known of '\(parser.text)' here") }
    return expression
  }

  private init(memory: DebugMemory, text: Substring) {
    self.memory = memory
    self.text = text
  }

  private mutating func skipSpaces() { text = text.drop { $0 == " " } }

  private mutating func take(_ symbol: String) -> Bool {
    skipSpaces()
    guard text.hasPrefix(symbol) else { return false }
    text = text.dropFirst(symbol.count)
    return true
  }

  /// Operators by rising precedence.
  private static let levels: [[Expression.Binary]] = [
    [.or], [.and], [.bitOr], [.bitXor], [.bitAnd], [.equal, .notEqual],
    [.lessEqual, .greaterEqual, .less, .greater], [.shiftLeft, .shiftRight], [.add, .subtract],
    [.multiply, .divide, .remainder],
  ]
  private static let signs = Expression.Binary.allCases.map(\.rawValue).sorted { $0.count > $1.count }

  /// Takes the operator that the text begins with, if it is of the level: `|` is no part of `||`.
  private mutating func takeSign(of level: Int) -> Expression.Binary? {
    skipSpaces()
    guard let sign = Self.signs.first(where: text.hasPrefix), let found = Expression.Binary(rawValue: sign),
      Self.levels[level].contains(found)
    else { return nil }
    text = text.dropFirst(sign.count)
    return found
  }

  private mutating func binary(_ level: Int) throws(MonitorError) -> Expression {
    guard level < Self.levels.count else { return try unary() }
    var left = try binary(level + 1)
    while let sign = takeSign(of: level) {
      operators += 1
      guard operators <= Self.mostOperators else {
        throw .refused("the expression has more than \(Self.mostOperators) operators")
      }
      left = .binary(sign, left, try binary(level + 1))
    }
    return left
  }

  private mutating func unary() throws(MonitorError) -> Expression {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw .refused("the expression is nested more than \(Self.deepest) deep") }
    for sign in Expression.Unary.allCases where take(sign.rawValue) { return .unary(sign, try unary()) }
    if take("*") { return .memory(try unary(), size: 0) }
    if take("(") { return try inParentheses() }
    return take("&") ? try address() : try primary()
  }

  /// What C calls the address of a symbol, which its name alone is here.
  private mutating func address() throws(MonitorError) -> Expression {
    skipSpaces()
    let operand = text
    guard text.first?.isNumber == false, case .constant(let value) = try primary() else {
      throw .refused("'&' stands before the name of a symbol, not before '\(operand)'")
    }
    return .constant(value)
  }

  private mutating func inParentheses() throws(MonitorError) -> Expression {
    let expression = try binary(0)
    guard take(")") else { throw .refused("a ')' is missing") }
    return expression
  }

  /// Names before a parenthesis that read memory: bytes, and whether they are a signed number.
  private static let accesses: [String: (size: Int, isSigned: Bool)] = [
    "u8": (1, false), "u16": (2, false), "u32": (4, false), "u64": (8, false),
    "s8": (1, true), "s16": (2, true), "s32": (4, true), "s64": (8, true),
  ]

  private mutating func primary() throws(MonitorError) -> Expression {
    skipSpaces()
    guard let first = text.first else { throw .refused("a value is missing") }
    if first == "'" { return .constant(try quoted()) }
    if first.isNumber { return .constant(try number()) }
    if take("$") {
      let name = takeName()
      // Swift's mangled names begin like registers.
      if let symbol = try memory.symbol(named: "$" + name) { return .constant(symbol.address) }
      return .register(try memory.registerNumber(name))
    }
    let name = takeQualifiedName()
    guard !name.isEmpty else { throw .refused("'\(text)' is not a value") }
    if let access = Self.accesses[name], take("(") {
      return .memory(try inParentheses(), size: access.size, isSigned: access.isSigned)
    }
    guard let symbol = try memory.symbol(named: name) else {
      throw .refused("no symbol '\(name)' (a register is written $\(name))")
    }
    return .constant(symbol.address)
  }

  /// A character, or a symbol whose name would be taken for something else: `'Type::function(int)'`.
  private mutating func quoted() throws(MonitorError) -> UInt64 {
    let inside = text.dropFirst().prefix { $0 != "'" }
    guard text.dropFirst(1 + inside.count).first == "'" else { throw .refused("'\(text)' is not closed") }
    text = text.dropFirst(2 + inside.count)
    if inside.count == 1, let byte = inside.first?.asciiValue { return UInt64(byte) }
    guard let symbol = try memory.symbol(named: String(inside)) else {
      throw .refused("'\(inside)' is neither a character nor a symbol")
    }
    return symbol.address
  }

  private mutating func takeName() -> String {
    let name = text.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." || $0 == "$" }
    text = text.dropFirst(name.count)
    return String(name)
  }

  /// A name with parts joined by `::`.
  private mutating func takeQualifiedName() -> String {
    var name = takeName()
    while text.hasPrefix("::") {
      text = text.dropFirst(2)
      name += "::" + takeName()
    }
    return name
  }

  private mutating func number() throws(MonitorError) -> UInt64 {
    let word = takeName()
    let lower = word.lowercased()
    let value: UInt64? =
      if lower.hasPrefix("0x") { UInt64(lower.dropFirst(2), radix: 16) } else if lower.hasPrefix("0b") {
        UInt64(lower.dropFirst(2), radix: 2)
      } else if lower.hasSuffix("k") {
        UInt64(lower.dropLast()).flatMap { $0 <= .max >> 10 ? $0 << 10 : nil }
      } else if lower.hasSuffix("m") {
        UInt64(lower.dropLast()).flatMap { $0 <= .max >> 20 ? $0 << 20 : nil }
      } else { UInt64(lower) }
    guard let value else { throw .refused("'\(word)' is not a number") }
    return value
  }
}

extension DebugMemory {
  /// The symbol of a name; nil if there is none.
  func symbol(named name: String) throws(MonitorError) -> Symbol? {
    let found = machine.symbols.named(name)
    guard found.count > 1 else { return found.first }
    let places = found.prefix(8).map { "\($0.name) at \($0.address.hex0x())" }
    throw .refused("'\(name)' may be \(places.joined(separator: ", "))" + (found.count > 8 ? ", …" : ""))
  }
}
