// Owns what the translators of F and D share: access to f registers, rounding modes, and `mstatus.FS`.

import GuestKit
import IR

extension Translator {
  /// The whole of f register `number`.
  mutating func f(_ number: Int) -> ValueID { builder.getRegister(RISCVRegisters.f(number), .i64) }

  mutating func setF(_ number: Int, _ value: ValueID) { builder.setRegister(RISCVRegisters.f(number), value) }

  /// The single-precision number (`i32`) in f register `number`: the canonical NaN if it is not NaN-boxed.
  mutating func single(_ number: Int) -> ValueID {
    let whole = f(number)
    let upper = builder.binary(.shiftRight, whole, builder.const(.i64, 32))
    let isBoxed = builder.compare(.equal, upper, builder.const(.i64, 0xFFFF_FFFF))
    return builder.select(isBoxed, builder.unary(.truncate, whole, to: .i32), builder.const(.i32, 0x7FC0_0000))
  }

  /// Writes `value` (`i32`, or `i64` with a clear upper half) NaN-boxed.
  mutating func setSingle(_ number: Int, _ value: ValueID) {
    let wide = builder.block.type(of: value) == .i64 ? value : builder.unary(.zeroExtend, value, to: .i64)
    setF(number, builder.binary(.or, wide, builder.const(.i64, -1 << 32)))
  }

  /// A constant with only the highest bit of `value`'s type set.
  mutating func signBit(like value: ValueID) -> ValueID {
    builder.block.type(of: value) == .i32 ? builder.const(.i32, Int64(Int32.min)) : builder.const(.i64, .min)
  }

  /// `magnitude` with the sign of `sign`.
  mutating func copySign(from sign: ValueID, to magnitude: ValueID) -> ValueID {
    let bit = signBit(like: sign)
    return builder.binary(
      .or, builder.binary(.andNot, magnitude, bit), builder.binary(.and, sign, bit))
  }

  /// Marks the floating-point state dirty after an instruction changed it. Code that has to do so ends there, to go on
  /// with code that need not.
  mutating func finishFloat() {
    guard !flags.floatDirty else { return }
    let status = builder.getRegister(Slot.mstatus.register, xlen)
    let dirty = builder.const(xlen, Int64(Status.fsMask.rawValue))
    builder.setRegister(Slot.mstatus.register, builder.binary(.or, status, dirty))
    builder.exit(with: .stateChanged, pc: nextPC)
  }

  /// Whether floating-point instructions are legal; raises illegal-instruction if not.
  mutating func floatIsOn(_ i: Instruction) -> Bool {
    if flags.floatOff { illegal(i.bits) }
    return !flags.floatOff
  }

  /// As ``floatIsOn(_:)``, for an instruction with a rounding mode, which must be a defined one.
  mutating func roundingIsValid(_ i: Instruction) -> Bool {
    guard floatIsOn(i) else { return false }
    let mode = i["m"]
    if mode < 5 || (mode == 7 && !flags.roundingInvalid) { return true }
    illegal(i.bits)
    return false
  }

  mutating func callFloat(
    _ helper: FloatHelper, _ type: Type, _ a: ValueID, _ b: ValueID = .none, _ c: ValueID = .none, imm: Int = 0
  ) -> ValueID {
    builder.call(helper.number, type, a, b, c, imm: Int64(imm))
  }
}

/// Makers of translator functions for the shapes that rows of F and D have.
enum FloatForm {
  typealias Translate = InstructionRow<Translator>.Translate

  /// `fd = fs1 op fs2`, rounded.
  static func binary(_ helper: FloatHelper) -> Translate {
    { t, i in
      guard t.roundingIsValid(i) else { return }
      t.setF(i.d, t.callFloat(helper, .i64, t.f(i.s), t.f(i.t), imm: i["m"]))
      t.finishFloat()
    }
  }

  /// `fd = op fs1`, rounded.
  static func unary(_ helper: FloatHelper) -> Translate {
    { t, i in
      guard t.roundingIsValid(i) else { return }
      t.setF(i.d, t.callFloat(helper, .i64, t.f(i.s), imm: i["m"]))
      t.finishFloat()
    }
  }

  /// `fd = ±(fs1 * fs2) ± fs3`, rounded once.
  static func fused(_ helper: FloatHelper, negateProduct: Bool = false, negateAddend: Bool = false) -> Translate {
    let signs = (negateProduct ? 8 : 0) | (negateAddend ? 16 : 0)
    return { t, i in
      guard t.roundingIsValid(i) else { return }
      t.setF(i.d, t.callFloat(helper, .i64, t.f(i.s), t.f(i.t), t.f(i["r"]), imm: i["m"] | signs))
      t.finishFloat()
    }
  }

  /// `fd = op(fs1, fs2)` without rounding.
  static func exact(_ helper: FloatHelper) -> Translate {
    { t, i in
      guard t.floatIsOn(i) else { return }
      t.setF(i.d, t.callFloat(helper, .i64, t.f(i.s), t.f(i.t)))
      t.finishFloat()
    }
  }

  /// `rd = fs1 op fs2`, a truth value.
  static func comparison(_ helper: FloatHelper) -> Translate {
    { t, i in
      guard t.floatIsOn(i) else { return }
      t.setX(i.d, t.callFloat(helper, t.xlen, t.f(i.s), t.f(i.t)))
      t.finishFloat()
    }
  }

  /// `rd = class(fs1)`
  static func classification(_ helper: FloatHelper) -> Translate {
    { t, i in
      guard t.floatIsOn(i) else { return }
      t.setX(i.d, t.callFloat(helper, t.xlen, t.f(i.s)))
    }
  }

  /// `rd` = the integer nearest to `fs1`.
  static func toInteger(_ helper: FloatHelper) -> Translate {
    { t, i in
      guard t.roundingIsValid(i) else { return }
      t.setX(i.d, t.callFloat(helper, t.xlen, t.f(i.s), imm: i["m"]))
      t.finishFloat()
    }
  }

  /// `fd` = the number nearest to `rs1`.
  static func fromInteger(_ helper: FloatHelper) -> Translate {
    { t, i in
      guard t.roundingIsValid(i) else { return }
      t.setF(i.d, t.callFloat(helper, .i64, t.x(i.s), imm: i["m"]))
      t.finishFloat()
    }
  }
}
