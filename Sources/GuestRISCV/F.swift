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
    .init("fmadd.s", "rrrrr 00 ttttt sssss mmm ddddd 1000011", "D, S, T, Rm", FloatForm.fused(.fusedS)),
    .init("fmsub.s", "rrrrr 00 ttttt sssss mmm ddddd 1000111", "D, S, T, Rm", fmsub),
    .init("fnmsub.s", "rrrrr 00 ttttt sssss mmm ddddd 1001011", "D, S, T, Rm", fnmsub),
    .init("fnmadd.s", "rrrrr 00 ttttt sssss mmm ddddd 1001111", "D, S, T, Rm", fnmadd),
    .init("fadd.s", "0000000 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.addS)),
    .init("fsub.s", "0000100 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.subtractS)),
    .init("fmul.s", "0001000 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.multiplyS)),
    .init("fdiv.s", "0001100 ttttt sssss mmm ddddd 1010011", "D, S, Tm", FloatForm.binary(.divideS)),
    .init("fsqrt.s", "0101100 00000 sssss mmm ddddd 1010011", "D, Sm", FloatForm.unary(.squareRootS)),
    .init("fsgnj.s", "0010000 ttttt sssss 000 ddddd 1010011", "D, S, T", fsgnj),
    .init("fsgnjn.s", "0010000 ttttt sssss 001 ddddd 1010011", "D, S, T", fsgnjn),
    .init("fsgnjx.s", "0010000 ttttt sssss 010 ddddd 1010011", "D, S, T", fsgnjx),
    .init("fmin.s", "0010100 ttttt sssss 000 ddddd 1010011", "D, S, T", FloatForm.exact(.minimumS)),
    .init("fmax.s", "0010100 ttttt sssss 001 ddddd 1010011", "D, S, T", FloatForm.exact(.maximumS)),
    .init("feq.s", "1010000 ttttt sssss 010 ddddd 1010011", "d, S, T", FloatForm.comparison(.equalS)),
    .init("flt.s", "1010000 ttttt sssss 001 ddddd 1010011", "d, S, T", FloatForm.comparison(.lessS)),
    .init("fle.s", "1010000 ttttt sssss 000 ddddd 1010011", "d, S, T", FloatForm.comparison(.lessOrEqualS)),
    .init("fclass.s", "1110000 00000 sssss 001 ddddd 1010011", "d, S", FloatForm.classification(.classS)),
  ]

  private static let conversion: [InstructionRow<Translator>] = [
    .init(
      "fcvt.w.s", "1100000 00000 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.toInt32S)),
    .init(
      "fcvt.wu.s", "1100000 00001 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.toUInt32S)),
    .init(
      "fcvt.l.s", "1100000 00010 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.toInt64S), only: 64),
    .init(
      "fcvt.lu.s", "1100000 00011 sssss mmm ddddd 1010011", "d, Sm", FloatForm.toInteger(.toUInt64S), only: 64),
    .init(
      "fcvt.s.w", "1101000 00000 sssss mmm ddddd 1010011", "D, sm", FloatForm.fromInteger(.fromInt32S)),
    .init(
      "fcvt.s.wu", "1101000 00001 sssss mmm ddddd 1010011", "D, sm", FloatForm.fromInteger(.fromUInt32S)),
    .init(
      "fcvt.s.l", "1101000 00010 sssss mmm ddddd 1010011", "D, sm", FloatForm.fromInteger(.fromInt64S), only: 64),
    .init(
      "fcvt.s.lu", "1101000 00011 sssss mmm ddddd 1010011", "D, sm", FloatForm.fromInteger(.fromUInt64S), only: 64),
  ]

  private static let fmsub = FloatForm.fused(.fusedS, negateAddend: true)
  private static let fnmsub = FloatForm.fused(.fusedS, negateProduct: true)
  private static let fnmadd = FloatForm.fused(.fusedS, negateProduct: true, negateAddend: true)
}

extension SingleFloat {
  static func flw(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.setSingle(i.d, t.builder.load(.i64, MemoryAccess(size: 4), at: t.x(i.s), offset: Int64(i.i)))
    t.finishFloat()
  }

  /// Stores the lower half, whether it is NaN-boxed or not.
  static func fsw(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.builder.store(t.f(i.t), MemoryAccess(size: 4), at: t.x(i.s), offset: Int64(i.i))
  }

  static func moveToInteger(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.setWord(i.d, t.builder.unary(.truncate, t.f(i.s), to: .i32))
  }

  static func moveFromInteger(_ t: inout Translator, _ i: Instruction) {
    guard t.floatIsOn(i) else { return }
    t.setSingle(i.d, t.word(i.s))
    t.finishFloat()
  }

  /// `fd` = the magnitude of `fs1` with a sign made of those of `fs1` and `fs2`.
  private static func sign(
    _ t: inout Translator, _ i: Instruction, _ make: (inout Translator, ValueID, ValueID) -> ValueID
  ) {
    guard t.floatIsOn(i) else { return }
    let (a, b) = (t.single(i.s), t.single(i.t))
    t.setSingle(i.d, make(&t, a, b))
    t.finishFloat()
  }

  static func fsgnj(_ t: inout Translator, _ i: Instruction) {
    sign(&t, i) { t, a, b in t.copySign(from: b, to: a) }
  }
  static func fsgnjn(_ t: inout Translator, _ i: Instruction) {
    sign(&t, i) { t, a, b in t.copySign(from: t.builder.binary(.xor, b, t.signBit(like: b)), to: a) }
  }
  static func fsgnjx(_ t: inout Translator, _ i: Instruction) {
    sign(&t, i) { t, a, b in
      t.builder.binary(.xor, a, t.builder.binary(.and, b, t.signBit(like: b)))
    }
  }
}
