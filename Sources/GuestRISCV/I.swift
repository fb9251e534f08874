// Owns RV32I and RV64I, in the order of the unprivileged manual's chapters "RV32I" and "RV64I".

import GuestKit
import IR

enum BaseInteger {
  static let group = InstructionGroup<Translator>("I", computational + control + memory + wide)

  private static let computational: [InstructionRow<Translator>] = [
    .init("addi", "iiiiiiiiiiii sssss 000 ddddd 0010011", "d, s, i", addi),
    .init("slti", "iiiiiiiiiiii sssss 010 ddddd 0010011", "d, s, i", slti),
    .init("sltiu", "iiiiiiiiiiii sssss 011 ddddd 0010011", "d, s, i", sltiu),
    .init("andi", "iiiiiiiiiiii sssss 111 ddddd 0010011", "d, s, i", andi),
    .init("ori", "iiiiiiiiiiii sssss 110 ddddd 0010011", "d, s, i", ori),
    .init("xori", "iiiiiiiiiiii sssss 100 ddddd 0010011", "d, s, i", xori),
    .init("slli", "0000000iiiii sssss 001 ddddd 0010011; i=u4:0", "d, s, i", slli, only: 32),
    .init("srli", "0000000iiiii sssss 101 ddddd 0010011; i=u4:0", "d, s, i", srli, only: 32),
    .init("srai", "0100000iiiii sssss 101 ddddd 0010011; i=u4:0", "d, s, i", srai, only: 32),
    .init("slli", "000000iiiiii sssss 001 ddddd 0010011; i=u5:0", "d, s, i", slli, only: 64),
    .init("srli", "000000iiiiii sssss 101 ddddd 0010011; i=u5:0", "d, s, i", srli, only: 64),
    .init("srai", "010000iiiiii sssss 101 ddddd 0010011; i=u5:0", "d, s, i", srai, only: 64),
    .init("lui", "iiiiiiiiiiiiiiiiiiii ddddd 0110111; i=31:12", "d, U", lui),
    .init("auipc", "iiiiiiiiiiiiiiiiiiii ddddd 0010111; i=31:12", "d, U", auipc),
    .init("add", "0000000 ttttt sssss 000 ddddd 0110011", "d, s, t", add),
    .init("slt", "0000000 ttttt sssss 010 ddddd 0110011", "d, s, t", slt),
    .init("sltu", "0000000 ttttt sssss 011 ddddd 0110011", "d, s, t", sltu),
    .init("and", "0000000 ttttt sssss 111 ddddd 0110011", "d, s, t", and),
    .init("or", "0000000 ttttt sssss 110 ddddd 0110011", "d, s, t", or),
    .init("xor", "0000000 ttttt sssss 100 ddddd 0110011", "d, s, t", xor),
    .init("sll", "0000000 ttttt sssss 001 ddddd 0110011", "d, s, t", sll),
    .init("srl", "0000000 ttttt sssss 101 ddddd 0110011", "d, s, t", srl),
    .init("sub", "0100000 ttttt sssss 000 ddddd 0110011", "d, s, t", sub),
    .init("sra", "0100000 ttttt sssss 101 ddddd 0110011", "d, s, t", sra),
  ]

  private static let control: [InstructionRow<Translator>] = [
    .init("jal", "iiiiiiiiiiiiiiiiiiii ddddd 1101111; i=20|10:1|11|19:12", "d, P", jal),
    .init("jalr", "iiiiiiiiiiii sssss 000 ddddd 1100111", "d, i(s)", jalr),
    .init("beq", "iiiiiii ttttt sssss 000 iiiii 1100011; i=12|10:5|4:1|11", "s, t, P", beq),
    .init("bne", "iiiiiii ttttt sssss 001 iiiii 1100011; i=12|10:5|4:1|11", "s, t, P", bne),
    .init("blt", "iiiiiii ttttt sssss 100 iiiii 1100011; i=12|10:5|4:1|11", "s, t, P", blt),
    .init("bltu", "iiiiiii ttttt sssss 110 iiiii 1100011; i=12|10:5|4:1|11", "s, t, P", bltu),
    .init("bge", "iiiiiii ttttt sssss 101 iiiii 1100011; i=12|10:5|4:1|11", "s, t, P", bge),
    .init("bgeu", "iiiiiii ttttt sssss 111 iiiii 1100011; i=12|10:5|4:1|11", "s, t, P", bgeu),
  ]

  private static let memory: [InstructionRow<Translator>] = [
    .init("lb", "iiiiiiiiiiii sssss 000 ddddd 0000011", "d, i(s)", lb),
    .init("lh", "iiiiiiiiiiii sssss 001 ddddd 0000011", "d, i(s)", lh),
    .init("lw", "iiiiiiiiiiii sssss 010 ddddd 0000011", "d, i(s)", lw),
    .init("lbu", "iiiiiiiiiiii sssss 100 ddddd 0000011", "d, i(s)", lbu),
    .init("lhu", "iiiiiiiiiiii sssss 101 ddddd 0000011", "d, i(s)", lhu),
    .init("sb", "iiiiiii ttttt sssss 000 iiiii 0100011", "t, i(s)", sb),
    .init("sh", "iiiiiii ttttt sssss 001 iiiii 0100011", "t, i(s)", sh),
    .init("sw", "iiiiiii ttttt sssss 010 iiiii 0100011", "t, i(s)", sw),
    .init("fence", "mmmmppppqqqq ..... 000 ..... 0001111", "p, q", fence),
  ]

  private static let wide: [InstructionRow<Translator>] = [
    .init("addiw", "iiiiiiiiiiii sssss 000 ddddd 0011011", "d, s, i", addiw, only: 64),
    .init("slliw", "0000000iiiii sssss 001 ddddd 0011011; i=u4:0", "d, s, i", slliw, only: 64),
    .init("srliw", "0000000iiiii sssss 101 ddddd 0011011; i=u4:0", "d, s, i", srliw, only: 64),
    .init("sraiw", "0100000iiiii sssss 101 ddddd 0011011; i=u4:0", "d, s, i", sraiw, only: 64),
    .init("addw", "0000000 ttttt sssss 000 ddddd 0111011", "d, s, t", addw, only: 64),
    .init("subw", "0100000 ttttt sssss 000 ddddd 0111011", "d, s, t", subw, only: 64),
    .init("sllw", "0000000 ttttt sssss 001 ddddd 0111011", "d, s, t", sllw, only: 64),
    .init("srlw", "0000000 ttttt sssss 101 ddddd 0111011", "d, s, t", srlw, only: 64),
    .init("sraw", "0100000 ttttt sssss 101 ddddd 0111011", "d, s, t", sraw, only: 64),
    .init("lwu", "iiiiiiiiiiii sssss 110 ddddd 0000011", "d, i(s)", lwu, only: 64),
    .init("ld", "iiiiiiiiiiii sssss 011 ddddd 0000011", "d, i(s)", ld, only: 64),
    .init("sd", "iiiiiii ttttt sssss 011 iiiii 0100011", "t, i(s)", sd, only: 64),
  ]
}

// MARK: Integer computation

extension BaseInteger {
  static func addi(_ t: inout Translator, _ i: Instruction) {
    // `li` and `mv` are addi: spare the later passes.
    if i.s == 0 {
      t.setX(i.d, constant: Int64(i.i))
    } else if i.i == 0 {
      t.setX(i.d, t.x(i.s))
    } else {
      t.immediate(.add, i)
    }
  }
  static func slti(_ t: inout Translator, _ i: Instruction) {
    t.setTruth(i.d, t.builder.compare(.lessSigned, t.x(i.s), t.const(i.i)))
  }
  static func sltiu(_ t: inout Translator, _ i: Instruction) {
    t.setTruth(i.d, t.builder.compare(.lessUnsigned, t.x(i.s), t.const(i.i)))
  }
  static func andi(_ t: inout Translator, _ i: Instruction) { t.immediate(.and, i) }
  static func ori(_ t: inout Translator, _ i: Instruction) { t.immediate(.or, i) }
  static func xori(_ t: inout Translator, _ i: Instruction) { t.immediate(.xor, i) }
  static func slli(_ t: inout Translator, _ i: Instruction) { t.immediate(.shiftLeft, i) }
  static func srli(_ t: inout Translator, _ i: Instruction) { t.immediate(.shiftRight, i) }
  static func srai(_ t: inout Translator, _ i: Instruction) { t.immediate(.shiftRightArithmetic, i) }

  static func lui(_ t: inout Translator, _ i: Instruction) { t.setX(i.d, constant: Int64(i.i)) }
  static func auipc(_ t: inout Translator, _ i: Instruction) {
    let address = t.address(t.pc &+ UInt64(bitPattern: Int64(i.i)))
    t.setX(i.d, constant: t.number(address))
    t.farAddress = FarAddress(register: i.d, value: address, next: t.nextPC)
  }

  static func add(_ t: inout Translator, _ i: Instruction) {
    // `c.mv` expands to add with x0.
    if i.s == 0 {
      t.setX(i.d, t.x(i.t))
    } else {
      t.registers(.add, i)
    }
  }
  static func slt(_ t: inout Translator, _ i: Instruction) {
    t.setTruth(i.d, t.builder.compare(.lessSigned, t.x(i.s), t.x(i.t)))
  }
  static func sltu(_ t: inout Translator, _ i: Instruction) {
    t.setTruth(i.d, t.builder.compare(.lessUnsigned, t.x(i.s), t.x(i.t)))
  }
  static func and(_ t: inout Translator, _ i: Instruction) { t.registers(.and, i) }
  static func or(_ t: inout Translator, _ i: Instruction) { t.registers(.or, i) }
  static func xor(_ t: inout Translator, _ i: Instruction) { t.registers(.xor, i) }
  static func sll(_ t: inout Translator, _ i: Instruction) { t.registers(.shiftLeft, i) }
  static func srl(_ t: inout Translator, _ i: Instruction) { t.registers(.shiftRight, i) }
  static func sub(_ t: inout Translator, _ i: Instruction) { t.registers(.sub, i) }
  static func sra(_ t: inout Translator, _ i: Instruction) { t.registers(.shiftRightArithmetic, i) }

  static func addiw(_ t: inout Translator, _ i: Instruction) { t.wordImmediate(.add, i) }
  static func slliw(_ t: inout Translator, _ i: Instruction) { t.wordImmediate(.shiftLeft, i) }
  static func srliw(_ t: inout Translator, _ i: Instruction) { t.wordImmediate(.shiftRight, i) }
  static func sraiw(_ t: inout Translator, _ i: Instruction) { t.wordImmediate(.shiftRightArithmetic, i) }
  static func addw(_ t: inout Translator, _ i: Instruction) { t.wordRegisters(.add, i) }
  static func subw(_ t: inout Translator, _ i: Instruction) { t.wordRegisters(.sub, i) }
  static func sllw(_ t: inout Translator, _ i: Instruction) { t.wordRegisters(.shiftLeft, i) }
  static func srlw(_ t: inout Translator, _ i: Instruction) { t.wordRegisters(.shiftRight, i) }
  static func sraw(_ t: inout Translator, _ i: Instruction) { t.wordRegisters(.shiftRightArithmetic, i) }
}

// MARK: Control transfer

extension BaseInteger {
  static func jal(_ t: inout Translator, _ i: Instruction) {
    jump(&t, i, to: t.pc &+ UInt64(bitPattern: Int64(i.i)))
  }

  /// Return-address prediction follows the manual's table for JALR (unconditional jumps).
  static func jalr(_ t: inout Translator, _ i: Instruction) {
    let far = t.farAddress
    if far.next == t.pc, far.register == i.s, i.s != 0 {
      // AUIPC and JALR: a direct jump, with the interrupt point of an indirect one.
      return jump(&t, i, to: (far.value &+ UInt64(bitPattern: Int64(i.i))) & ~1, .checksBudget)
    }
    let sum = i.i == 0 ? t.x(i.s) : t.builder.binary(.add, t.x(i.s), t.const(i.i))
    let target = t.builder.binary(.and, sum, t.const(-2))
    if !t.extensions.contains(.c) {
      let wide = t.xlen == .i64 ? target : t.builder.unary(.zeroExtend, target, to: .i64)
      _ = t.builder.call(HelperNumber.checkTarget.rawValue, .i64, wide)
    }
    t.setX(i.d, constant: t.number(t.nextPC))
    var flags: ExitFlags = [.checksBudget]
    if isLink(i.d) { flags.insert(.isCall) }
    if isLink(i.s), i.s != i.d { flags.insert(.isReturn) }
    t.builder.exitIndirect(target, flags)
  }

  /// A direct jump, perhaps a call.
  private static func jump(
    _ t: inout Translator, _ i: Instruction, to address: UInt64, _ flags: ExitFlags = []
  ) {
    let target = t.address(address)
    guard t.isTarget(target) else { return t.raise(Cause.instructionMisaligned, value: target) }
    t.setX(i.d, constant: t.number(t.nextPC))
    var flags = t.directFlags(to: target, taken: true).union(flags)
    if isLink(i.d) { flags.insert(.isCall) }
    t.builder.exit(to: target, flags)
  }

  /// `ra` and the alternate link register `t0`.
  private static func isLink(_ register: Int) -> Bool { register == 1 || register == 5 }

  static func beq(_ t: inout Translator, _ i: Instruction) { branch(.equal, &t, i) }
  static func bne(_ t: inout Translator, _ i: Instruction) { branch(.notEqual, &t, i) }
  static func blt(_ t: inout Translator, _ i: Instruction) { branch(.lessSigned, &t, i) }
  static func bltu(_ t: inout Translator, _ i: Instruction) { branch(.lessUnsigned, &t, i) }
  static func bge(_ t: inout Translator, _ i: Instruction) { branch(.greaterEqualSigned, &t, i) }
  static func bgeu(_ t: inout Translator, _ i: Instruction) { branch(.greaterEqualUnsigned, &t, i) }

  /// A side exit when taken; the block goes on with the fall-through.
  private static func branch(_ condition: Condition, _ t: inout Translator, _ i: Instruction) {
    let target = t.address(t.pc &+ UInt64(bitPattern: Int64(i.i)))
    let (a, b) = (t.operand(i.s), t.operand(i.t))
    let next = t.nextPC
    if t.spinLength > 0 {
      t.builder.exitIf(a, condition.negated, b, t.xlen, to: next, t.directFlags(to: next, taken: false))
      _ = t.builder.call(HelperNumber.spin.rawValue, .i64, imm: Int64(t.spinLength))
      t.builder.exit(to: target, t.directFlags(to: target, taken: true))
    } else if t.isTarget(target) {
      t.builder.exitIf(a, condition, b, t.xlen, to: target, t.directFlags(to: target, taken: true))
    } else {
      t.builder.exitIf(a, condition.negated, b, t.xlen, to: next, t.directFlags(to: next, taken: false))
      t.raise(Cause.instructionMisaligned, value: target)
    }
  }
}

// MARK: Loads, stores and fences

extension BaseInteger {
  private static func load(_ size: Int, signed: Bool, _ t: inout Translator, _ i: Instruction) {
    let access = MemoryAccess(size: size, signed: signed)
    if i.d == 0 {
      _ = t.builder.load(t.xlen, access, at: t.x(i.s), offset: Int64(i.i))
    } else {
      t.builder.load(RISCVRegisters.x(i.d), t.xlen, access, at: t.operand(i.s), offset: Int64(i.i))
    }
  }
  private static func store(_ size: Int, _ t: inout Translator, _ i: Instruction) {
    t.builder.store(t.operand(i.t), t.xlen, MemoryAccess(size: size), at: t.operand(i.s), offset: Int64(i.i))
  }

  static func lb(_ t: inout Translator, _ i: Instruction) { load(1, signed: true, &t, i) }
  static func lh(_ t: inout Translator, _ i: Instruction) { load(2, signed: true, &t, i) }
  static func lw(_ t: inout Translator, _ i: Instruction) { load(4, signed: true, &t, i) }
  static func ld(_ t: inout Translator, _ i: Instruction) { load(8, signed: true, &t, i) }
  static func lbu(_ t: inout Translator, _ i: Instruction) { load(1, signed: false, &t, i) }
  static func lhu(_ t: inout Translator, _ i: Instruction) { load(2, signed: false, &t, i) }
  static func lwu(_ t: inout Translator, _ i: Instruction) { load(4, signed: false, &t, i) }
  static func sb(_ t: inout Translator, _ i: Instruction) { store(1, &t, i) }
  static func sh(_ t: inout Translator, _ i: Instruction) { store(2, &t, i) }
  static func sw(_ t: inout Translator, _ i: Instruction) { store(4, &t, i) }
  static func sd(_ t: inout Translator, _ i: Instruction) { store(8, &t, i) }

  /// `pause` is a hint among the fences (Zihintpause): another hart has to do something first.
  static func fence(_ t: inout Translator, _ i: Instruction) {
    if i.bits == Self.pause { return t.builder.exit(with: .yield, pc: t.nextPC) }
    t.builder.fence(.sequential)
  }

  static let pause: UInt32 = 0x0100_000F
}
