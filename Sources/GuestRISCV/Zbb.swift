// Owns Zbb: basic bit manipulation.

import GuestKit
import IR

enum Zbb {
  static let group = InstructionGroup<Translator>("Zbb", logical + counting + minMax + extending + rotating)

  private static let logical: [InstructionRow<Translator>] = [
    .init("andn", "0100000 ttttt sssss 111 ddddd 0110011", "d, s, t", andn),
    .init("orn", "0100000 ttttt sssss 110 ddddd 0110011", "d, s, t", orn),
    .init("xnor", "0100000 ttttt sssss 100 ddddd 0110011", "d, s, t", xnor),
  ]
  private static let counting: [InstructionRow<Translator>] = [
    .init("clz", "0110000 00000 sssss 001 ddddd 0010011", "d, s", clz),
    .init("clzw", "0110000 00000 sssss 001 ddddd 0011011", "d, s", clzw, only: 64),
    .init("ctz", "0110000 00001 sssss 001 ddddd 0010011", "d, s", ctz),
    .init("ctzw", "0110000 00001 sssss 001 ddddd 0011011", "d, s", ctzw, only: 64),
    .init("cpop", "0110000 00010 sssss 001 ddddd 0010011", "d, s", cpop),
    .init("cpopw", "0110000 00010 sssss 001 ddddd 0011011", "d, s", cpopw, only: 64),
  ]
  private static let minMax: [InstructionRow<Translator>] = [
    .init("max", "0000101 ttttt sssss 110 ddddd 0110011", "d, s, t", max),
    .init("maxu", "0000101 ttttt sssss 111 ddddd 0110011", "d, s, t", maxu),
    .init("min", "0000101 ttttt sssss 100 ddddd 0110011", "d, s, t", min),
    .init("minu", "0000101 ttttt sssss 101 ddddd 0110011", "d, s, t", minu),
  ]
  private static let extending: [InstructionRow<Translator>] = [
    .init("sext.b", "0110000 00100 sssss 001 ddddd 0010011", "d, s", sextB),
    .init("sext.h", "0110000 00101 sssss 001 ddddd 0010011", "d, s", sextH),
    .init("zext.h", "0000100 00000 sssss 100 ddddd 0110011", "d, s", zextH, only: 32),
    .init("zext.h", "0000100 00000 sssss 100 ddddd 0111011", "d, s", zextH, only: 64),
  ]
  private static let rotating: [InstructionRow<Translator>] = [
    .init("rol", "0110000 ttttt sssss 001 ddddd 0110011", "d, s, t", rol),
    .init("rolw", "0110000 ttttt sssss 001 ddddd 0111011", "d, s, t", rolw, only: 64),
    .init("ror", "0110000 ttttt sssss 101 ddddd 0110011", "d, s, t", ror),
    .init("rori", "0110000iiiii sssss 101 ddddd 0010011; i=u4:0", "d, s, i", rori, only: 32),
    .init("rori", "011000iiiiii sssss 101 ddddd 0010011; i=u5:0", "d, s, i", rori, only: 64),
    .init("roriw", "0110000iiiii sssss 101 ddddd 0011011; i=u4:0", "d, s, i", roriw, only: 64),
    .init("rorw", "0110000 ttttt sssss 101 ddddd 0111011", "d, s, t", rorw, only: 64),
    .init("orc.b", "001010000111 sssss 101 ddddd 0010011", "d, s", orcB),
    .init("rev8", "011010011000 sssss 101 ddddd 0010011", "d, s", rev8, only: 32),
    .init("rev8", "011010111000 sssss 101 ddddd 0010011", "d, s", rev8, only: 64),
  ]
}

extension Zbb {
  static func andn(_ t: inout Translator, _ i: Instruction) { t.registers(.andNot, i) }
  static func orn(_ t: inout Translator, _ i: Instruction) {
    t.setX(i.d, t.builder.binary(.or, t.x(i.s), t.builder.binary(.xor, t.x(i.t), t.const(-1))))
  }
  static func xnor(_ t: inout Translator, _ i: Instruction) {
    t.setX(i.d, t.builder.binary(.xor, t.builder.binary(.xor, t.x(i.s), t.x(i.t)), t.const(-1)))
  }

  static func clz(_ t: inout Translator, _ i: Instruction) { count(.countLeadingZeros, &t, i) }
  static func ctz(_ t: inout Translator, _ i: Instruction) { count(.countTrailingZeros, &t, i) }
  static func cpop(_ t: inout Translator, _ i: Instruction) { count(.populationCount, &t, i) }
  static func clzw(_ t: inout Translator, _ i: Instruction) { countWord(.countLeadingZeros, &t, i) }
  static func ctzw(_ t: inout Translator, _ i: Instruction) { countWord(.countTrailingZeros, &t, i) }
  static func cpopw(_ t: inout Translator, _ i: Instruction) { countWord(.populationCount, &t, i) }

  private static func count(_ opcode: Opcode, _ t: inout Translator, _ i: Instruction) {
    t.setX(i.d, t.builder.unary(opcode, t.x(i.s)))
  }
  private static func countWord(_ opcode: Opcode, _ t: inout Translator, _ i: Instruction) {
    t.setWord(i.d, t.builder.unary(opcode, t.word(i.s)))
  }

  static func max(_ t: inout Translator, _ i: Instruction) { choose(.greaterSigned, &t, i) }
  static func maxu(_ t: inout Translator, _ i: Instruction) { choose(.greaterUnsigned, &t, i) }
  static func min(_ t: inout Translator, _ i: Instruction) { choose(.lessSigned, &t, i) }
  static func minu(_ t: inout Translator, _ i: Instruction) { choose(.lessUnsigned, &t, i) }

  /// `rd = (rs1 condition rs2) ? rs1 : rs2`
  private static func choose(_ condition: Condition, _ t: inout Translator, _ i: Instruction) {
    let (a, b) = (t.x(i.s), t.x(i.t))
    t.setX(i.d, t.builder.select(t.builder.compare(condition, a, b), a, b))
  }

  static func sextB(_ t: inout Translator, _ i: Instruction) { extend(.signExtend, from: .i8, &t, i) }
  static func sextH(_ t: inout Translator, _ i: Instruction) { extend(.signExtend, from: .i16, &t, i) }
  static func zextH(_ t: inout Translator, _ i: Instruction) { extend(.zeroExtend, from: .i16, &t, i) }

  private static func extend(_ opcode: Opcode, from type: Type, _ t: inout Translator, _ i: Instruction) {
    t.setX(i.d, t.builder.unary(opcode, t.builder.unary(.truncate, t.x(i.s), to: type), to: t.xlen))
  }

  static func rol(_ t: inout Translator, _ i: Instruction) { t.registers(.rotateLeft, i) }
  static func ror(_ t: inout Translator, _ i: Instruction) { t.registers(.rotateRight, i) }
  static func rori(_ t: inout Translator, _ i: Instruction) { t.immediate(.rotateRight, i) }
  static func rolw(_ t: inout Translator, _ i: Instruction) { t.wordRegisters(.rotateLeft, i) }
  static func rorw(_ t: inout Translator, _ i: Instruction) { t.wordRegisters(.rotateRight, i) }
  static func roriw(_ t: inout Translator, _ i: Instruction) { t.wordImmediate(.rotateRight, i) }

  /// All ones in each byte that is not zero. Bit 7 of each byte is gathered without carries between bytes.
  static func orcB(_ t: inout Translator, _ i: Instruction) {
    let x = t.x(i.s)
    let low = t.const(Int(truncatingIfNeeded: 0x7F7F_7F7F_7F7F_7F7F as UInt64))
    let carried = t.builder.binary(.add, t.builder.binary(.and, x, low), low)
    let high = t.builder.binary(.andNot, t.builder.binary(.or, carried, x), low)
    let ones = t.builder.binary(.shiftRight, high, t.const(7))
    t.setX(i.d, t.builder.binary(.mul, ones, t.const(255)))
  }

  static func rev8(_ t: inout Translator, _ i: Instruction) { t.setX(i.d, t.builder.unary(.byteSwap, t.x(i.s))) }
}
