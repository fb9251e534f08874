// Owns the flags in translation: how instructions set them and how conditions read them.

import GuestKit
import IR

/// What N, Z, C and V were computed from, so that a condition can compare the operands themselves.
enum FlagSource {
  case unknown
  /// All of them, from `a - b`.
  case difference(ValueID, ValueID)
  /// N and Z from this result.
  case result(ValueID)
  /// All of them, from what a floating-point comparison found, as the op `forder` says it.
  case order(ValueID)
}

extension Translator {
  /// The truth value of condition `number` (0 `eq` to 13 `le`; ARMv7-M manual, A7.3).
  mutating func condition(_ number: Int) -> ValueID {
    if inITBlock {
      let known = number & 1 == 0 ? cachedConditions.0 : cachedConditions.1
      if let known { return known }
      let value = makeCondition(number)
      if number & 1 == 0 { cachedConditions.0 = value } else { cachedConditions.1 = value }
      return value
    }
    return makeCondition(number)
  }

  private mutating func makeCondition(_ number: Int) -> ValueID {
    switch flagSource {
    case .difference(let a, let b):
      let conditions: [Condition?] = [
        .equal, .notEqual, .greaterEqualUnsigned, .lessUnsigned, nil, nil, nil, nil, .greaterUnsigned,
        .lessEqualUnsigned, .greaterEqualSigned, .lessSigned, .greaterSigned, .lessEqualSigned,
      ]
      if let condition = conditions[number] { return builder.compare(condition, a, b) }
    case .result(let result):
      switch number {
      case 0: return builder.compare(.equal, result, const(0))
      case 1: return builder.compare(.notEqual, result, const(0))
      case 4: return builder.compare(.lessSigned, result, const(0))
      case 5: return builder.compare(.greaterEqualSigned, result, const(0))
      default: break
      }
    case .order(let order):
      let conditions: [(Condition, Int)?] = [
        (.equal, 0), (.notEqual, 0), (.greaterEqualSigned, 0), (.lessSigned, 0), (.lessSigned, 0),
        (.greaterEqualSigned, 0), (.equal, 2), (.notEqual, 2), (.greaterSigned, 0), (.lessEqualSigned, 0),
        (.lessEqualUnsigned, 1), (.greaterUnsigned, 1), (.equal, 1), (.notEqual, 1),
      ]
      if let (condition, limit) = conditions[number] { return builder.compare(condition, order, const(limit)) }
    case .unknown: break
    }
    return stored(number)
  }

  /// A condition from the flags as they are kept.
  private mutating func stored(_ number: Int) -> ValueID {
    let isNegated = number & 1 != 0
    func test(_ slot: Slot, _ holds: Condition, _ t: inout Translator) -> ValueID {
      t.builder.compare(isNegated ? holds.negated : holds, t.slot(slot), t.const(0))
    }
    switch number >> 1 {
    case 0: return test(.zero, .equal, &self)
    case 1: return test(.carry, .notEqual, &self)
    case 2: return test(.negative, .lessSigned, &self)
    case 3: return test(.overflow, .lessSigned, &self)
    case 4:
      // C and not Z
      let carry = builder.compare(.notEqual, slot(.carry), const(0))
      let value = builder.binary(.and, carry, builder.compare(.notEqual, slot(.zero), const(0)))
      return isNegated ? builder.compare(.equal, value, builder.const(.i1, 0)) : value
    case 5:
      let difference = builder.binary(.xor, slot(.negative), slot(.overflow))
      return builder.compare(isNegated ? .lessSigned : .greaterEqualSigned, difference, const(0))
    default:
      // Not Z, and N = V
      let difference = builder.binary(.xor, slot(.negative), slot(.overflow))
      let same = builder.compare(.greaterEqualSigned, difference, const(0))
      let value = builder.binary(.and, same, builder.compare(.notEqual, slot(.zero), const(0)))
      return isNegated ? builder.compare(.equal, value, builder.const(.i1, 0)) : value
    }
  }

  // MARK: Setting flags

  private mutating func changed(_ source: FlagSource) {
    flagSource = predicate == nil ? source : .unknown
    cachedConditions = (nil, nil)
  }

  /// N and Z; C and V stay.
  mutating func setNZ(_ result: ValueID) {
    set(Slot.negative.register, result)
    set(Slot.zero.register, result)
    changed(.result(result))
  }

  /// All of them, from what a floating-point comparison found.
  mutating func setFlags(order: ValueID) {
    let carry = binary(.xor, binary(.shiftRight, order, 31), 1)
    // Bit 1, but for −1.
    let overflow = builder.binary(.andNot, binary(.shiftLeft, order, 30), order)
    setAll(order, carry, overflow, .order(order))
  }

  /// After something unknown was done to them.
  mutating func forgetFlags() {
    flagSource = .unknown
    cachedConditions = (nil, nil)
  }

  /// N, Z and C; V stays. A nil carry stays as well.
  mutating func setNZC(_ result: ValueID, _ carry: ValueID?) {
    setNZ(result)
    if let carry { set(Slot.carry.register, carry) }
  }

  mutating func setQ(_ saturated: ValueID) {
    set(Slot.saturated.register, builder.binary(.or, slot(.saturated), bit(saturated)))
  }

  /// A truth value as 0 or 1.
  mutating func bit(_ truth: ValueID) -> ValueID { builder.unary(.zeroExtend, truth, to: .i32) }

  /// `a + b`, with all flags if wanted.
  mutating func add(_ a: ValueID, _ b: ValueID, flags: Bool) -> ValueID {
    let result = builder.binary(.add, a, b)
    if flags {
      let carry = bit(builder.compare(.lessUnsigned, result, a))
      let overflow = builder.binary(
        .andNot, builder.binary(.xor, a, result), builder.binary(.xor, a, b))
      setAll(result, carry, overflow, .result(result))
    }
    return result
  }

  /// `a - b`, with all flags if wanted.
  mutating func subtract(_ a: ValueID, _ b: ValueID, flags: Bool) -> ValueID {
    let result = builder.binary(.sub, a, b)
    if flags {
      let carry = bit(builder.compare(.greaterEqualUnsigned, a, b))
      let overflow = builder.binary(.and, builder.binary(.xor, a, b), builder.binary(.xor, a, result))
      setAll(result, carry, overflow, .difference(a, b))
    }
    return result
  }

  /// `a + b + C`, with all flags if wanted.
  mutating func addWithCarry(_ a: ValueID, _ b: ValueID, flags: Bool) -> ValueID {
    let carryIn = slot(.carry)
    guard flags else { return builder.binary(.add, builder.binary(.add, a, b), carryIn) }
    let wide = builder.binary(
      .add, builder.binary(.add, widen(a), widen(b)), widen(carryIn))
    let result = builder.unary(.truncate, wide, to: .i32)
    let carry = builder.unary(
      .truncate, builder.binary(.shiftRight, wide, builder.const(.i64, 32)), to: .i32)
    let overflow = builder.binary(.andNot, builder.binary(.xor, a, result), builder.binary(.xor, a, b))
    setAll(result, carry, overflow, .result(result))
    return result
  }

  private mutating func setAll(_ result: ValueID, _ carry: ValueID, _ overflow: ValueID, _ source: FlagSource) {
    set(Slot.negative.register, result)
    set(Slot.zero.register, result)
    set(Slot.carry.register, carry)
    set(Slot.overflow.register, overflow)
    changed(source)
  }

  mutating func widen(_ value: ValueID) -> ValueID { builder.unary(.zeroExtend, value, to: .i64) }
}

/// The shifts of operands (ARMv7-M manual, A7.4.2).
enum ShiftType: Int {
  case left, right, rightArithmetic, rotate

  static let names = ["lsl", "lsr", "asr", "ror"]
}

extension Translator {
  /// A value shifted by a constant as instructions encode it, and the carry out if it is wanted; a nil carry is C
  /// unchanged.
  ///
  /// - Parameter amount: 0 to 31; 0 stands for no left shift, a right shift by 32, or a rotation by one through C.
  mutating func shift(
    _ value: ValueID, _ kind: ShiftType, _ amount: Int, carries: Bool = false
  ) -> (ValueID, carry: ValueID?) {
    /// The bit of the value that goes to C.
    func carry(_ number: Int, _ t: inout Translator) -> ValueID? { carries ? t.carryBit(value, number) : nil }
    switch (kind, amount) {
    case (.left, 0): return (value, nil)
    case (.left, _): return (binary(.shiftLeft, value, amount), carry(32 - amount, &self))
    case (.right, 0): return (const(0), carry(31, &self))
    case (.right, _): return (binary(.shiftRight, value, amount), carry(amount - 1, &self))
    case (.rightArithmetic, 0): return (binary(.shiftRightArithmetic, value, 31), carry(31, &self))
    case (.rightArithmetic, _): return (binary(.shiftRightArithmetic, value, amount), carry(amount - 1, &self))
    case (.rotate, 0):
      let top = binary(.shiftLeft, slot(.carry), 31)
      return (builder.binary(.or, top, binary(.shiftRight, value, 1)), carry(0, &self))
    case (.rotate, _): return (binary(.rotateRight, value, amount), carry(amount - 1, &self))
    }
  }

  /// Bit `number` of a value as 0 or 1.
  mutating func carryBit(_ value: ValueID, _ number: Int) -> ValueID {
    let shifted = number == 0 ? value : binary(.shiftRight, value, number)
    return number == 31 ? shifted : binary(.and, shifted, 1)
  }

  /// A value shifted by the low byte of a register, and the carry out.
  mutating func shift(_ value: ValueID, _ kind: ShiftType, by register: ValueID) -> (ValueID, carry: ValueID) {
    let amount = binary(.and, register, 0xFF)
    let isZero = builder.compare(.equal, amount, const(0))
    let old = slot(.carry)
    if kind == .rotate {
      let result = builder.binary(.rotateRight, value, amount)
      return (result, builder.select(isZero, old, carryBit(result, 31)))
    }
    // In 64 bits, with the carry beside the result; more than 63 is as 63.
    let large = builder.compare(.greaterUnsigned, amount, const(63))
    let count = widen(builder.select(large, const(63), amount))
    func low(_ wide: ValueID, _ t: inout Translator) -> ValueID { t.builder.unary(.truncate, wide, to: .i32) }
    func shifted(_ wide: ValueID, _ opcode: Opcode, _ t: inout Translator) -> ValueID {
      t.builder.binary(opcode, wide, t.builder.const(.i64, 1))
    }
    if kind == .left {
      let wide = builder.binary(.shiftLeft, widen(value), count)
      let carry = low(builder.binary(.shiftRight, wide, builder.const(.i64, 32)), &self)
      return (low(wide, &self), builder.select(isZero, old, binary(.and, carry, 1)))
    }
    let opcode: Opcode = kind == .right ? .shiftRight : .shiftRightArithmetic
    let start = kind == .right ? widen(value) : builder.unary(.signExtend, value, to: .i64)
    let wide = builder.binary(opcode, shifted(start, .shiftLeft, &self), count)
    let result = low(shifted(wide, opcode, &self), &self)
    return (result, builder.select(isZero, old, binary(.and, low(wide, &self), 1)))
  }
}
