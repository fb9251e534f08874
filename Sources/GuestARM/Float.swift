// Owns the floating-point data-processing instructions (ARMv7-M manual, A6.4 and A7.7).

import GuestKit
import IR

enum FloatData {
  typealias Row = InstructionRow<Translator>

  /// Of the extensions FPv4-SP and FPv5 alike.
  static let single = InstructionGroup<Translator>("Floating-point data processing", rows(.single) + toHalf(.single))
  static let double = InstructionGroup<Translator>(
    "Double-precision data processing", rows(.double) + toHalf(.double) + formats)

  private static func rows(_ f: FloatFormatKind) -> [Row] { arithmetic(f) + unary(f) + comparison(f) + conversion(f) }

  private static func arithmetic(_ f: FloatFormatKind) -> [Row] {
    [
      FloatRow.row("vmla", "11101110 0 D 00 nnnn dddd 101s N 0 M 0 mmmm", "d, n, m", f, multiplyAdd(f)),
      FloatRow.row(
        "vmls", "11101110 0 D 00 nnnn dddd 101s N 1 M 0 mmmm", "d, n, m", f, multiplyAdd(f, negatesProduct: true)),
      FloatRow.row(
        "vnmls", "11101110 0 D 01 nnnn dddd 101s N 0 M 0 mmmm", "d, n, m", f, multiplyAdd(f, negatesAddend: true)),
      FloatRow.row(
        "vnmla", "11101110 0 D 01 nnnn dddd 101s N 1 M 0 mmmm", "d, n, m", f,
        multiplyAdd(f, negatesProduct: true, negatesAddend: true)),
      FloatRow.row("vmul", "11101110 0 D 10 nnnn dddd 101s N 0 M 0 mmmm", "d, n, m", f, binary(.floatMul, f)),
      FloatRow.row("vnmul", "11101110 0 D 10 nnnn dddd 101s N 1 M 0 mmmm", "d, n, m", f, negatedProduct(f)),
      FloatRow.row("vadd", "11101110 0 D 11 nnnn dddd 101s N 0 M 0 mmmm", "d, n, m", f, binary(.floatAdd, f)),
      FloatRow.row("vsub", "11101110 0 D 11 nnnn dddd 101s N 1 M 0 mmmm", "d, n, m", f, binary(.floatSub, f)),
      FloatRow.row("vdiv", "11101110 1 D 00 nnnn dddd 101s N 0 M 0 mmmm", "d, n, m", f, binary(.floatDiv, f)),
      FloatRow.row(
        "vfnms", "11101110 1 D 01 nnnn dddd 101s N 0 M 0 mmmm", "d, n, m", f, fused(f, negatesAddend: true)),
      FloatRow.row(
        "vfnma", "11101110 1 D 01 nnnn dddd 101s N 1 M 0 mmmm", "d, n, m", f,
        fused(f, negatesProduct: true, negatesAddend: true)),
      FloatRow.row("vfma", "11101110 1 D 10 nnnn dddd 101s N 0 M 0 mmmm", "d, n, m", f, fused(f)),
      FloatRow.row(
        "vfms", "11101110 1 D 10 nnnn dddd 101s N 1 M 0 mmmm", "d, n, m", f, fused(f, negatesProduct: true)),
    ]
  }

  private static func unary(_ f: FloatFormatKind) -> [Row] {
    [
      FloatRow.row("vmov", "11101110 1 D 11 oooo dddd 101s .0.0 oooo", "d, #o", f, moveImmediate(f)),
      FloatRow.row("vmov", "11101110 1 D 11 0000 dddd 101s 01 M 0 mmmm", "d, m", f, move(f)),
      FloatRow.row("vabs", "11101110 1 D 11 0000 dddd 101s 11 M 0 mmmm", "d, m", f, absolute(f)),
      FloatRow.row("vneg", "11101110 1 D 11 0001 dddd 101s 01 M 0 mmmm", "d, m", f, negate(f)),
      FloatRow.row("vsqrt", "11101110 1 D 11 0001 dddd 101s 11 M 0 mmmm", "d, m", f, squareRoot(f)),
    ]
  }

  private static func comparison(_ f: FloatFormatKind) -> [Row] {
    [
      FloatRow.row("vcmp", "11101110 1 D 11 0100 dddd 101s 01 M 0 mmmm", "d, m", f, compare(f, signals: false)),
      FloatRow.row("vcmpe", "11101110 1 D 11 0100 dddd 101s 11 M 0 mmmm", "d, m", f, compare(f, signals: true)),
      FloatRow.row("vcmp", "11101110 1 D 11 0101 dddd 101s 01.0 ....", "d, #0", f, compareZero(f, signals: false)),
      FloatRow.row("vcmpe", "11101110 1 D 11 0101 dddd 101s 11.0 ....", "d, #0", f, compareZero(f, signals: true)),
    ]
  }

  /// Integers are in single-precision registers whatever the format.
  private static func conversion(_ f: FloatFormatKind) -> [Row] {
    let s = f.suffix
    func from(_ name: String, _ bit: String, _ translate: @escaping Row.Translate) -> Row {
      let integer = f == .single ? "mmmm" : "zzzz"
      let m = f == .single ? "M" : "z"
      let text = FloatRow.pattern("11101110 1 D 11 1000 dddd 101s \(bit)1 \(m) 0 \(integer)", f)
      return Row(
        "vcvt\(s).\(name)", f == .single ? text : text + "; z=0|4:1", FloatRow.operands("d, ", f) + "z", translate)
    }
    func to(_ name: String, _ opcode: String, _ bit: String, _ translate: @escaping Row.Translate) -> Row {
      let text = FloatRow.pattern("11101110 1 v 11 \(opcode) vvvv 101s \(bit)1 M 0 mmmm", f)
      let layout = f == .single ? " v=0|4:1" : "; v=0|4:1"
      return Row("\(name)\(s)", text + layout, "v, " + FloatRow.operands("m", f), translate)
    }
    var rows = [
      from("u32", "0", fromInteger(f, isSigned: false)), from("s32", "1", fromInteger(f, isSigned: true)),
      to("vcvtr.u32", "1100", "0", toInteger(f, isSigned: false, nil)),
      to("vcvt.u32", "1100", "1", toInteger(f, isSigned: false, .towardZero)),
      to("vcvtr.s32", "1101", "0", toInteger(f, isSigned: true, nil)),
      to("vcvt.s32", "1101", "1", toInteger(f, isSigned: true, .towardZero)),
    ]
    for (bits, name, width, isSigned) in [
      (("0", "0"), "s16", 16, true), (("0", "1"), "s32", 32, true), (("1", "0"), "u16", 16, false),
      (("1", "1"), "u32", 32, false),
    ] {
      let to = "11101110 1 D 11 111\(bits.0) dddd 101s \(bits.1)1 c 0 cccc ; c=0|4:1 y=\(width)"
      let from = "11101110 1 D 11 101\(bits.0) dddd 101s \(bits.1)1 c 0 cccc ; c=0|4:1 y=\(width)"
      let operands = FloatRow.operands("d, d", f) + ", #c"
      rows.append(Row("vcvt.\(name)\(s)", FloatRow.pattern(to, f), operands, toFixed(f, width, isSigned)))
      rows.append(Row("vcvt\(s).\(name)", FloatRow.pattern(from, f), operands, fromFixed(f, width, isSigned)))
    }
    return rows
  }

  /// Conversions from and to the lower (`b`) or upper (`t`) half of a single-precision register.
  private static func toHalf(_ f: FloatFormatKind) -> [Row] {
    ["b", "t"].flatMap { half -> [Row] in
      let bit = half == "t" ? "1" : "0"
      let isSingle = f == .single
      let from = "11101110 1 D 11 0010 dddd 101s \(bit)1 \(isSingle ? "M" : "z") 0 \(isSingle ? "mmmm" : "zzzz")"
      let to = "11101110 1 \(isSingle ? "D" : "v") 11 0011 \(isSingle ? "dddd" : "vvvv") 101s \(bit)1 M 0 mmmm"
      let layouts = isSingle ? ("", "") : ("; z=0|4:1", "; v=0|4:1")
      return [
        Row(
          "vcvt\(half)\(f.suffix).f16", FloatRow.pattern(from, f) + layouts.0, FloatRow.operands("d, ", f) + "z",
          fromHalf(f, isTop: half == "t")),
        Row(
          "vcvt\(half).f16\(f.suffix)", FloatRow.pattern(to, f) + layouts.1, "v, " + FloatRow.operands("m", f),
          toHalf(f, isTop: half == "t")),
      ]
    }
  }

  private static let formats: [Row] = [
    .init("vcvt.f64.f32", "11101110 1 0 11 0111 gggg 1010 11 z 0 zzzz; z=0|4:1", "g, z", widen),
    .init("vcvt.f32.f64", "11101110 1 v 11 0111 vvvv 1011 11 0 0 rrrr; v=0|4:1", "v, r", narrow),
  ]

  /// What FPv5 adds.
  static let version5 = InstructionGroup<Translator>("Floating-point extension FPv5", added(.single))
  static let version5Double = InstructionGroup<Translator>("Floating-point extension FPv5, double", added(.double))

  private static func added(_ f: FloatFormatKind) -> [Row] {
    let s = f.suffix
    var rows: [Row] = [
      FloatRow.row(
        "vmaxnm", "11111110 1 D 00 nnnn dddd 101s N 0 M 0 mmmm", "d, n, m", f, extremum(.floatMaximum, f)),
      FloatRow.row(
        "vminnm", "11111110 1 D 00 nnnn dddd 101s N 1 M 0 mmmm", "d, n, m", f, extremum(.floatMinimum, f)),
      FloatRow.row(
        "vrintr", "11101110 1 D 11 0110 dddd 101s 01 M 0 mmmm", "d, m", f, roundToIntegral(f, nil, isExact: false)),
      FloatRow.row(
        "vrintz", "11101110 1 D 11 0110 dddd 101s 11 M 0 mmmm", "d, m", f,
        roundToIntegral(f, .towardZero, isExact: false)),
      FloatRow.row(
        "vrintx", "11101110 1 D 11 0111 dddd 101s 01 M 0 mmmm", "d, m", f, roundToIntegral(f, nil, isExact: true)),
    ]
    for (bits, name, number) in [("00", "eq", 0), ("01", "vs", 6), ("10", "ge", 10), ("11", "gt", 12)] {
      rows.append(
        FloatRow.row(
          "vsel\(name)", "11111110 0 D \(bits) nnnn dddd 101s N 0 M 0 mmmm", "d, n, m", f, select(f, number)))
    }
    let modes: [(String, String, FloatRounding)] = [
      ("00", "a", .nearestMaxMagnitude), ("01", "n", .nearestEven), ("10", "p", .up), ("11", "m", .down),
    ]
    for (bits, name, rounding) in modes {
      rows.append(
        FloatRow.row(
          "vrint\(name)", "11111110 1 D 11 10\(bits) dddd 101s 01 M 0 mmmm", "d, m", f,
          roundToIntegral(f, rounding, isExact: false)))
      for (bit, type) in [("0", "u32"), ("1", "s32")] {
        let text = FloatRow.pattern("11111110 1 v 11 11\(bits) vvvv 101s \(bit)1 M 0 mmmm", f)
        rows.append(
          Row(
            "vcvt\(name).\(type)\(s)", text + (f == .single ? " v=0|4:1" : "; v=0|4:1"),
            "v, " + FloatRow.operands("m", f), toInteger(f, isSigned: bit == "1", rounding)))
      }
    }
    return rows
  }
}

// MARK: Arithmetic

extension FloatData {
  private static func binary(_ opcode: Opcode, _ f: FloatFormatKind) -> Row.Translate {
    { t, i in
      t.beginFloat()
      let (n, m) = (t.operand(i.floatN(f), f), t.operand(i.floatM(f), f))
      t.setOperand(i.floatD(f), f, t.builder.float(opcode, t.control(), n, m))
    }
  }

  private static func negatedProduct(_ f: FloatFormatKind) -> Row.Translate {
    { t, i in
      t.beginFloat()
      let (n, m) = (t.operand(i.floatN(f), f), t.operand(i.floatM(f), f))
      t.setOperand(i.floatD(f), f, t.negated(t.builder.float(.floatMul, t.control(), n, m)))
    }
  }

  /// `d = ±d ± n * m`, rounded twice.
  private static func multiplyAdd(
    _ f: FloatFormatKind, negatesProduct: Bool = false, negatesAddend: Bool = false
  ) -> Row.Translate {
    { t, i in
      t.beginFloat()
      let (n, m) = (t.operand(i.floatN(f), f), t.operand(i.floatM(f), f))
      var addend = t.operand(i.floatD(f), f)
      var product = t.builder.float(.floatMul, t.control(), n, m)
      if negatesProduct { product = t.negated(product) }
      if negatesAddend { addend = t.negated(addend) }
      t.setOperand(i.floatD(f), f, t.builder.float(.floatAdd, t.control(), addend, product))
    }
  }

  /// `d = ±d ± n * m`, rounded once.
  private static func fused(
    _ f: FloatFormatKind, negatesProduct: Bool = false, negatesAddend: Bool = false
  ) -> Row.Translate {
    { t, i in
      t.beginFloat()
      let (n, m) = (t.operand(i.floatN(f), f), t.operand(i.floatM(f), f))
      var control = t.control()
      control.negatesProduct = negatesProduct
      control.negatesAddend = negatesAddend
      let addend = t.operand(i.floatD(f), f)
      t.setOperand(i.floatD(f), f, t.builder.float(.floatFused, control, n, m, addend))
    }
  }

  private static func extremum(_ opcode: Opcode, _ f: FloatFormatKind) -> Row.Translate {
    { t, i in
      t.beginFloat()
      var control = FloatControl(.nearestEven, propagatesNaN: !t.flags.floatModes.deliversDefaultNaN)
      control.signalingWins = true
      control.flushesSubnormals = t.flags.floatModes.flushesSubnormals
      let (n, m) = (t.operand(i.floatN(f), f), t.operand(i.floatM(f), f))
      t.setOperand(i.floatD(f), f, t.builder.float(opcode, control, n, m))
    }
  }

  private static func squareRoot(_ f: FloatFormatKind) -> Row.Translate {
    { t, i in
      t.beginFloat()
      let operand = t.operand(i.floatM(f), f)
      t.setOperand(i.floatD(f), f, t.builder.float(.floatSqrt, t.control(), operand))
    }
  }
}

// MARK: Moves

extension FloatData {
  private static func move(_ f: FloatFormatKind) -> Row.Translate {
    { t, i in
      t.beginFloatMove()
      if f == .single { return t.setS(i["v"], t.s(i["z"])) }
      for half in 0..<2 { t.setS(2 * i["g"] + half, t.s(2 * i["r"] + half)) }
    }
  }

  private static func absolute(_ f: FloatFormatKind) -> Row.Translate {
    { t, i in
      t.beginFloatMove()
      let value = t.operand(i.floatM(f), f)
      // The exclusive or of a sign with itself.
      t.setOperand(i.floatD(f), f, t.builder.float(.floatSign, FloatControl(.exclusiveOr), value, value))
    }
  }

  private static func negate(_ f: FloatFormatKind) -> Row.Translate {
    { t, i in
      t.beginFloatMove()
      t.setOperand(i.floatD(f), f, t.negated(t.operand(i.floatM(f), f)))
    }
  }

  private static func moveImmediate(_ f: FloatFormatKind) -> Row.Translate {
    { t, i in
      t.beginFloatMove()
      let bits = immediate(i["o"], f)
      if f == .single { return t.setS(i["v"], t.builder.const(.f32, bits)) }
      t.setS(2 * i["g"], t.builder.const(.f32, 0))
      t.setS(2 * i["g"] + 1, t.builder.const(.f32, bits >> 32))
    }
  }

  /// The bits of a constant as 8 bits encode it (VFPExpandImm()).
  static func immediate(_ byte: Int, _ f: FloatFormatKind) -> Int64 {
    let (exponentWidth, fractionWidth) = f == .single ? (8, 23) : (11, 52)
    let top = byte >> 6 & 1
    let exponent =
      (top ^ 1) << (exponentWidth - 1) | (top == 0 ? 0 : (1 << (exponentWidth - 3) - 1) << 2) | byte >> 4 & 3
    return Int64(byte >> 7) << (f == .single ? 31 : 63) | Int64(exponent) << fractionWidth
      | Int64(byte & 15) << (fractionWidth - 4)
  }

  private static func select(_ f: FloatFormatKind, _ condition: Int) -> Row.Translate {
    { t, i in
      t.beginFloatMove()
      let holds = t.condition(condition)
      let (n, m) = (t.operand(i.floatN(f), f), t.operand(i.floatM(f), f))
      t.setOperand(i.floatD(f), f, t.builder.select(holds, n, m))
    }
  }
}

// MARK: Comparisons

extension FloatData {
  private static func order(_ t: inout Translator, _ a: ValueID, _ b: ValueID, signals: Bool) {
    var control = FloatControl()
    control.signalsQuietNaN = signals
    control.flushesSubnormals = t.flags.floatModes.flushesSubnormals
    let order = t.builder.floatOrder(control, a, b)
    t.builder.setRegister(FloatSlot.floatOrder.register, order)
    t.floatOrder = order
  }

  private static func compare(_ f: FloatFormatKind, signals: Bool) -> Row.Translate {
    { t, i in
      t.beginFloat()
      let (d, m) = (t.operand(i.floatD(f), f), t.operand(i.floatM(f), f))
      order(&t, d, m, signals: signals)
    }
  }

  private static func compareZero(_ f: FloatFormatKind, signals: Bool) -> Row.Translate {
    { t, i in
      t.beginFloat()
      let d = t.operand(i.floatD(f), f)
      order(&t, d, t.builder.const(f.type, 0), signals: signals)
    }
  }
}

// MARK: Conversions

extension FloatData {
  private static func fromInteger(_ f: FloatFormatKind, isSigned: Bool) -> Row.Translate {
    { t, i in
      t.beginFloat()
      var control = FloatControl(t.rounding(nil))
      control.isUnsigned = !isSigned
      let integer = t.sBits(i["z"])
      t.setOperand(i.floatD(f), f, t.builder.float(.floatFromInteger, control, to: f.type, integer))
    }
  }

  /// - Parameter rounding: nil for the mode of FPSCR.
  private static func toInteger(_ f: FloatFormatKind, isSigned: Bool, _ rounding: FloatRounding?) -> Row.Translate {
    { t, i in
      t.beginFloat()
      var control = FloatControl(rounding == .towardZero ? .towardZero : t.rounding(rounding))
      control.isUnsigned = !isSigned
      control.zeroesNaN = true
      control.flushesSubnormals = t.flags.floatModes.flushesSubnormals
      let operand = t.operand(i.floatM(f), f)
      t.setSBits(i["v"], t.builder.float(.floatToInteger, control, to: .i32, operand))
    }
  }

  private static func widen(_ t: inout Translator, _ i: Instruction) {
    t.beginFloat()
    let operand = t.s(i["z"])
    t.setD(i["g"], t.builder.float(.floatConvert, t.control(), to: .f64, operand))
  }

  private static func narrow(_ t: inout Translator, _ i: Instruction) {
    t.beginFloat()
    let operand = t.d(i["r"])
    t.setS(i["v"], t.builder.float(.floatConvert, t.control(), to: .f32, operand))
  }

  /// Calls a helper on the bits of an operand.
  private static func call(
    _ helper: FloatHelper, _ t: inout Translator, _ operand: ValueID, _ immediate: Int64
  ) -> ValueID {
    t.builder.call(helper.number, .i64, operand, imm: immediate)
  }

  /// The number of fraction bits is what the width exceeds the field by; less than none is UNPREDICTABLE, here
  /// UNDEFINED.
  private static func toFixed(_ f: FloatFormatKind, _ width: Int, _ isSigned: Bool) -> Row.Translate {
    { t, i in
      guard i["c"] <= width else { return t.undefined() }
      t.beginFloat()
      let conversion = FloatConversion(
        f, rounding: .towardZero, fractionBits: width - i["c"], width: width, isSigned: isSigned)
      let result = call(.toFixed, &t, t.wideBits(i.floatD(f), f), conversion.rawValue)
      let word = t.builder.unary(.truncate, result, to: .i32)
      let wide = isSigned ? t.builder.unary(.signExtend, word, to: .i64) : t.widen(word)
      t.setWideBits(i.floatD(f), f, wide)
    }
  }

  private static func fromFixed(_ f: FloatFormatKind, _ width: Int, _ isSigned: Bool) -> Row.Translate {
    { t, i in
      guard i["c"] <= width else { return t.undefined() }
      t.beginFloat()
      let conversion = FloatConversion(
        f, rounding: .nearestEven, fractionBits: width - i["c"], width: width, isSigned: isSigned)
      t.setWideBits(i.floatD(f), f, call(.fromFixed, &t, t.wideBits(i.floatD(f), f), conversion.rawValue))
    }
  }

  private static func fromHalf(_ f: FloatFormatKind, isTop: Bool) -> Row.Translate {
    { t, i in
      t.beginFloat()
      var bits = t.sBits(i["z"])
      if isTop { bits = t.binary(.shiftRight, bits, 16) }
      t.setWideBits(i.floatD(f), f, call(.fromHalf, &t, t.widen(bits), f.width))
    }
  }

  private static func toHalf(_ f: FloatFormatKind, isTop: Bool) -> Row.Translate {
    { t, i in
      t.beginFloat()
      let wide = call(.toHalf, &t, t.wideBits(i.floatM(f), f), f.width)
      var half = t.builder.unary(.truncate, wide, to: .i32)
      if isTop { half = t.binary(.shiftLeft, half, 16) }
      let kept = t.binary(.and, t.sBits(i["v"]), isTop ? 0xFFFF : ~0xFFFF)
      t.setSBits(i["v"], t.builder.binary(.or, kept, half))
    }
  }

  private static func roundToIntegral(
    _ f: FloatFormatKind, _ rounding: FloatRounding?, isExact: Bool
  ) -> Row.Translate {
    { t, i in
      t.beginFloat()
      let conversion = FloatConversion(f, rounding: rounding, isExact: isExact)
      t.setWideBits(i.floatD(f), f, call(.roundToIntegral, &t, t.wideBits(i.floatM(f), f), conversion.rawValue))
    }
  }
}
