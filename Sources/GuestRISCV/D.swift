// Owns the D extension: double-precision floating point (unprivileged manual, "D").

import GuestKit
import IR

enum DoubleFloat {
  static let group = InstructionGroup<Translator>("D", transfer + computational + conversion)

  private static let transfer: [InstructionRow<Translator>] = [
    .init("fld", "iiiiiiiiiiii sssss 011 ddddd 0000111", "D, i(s)", fld),
    .init("fsd", "iiiiiii ttttt sssss 011 iiiii 0100111", "T, i(s)", fsd),
    .init("fmv.x.d", "1110001 00000 sssss 000 ddddd 1010011", "d, S", moveToInteger, only: 64),
    .init("fmv.d.x", "1111001 00000 sssss 000 ddddd 1010011", "D, s", moveFromInteger, only: 64),
  ]

  private static let computational: [InstructionRow<Translator>] = [
    .init("fmadd.d", "rrrrr 01 ttttt sssss mmm ddddd 1000011", "D, S, T, Rm", FloatForm.fused(.double)),
    .init("fmsub.d", "rrrrr 01 ttttt sssss mmm ddddd 1000111", "D, S, T, Rm", fmsub),
    .init("fnmsub.d", "rrrrr 01 ttttt sssss mmm ddddd 1001011", "D, S, T, Rm", fnmsub),
    .init("fnmadd.d", "rrrrr 01 ttttt sssss mmm ddddd 1001111", "D, S, T, Rm", fnmadd),
    .init("fadd.d", "0000001 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.floatAdd, .double)),
    .init("fsub.d", "0000101 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.floatSub, .double)),
    .init("fmul.d", "0001001 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.floatMul, .double)),
    .init("fdiv.d", "0001101 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.floatDiv, .double)),
    .init("fsqrt.d", "0101101 00000 sssss mmm ddddd 1010011", "D, Sm", FloatForm.squareRoot(.double)),
    .init("fsgnj.d", "0010001 ttttt sssss 000 ddddd 1010011", "D, S, T", FloatForm.sign(.copy, .double)),
    .init("fsgnjn.d", "0010001 ttttt sssss 001 ddddd 1010011", "D, S, T", FloatForm.sign(.copyNegated, .double)),
    .init("fsgnjx.d", "0010001 ttttt sssss 010 ddddd 1010011", "D, S, T", FloatForm.sign(.exclusiveOr, .double)),
    .init("fmin.d", "0010101 ttttt sssss 000 ddddd 1010011", "D, S, T", FloatForm.exact(.floatMinimum, .double)),
    .init("fmax.d", "0010101 ttttt sssss 001 ddddd 1010011", "D, S, T", FloatForm.exact(.floatMaximum, .double)),
    .init("feq.d", "1010001 ttttt sssss 010 ddddd 1010011", "d, S, T", FloatForm.comparison(.equal, .double)),
    .init("flt.d", "1010001 ttttt sssss 001 ddddd 1010011", "d, S, T", FloatForm.comparison(.less, .double)),
    .init("fle.d", "1010001 ttttt sssss 000 ddddd 1010011", "d, S, T", FloatForm.comparison(.lessEqual, .double)),
    .init("fclass.d", "1110001 00000 sssss 001 ddddd 1010011", "d, S", FloatForm.classification(.classD)),
  ]

  private static let conversion: [InstructionRow<Translator>] = [
    .init("fcvt.s.d", "0100000 00001 sssss mmm ddddd 1010011", "D, Sm", FloatForm.convert(from: .double, to: .single)),
    .init("fcvt.d.s", "0100001 00000 sssss mmm ddddd 1010011", "D, SM", FloatForm.convert(from: .single, to: .double)),
    .init(
      "fcvt.w.d", "1100001 00000 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.double, .i32)),
    .init(
      "fcvt.wu.d", "1100001 00001 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.double, .i32, unsigned: true)),
    .init(
      "fcvt.l.d", "1100001 00010 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.double, .i64), only: 64),
    .init(
      "fcvt.lu.d", "1100001 00011 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.double, .i64, unsigned: true),
      only: 64),
    .init(
      "fcvt.d.w", "1101001 00000 sssss mmm ddddd 1010011", "D, sM", FloatForm.fromInteger(.double, .i32)),
    .init(
      "fcvt.d.wu", "1101001 00001 sssss mmm ddddd 1010011", "D, sM",
      FloatForm.fromInteger(.double, .i32, unsigned: true)),
    .init(
      "fcvt.d.l", "1101001 00010 sssss mmm ddddd 1010011", "D, sm", FloatForm.fromInteger(.double, .i64), only: 64),
    .init(
      "fcvt.d.lu", "1101001 00011 sssss mmm ddddd 1010011", "D, sm",
      FloatForm.fromInteger(.double, .i64, unsigned: true), only: 64),
  ]

  private static let fmsub = FloatForm.fused(.double, negateAddend: true)
  private static let fnmsub = FloatForm.fused(.double, negateProduct: true)
  private static let fnmadd = FloatForm.fused(.double, negateProduct: true, negateAddend: true)
}

extension DoubleFloat {
  static func fld(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.setF(i.d, t.builder.load(.f64, MemoryAccess(size: 8), at: t.x(i.s), offset: Int64(i.i)))
    t.finishFloat()
  }

  static func fsd(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.builder.store(t.f(i.t), MemoryAccess(size: 8), at: t.x(i.s), offset: Int64(i.i))
  }

  static func moveToInteger(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.setX(i.d, t.bits(i.s))
  }

  static func moveFromInteger(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.setF(i.d, t.builder.unary(.bitcast, t.x(i.s), to: .f64))
    t.finishFloat()
  }
}
