// Owns expressions in arguments: numbers, registers, symbols, memory, arithmetic.

import Bits
import Machine

/// Evaluates C-like expressions in 64 bits, wrapping: `0x10`, `0b1`, `'c'`, `$a0`, `main+4`, `Module.function`,
/// `'Type::function(int)'`, `*$sp`,
/// `+ - * / % & | ^ << >> ~ ( )`. A number with a trailing `k` or `m` counts 2^10 or 2^20.
struct Expression {
  private let memory: DebugMemory
  private var text: Substring
  private var depth = 0
  /// Parentheses and signs within each other.
  private static var deepest: Int { 200 }

  static func value(_ text: String, _ memory: DebugMemory) throws(MonitorError) -> UInt64 {
    var parser = Expression(memory: memory, text: text[...])
    let value = try parser.binary(0)
    parser.skipSpaces()
    guard parser.text.isEmpty else { throw .refused("'\(text)': nothing is known of '\(parser.text)' here") }
    return value
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
  private static let levels: [[String]] = [["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]]

  private mutating func binary(_ level: Int) throws(MonitorError) -> UInt64 {
    guard level < Self.levels.count else { return try unary() }
    var left = try binary(level + 1)
    while true {
      var found: String?
      for symbol in Self.levels[level] where found == nil && take(symbol) { found = symbol }
      guard let found else { return left }
      let right = try binary(level + 1)
      left = try Self.apply(found, left, right)
    }
  }

  private static func apply(_ symbol: String, _ a: UInt64, _ b: UInt64) throws(MonitorError) -> UInt64 {
    if b == 0, symbol == "/" || symbol == "%" { throw .refused("division by zero") }
    return switch symbol {
    case "|": a | b
    case "^": a ^ b
    case "&": a & b
    case "<<": a << b
    case ">>": a >> b
    case "+": a &+ b
    case "-": a &- b
    case "*": a &* b
    case "/": a / b
    default: a % b
    }
  }

  private mutating func unary() throws(MonitorError) -> UInt64 {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.deepest else { throw .refused("the expression is nested more than \(Self.deepest) deep") }
    if take("-") { return 0 &- (try unary()) }
    if take("~") { return ~(try unary()) }
    if take("*") { return try memory.readWord(try unary()) }
    if take("(") {
      let value = try binary(0)
      guard take(")") else { throw .refused("a ')' is missing") }
      return value
    }
    return try primary()
  }

  private mutating func primary() throws(MonitorError) -> UInt64 {
    skipSpaces()
    guard let first = text.first else { throw .refused("a value is missing") }
    if first == "'" { return try quoted() }
    if first.isNumber { return try number() }
    if take("$") {
      let name = takeName()
      // Swift's mangled names begin like registers.
      if let symbol = try memory.symbol(named: "$" + name) { return symbol.address }
      return try memory.register(name)
    }
    let name = takeQualifiedName()
    guard !name.isEmpty else { throw .refused("'\(text)' is not a value") }
    guard let symbol = try memory.symbol(named: name) else {
      throw .refused("no symbol '\(name)' (a register is written $\(name))")
    }
    return symbol.address
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
