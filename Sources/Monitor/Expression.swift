// Owns expressions in arguments: numbers, registers, symbols, memory, arithmetic.

import Bits
import Machine

/// Evaluates C-like expressions in 64 bits, wrapping: `0x10`, `0b1`, `'c'`, `$a0`, `main+4`, `*(u32)sp` as `*$sp`,
/// `+ - * / % & | ^ << >> ~ ( )`. A number with a trailing `k` or `m` counts 2^10 or 2^20.
struct Expression {
  private let memory: DebugMemory
  private var text: Substring

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
    if first == "'" {
      let characters = text.dropFirst().prefix(2)
      guard characters.count == 2, characters.last == "'", let byte = characters.first?.asciiValue else {
        throw .refused("'\(text)' is not a character")
      }
      text = text.dropFirst(3)
      return UInt64(byte)
    }
    if first.isNumber { return try number() }
    if take("$") {
      let name = takeName()
      return try memory.register(name)
    }
    let name = takeName()
    guard !name.isEmpty else { throw .refused("'\(text)' is not a value") }
    guard let symbol = memory.machine.symbols[name] else {
      throw .refused("no symbol '\(name)' (a register is written $\(name))")
    }
    return symbol.address
  }

  private mutating func takeName() -> String {
    let name = text.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
    text = text.dropFirst(name.count)
    return String(name)
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
