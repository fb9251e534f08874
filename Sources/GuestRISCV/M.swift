// Owns the M extension: integer multiplication and division.

import GuestKit
import IR

enum MultiplyDivide {
  static let group = InstructionGroup<Translator>("M", rows)

  private static let rows: [InstructionRow<Translator>] = [
    .init("mul", "0000001 ttttt sssss 000 ddddd 0110011", "d, s, t", mul),
    .init("mulh", "0000001 ttttt sssss 001 ddddd 0110011", "d, s, t", mulh),
    .init("mulhsu", "0000001 ttttt sssss 010 ddddd 0110011", "d, s, t", mulhsu),
    .init("mulhu", "0000001 ttttt sssss 011 ddddd 0110011", "d, s, t", mulhu),
    .init("mulw", "0000001 ttttt sssss 000 ddddd 0111011", "d, s, t", mulw, only: 64),
    .init("div", "0000001 ttttt sssss 100 ddddd 0110011", "d, s, t", div),
    .init("divu", "0000001 ttttt sssss 101 ddddd 0110011", "d, s, t", divu),
    .init("rem", "0000001 ttttt sssss 110 ddddd 0110011", "d, s, t", rem),
    .init("remu", "0000001 ttttt sssss 111 ddddd 0110011", "d, s, t", remu),
    .init("divw", "0000001 ttttt sssss 100 ddddd 0111011", "d, s, t", divw, only: 64),
    .init("divuw", "0000001 ttttt sssss 101 ddddd 0111011", "d, s, t", divuw, only: 64),
    .init("remw", "0000001 ttttt sssss 110 ddddd 0111011", "d, s, t", remw, only: 64),
    .init("remuw", "0000001 ttttt sssss 111 ddddd 0111011", "d, s, t", remuw, only: 64),
  ]

  static func mul(_ t: inout Translator, _ i: Instruction) { t.registers(.mul, i) }
  static func mulh(_ t: inout Translator, _ i: Instruction) { t.registers(.mulHighSigned, i) }
  static func mulhsu(_ t: inout Translator, _ i: Instruction) { t.registers(.mulHighSignedUnsigned, i) }
  static func mulhu(_ t: inout Translator, _ i: Instruction) { t.registers(.mulHighUnsigned, i) }
  static func mulw(_ t: inout Translator, _ i: Instruction) { t.wordRegisters(.mul, i) }

  static func div(_ t: inout Translator, _ i: Instruction) {
    t.setX(i.d, quotient(.divSigned, t.x(i.s), t.x(i.t), &t))
  }
  static func divu(_ t: inout Translator, _ i: Instruction) {
    t.setX(i.d, quotient(.divUnsigned, t.x(i.s), t.x(i.t), &t))
  }
  static func divw(_ t: inout Translator, _ i: Instruction) {
    t.setWord(i.d, quotient(.divSigned, t.word(i.s), t.word(i.t), &t))
  }
  static func divuw(_ t: inout Translator, _ i: Instruction) {
    t.setWord(i.d, quotient(.divUnsigned, t.word(i.s), t.word(i.t), &t))
  }
  static func rem(_ t: inout Translator, _ i: Instruction) { t.registers(.remSigned, i) }
  static func remu(_ t: inout Translator, _ i: Instruction) { t.registers(.remUnsigned, i) }
  static func remw(_ t: inout Translator, _ i: Instruction) { t.wordRegisters(.remSigned, i) }
  static func remuw(_ t: inout Translator, _ i: Instruction) { t.wordRegisters(.remUnsigned, i) }

  /// IR division by zero gives 0, RISC-V's all ones; overflow and remainders agree.
  private static func quotient(_ opcode: Opcode, _ a: ValueID, _ b: ValueID, _ t: inout Translator) -> ValueID {
    let type = t.builder.type(of: b)
    let isZero = t.builder.compare(.equal, b, t.builder.const(type, 0))
    return t.builder.select(isZero, t.builder.const(type, -1), t.builder.binary(opcode, a, b))
  }
}
