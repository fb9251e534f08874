// Owns the removal of guest-register writes that nothing can see.

import IR

/// Backwards: a write goes if the same register is written again before anything reads it or leaves the instruction or
/// the block. Memory accesses and calls that may raise are such places, so exceptions stay precise.
enum DeadWriteElimination {
  static func run(_ work: inout Work) {
    let seeing: Effects = [
      .readsRegisters, .writesRegisters, .mayRaise, .exits, .terminates, .readsClock,
    ]
    work.forgetRegisters()
    var index = work.count
    while index > 0 {
      index &-= 1
      let op = work.ops[index]
      switch op.opcode {
      case .setRegister:
        if work.noted(op.imm) != nil {
          work.remove(index)
        } else {
          work.note(op.imm, 1)
        }
      case .getRegister: work.forget(op.imm)
      default:
        if !work.effects(op).isDisjoint(with: seeing) { work.forgetRegisters() }
      }
    }
  }
}
