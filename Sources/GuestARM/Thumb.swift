// Owns the 16-bit data-processing instructions (ARMv7-M manual, A5.2.1 to A5.2.3), in the manual's order.

import GuestKit
import IR

enum Thumb {
  static let dataProcessing = InstructionGroup<Translator>("16-bit data processing", shiftAddMove + arithmetic)

  private static let shiftAddMove: [InstructionRow<Translator>] = [
    .init("lsls", "00000 iiiii mmm ddd", "d, m, #i", lslImmediate),
    .init("movs", "0000000000 mmm ddd", "d, m", movsRegister),
    .init("lsrs", "00001 iiiii mmm ddd", "d, m, #Z", lsrImmediate),
    .init("asrs", "00010 iiiii mmm ddd", "d, m, #Z", asrImmediate),
    .init("adds", "0001100 mmm nnn ddd", "d, n, m", addRegister),
    .init("subs", "0001101 mmm nnn ddd", "d, n, m", subRegister),
    .init("adds", "0001110 iii nnn ddd", "d, n, #i", addImmediate),
    .init("subs", "0001111 iii nnn ddd", "d, n, #i", subImmediate),
    .init("movs", "00100 ddd iiiiiiii", "d, #i", movImmediate),
    .init("cmp", "00101 nnn iiiiiiii", "n, #i", cmpImmediate),
    .init("adds", "00110 ddd iiiiiiii; n=d", "d, #i", addImmediate),
    .init("subs", "00111 ddd iiiiiiii; n=d", "d, #i", subImmediate),
  ]

  private static let arithmetic: [InstructionRow<Translator>] = [
    .init("ands", "0100000000 mmm ddd; n=d", "d, m", and),
    .init("eors", "0100000001 mmm ddd; n=d", "d, m", eor),
    .init("lsls", "0100000010 mmm ddd; n=d", "d, m", lslRegister),
    .init("lsrs", "0100000011 mmm ddd; n=d", "d, m", lsrRegister),
    .init("asrs", "0100000100 mmm ddd; n=d", "d, m", asrRegister),
    .init("adcs", "0100000101 mmm ddd; n=d", "d, m", adc),
    .init("sbcs", "0100000110 mmm ddd; n=d", "d, m", sbc),
    .init("rors", "0100000111 mmm ddd; n=d", "d, m", rorRegister),
    .init("tst", "0100001000 mmm nnn", "n, m", tst),
    .init("rsbs", "0100001001 nnn ddd", "d, n, #i", rsb),
    .init("cmp", "0100001010 mmm nnn", "n, m", cmpRegister),
    .init("cmn", "0100001011 mmm nnn", "n, m", cmn),
    .init("orrs", "0100001100 mmm ddd; n=d", "d, m", orr),
    .init("muls", "0100001101 nnn ddd; m=d", "d, n, m", mul),
    .init("bics", "0100001110 mmm ddd; n=d", "d, m", bic),
    .init("mvns", "0100001111 mmm ddd", "d, m", mvn),
  ]

  static let special = InstructionGroup<Translator>(
    "16-bit special data and branch and exchange",
    [
      .init("add", "01000100 d mmmm ddd; n=d", "d, m", addHigh),
      .init("cmp", "01000101 n mmmm nnn", "n, m", cmpRegister),
      .init("mov", "01000110 d mmmm ddd", "d, m", movHigh),
      .init("bx", "010001110 mmmm 0..", "m", bx),
      .init("blx", "010001111 mmmm 0..", "m", blx),
    ])
}

extension Translator {
  /// Whether 16-bit data processing sets flags: outside of IT blocks.
  var setsFlags: Bool { !inITBlock }
}

// MARK: Shift, add, subtract, move, compare

extension Thumb {
  private static func shift(_ t: inout Translator, _ i: Instruction, _ kind: ShiftType) {
    let (result, carry) = t.shift(t.r(i.m), kind, i.i, carries: t.setsFlags)
    if t.setsFlags { t.setNZC(result, carry) }
    t.setR(i.d, result)
  }
  static func lslImmediate(_ t: inout Translator, _ i: Instruction) { shift(&t, i, .left) }
  static func lsrImmediate(_ t: inout Translator, _ i: Instruction) { shift(&t, i, .right) }
  static func asrImmediate(_ t: inout Translator, _ i: Instruction) { shift(&t, i, .rightArithmetic) }

  static func movsRegister(_ t: inout Translator, _ i: Instruction) {
    let value = t.r(i.m)
    if t.setsFlags { t.setNZ(value) }
    t.setR(i.d, value)
  }

  static func addRegister(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.add(t.r(i.n), t.r(i.m), flags: t.setsFlags))
  }
  static func subRegister(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.subtract(t.r(i.n), t.r(i.m), flags: t.setsFlags))
  }
  static func addImmediate(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.add(t.r(i.n), t.const(i.i), flags: t.setsFlags))
  }
  static func subImmediate(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.subtract(t.r(i.n), t.const(i.i), flags: t.setsFlags))
  }
  static func movImmediate(_ t: inout Translator, _ i: Instruction) {
    let value = t.const(i.i)
    if t.setsFlags { t.setNZ(value) }
    t.setR(i.d, value)
  }
  static func cmpImmediate(_ t: inout Translator, _ i: Instruction) {
    _ = t.subtract(t.r(i.n), t.const(i.i), flags: true)
  }
}

// MARK: Data processing

extension Thumb {
  private static func logical(_ t: inout Translator, _ i: Instruction, _ opcode: Opcode) {
    let result = t.builder.binary(opcode, t.r(i.n), t.r(i.m))
    if t.setsFlags { t.setNZ(result) }
    t.setR(i.d, result)
  }
  static func and(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .and) }
  static func eor(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .xor) }
  static func orr(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .or) }
  static func bic(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .andNot) }
  static func mul(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .mul) }

  private static func shiftRegister(_ t: inout Translator, _ i: Instruction, _ kind: ShiftType) {
    let (result, carry) = t.shift(t.r(i.n), kind, by: t.r(i.m))
    if t.setsFlags { t.setNZC(result, carry) }
    t.setR(i.d, result)
  }
  static func lslRegister(_ t: inout Translator, _ i: Instruction) { shiftRegister(&t, i, .left) }
  static func lsrRegister(_ t: inout Translator, _ i: Instruction) { shiftRegister(&t, i, .right) }
  static func asrRegister(_ t: inout Translator, _ i: Instruction) { shiftRegister(&t, i, .rightArithmetic) }
  static func rorRegister(_ t: inout Translator, _ i: Instruction) { shiftRegister(&t, i, .rotate) }

  static func adc(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.addWithCarry(t.r(i.n), t.r(i.m), flags: t.setsFlags))
  }
  static func sbc(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.addWithCarry(t.r(i.n), t.not(t.r(i.m)), flags: t.setsFlags))
  }
  static func tst(_ t: inout Translator, _ i: Instruction) {
    t.setNZ(t.builder.binary(.and, t.r(i.n), t.r(i.m)))
  }
  /// The immediate is 0.
  static func rsb(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.subtract(t.const(i.i), t.r(i.n), flags: t.setsFlags))
  }
  static func cmpRegister(_ t: inout Translator, _ i: Instruction) {
    _ = t.subtract(t.r(i.n), t.r(i.m), flags: true)
  }
  static func cmn(_ t: inout Translator, _ i: Instruction) { _ = t.add(t.r(i.n), t.r(i.m), flags: true) }
  static func mvn(_ t: inout Translator, _ i: Instruction) {
    let result = t.not(t.r(i.m))
    if t.setsFlags { t.setNZ(result) }
    t.setR(i.d, result)
  }
}

// MARK: Special data, branch and exchange

extension Thumb {
  static func addHigh(_ t: inout Translator, _ i: Instruction) {
    let result = t.builder.binary(.add, t.r(i.n), t.r(i.m))
    if i.d == ARMRegisters.sp { t.checkStack(result) }
    guard i.d == ARMRegisters.pc else { return t.setR(i.d, result) }
    t.execute()
    t.branch(toAddress: result)
  }

  static func movHigh(_ t: inout Translator, _ i: Instruction) {
    if i.d == ARMRegisters.sp { t.checkStack(t.r(i.m)) }
    guard i.d == ARMRegisters.pc else { return t.setR(i.d, t.r(i.m)) }
    t.execute()
    t.branch(toAddress: t.r(i.m))
  }

  static func bx(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    t.branch(toInterworking: t.r(i.m), i.m == ARMRegisters.lr ? [.isReturn] : [])
  }

  static func blx(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    let target = t.r(i.m)
    t.setR(ARMRegisters.lr, t.const(UInt32(truncatingIfNeeded: t.nextPC) | 1))
    t.branch(toInterworking: target, [.isCall])
  }
}
