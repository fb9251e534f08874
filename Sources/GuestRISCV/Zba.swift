// Owns Zba: address generation.

import GuestKit
import IR

enum Zba {
  static let group = InstructionGroup<Translator>("Zba", rows)

  private static let rows: [InstructionRow<Translator>] = [
    .init("add.uw", "0000100 ttttt sssss 000 ddddd 0111011", "d, s, t", addUw, only: 64),
    .init("sh1add", "0010000 ttttt sssss 010 ddddd 0110011", "d, s, t", sh1add),
    .init("sh1add.uw", "0010000 ttttt sssss 010 ddddd 0111011", "d, s, t", sh1addUw, only: 64),
    .init("sh2add", "0010000 ttttt sssss 100 ddddd 0110011", "d, s, t", sh2add),
    .init("sh2add.uw", "0010000 ttttt sssss 100 ddddd 0111011", "d, s, t", sh2addUw, only: 64),
    .init("sh3add", "0010000 ttttt sssss 110 ddddd 0110011", "d, s, t", sh3add),
    .init("sh3add.uw", "0010000 ttttt sssss 110 ddddd 0111011", "d, s, t", sh3addUw, only: 64),
    .init("slli.uw", "000010iiiiii sssss 001 ddddd 0011011; i=u5:0", "d, s, i", slliUw, only: 64),
  ]

  static func sh1add(_ t: inout Translator, _ i: Instruction) { add(t.x(i.s), shifted: 1, &t, i) }
  static func sh2add(_ t: inout Translator, _ i: Instruction) { add(t.x(i.s), shifted: 2, &t, i) }
  static func sh3add(_ t: inout Translator, _ i: Instruction) { add(t.x(i.s), shifted: 3, &t, i) }
  static func addUw(_ t: inout Translator, _ i: Instruction) { add(unsignedWord(&t, i), shifted: 0, &t, i) }
  static func sh1addUw(_ t: inout Translator, _ i: Instruction) { add(unsignedWord(&t, i), shifted: 1, &t, i) }
  static func sh2addUw(_ t: inout Translator, _ i: Instruction) { add(unsignedWord(&t, i), shifted: 2, &t, i) }
  static func sh3addUw(_ t: inout Translator, _ i: Instruction) { add(unsignedWord(&t, i), shifted: 3, &t, i) }
  static func slliUw(_ t: inout Translator, _ i: Instruction) {
    let word = unsignedWord(&t, i)
    t.setX(i.d, t.builder.binary(.shiftLeft, word, t.const(i.i)))
  }

  private static func add(_ index: ValueID, shifted: Int, _ t: inout Translator, _ i: Instruction) {
    let offset = shifted == 0 ? index : t.builder.binary(.shiftLeft, index, t.const(shifted))
    t.setX(i.d, t.builder.binary(.add, offset, t.x(i.t)))
  }

  private static func unsignedWord(_ t: inout Translator, _ i: Instruction) -> ValueID {
    t.builder.unary(.zeroExtend, t.word(i.s), to: .i64)
  }
}
