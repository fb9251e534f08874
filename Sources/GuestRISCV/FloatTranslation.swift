// Owns what the translators of F and D share: access to f registers, rounding modes, and `mstatus.FS`.

import GuestKit
import IR

/// The two formats, as instructions name them.
enum FloatOperandFormat {
  case single, double

  var type: Type { self == .single ? .f32 : .f64 }
}

extension Translator {
  /// The whole of f register `number`, as `f64`.
  mutating func f(_ number: Int) -> ValueID { builder.getRegister(RISCVRegisters.f(number), .f64) }

  /// The whole of f register `number`, as `i64`.
  mutating func bits(_ number: Int) -> ValueID { builder.unary(.bitcast, f(number), to: .i64) }

  mutating func setF(_ number: Int, _ value: ValueID) {
    singles[number] = .none
    builder.setRegister(RISCVRegisters.f(number), value)
  }

  /// The single-precision number in f register `number`: the canonical NaN if it is not NaN-boxed.
  mutating func single(_ number: Int) -> ValueID {
    if singles[number].isNone { singles[number] = builder.unary(.floatUnbox, f(number), to: .f32) }
    return singles[number]
  }

  /// Writes `value`, an `f32`, NaN-boxed.
  mutating func setSingle(_ number: Int, _ value: ValueID) {
    setF(number, builder.unary(.floatBox, value, to: .f64))
    singles[number] = value
  }

  mutating func operand(_ number: Int, _ format: FloatOperandFormat) -> ValueID {
    format == .single ? single(number) : f(number)
  }

  mutating func setOperand(_ number: Int, _ format: FloatOperandFormat, _ value: ValueID) {
    if format == .single { setSingle(number, value) } else { setF(number, value) }
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

  /// How an instruction with a rounding mode rounds: blocks are translated for the current value of `frm`.
  func rounding(_ i: Instruction) -> FloatRounding {
    let mode = i["m"] == 7 ? flags.rounding : i["m"]
    if mode == flags.rounding, mode < 4 { return .dynamic }
    return FloatRounding(rawValue: UInt16(mode)) ?? .nearestEven
  }
}

/// Makers of translator functions for the shapes that rows of F and D have.
enum FloatForm {
  typealias Translate = InstructionRow<Translator>.Translate

  /// `fd = fs1 op fs2`, rounded.
  static func binary(_ opcode: Opcode, _ format: FloatOperandFormat) -> Translate {
    { t, i in
      guard t.roundingIsValid(i) else { return }
      let (a, b) = (t.operand(i.s, format), t.operand(i.t, format))
      t.setOperand(i.d, format, t.builder.float(opcode, FloatControl(t.rounding(i)), a, b))
      t.finishFloat()
    }
  }

  /// `fd = √fs1`, rounded.
  static func squareRoot(_ format: FloatOperandFormat) -> Translate {
    { t, i in
      guard t.roundingIsValid(i) else { return }
      let a = t.operand(i.s, format)
      t.setOperand(i.d, format, t.builder.float(.floatSqrt, FloatControl(t.rounding(i)), a))
      t.finishFloat()
    }
  }

  /// `fd = ±(fs1 * fs2) ± fs3`, rounded once.
  static func fused(
    _ format: FloatOperandFormat, negateProduct: Bool = false, negateAddend: Bool = false
  ) -> Translate {
    { t, i in
      guard t.roundingIsValid(i) else { return }
      var control = FloatControl(t.rounding(i))
      control.negatesProduct = negateProduct
      control.negatesAddend = negateAddend
      let (a, b, c) = (t.operand(i.s, format), t.operand(i.t, format), t.operand(i["r"], format))
      t.setOperand(i.d, format, t.builder.float(.floatFused, control, a, b, c))
      t.finishFloat()
    }
  }

  /// `fd = op(fs1, fs2)` without rounding.
  static func exact(_ opcode: Opcode, _ format: FloatOperandFormat) -> Translate {
    { t, i in
      guard t.floatIsOn(i) else { return }
      let (a, b) = (t.operand(i.s, format), t.operand(i.t, format))
      t.setOperand(i.d, format, t.builder.float(opcode, FloatControl(), a, b))
      t.finishFloat()
    }
  }

  /// `fd` = the magnitude of `fs1` with a sign made of those of `fs1` and `fs2`. `fmv` is such a one.
  static func sign(_ sign: FloatSign, _ format: FloatOperandFormat) -> Translate {
    { t, i in
      guard t.floatIsOn(i) else { return }
      let a = t.operand(i.s, format)
      if sign == .copy, i.s == i.t {
        t.setOperand(i.d, format, a)
      } else {
        let b = t.operand(i.t, format)
        t.setOperand(i.d, format, t.builder.float(.floatSign, FloatControl(sign), a, b))
      }
      t.finishFloat()
    }
  }

  /// `rd = fs1 relation fs2`, a truth value.
  static func comparison(_ relation: FloatRelation, _ format: FloatOperandFormat) -> Translate {
    { t, i in
      guard t.floatIsOn(i) else { return }
      let (a, b) = (t.operand(i.s, format), t.operand(i.t, format))
      t.setTruth(i.d, t.builder.floatCompare(relation, a, b))
      t.finishFloat()
    }
  }

  /// `rd = class(fs1)`
  static func classification(_ helper: FloatHelper) -> Translate {
    { t, i in
      guard t.floatIsOn(i) else { return }
      t.setX(i.d, t.builder.call(helper.number, t.xlen, t.bits(i.s)))
    }
  }

  /// `rd` = the integer nearest to `fs1`, one of 32 bits sign-extended.
  static func toInteger(_ format: FloatOperandFormat, _ type: Type, unsigned: Bool = false) -> Translate {
    { t, i in
      guard t.roundingIsValid(i) else { return }
      var control = FloatControl(t.rounding(i))
      control.isUnsigned = unsigned
      let value = t.builder.float(.floatToInteger, control, to: type, t.operand(i.s, format))
      if type == .i32 { t.setWord(i.d, value) } else { t.setX(i.d, value) }
      t.finishFloat()
    }
  }

  /// `fd` = the number nearest to `rs1`.
  static func fromInteger(_ format: FloatOperandFormat, _ type: Type, unsigned: Bool = false) -> Translate {
    { t, i in
      guard t.roundingIsValid(i) else { return }
      var control = FloatControl(t.rounding(i))
      control.isUnsigned = unsigned
      let value = type == .i32 ? t.word(i.s) : t.x(i.s)
      t.setOperand(i.d, format, t.builder.float(.floatFromInteger, control, to: format.type, value))
      t.finishFloat()
    }
  }

  /// `fd = fs1` in the other format.
  static func convert(from source: FloatOperandFormat, to format: FloatOperandFormat) -> Translate {
    { t, i in
      guard t.roundingIsValid(i) else { return }
      let a = t.operand(i.s, source)
      t.setOperand(
        i.d, format, t.builder.float(.floatConvert, FloatControl(t.rounding(i)), to: format.type, a))
      t.finishFloat()
    }
  }
}
