// Owns Zbs: single-bit instructions.

import GuestKit
import IR

enum Zbs {
  static let group = InstructionGroup<Translator>("Zbs", rows)

  private static let rows: [InstructionRow<Translator>] = [
    .init("bclr", "0100100 ttttt sssss 001 ddddd 0110011", "d, s, t", bclr),
    .init("bclri", "0100100iiiii sssss 001 ddddd 0010011; i=u4:0", "d, s, i", bclri, only: 32),
    .init("bclri", "010010iiiiii sssss 001 ddddd 0010011; i=u5:0", "d, s, i", bclri, only: 64),
    .init("bext", "0100100 ttttt sssss 101 ddddd 0110011", "d, s, t", bext),
    .init("bexti", "0100100iiiii sssss 101 ddddd 0010011; i=u4:0", "d, s, i", bexti, only: 32),
    .init("bexti", "010010iiiiii sssss 101 ddddd 0010011; i=u5:0", "d, s, i", bexti, only: 64),
    .init("binv", "0110100 ttttt sssss 001 ddddd 0110011", "d, s, t", binv),
    .init("binvi", "0110100iiiii sssss 001 ddddd 0010011; i=u4:0", "d, s, i", binvi, only: 32),
    .init("binvi", "011010iiiiii sssss 001 ddddd 0010011; i=u5:0", "d, s, i", binvi, only: 64),
    .init("bset", "0010100 ttttt sssss 001 ddddd 0110011", "d, s, t", bset),
    .init("bseti", "0010100iiiii sssss 001 ddddd 0010011; i=u4:0", "d, s, i", bseti, only: 32),
    .init("bseti", "001010iiiiii sssss 001 ddddd 0010011; i=u5:0", "d, s, i", bseti, only: 64),
  ]

  static func bclr(_ t: inout Translator, _ i: Instruction) { apply(.andNot, bit(&t, i), &t, i) }
  static func bclri(_ t: inout Translator, _ i: Instruction) { apply(.andNot, constantBit(&t, i), &t, i) }
  static func binv(_ t: inout Translator, _ i: Instruction) { apply(.xor, bit(&t, i), &t, i) }
  static func binvi(_ t: inout Translator, _ i: Instruction) { apply(.xor, constantBit(&t, i), &t, i) }
  static func bset(_ t: inout Translator, _ i: Instruction) { apply(.or, bit(&t, i), &t, i) }
  static func bseti(_ t: inout Translator, _ i: Instruction) { apply(.or, constantBit(&t, i), &t, i) }
  static func bext(_ t: inout Translator, _ i: Instruction) { extract(t.x(i.t), &t, i) }
  static func bexti(_ t: inout Translator, _ i: Instruction) { extract(t.const(i.i), &t, i) }

  private static func apply(_ opcode: Opcode, _ mask: ValueID, _ t: inout Translator, _ i: Instruction) {
    t.setX(i.d, t.builder.binary(opcode, t.x(i.s), mask))
  }

  private static func extract(_ number: ValueID, _ t: inout Translator, _ i: Instruction) {
    t.setX(i.d, t.builder.binary(.and, t.builder.binary(.shiftRight, t.x(i.s), number), t.const(1)))
  }

  /// `1 << rs2`, modulo XLEN as IR shifts are.
  private static func bit(_ t: inout Translator, _ i: Instruction) -> ValueID {
    t.builder.binary(.shiftLeft, t.const(1), t.x(i.t))
  }

  private static func constantBit(_ t: inout Translator, _ i: Instruction) -> ValueID {
    t.const(address: (1 << UInt64(i.i)) as UInt64)
  }
}
