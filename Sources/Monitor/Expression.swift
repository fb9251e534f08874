// Owns what expressions in arguments mean: numbers, registers, memory, arithmetic.

import Bits
import Machine

/// A C-like expression in 64 bits, wrapping. Symbols and the names of registers are resolved once, so that evaluating one
/// again, at each hit of a breakpoint, is cheap.
indirect enum Expression: Sendable, Equatable {
  case constant(UInt64)
  /// By number in the register file.
  case register(Int)
  /// So many bytes at an address, zero- or sign-extended; a word of the guest's where `size` is 0.
  case memory(Expression, size: Int, isSigned: Bool = false)
  case unary(Unary, Expression)
  case binary(Binary, Expression, Expression)

  enum Unary: String, Sendable, CaseIterable {
    case negate = "-", invert = "~", not = "!"
  }

  enum Binary: String, Sendable, CaseIterable {
    case or = "||", and = "&&", bitOr = "|", bitXor = "^", bitAnd = "&", equal = "==", notEqual = "!="
    case lessEqual = "<=", greaterEqual = ">=", less = "<", greater = ">", shiftLeft = "<<", shiftRight = ">>"
    case add = "+", subtract = "-", multiply = "*", divide = "/", remainder = "%"
  }

  static func value(_ text: String, _ memory: DebugMemory) throws(MonitorError) -> UInt64 {
    try ExpressionParser.parse(text, memory).value(memory)
  }

  /// What it is worth for the hart that `memory` shows.
  func value(_ memory: DebugMemory) throws(MonitorError) -> UInt64 {
    switch self {
    case .constant(let value): return value
    case .register(let number): return try memory.value(register: number)
    case .memory(let address, let size, let isSigned):
      let address = try address.value(memory)
      let size = size == 0 ? memory.wordSize : size
      guard let value = memory.read(address, size: size) else { throw memory.unreadable(address) }
      return isSigned ? UInt64(bitPattern: value.signExtended(from: 8 * size)) : value
    case .unary(let sign, let operand):
      let value = try operand.value(memory)
      return switch sign {
      case .negate: 0 &- value
      case .invert: ~value
      case .not: value == 0 ? 1 : 0
      }
    case .binary(.and, let a, let b):
      if try a.value(memory) == 0 { return 0 }
      return try b.value(memory) == 0 ? 0 : 1
    case .binary(.or, let a, let b):
      if try a.value(memory) != 0 { return 1 }
      return try b.value(memory) == 0 ? 0 : 1
    case .binary(let sign, let a, let b): return try Self.apply(sign, try a.value(memory), try b.value(memory))
    }
  }

  /// Comparisons are signed.
  private static func apply(_ sign: Binary, _ a: UInt64, _ b: UInt64) throws(MonitorError) -> UInt64 {
    let (left, right) = (Int64(bitPattern: a), Int64(bitPattern: b))
    if b == 0, sign == .divide || sign == .remainder { throw .refused("division by zero") }
    return switch sign {
    case .or: a != 0 || b != 0 ? 1 : 0
    case .and: a != 0 && b != 0 ? 1 : 0
    case .bitOr: a | b
    case .bitXor: a ^ b
    case .bitAnd: a & b
    case .equal: a == b ? 1 : 0
    case .notEqual: a != b ? 1 : 0
    case .lessEqual: left <= right ? 1 : 0
    case .greaterEqual: left >= right ? 1 : 0
    case .less: left < right ? 1 : 0
    case .greater: left > right ? 1 : 0
    case .shiftLeft: a << b
    case .shiftRight: a >> b
    case .add: a &+ b
    case .subtract: a &- b
    case .multiply: a &* b
    case .divide: a / b
    case .remainder: a % b
    }
  }
}
