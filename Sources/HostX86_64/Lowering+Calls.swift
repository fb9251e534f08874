// Lowering of calls of helpers.

import HostKit
import IR

extension Lowering<X86_64> {
  mutating func lowerCall(_ op: Op) {
    guard Int(op.aux) < helpers.count else { return unsupported("helper number \(op.aux)") }
    let helper = helpers[Int(op.aux)]
    let effects = helper.effects
    let all = !effects.isDisjoint(with: [.readsRegisters, .writesRegisters])
    let before = retiredBefore

    // Arguments are taken from memory, where saving leaves them, or from registers that are no parameters, so that no
    // order of moves matters.
    var busy = ABI.volatileTemporaries.subtracting(free)
    while !busy.isEmpty {
      let register = busy.first
      busy.remove(register)
      evict(register)
    }
    evictVectors()
    settleNaNs()
    if effects.contains(.writesRegisters) { spillMirrors(through: .rax) }
    assembler.call(toAddress: trampoline(all ? target.trampolines.saveAll : target.trampolines.saveVolatile))
    notePinsSaved(from: all ? 0 : ABI.firstVolatilePin)
    if !effects.isDisjoint(with: [.mayRaise, .readsClock]) {
      assembler.store(.qword, ABI.state(StateOffset.budget), ABI.budget)
      assembler.store(.qword, ABI.state(StateOffset.pendingRetired), Int32(truncatingIfNeeded: before))
      target.storeLeaving(.i64, constant: Int64(bitPattern: currentPC), state: StateOffset.pc)
      target.storeLeaving(.i64, constant: Int64(bitPattern: currentPC), state: StateOffset.currentPC)
    }
    let parameters: [(Register, ValueID)] = [(.rsi, op.a), (.rdx, op.b), (.rcx, op.c)]
    for (parameter, value) in parameters where !value.isNone { loadArgument(parameter, value) }
    assembler.mov(.r8, op.imm)
    assembler.mov(.qword, .rdi, ABI.state)
    assembler.mov(.rax, unsafe Int64(unsafeBitCast(helper.function, to: Int.self)))
    assembler.call(.rax)
    assembler.call(
      toAddress: trampoline(
        effects.contains(.writesRegisters) ? target.trampolines.loadAll : target.trampolines.loadVolatile))
    let changes = effects.contains(.writesRegisters)
    noteCall(losing: ABI.volatileTemporaries, changes: changes, pinsFrom: changes ? 0 : ABI.firstVolatilePin)
    if !effects.isDisjoint(with: [.mayRaise, .readsClock]) {
      assembler.load(.qword, ABI.budget, ABI.state(StateOffset.budget))
      if before != 0 { assembler.store(.qword, ABI.state(StateOffset.pendingRetired), 0) }
    }
    if effects.contains(.mayRaise) {
      let label = assembler.makeLabel()
      assembler.alu(.cmp, .dword, ABI.state(StateOffset.exitReason), 0)
      assembler.jcc(.ne, label)
      cold.append(ColdPart(.leave, label, argument: before))
    }
    if effects.contains(.writesRegisters) {
      forgetContents()
    }
    guard !op.result.isNone, values[Int(op.result.index)].uses > 0 else { return }
    if op.type == .i1 { assembler.alu(.and, .dword, .rax, 1) }
    free.remove(.rax)
    settleCallResult(op.result)
  }

  private mutating func settleCallResult(_ value: ValueID) {
    settle(value, in: .rax)
    if values[Int(value.index)].register != .rax { free.insert(.rax) }
  }

  /// Moves `value` to an argument register, zero-extended, after the pinned registers were saved.
  private mutating func loadArgument(_ register: Register, _ value: ValueID) {
    let state = values[Int(value.index)]
    let pin =
      state.place == .register && Int(state.slot) < registers.count ? pinOfRegister[Int(state.slot)] : ValueState.noPin
    if pin != ValueState.noPin && Int(pin) >= ABI.firstVolatilePin {
      let slot = registers[Int(state.slot)]
      let narrow = slot.type.bits < state.type.bits ? slot.type : state.type
      assembler.movzx(from: narrow.exactWidth, register, ABI.state(slot.offset))
    } else {
      loadExtended(register, value)
    }
  }
}
