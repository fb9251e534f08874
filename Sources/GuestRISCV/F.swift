// Owns the F extension: single-precision floating point (unprivileged manual, "F").

import GuestKit
import IR

enum SingleFloat {
  static let group = InstructionGroup<Translator>("F", transfer + computational + conversion)

  private static let transfer: [InstructionRow<Translator>] = [
    .init("flw", "iiiiiiiiiiii sssss 010 ddddd 0000111", "D, i(s)", flw),
    .init("fsw", "iiiiiii ttttt sssss 010 iiiii 0100111", "T, i(s)", fsw),
    .init("fmv.x.w", "1110000 00000 sssss 000 ddddd 1010011", "d, S", moveToInteger),
    .init("fmv.w.x", "1111000 00000 sssss 000 ddddd 1010011", "D, s", moveFromInteger),
  ]

  private static let computational: [InstructionRow<Translator>] = [
    .init("fmadd.s", "rrrrr 00 ttttt sssss mmm ddddd 1000011", "D, S, T, Rm", FloatForm.fused(.single)),
    .init("fmsub.s", "rrrrr 00 ttttt sssss mmm ddddd 1000111", "D, S, T, Rm", fmsub),
    .init("fnmsub.s", "rrrrr 00 ttttt sssss mmm ddddd 1001011", "D, S, T, Rm", fnmsub),
    .init("fnmadd.s", "rrrrr 00 ttttt sssss mmm ddddd 1001111", "D, S, T, Rm", fnmadd),
    .init("fadd.s", "0000000 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.floatAdd, .single)),
    .init("fsub.s", "0000100 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.floatSub, .single)),
    .init("fmul.s", "0001000 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.floatMul, .single)),
    .init("fdiv.s", "0001100 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.floatDiv, .single)),
    .init("fsqrt.s", "0101100 00000 sssss mmm ddddd 1010011", "D, Sm", FloatForm.squareRoot(.single)),
    .init("fsgnj.s", "0010000 ttttt sssss 000 ddddd 1010011", "D, S, T", FloatForm.sign(.copy, .single)),
    .init("fsgnjn.s", "0010000 ttttt sssss 001 ddddd 1010011", "D, S, T", FloatForm.sign(.copyNegated, .single)),
    .init("fsgnjx.s", "0010000 ttttt sssss 010 ddddd 1010011", "D, S, T", FloatForm.sign(.exclusiveOr, .single)),
    .init("fmin.s", "0010100 ttttt sssss 000 ddddd 1010011", "D, S, T", FloatForm.exact(.floatMinimum, .single)),
    .init("fmax.s", "0010100 ttttt sssss 001 ddddd 1010011", "D, S, T", FloatForm.exact(.floatMaximum, .single)),
    .init("feq.s", "1010000 ttttt sssss 010 ddddd 1010011", "d, S, T", FloatForm.comparison(.equal, .single)),
    .init("flt.s", "1010000 ttttt sssss 001 ddddd 1010011", "d, S, T", FloatForm.comparison(.less, .single)),
    .init("fle.s", "1010000 ttttt sssss 000 ddddd 1010011", "d, S, T", FloatForm.comparison(.lessEqual, .single)),
    .init("fclass.s", "1110000 00000 sssss 001 ddddd 1010011", "d, S", FloatForm.classification(.classS)),
  ]

  private static let conversion: [InstructionRow<Translator>] = [
    .init(
      "fcvt.w.s", "1100000 00000 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.single, .i32)),
    .init(
      "fcvt.wu.s", "1100000 00001 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.single, .i32, unsigned: true)),
    .init(
      "fcvt.l.s", "1100000 00010 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.single, .i64), only: 64),
    .init(
      "fcvt.lu.s", "1100000 00011 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.single, .i64, unsigned: true),
      only: 64),
    .init(
      "fcvt.s.w", "1101000 00000 sssss mmm ddddd 1010011", "D, sm", FloatForm.fromInteger(.single, .i32)),
    .init(
      "fcvt.s.wu", "1101000 00001 sssss mmm ddddd 1010011", "D, sm",
      FloatForm.fromInteger(.single, .i32, unsigned: true)),
    .init(
      "fcvt.s.l", "1101000 00010 sssss mmm ddddd 1010011", "D, sm", FloatForm.fromInteger(.single, .i64), only: 64),
    .init(
      "fcvt.s.lu", "1101000 00011 sssss mmm ddddd 1010011", "D, sm",
      FloatForm.fromInteger(.single, .i64, unsigned: true), only: 64),
  ]

  private static let fmsub = FloatForm.fused(.single, negateAddend: true)
  private static let fnmsub = FloatForm.fused(.single, negateProduct: true)
  private static let fnmadd = FloatForm.fused(.single, negateProduct: true, negateAddend: true)
}

extension SingleFloat {
  static func flw(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.setSingle(i.d, t.builder.load(.f32, MemoryAccess(size: 4), at: t.x(i.s), offset: Int64(i.i)))
    t.finishFloat()
  }

  /// Stores the lower half, whether it is NaN-boxed or not.
  static func fsw(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.builder.store(t.f(i.t), MemoryAccess(size: 4), at: t.x(i.s), offset: Int64(i.i))
  }

  static func moveToInteger(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.setWord(i.d, t.builder.unary(.truncate, t.bits(i.s), to: .i32))
  }

  static func moveFromInteger(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.setSingle(i.d, t.builder.unary(.bitcast, t.word(i.s), to: .f32))
    t.finishFloat()
  }
}
