// Owns guest-register forwarding.

import IR

/// A read of a register whose value is known from an earlier read or write becomes a copy of it; a write of the value
/// that a register already holds goes. Calls of helpers that write registers end all knowledge; no other op writes
/// guest registers behind the block's back.
enum RegisterForwarding {
  static func run(_ work: inout Work) {
    work.forgetRegisters()
    for index in 0..<work.count {
      let op = work.ops[index]
      switch op.opcode {
      case .getRegister:
        if let known = work.noted(op.imm) {
          let value = ValueID(known)
          let opcode: Opcode = work.type(value) == op.type ? .copy : .bitcast
          work.replace(index, with: Op(opcode, op.type, result: op.result, a: value))
        } else {
          work.note(op.imm, op.result.index)
        }
      case .setRegister:
        if work.noted(op.imm) == op.a.index {
          work.remove(index)
        } else {
          work.note(op.imm, op.a.index)
        }
      case .label: work.forgetRegisters()
      case .call:
        if work.effects(op).contains(.writesRegisters) { work.forgetRegisters() }
      default: break
      }
    }
  }
}
