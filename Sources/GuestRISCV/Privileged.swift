// Owns the privileged instructions and environment calls (Privileged Architecture, 3.3 and 4.2).

import GuestKit
import IR

enum Privileged {
  static let group = InstructionGroup<Translator>(
    "Privileged",
    [
      .init("ecall", "000000000000 00000 000 00000 1110011", "", ecall),
      .init("ebreak", "000000000001 00000 000 00000 1110011", "", ebreak),
      .init("sret", "0001000 00010 00000 000 00000 1110011", "", sret),
      .init("mret", "0011000 00010 00000 000 00000 1110011", "", mret),
      .init("wfi", "0001000 00101 00000 000 00000 1110011", "", wfi),
      .init("sfence.vma", "0001001 ttttt sssss 000 00000 1110011", "s, t", sfenceVMA),
    ])

  static func ecall(_ t: inout Translator, _ i: Instruction) {
    t.builder.retireBeforeCurrent()
    let handler = t.builder.call(PrivilegedHelper.environmentCall.number, t.xlen)
    t.builder.exitIndirect(handler, [.checksBudget], executed: false)
  }

  static func ebreak(_ t: inout Translator, _ i: Instruction) {
    if t.length == 4, t.isSemihostingCall {
      t.builder.exit(with: .semihosting, pc: t.pc, executed: false)
    } else {
      t.raise(Cause.breakpoint, value: t.pc)
    }
  }

  static func mret(_ t: inout Translator, _ i: Instruction) {
    guard t.flags.privilege == .machine else { return t.illegal(i.bits) }
    leave(.machineReturn, &t, i)
  }

  static func sret(_ t: inout Translator, _ i: Instruction) {
    guard t.flags.privilege != .user, t.extensions.contains(.supervisor) else { return t.illegal(i.bits) }
    leave(.supervisorReturn, &t, i)
  }

  /// The helper changes the mode; if there is an interrupt to take, the exit, which checks the budget, leaves for it.
  private static func leave(_ helper: PrivilegedHelper, _ t: inout Translator, _ i: Instruction) {
    t.builder.retireBeforeCurrent()
    let target = t.builder.call(helper.number, t.xlen, imm: Int64(i.bits))
    t.builder.exitIndirect(target, [.checksBudget])
  }

  /// In user mode WFI is illegal where there is a supervisor; there, TW decides.
  static func wfi(_ t: inout Translator, _ i: Instruction) {
    if t.flags.privilege == .user, t.extensions.contains(.supervisor) { return t.illegal(i.bits) }
    if t.flags.privilege != .machine {
      _ = t.builder.call(PrivilegedHelper.checkWait.number, .i64, imm: Int64(i.bits))
    }
    t.builder.exit(with: .wait, pc: t.nextPC)
  }

  static func sfenceVMA(_ t: inout Translator, _ i: Instruction) {
    guard t.flags.privilege != .user, t.extensions.contains(.supervisor) else { return t.illegal(i.bits) }
    t.builder.retireBeforeCurrent()
    let given = Int64(i.s != 0 ? 1 : 0) << 32 | Int64(i.t != 0 ? 1 : 0) << 33
    _ = t.builder.call(
      PrivilegedHelper.fenceTranslations.number, .i64, t.x(i.s), t.x(i.t), imm: Int64(i.bits) | given)
    t.builder.exit(to: t.nextPC, [.checksBudget, .unchainable])
  }
}

extension RISCVGuest {
  static let ebreak: UInt32 = 0x0010_0073

  /// Whether the EBREAK at `offset` stands between `slli x0, x0, 0x1f` and `srai x0, x0, 7` (RISC-V Semihosting, 2).
  /// They are in one page; but what precedes a block is not at hand: at its start the second marker decides.
  func isSemihostingCall(_ code: CodeBytes, _ offset: Int) -> Bool {
    guard offset + 8 <= code.count, code.load(offset + 4, as: UInt32.self) == 0x4070_5013 else { return false }
    return offset < 4 || code.load(offset - 4, as: UInt32.self) == 0x01F0_1013
  }
}
