// Owns the miscellaneous 16-bit instructions (ARMv7-M manual, A5.2.5), branches (A5.2.6 and A5.3.4) and what ARMv6-M has
// of the 32-bit system instructions.

import GuestKit
import IR

extension Thumb {
  static let miscellaneous = InstructionGroup<Translator>(
    "16-bit miscellaneous",
    [
      .init("add", "101100000 iiiiiii; i=8:2 d=13 n=13", "d, #i", addSP),
      .init("sub", "101100001 iiiiiii; i=8:2 d=13 n=13", "d, #i", subSP),
      .init("sxth", "1011001000 mmm ddd", "d, m", sxth),
      .init("sxtb", "1011001001 mmm ddd", "d, m", sxtb),
      .init("uxth", "1011001010 mmm ddd", "d, m", uxth),
      .init("uxtb", "1011001011 mmm ddd", "d, m", uxtb),
      .init("cpsie", "10110110011 0 0 0 e f", "F", cpsie),
      .init("cpsid", "10110110011 1 0 0 e f", "F", cpsid),
      .init("rev", "1011101000 mmm ddd", "d, m", rev),
      .init("rev16", "1011101001 mmm ddd", "d, m", rev16),
      .init("revsh", "1011101011 mmm ddd", "d, m", revsh),
      .init("bkpt", "10111110 iiiiiiii", "#X", bkpt),
      .init("nop", "10111111 hhhh 0000", "", nop),
      .init("yield", "10111111 0001 0000", "", yield),
      .init("wfe", "10111111 0010 0000", "", wfe),
      .init("wfi", "10111111 0011 0000", "", wfi),
      .init("sev", "10111111 0100 0000", "", sev),
    ])

  static let branches = InstructionGroup<Translator>(
    "Branches",
    [
      .init("b<c>", "1101 cccc jjjjjjjj; j=8:1 c!=14 c!=15", "B", branchIf),
      .init("udf", "11011110 iiiiiiii", "#i", udf),
      .init("svc", "11011111 iiiiiiii", "#i", svc),
      .init("b", "11100 jjjjjjjjjjj; j=11:1", "B", branch),
      .init("bl", "11110 s iiiiiiiiii 11 x 1 y iiiiiiiiiii; i=21:12|11:1", "T", bl),
    ])

  static let system = InstructionGroup<Translator>(
    "32-bit system",
    [
      .init("msr", "111100111000 nnnn 1000 kk00 iiiiiiii", "M, n", msr),
      .init("mrs", "111100111110 1111 1000 dddd iiiiiiii", "d, M", mrs),
      .init("dsb", "1111001110111111 10001111 0100 oooo", "O", barrier),
      .init("dmb", "1111001110111111 10001111 0101 oooo", "O", barrier),
      .init("isb", "1111001110111111 10001111 0110 oooo", "N", isb),
      .init("udf.w", "111101111111 iiii 1010 iiiiiiiiiiii", "#i", udf),
    ])
}

// MARK: Miscellaneous

extension Thumb {
  static func subSP(_ t: inout Translator, _ i: Instruction) {
    let stack = t.binary(.sub, t.r(ARMRegisters.sp), i.i)
    t.checkStack(stack)
    t.setR(i.d, stack)
  }

  private static func extend(_ t: inout Translator, _ i: Instruction, _ type: Type, _ opcode: Opcode) {
    t.setR(i.d, t.builder.unary(opcode, t.builder.unary(.truncate, t.r(i.m), to: type), to: .i32))
  }
  static func sxth(_ t: inout Translator, _ i: Instruction) { extend(&t, i, .i16, .signExtend) }
  static func sxtb(_ t: inout Translator, _ i: Instruction) { extend(&t, i, .i8, .signExtend) }
  static func uxth(_ t: inout Translator, _ i: Instruction) { extend(&t, i, .i16, .zeroExtend) }
  static func uxtb(_ t: inout Translator, _ i: Instruction) { extend(&t, i, .i8, .zeroExtend) }

  static func rev(_ t: inout Translator, _ i: Instruction) { t.setR(i.d, t.builder.unary(.byteSwap, t.r(i.m))) }
  static func rev16(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.binary(.rotateRight, t.builder.unary(.byteSwap, t.r(i.m)), 16))
  }
  static func revsh(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.binary(.shiftRightArithmetic, t.builder.unary(.byteSwap, t.r(i.m)), 16))
  }

  /// Interrupts that were held off are taken after the instruction.
  static func cpsie(_ t: inout Translator, _ i: Instruction) {
    guard t.flags.isPrivileged else { return }
    t.execute()
    if i["e"] != 0 { t.setSlot(.primask, t.const(0)) }
    guard i["f"] != 0, t.features.contains(.main) else { return t.takePendingInterrupts() }
    t.setSlot(.faultmask, t.const(0))
    t.leaveForNewPriority()
  }

  static func cpsid(_ t: inout Translator, _ i: Instruction) {
    guard t.flags.isPrivileged else { return }
    t.execute()
    if i["e"] != 0 { t.setSlot(.primask, t.const(1)) }
    if i["f"] != 0, t.features.contains(.main) {
      _ = t.builder.call(HelperNumber.setFaultMask.rawValue, .i64)
      t.leaveForNewPriority()
    }
  }

  static func bkpt(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    if t.semihosting, i.i == 0xAB {
      t.builder.exit(with: .semihosting, pc: t.pc, executed: false)
    } else {
      t.raise(.hardFault, .breakpoint)
    }
  }

  static func nop(_ t: inout Translator, _ i: Instruction) {}

  static func wfi(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    t.setSlot(.waitsForEvent, t.const(0))
    t.leaveITBlockAfterCurrent()
    t.builder.exit(with: .wait, pc: t.nextPC)
  }

  /// Waits unless the event register is set, which is cleared.
  static func wfe(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    let event = t.slot(.event)
    t.setSlot(.event, t.const(0))
    t.leaveITBlockAfterCurrent()
    t.builder.exitIf(t.builder.compare(.notEqual, event, t.const(0)), to: t.nextPC, t.entering(t.nextITState))
    t.setSlot(.waitsForEvent, t.const(1))
    t.builder.exit(with: .wait, pc: t.nextPC)
  }

  /// Another CPU has to do something first.
  static func yield(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    t.leaveITBlockAfterCurrent()
    t.builder.exit(with: .yield, pc: t.nextPC)
  }

  static func sev(_ t: inout Translator, _ i: Instruction) { t.set(Slot.event.register, t.const(1)) }
}

// MARK: Branches

extension Thumb {
  private static func target(_ t: borrowing Translator, _ i: Instruction) -> UInt32 {
    t.readPC &+ UInt32(truncatingIfNeeded: i.j)
  }

  static func branchIf(_ t: inout Translator, _ i: Instruction) {
    t.branch(to: target(t, i), if: t.condition(i["c"]))
  }

  static func branch(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    t.branch(to: target(t, i))
  }

  static func bl(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    t.setR(ARMRegisters.lr, t.const(UInt32(truncatingIfNeeded: t.nextPC) | 1))
    t.branch(to: t.readPC &+ i.longOffset, isCall: true)
  }

  static func udf(_ t: inout Translator, _ i: Instruction) { t.undefined() }

  static func svc(_ t: inout Translator, _ i: Instruction) { t.raise(.svCall) }
}

extension Instruction {
  /// The offset of BL and B.W: S, and the two bits that are stored as J1 = NOT I1 EOR S and J2 likewise (A7.7.18).
  var longOffset: UInt32 {
    let sign = self["s"]
    let i1 = ~(self["x"] ^ sign) & 1
    let i2 = ~(self["y"] ^ sign) & 1
    return UInt32(bitPattern: Int32(truncatingIfNeeded: -sign << 24 | i1 << 23 | i2 << 22 | i))
  }
}

// MARK: System

extension Translator {
  /// Ends the block so that an interrupt that is pending and may now be taken is taken before the next instruction.
  mutating func takePendingInterrupts() {
    leaveITBlockAfterCurrent()
    let exit = entering(nextITState).union(.checksBudget)
    builder.exitIf(builder.compare(.equal, slot(.ready), const(0)), to: nextPC, exit)
    if nextITState != 0 { inner.append(nextPC) }
    _ = builder.call(HelperNumber.noticeInterrupts.rawValue, .i64)
    builder.exit(to: nextPC, exit)
  }

  /// Ends the block where FAULTMASK was written: what the MPU and stack limits deny may depend on the priority.
  mutating func leaveForNewPriority() {
    leaveITBlockAfterCurrent()
    builder.exit(with: .stateChanged, pc: nextPC)
  }

  /// Writes the ITSTATE of the next instruction, for an exit that goes there.
  mutating func leaveITBlockAfterCurrent() {
    if inITBlock { setSlot(.itState, const(UInt32(nextITState))) }
  }
}

extension Translator {
  /// MSR to PRIMASK or BASEPRI without a call, unless there is an interrupt that may be taken then.
  /// - Returns: false for other registers; nothing was emitted.
  fileprivate mutating func writeMask(_ i: Instruction) -> Bool {
    guard flags.isPrivileged, let register = SpecialRegister(rawValue: i.i), let slot = register.slot,
      features.isSuperset(of: slot.needs)
    else { return false }
    let value = builder.binary(.and, r(i.n), register == .primask ? const(1) : self.slot(.priorityMask))
    guard register == .basepriMax else {
      setSlot(slot, value)
      takePendingInterrupts()
      return true
    }
    // It only ever holds more interrupts off: 0, which holds none off, is the largest number less 1.
    let old = self.slot(slot)
    let isMore = builder.compare(.lessUnsigned, binary(.sub, value, 1), binary(.sub, old, 1))
    setSlot(slot, builder.select(isMore, value, old))
    leaveITBlockAfterCurrent()
    builder.exit(to: nextPC, entering(nextITState).union(.checksBudget))
    return true
  }
}

extension SpecialRegister {
  /// Where the masks of interrupts are.
  fileprivate var slot: Slot? {
    switch self {
    case .primask: .primask
    case .basepri, .basepriMax: .basepri
    default: nil
    }
  }
}

extension Thumb {
  static func msr(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    if t.writeMask(i) { return }
    _ = t.builder.call(
      HelperNumber.writeSpecial.rawValue, .i64, t.r(i.n), imm: Int64(i.i | i["k"] << 8))
    t.flagSource = .unknown
    t.cachedConditions = (nil, nil)
    // What may change the mode, the stack pointer or which interrupts are held off.
    guard i.i > 3 else { return }
    if [SpecialRegister.control, .msplim, .psplim, .faultmask].contains(where: { $0.rawValue == i.i }) {
      t.leaveForNewPriority()
    } else {
      t.leaveITBlockAfterCurrent()
      t.builder.exit(to: t.nextPC, t.entering(t.nextITState).union(.checksBudget))
    }
  }

  static func mrs(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    if let slot = SpecialRegister(rawValue: i.i)?.slot, t.flags.isPrivileged, t.features.isSuperset(of: slot.needs) {
      return t.setR(i.d, t.slot(slot))
    }
    t.setR(i.d, t.builder.call(HelperNumber.readSpecial.rawValue, .i32, imm: Int64(i.i)))
  }

  static func barrier(_ t: inout Translator, _ i: Instruction) {
    if t.predicate == nil { t.builder.fence(.sequential) }
  }

  /// What the instructions before did to system state takes effect here at the latest.
  static func isb(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    t.takePendingInterrupts()
  }
}
