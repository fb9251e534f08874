// Owns the 32-bit data-processing instructions (ARMv7-M manual, A5.3.1, A5.3.3 and A5.3.11 to A5.3.15), and IT and
// compare-and-branch, which ARMv6-M lacks.

import GuestKit
import IR

extension Thumb {
  static let conditional = InstructionGroup<Translator>(
    "16-bit, beyond ARMv6-M",
    [
      .init("cbz", "10110 0 i 1 iiiii nnn; i=6|5:1", "n, Y", cbz),
      .init("cbnz", "10111 0 i 1 iiiii nnn; i=6|5:1", "n, Y", cbnz),
      .init("it<x>", "10111111 cccc eeee; e!=0", "C", it),
    ])

  private static func compareAndBranch(_ t: inout Translator, _ i: Instruction, _ condition: Condition) {
    let truth = t.builder.compare(condition, t.r(i.n), t.const(0))
    t.branch(to: t.readPC &+ UInt32(i.i), if: truth)
  }
  static func cbz(_ t: inout Translator, _ i: Instruction) { compareAndBranch(&t, i, .equal) }
  static func cbnz(_ t: inout Translator, _ i: Instruction) { compareAndBranch(&t, i, .notEqual) }

  static func it(_ t: inout Translator, _ i: Instruction) { t.beginsITBlock = UInt8(i["c"] << 4 | i["e"]) }
}

/// A constant as 12 bits encode it (ThumbExpandImm_C()).
struct ModifiedImmediate {
  let value: UInt32
  /// The carry out; nil if C stays.
  let carry: UInt32?

  init(_ bits: Int) {
    let byte = UInt32(bits & 0xFF)
    switch bits >> 8 {
    case 0: (value, carry) = (byte, nil)
    case 1: (value, carry) = (byte << 16 | byte, nil)
    case 2: (value, carry) = (byte << 24 | byte << 8, nil)
    case 3: (value, carry) = (byte << 24 | byte << 16 | byte << 8 | byte, nil)
    default:
      let rotation = UInt32(bits >> 7)
      let unrotated = byte | 0x80
      value = unrotated >> rotation | unrotated << (32 - rotation)
      carry = value >> 31
    }
  }
}

enum WideData {
  // MARK: Modified immediate

  static let modified = InstructionGroup<Translator>(
    "32-bit data processing, modified immediate",
    [
      .init("tst.w", "11110 i 00000 1 nnnn 0 iii 1111 iiiiiiii; i=11|10:8|7:0 f=1", "n, #I", tstI),
      .init("and<s>.w", "11110 i 00000 f nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #I", andI),
      .init("bic<s>.w", "11110 i 00001 f nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #I", bicI),
      .init("mov<s>.w", "11110 i 00010 f 1111 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, #I", movI),
      .init("orr<s>.w", "11110 i 00010 f nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #I", orrI),
      .init("mvn<s>.w", "11110 i 00011 f 1111 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, #I", mvnI),
      .init("orn<s>", "11110 i 00011 f nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #I", ornI),
      .init("teq", "11110 i 00100 1 nnnn 0 iii 1111 iiiiiiii; i=11|10:8|7:0 f=1", "n, #I", teqI),
      .init("eor<s>.w", "11110 i 00100 f nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #I", eorI),
      .init("cmn.w", "11110 i 01000 1 nnnn 0 iii 1111 iiiiiiii; i=11|10:8|7:0 f=1", "n, #I", cmnI),
      .init("add<s>.w", "11110 i 01000 f nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #I", addI),
      .init("adc<s>.w", "11110 i 01010 f nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #I", adcI),
      .init("sbc<s>.w", "11110 i 01011 f nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #I", sbcI),
      .init("cmp.w", "11110 i 01101 1 nnnn 0 iii 1111 iiiiiiii; i=11|10:8|7:0 f=1", "n, #I", cmpI),
      .init("sub<s>.w", "11110 i 01101 f nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #I", subI),
      .init("rsb<s>.w", "11110 i 01110 f nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #I", rsbI),
    ])

  /// A result whose C, if it is wanted, comes from making the operand.
  private static func logical(
    _ t: inout Translator, _ i: Instruction, _ opcode: Opcode?, _ operand: (ValueID, carry: ValueID?),
    writes: Bool = true
  ) {
    let result = opcode.map { t.builder.binary($0, t.r(i.n), operand.0) } ?? operand.0
    if opcode == nil, i.d == ARMRegisters.sp { t.checkStack(result) }
    if i["f"] != 0 { t.setNZC(result, operand.carry) }
    if writes { t.setR(i.d, result) }
  }

  private static func immediate(_ t: inout Translator, _ i: Instruction) -> (ValueID, carry: ValueID?) {
    let constant = ModifiedImmediate(i.i)
    return (t.const(constant.value), constant.carry.map { t.const($0) })
  }

  private static func inverted(_ operand: (ValueID, carry: ValueID?), _ t: inout Translator) -> (
    ValueID, carry: ValueID?
  ) {
    (t.not(operand.0), operand.carry)
  }

  static func tstI(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .and, immediate(&t, i), writes: false) }
  static func andI(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .and, immediate(&t, i)) }
  static func bicI(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .andNot, immediate(&t, i)) }
  static func movI(_ t: inout Translator, _ i: Instruction) { logical(&t, i, nil, immediate(&t, i)) }
  static func orrI(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .or, immediate(&t, i)) }
  static func mvnI(_ t: inout Translator, _ i: Instruction) { logical(&t, i, nil, inverted(immediate(&t, i), &t)) }
  static func ornI(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .or, inverted(immediate(&t, i), &t)) }
  static func teqI(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .xor, immediate(&t, i), writes: false) }
  static func eorI(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .xor, immediate(&t, i)) }
  static func cmnI(_ t: inout Translator, _ i: Instruction) { _ = t.add(t.r(i.n), immediate(&t, i).0, flags: true) }
  static func cmpI(_ t: inout Translator, _ i: Instruction) {
    _ = t.subtract(t.r(i.n), immediate(&t, i).0, flags: true)
  }
  static func addI(_ t: inout Translator, _ i: Instruction) { arithmetic(&t, i, .add, immediate(&t, i).0) }
  static func adcI(_ t: inout Translator, _ i: Instruction) { arithmetic(&t, i, .addCarry, immediate(&t, i).0) }
  static func sbcI(_ t: inout Translator, _ i: Instruction) { arithmetic(&t, i, .subtractCarry, immediate(&t, i).0) }
  static func subI(_ t: inout Translator, _ i: Instruction) { arithmetic(&t, i, .subtract, immediate(&t, i).0) }
  static func rsbI(_ t: inout Translator, _ i: Instruction) { arithmetic(&t, i, .reverse, immediate(&t, i).0) }

  private enum Sum { case add, addCarry, subtract, subtractCarry, reverse }

  private static func arithmetic(_ t: inout Translator, _ i: Instruction, _ sum: Sum, _ operand: ValueID) {
    let flags = i["f"] != 0
    // Before the flags are written.
    if i.d == ARMRegisters.sp, t.flags.limitsStack, sum == .add || sum == .subtract {
      t.checkStack(t.builder.binary(sum == .add ? .add : .sub, t.r(i.n), operand))
    }
    let result =
      switch sum {
      case .add: t.add(t.r(i.n), operand, flags: flags)
      case .addCarry: t.addWithCarry(t.r(i.n), operand, flags: flags)
      case .subtract: t.subtract(t.r(i.n), operand, flags: flags)
      case .subtractCarry: t.addWithCarry(t.r(i.n), t.not(operand), flags: flags)
      case .reverse: t.subtract(operand, t.r(i.n), flags: flags)
      }
    t.setR(i.d, result)
  }

  // MARK: Plain binary immediate

  static let plain = InstructionGroup<Translator>(
    "32-bit data processing, plain binary immediate",
    [
      .init("addw", "11110 i 100000 nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #i", addW),
      .init("adr.w", "11110 i 100000 1111 0 iii dddd iiiiiiii; i=11|10:8|7:0 u=1", "d, L", adrW),
      .init("movw", "11110 i 100100 iiii 0 iii dddd iiiiiiii; i=11|15:12|10:8|7:0", "d, #i", movW),
      .init("subw", "11110 i 101010 nnnn 0 iii dddd iiiiiiii; i=11|10:8|7:0", "d, n, #i", subW),
      .init("adr.w", "11110 i 101010 1111 0 iii dddd iiiiiiii; i=11|10:8|7:0 u=0", "d, L", adrW),
      .init("movt", "11110 i 101100 iiii 0 iii dddd iiiiiiii; i=11|15:12|10:8|7:0", "d, #i", movT),
      .init("ssat", "11110 0 1100 k 0 nnnn 0 iii dddd ii 0 eeeee; i=4:2|1:0 k=1", "d, #E, nH", ssat),
      .init("sbfx", "11110 0 110100 nnnn 0 iii dddd ii 0 eeeee; i=4:2|1:0", "d, n, #i, #E", sbfx),
      .init("bfi", "11110 0 110110 nnnn 0 iii dddd ii 0 eeeee; i=4:2|1:0", "d, n, #i, #K", bfi),
      .init("bfc", "11110 0 110110 1111 0 iii dddd ii 0 eeeee; i=4:2|1:0", "d, #i, #K", bfc),
      .init("usat", "11110 0 1110 k 0 nnnn 0 iii dddd ii 0 eeeee; i=4:2|1:0 k=1", "d, #e, nH", usat),
      .init("ubfx", "11110 0 111100 nnnn 0 iii dddd ii 0 eeeee; i=4:2|1:0", "d, n, #i, #E", ubfx),
    ])

  static func addW(_ t: inout Translator, _ i: Instruction) { offset(&t, i, .add) }
  static func subW(_ t: inout Translator, _ i: Instruction) { offset(&t, i, .sub) }
  private static func offset(_ t: inout Translator, _ i: Instruction, _ opcode: Opcode) {
    let result = t.binary(opcode, t.r(i.n), i.i)
    if i.d == ARMRegisters.sp { t.checkStack(result) }
    t.setR(i.d, result)
  }
  static func adrW(_ t: inout Translator, _ i: Instruction) {
    let offset = UInt32(i.i)
    t.setR(i.d, t.const(i["u"] != 0 ? t.alignedPC &+ offset : t.alignedPC &- offset))
  }
  static func movW(_ t: inout Translator, _ i: Instruction) { t.setR(i.d, t.const(i.i)) }
  static func movT(_ t: inout Translator, _ i: Instruction) {
    let low = t.binary(.and, t.r(i.d), 0xFFFF)
    t.setR(i.d, t.builder.binary(.or, low, t.const(UInt32(i.i) << 16)))
  }

  /// The operand of a saturation: shifted left, or (`k` being 2) right.
  private static func saturationOperand(_ t: inout Translator, _ i: Instruction) -> ValueID {
    t.shift(t.r(i.n), i["k"] == 0 ? .left : .rightArithmetic, i.i).0
  }

  private static func saturate(_ t: inout Translator, _ i: Instruction, low: Int, high: Int) {
    // A right shift by 0 is another instruction, of the DSP extension.
    guard i["k"] == 0 || i.i != 0 else { return t.undefined() }
    let value = saturationOperand(&t, i)
    let result = t.clamp(value, low, high)
    t.setR(i.d, result)
    t.setQ(t.builder.compare(.notEqual, result, value))
  }
  static func ssat(_ t: inout Translator, _ i: Instruction) {
    saturate(&t, i, low: -(1 << i["e"]), high: 1 << i["e"] - 1)
  }
  static func usat(_ t: inout Translator, _ i: Instruction) {
    saturate(&t, i, low: 0, high: 1 << i["e"] - 1)
  }

  private static func field(_ t: inout Translator, _ i: Instruction, _ opcode: Opcode) {
    let width = i["e"] + 1
    guard i.i + width <= 32 else { return t.undefined() }
    let high = t.binary(.shiftLeft, t.r(i.n), 32 - i.i - width)
    t.setR(i.d, t.binary(opcode, high, 32 - width))
  }
  static func sbfx(_ t: inout Translator, _ i: Instruction) { field(&t, i, .shiftRightArithmetic) }
  static func ubfx(_ t: inout Translator, _ i: Instruction) { field(&t, i, .shiftRight) }

  /// The bits of a field from `i` up to `e`; nil if there are none.
  private static func mask(_ i: Instruction) -> UInt32? {
    i["e"] >= i.i ? (UInt32.max >> UInt32(31 - i["e"])) & (UInt32.max << UInt32(i.i)) : nil
  }
  static func bfi(_ t: inout Translator, _ i: Instruction) {
    guard let mask = mask(i) else { return t.undefined() }
    let kept = t.builder.binary(.and, t.r(i.d), t.const(~mask))
    let moved = t.binary(.shiftLeft, t.r(i.n), i.i)
    t.setR(i.d, t.builder.binary(.or, kept, t.builder.binary(.and, moved, t.const(mask))))
  }
  static func bfc(_ t: inout Translator, _ i: Instruction) {
    guard let mask = mask(i) else { return t.undefined() }
    t.setR(i.d, t.builder.binary(.and, t.r(i.d), t.const(~mask)))
  }

  // MARK: Shifted register

  static let shifted = InstructionGroup<Translator>("32-bit data processing, shifted register", shiftedRows + moves)

  private static let shiftedRows: [InstructionRow<Translator>] = [
    .init("tst.w", "11101010000 1 nnnn . iii 1111 ii kk mmmm; i=4:2|1:0 f=1", "n, mH", tstR),
    .init("and<s>.w", "11101010000 f nnnn . iii dddd ii kk mmmm; i=4:2|1:0", "d, n, mH", andR),
    .init("bic<s>.w", "11101010001 f nnnn . iii dddd ii kk mmmm; i=4:2|1:0", "d, n, mH", bicR),
    .init("orr<s>.w", "11101010010 f nnnn . iii dddd ii kk mmmm; i=4:2|1:0", "d, n, mH", orrR),
    .init("mvn<s>.w", "11101010011 f 1111 . iii dddd ii kk mmmm; i=4:2|1:0", "d, mH", mvnR),
    .init("orn<s>", "11101010011 f nnnn . iii dddd ii kk mmmm; i=4:2|1:0", "d, n, mH", ornR),
    .init("teq", "11101010100 1 nnnn . iii 1111 ii kk mmmm; i=4:2|1:0 f=1", "n, mH", teqR),
    .init("eor<s>.w", "11101010100 f nnnn . iii dddd ii kk mmmm; i=4:2|1:0", "d, n, mH", eorR),
    .init("cmn.w", "11101011000 1 nnnn . iii 1111 ii kk mmmm; i=4:2|1:0 f=1", "n, mH", cmnR),
    .init("add<s>.w", "11101011000 f nnnn . iii dddd ii kk mmmm; i=4:2|1:0", "d, n, mH", addR),
    .init("adc<s>.w", "11101011010 f nnnn . iii dddd ii kk mmmm; i=4:2|1:0", "d, n, mH", adcR),
    .init("sbc<s>.w", "11101011011 f nnnn . iii dddd ii kk mmmm; i=4:2|1:0", "d, n, mH", sbcR),
    .init("cmp.w", "11101011101 1 nnnn . iii 1111 ii kk mmmm; i=4:2|1:0 f=1", "n, mH", cmpR),
    .init("sub<s>.w", "11101011101 f nnnn . iii dddd ii kk mmmm; i=4:2|1:0", "d, n, mH", subR),
    .init("rsb<s>", "11101011110 f nnnn . iii dddd ii kk mmmm; i=4:2|1:0", "d, n, mH", rsbR),
  ]

  private static let moves: [InstructionRow<Translator>] = [
    .init("mov<s>.w", "11101010010 f 1111 . 000 dddd 00 00 mmmm", "d, m", movR),
    .init("lsl<s>.w", "11101010010 f 1111 . iii dddd ii 00 mmmm; i=4:2|1:0", "d, m, #i", movR),
    .init("lsr<s>.w", "11101010010 f 1111 . iii dddd ii 01 mmmm; i=4:2|1:0 k=1", "d, m, #Z", movR),
    .init("asr<s>.w", "11101010010 f 1111 . iii dddd ii 10 mmmm; i=4:2|1:0 k=2", "d, m, #Z", movR),
    .init("ror<s>.w", "11101010010 f 1111 . iii dddd ii 11 mmmm; i=4:2|1:0 k=3", "d, m, #i", movR),
    .init("rrx<s>", "11101010010 f 1111 . 000 dddd 00 11 mmmm; k=3", "d, m", movR),
  ]

  private static func operand(_ t: inout Translator, _ i: Instruction) -> (ValueID, carry: ValueID?) {
    t.shift(t.r(i.m), ShiftType(rawValue: i["k"]) ?? .left, i.i, carries: i["f"] != 0)
  }

  static func tstR(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .and, operand(&t, i), writes: false) }
  static func andR(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .and, operand(&t, i)) }
  static func bicR(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .andNot, operand(&t, i)) }
  static func orrR(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .or, operand(&t, i)) }
  static func mvnR(_ t: inout Translator, _ i: Instruction) { logical(&t, i, nil, inverted(operand(&t, i), &t)) }
  static func ornR(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .or, inverted(operand(&t, i), &t)) }
  static func teqR(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .xor, operand(&t, i), writes: false) }
  static func eorR(_ t: inout Translator, _ i: Instruction) { logical(&t, i, .xor, operand(&t, i)) }
  static func movR(_ t: inout Translator, _ i: Instruction) { logical(&t, i, nil, operand(&t, i)) }
  static func cmnR(_ t: inout Translator, _ i: Instruction) { _ = t.add(t.r(i.n), operand(&t, i).0, flags: true) }
  static func cmpR(_ t: inout Translator, _ i: Instruction) { _ = t.subtract(t.r(i.n), operand(&t, i).0, flags: true) }
  static func addR(_ t: inout Translator, _ i: Instruction) { arithmetic(&t, i, .add, operand(&t, i).0) }
  static func adcR(_ t: inout Translator, _ i: Instruction) { arithmetic(&t, i, .addCarry, operand(&t, i).0) }
  static func sbcR(_ t: inout Translator, _ i: Instruction) { arithmetic(&t, i, .subtractCarry, operand(&t, i).0) }
  static func subR(_ t: inout Translator, _ i: Instruction) { arithmetic(&t, i, .subtract, operand(&t, i).0) }
  static func rsbR(_ t: inout Translator, _ i: Instruction) { arithmetic(&t, i, .reverse, operand(&t, i).0) }

  // MARK: Register

  static let register = InstructionGroup<Translator>(
    "32-bit data processing, register, and miscellaneous",
    [
      .init("lsl<s>.w", "11111010000 f nnnn 1111 dddd 0000 mmmm", "d, n, m", lsl),
      .init("lsr<s>.w", "11111010001 f nnnn 1111 dddd 0000 mmmm", "d, n, m", lsr),
      .init("asr<s>.w", "11111010010 f nnnn 1111 dddd 0000 mmmm", "d, n, m", asr),
      .init("ror<s>.w", "11111010011 f nnnn 1111 dddd 0000 mmmm", "d, n, m", ror),
      .init("sxth.w", "111110100000 1111 1111 dddd 10 ii mmmm; i=4:3 k=3", "d, mR", sxth),
      .init("uxth.w", "111110100001 1111 1111 dddd 10 ii mmmm; i=4:3 k=3", "d, mR", uxth),
      .init("sxtb.w", "111110100100 1111 1111 dddd 10 ii mmmm; i=4:3 k=3", "d, mR", sxtb),
      .init("uxtb.w", "111110100101 1111 1111 dddd 10 ii mmmm; i=4:3 k=3", "d, mR", uxtb),
      .init("rev.w", "111110101001 nnnn 1111 dddd 1000 mmmm", "d, m", Thumb.rev),
      .init("rev16.w", "111110101001 nnnn 1111 dddd 1001 mmmm", "d, m", Thumb.rev16),
      .init("rbit", "111110101001 nnnn 1111 dddd 1010 mmmm", "d, m", rbit),
      .init("revsh.w", "111110101001 nnnn 1111 dddd 1011 mmmm", "d, m", Thumb.revsh),
      .init("clz", "111110101011 nnnn 1111 dddd 1000 mmmm", "d, m", clz),
    ])

  private static func shift(_ t: inout Translator, _ i: Instruction, _ kind: ShiftType) {
    let (result, carry) = t.shift(t.r(i.n), kind, by: t.r(i.m))
    if i["f"] != 0 { t.setNZC(result, carry) }
    t.setR(i.d, result)
  }
  static func lsl(_ t: inout Translator, _ i: Instruction) { shift(&t, i, .left) }
  static func lsr(_ t: inout Translator, _ i: Instruction) { shift(&t, i, .right) }
  static func asr(_ t: inout Translator, _ i: Instruction) { shift(&t, i, .rightArithmetic) }
  static func ror(_ t: inout Translator, _ i: Instruction) { shift(&t, i, .rotate) }

  private static func extend(_ t: inout Translator, _ i: Instruction, _ type: Type, _ opcode: Opcode) {
    let rotated = i.i == 0 ? t.r(i.m) : t.binary(.rotateRight, t.r(i.m), i.i)
    t.setR(i.d, t.builder.unary(opcode, t.builder.unary(.truncate, rotated, to: type), to: .i32))
  }
  static func sxth(_ t: inout Translator, _ i: Instruction) { extend(&t, i, .i16, .signExtend) }
  static func uxth(_ t: inout Translator, _ i: Instruction) { extend(&t, i, .i16, .zeroExtend) }
  static func sxtb(_ t: inout Translator, _ i: Instruction) { extend(&t, i, .i8, .signExtend) }
  static func uxtb(_ t: inout Translator, _ i: Instruction) { extend(&t, i, .i8, .zeroExtend) }

  static func clz(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.builder.unary(.countLeadingZeros, t.r(i.m)))
  }

  /// Bits within bytes in three steps, then the bytes.
  static func rbit(_ t: inout Translator, _ i: Instruction) {
    var value = t.r(i.m)
    for (mask, amount) in [(0x5555_5555 as UInt32, 1), (0x3333_3333, 2), (0x0F0F_0F0F, 4)] {
      let up = t.binary(.shiftLeft, t.builder.binary(.and, value, t.const(mask)), amount)
      let down = t.builder.binary(.and, t.binary(.shiftRight, value, amount), t.const(mask))
      value = t.builder.binary(.or, up, down)
    }
    t.setR(i.d, t.builder.unary(.byteSwap, value))
  }
}

extension Translator {
  /// A signed value limited to a range.
  mutating func clamp(_ value: ValueID, _ low: Int, _ high: Int) -> ValueID {
    let bottom = const(low)
    let top = const(high)
    let raised = builder.select(builder.compare(.lessSigned, value, bottom), bottom, value)
    return builder.select(builder.compare(.greaterSigned, raised, top), top, raised)
  }
}

/// Multiplication and division (ARMv7-M manual, A5.3.16 and A5.3.17).
enum WideMultiply {
  static let group = InstructionGroup<Translator>(
    "32-bit multiply and divide",
    [
      .init("mul.w", "111110110000 nnnn 1111 dddd 0000 mmmm", "d, n, m", mul),
      .init("mla", "111110110000 nnnn aaaa dddd 0000 mmmm; a!=15", "d, n, m, a", mla),
      .init("mls", "111110110000 nnnn aaaa dddd 0001 mmmm", "d, n, m, a", mls),
      .init("smull", "111110111000 nnnn dddd hhhh 0000 mmmm", "d, h, n, m", smull),
      .init("sdiv", "111110111001 nnnn 1111 dddd 1111 mmmm", "d, n, m", sdiv),
      .init("umull", "111110111010 nnnn dddd hhhh 0000 mmmm", "d, h, n, m", umull),
      .init("udiv", "111110111011 nnnn 1111 dddd 1111 mmmm", "d, n, m", udiv),
      .init("smlal", "111110111100 nnnn dddd hhhh 0000 mmmm", "d, h, n, m", smlal),
      .init("umlal", "111110111110 nnnn dddd hhhh 0000 mmmm", "d, h, n, m", umlal),
    ])

  private static func product(_ t: inout Translator, _ i: Instruction) -> ValueID {
    t.builder.binary(.mul, t.r(i.n), t.r(i.m))
  }
  static func mul(_ t: inout Translator, _ i: Instruction) { t.setR(i.d, product(&t, i)) }
  static func mla(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.builder.binary(.add, t.r(i.a), product(&t, i)))
  }
  static func mls(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.builder.binary(.sub, t.r(i.a), product(&t, i)))
  }

  private static func long(_ t: inout Translator, _ i: Instruction, _ extend: Opcode, accumulate: Bool) {
    let a = t.builder.unary(extend, t.r(i.n), to: .i64)
    let b = t.builder.unary(extend, t.r(i.m), to: .i64)
    var result = t.builder.binary(.mul, a, b)
    if accumulate {
      let high = t.builder.binary(.shiftLeft, t.widen(t.r(i["h"])), t.builder.const(.i64, 32))
      result = t.builder.binary(.add, result, t.builder.binary(.or, high, t.widen(t.r(i.d))))
    }
    let top = t.builder.binary(.shiftRight, result, t.builder.const(.i64, 32))
    t.setR(i.d, t.builder.unary(.truncate, result, to: .i32))
    t.setR(i["h"], t.builder.unary(.truncate, top, to: .i32))
  }
  static func smull(_ t: inout Translator, _ i: Instruction) { long(&t, i, .signExtend, accumulate: false) }
  static func umull(_ t: inout Translator, _ i: Instruction) { long(&t, i, .zeroExtend, accumulate: false) }
  static func smlal(_ t: inout Translator, _ i: Instruction) { long(&t, i, .signExtend, accumulate: true) }
  static func umlal(_ t: inout Translator, _ i: Instruction) { long(&t, i, .zeroExtend, accumulate: true) }

  /// By 0 the result is 0, unless CCR has it fault.
  private static func divide(_ t: inout Translator, _ i: Instruction, _ opcode: Opcode) {
    if t.flags.configuration.contains(.trapsDivideByZero) {
      t.execute()
      _ = t.builder.call(HelperNumber.checkDivisor.rawValue, .i64, t.r(i.m))
    }
    t.setR(i.d, t.builder.binary(opcode, t.r(i.n), t.r(i.m)))
  }
  static func sdiv(_ t: inout Translator, _ i: Instruction) { divide(&t, i, .divSigned) }
  static func udiv(_ t: inout Translator, _ i: Instruction) { divide(&t, i, .divUnsigned) }
}

/// Coprocessor instructions without a row: those of the floating-point unit are undefined, and there is no other.
enum Coprocessor {
  static let group = InstructionGroup<Translator>(
    "Coprocessor",
    [
      .init("coprocessor", "111011.. ........ ........ ........", "", none),
      .init("coprocessor2", "111111.. ........ ........ ........", "", none),
    ])

  static func none(_ t: inout Translator, _ i: Instruction) {
    guard t.features.contains(.float), i.bits >> 9 & 7 == 5 else { return t.raise(.usageFault, .noCoprocessor) }
    t.beginFloat()
    t.undefined()
  }
}
