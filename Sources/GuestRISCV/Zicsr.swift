// Owns Zicsr: the CSR instructions (unprivileged manual, "Zicsr").

import GuestKit
import IR

enum Zicsr {
  static let group = InstructionGroup<Translator>(
    "Zicsr",
    [
      .init("csrrw", "cccccccccccc sssss 001 ddddd 1110011", "d, c, s", access),
      .init("csrrs", "cccccccccccc sssss 010 ddddd 1110011", "d, c, s", access),
      .init("csrrc", "cccccccccccc sssss 011 ddddd 1110011", "d, c, s", access),
      .init("csrrwi", "cccccccccccc iiiii 101 ddddd 1110011; i=u4:0", "d, c, i", access),
      .init("csrrsi", "cccccccccccc iiiii 110 ddddd 1110011; i=u4:0", "d, c, i", access),
      .init("csrrci", "cccccccccccc iiiii 111 ddddd 1110011; i=u4:0", "d, c, i", access),
    ])

  static func access(_ t: inout Translator, _ i: Instruction) {
    let instruction = CSRInstruction(encoding: i.bits)
    guard let row = CSR.row(instruction.number) else { return t.illegal(i.bits) }
    if t.accessInline(instruction, i) { return }
    t.builder.retireBeforeCurrent()
    if row.guard == .counter, !instruction.writes {
      return t.setX(i.d, t.builder.call(PrivilegedHelper.readCounter.number, t.xlen, imm: Int64(i.bits)))
    }
    let source = instruction.isImmediate ? t.const(i.i) : t.x(i.s)
    let old = t.builder.call(PrivilegedHelper.accessCSR.number, t.xlen, source, imm: Int64(i.bits))
    t.setX(i.d, old)
    if instruction.writes { t.leave(after: row) }
  }
}

extension Translator {
  /// Ends the block after a write to a CSR, if it may have to go on with other code or an interrupt.
  fileprivate mutating func leave(after row: CSR) {
    switch row.effect {
    case .interrupts: builder.exit(to: nextPC, [.checksBudget])
    case .mode: builder.exit(to: nextPC, [.checksBudget, .unchainable])
    case .state: builder.exit(with: .stateChanged, pc: nextPC)
    case .none, .counter:
      if row.guard == .float, !flags.floatDirty { builder.exit(with: .stateChanged, pc: nextPC) }
    }
  }
}
