// Lowering of calls and of the ways out of a block, and the parts of a block that are seldom run.

import HostKit
import IR

/// An exit to a known guest PC.
struct ExitCode {
  /// Offset in the code cache of the jump's displacement, a multiple of 4; 0 if it is never chained.
  var displacement: UInt32 = 0
  /// Offset of the code that leaves by this exit: a call of `Trampolines.leaveUnchained` and, if the exit checks the
  /// budget, one of `leaveBudget`. Ascending from exit to exit, so that where they were called from tells the exit.
  var stub: UInt32 = 0
  /// The guest PC it leads to.
  var pc: UInt64 = 0
  /// See `ChainSite`.
  var change: UInt8 = 0
  /// Whether interrupts are taken here.
  var closesLoop = false
  /// Where a chained exit to an entry of its own block goes, if that has its own assignment of registers; else 0.
  var inner: UInt32 = 0
}

/// A read of the poll page, and where to go on if that faults; offsets in the code cache.
struct PollSite {
  var start: UInt32
  var resume: UInt32
}

/// Where a block's exit goes while it is not chained, and when the budget is used up.
struct ExitLabels {
  var unchained: Label
  var budget: Label?
  /// Number of the poll site that goes to `budget` by a fault.
  var poll: UInt32?
}

/// A part of a block that stands behind its end.
struct ColdPart {
  enum Kind {
    /// The taken side of `exitIf`: retire `argument`, go to `pc`.
    case takenExit
    /// Complete memory access number `argument` by the slow path.
    case slowAccess
    /// Fault, so that memory access number `argument`, which is outside the window, gets a way to the slow path.
    case outside
    /// Retire `argument` and leave as the state says.
    case leave
  }
  var kind: Kind
  var label: Label
  var argument: UInt32
  var exit: UInt32 = 0
  var flags: ExitFlags = []
  var pc: UInt64 = 0
  /// To be done first, of a `takenExit`.
  var checks = NaNChecks()

  init(_ kind: Kind, _ label: Label, argument: UInt32) {
    self.kind = kind
    self.label = label
    self.argument = argument
  }
}

extension Lowering {
  @inline(__always)
  func trampoline(_ offset: Int) -> UInt64 { cacheBase + UInt64(offset) }

  // MARK: Calls

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
    if effects.contains(.writesRegisters) { moveAllMirrors() }
    assembler.call(toAddress: trampoline(all ? trampolines.saveAll : trampolines.saveVolatile))
    if !effects.isDisjoint(with: [.mayRaise, .readsClock]) {
      assembler.store(.qword, ABI.state(StateOffset.budget), ABI.budget)
      assembler.store(.qword, ABI.state(StateOffset.pendingRetired), Int32(truncatingIfNeeded: before))
      storePC(currentPC, at: StateOffset.pc)
      storePC(currentPC, at: StateOffset.currentPC)
    }
    let parameters: [(Register, ValueID)] = [(.rsi, op.a), (.rdx, op.b), (.rcx, op.c)]
    for (parameter, value) in parameters where !value.isNone { loadArgument(parameter, value) }
    assembler.mov(.r8, op.imm)
    assembler.mov(.qword, .rdi, ABI.state)
    assembler.mov(.rax, unsafe Int64(unsafeBitCast(helper.function, to: Int.self)))
    assembler.call(.rax)
    assembler.call(
      toAddress: trampoline(effects.contains(.writesRegisters) ? trampolines.loadAll : trampolines.loadVolatile))
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
      contents.fill(ValueState.noValue)
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

  /// Before all guest registers may change: brings the values found in them that are needed later to memory.
  private mutating func moveAllMirrors() {
    for guest in 0..<mirrors.capacity {
      while true {
        let value = popMirror(of: guest)
        if value == ValueState.noValue { break }
        if isLive(value) && isFound(value, in: guest) { spillMirror(value) }
      }
    }
  }

  private mutating func spillMirror(_ value: UInt16) {
    guard spillCount < ABI.spillSlots else { return unsupported("a block that keeps over \(ABI.spillSlots) values") }
    if values[Int(value)].place == .vector { return spill(value, from: values[Int(value)].vector) }
    var register = values[Int(value)].register
    if values[Int(value)].place == .state {
      register = .rax
      loadInto(.rax, value)
    }
    assembler.store(.qword, ABI.spill(spillCount), register)
    values[Int(value)].place = .spill
    values[Int(value)].slot = UInt16(spillCount)
    spillCount += 1
  }

  /// Stores a constant of 64 bits in the state. May change rax, which is free.
  private mutating func storePC(_ pc: UInt64, at offset: Int) {
    if let short = Int32(exactly: Int64(bitPattern: pc)) {
      assembler.store(.qword, ABI.state(offset), short)
    } else {
      assembler.mov(.rax, Int64(bitPattern: pc))
      assembler.store(.qword, ABI.state(offset), .rax)
    }
  }

  // MARK: Entries and exits

  /// All guest registers are where code that is entered expects them, since no value is live.
  mutating func lowerLabel(_ op: Op) {
    if position > 0, !ops[Int(position) - 1].opcode.endsBlock {
      emit(nanChecks())
      retire(op.extra, [])
    }
    alignLoopHead(labels.count + 1)
    nans.begin()
    begun = 0
    spillCount = 0
    if !moves.isEmpty {
      innerEntries[labels.count + 1].offset = UInt32(truncatingIfNeeded: blockOffset + assembler.count)
    }
    labels.append(UInt32(truncatingIfNeeded: blockOffset + assembler.count))
  }

  mutating func lowerExit(_ op: Op) {
    emit(nanChecks())
    emitExit(retired: op.extra, op.exitFlags, pc: UInt64(bitPattern: op.imm), number: takeNumber(op))
  }

  mutating func lowerExitIf(_ op: Op) {
    let number = takeNumber(op)
    let pc = UInt64(bitPattern: op.imm)
    if let known = constant(op.a) {
      guard known != 0 else { return }
      emit(nanChecks())
      return emitExit(retired: op.extra, op.exitFlags, pc: pc, number: number)
    }
    let checks = nanChecks()
    let condition = emitCondition(op.a)
    if op.exitFlags.contains(.checksBudget), moves.isEmpty || innerEntry(at: pc) != nil {
      // Likely a loop's end: the taken side stays in line.
      let over = assembler.shortJcc(condition.inverted)
      emit(checks)
      emitExit(retired: op.extra, op.exitFlags, pc: pc, number: number)
      assembler.land(over)
    } else {
      var part = ColdPart(.takenExit, assembler.makeLabel(), argument: op.extra)
      part.exit = number
      part.flags = op.exitFlags
      part.pc = pc
      part.checks = checks
      assembler.jcc(condition, part.label)
      cold.append(part)
    }
  }

  private mutating func takeNumber(_ op: Op) -> UInt32 {
    let number = UInt32(exits.count)
    exits.append(ExitCode(pc: UInt64(bitPattern: op.imm), change: op.exitFlags.change))
    exitLabels.append(ExitLabels(unchained: assembler.makeLabel()))
    return number
  }

  /// Whether an exit to `pc` may be chained at all: not if its page may come to be mapped elsewhere.
  @inline(__always)
  private func mayChain(_ flags: ExitFlags, _ pc: UInt64) -> Bool {
    !flags.contains(.unchainable) && (dataPath != .tlb || pc & ~0xFFF == blockPC & ~0xFFF)
  }

  private mutating func emitExit(retired: UInt32, _ flags: ExitFlags, pc: UInt64, number: UInt32) {
    guard mayChain(flags, pc) else {
      assembler.mov(.rax, Int64(bitPattern: pc))
      retire(retired, flags)
      moveOut()
      if flags.contains(.checksBudget) { checkInterruptsBeforeLookup() }
      assembler.jmp(toAddress: trampoline(trampolines.lookUp))
      return
    }
    let staysInside = moves.isEmpty || innerEntry(at: pc) != nil
    let unchained = exitLabels[exitLabels.count - (exits.count - Int(number))].unchained
    let closesLoop = flags.contains(.checksBudget)
    exits[Int(number)].closesLoop = closesLoop
    if closesLoop, staysInside, interrupts == .budget {
      // Padding goes before both, so that the CPU takes subtraction and jump as one operation.
      assembler.alignDisplacement(after: budgetCheckLength(retired) + 2)
    }
    retire(retired, flags)
    if !staysInside { moveOut() }
    if closesLoop, let condition = checkInterrupts(at: number) {
      assembler.alignDisplacement(after: 2)
      assembler.jcc(condition, unchained)
      exits[Int(number)].displacement = UInt32(blockOffset + assembler.count - 4)
      if let due = exitLabels[exitLabels.count - (exits.count - Int(number))].budget { assembler.jmp(due) }
    } else {
      assembler.alignDisplacement(after: 1)
      assembler.jmp(unchained)
      exits[Int(number)].displacement = UInt32(blockOffset + assembler.count - 4)
    }
  }

  /// Finds out whether the engine wants control at exit `number`.
  /// - Returns: the condition under which it does not, if there is one to look at.
  private mutating func checkInterrupts(at number: UInt32) -> ConditionCode? {
    guard interrupts != .unchain else { return nil }
    let index = exitLabels.count - (exits.count - Int(number))
    exitLabels[index].budget = assembler.makeLabel()
    switch interrupts {
    case .unchain: return nil
    case .budget: return .g
    case .flag:
      assembler.alu(.cmp, .dword, ABI.state(ABI.mayRun), 0)
      return .ne
    case .page:
      exitLabels[index].poll = UInt32(polls.count)
      readPollPage(resume: 0)
      return nil
    }
  }

  /// Bytes of what `retire` emits for an exit that checks the budget.
  @inline(__always)
  private func budgetCheckLength(_ count: UInt32) -> Int { count == 0 ? 3 : count < 128 ? 4 : 7 }

  /// Leaves for the PC in rax if the engine wants control.
  private mutating func checkInterruptsBeforeLookup() {
    switch interrupts {
    case .unchain: break
    case .budget: assembler.jcc(.le, toAddress: trampoline(trampolines.leaveBudgetIndirect))
    case .flag:
      assembler.alu(.cmp, .dword, ABI.state(ABI.mayRun), 0)
      assembler.jcc(.e, toAddress: trampoline(trampolines.leaveBudgetIndirect))
    case .page: readPollPage(resume: UInt32(trampolines.leaveBudgetIndirect))
    }
  }

  private mutating func readPollPage(resume: UInt32) {
    polls.append(PollSite(start: UInt32(blockOffset + assembler.count), resume: resume))
    assembler.test(.dword, Memory(codeOffset: Int32(pollPage) - Int32(blockOffset)), .rax)
  }

  /// Takes `count` off the budget; sets the flags by what is left if the exit checks it.
  private mutating func retire(_ count: UInt32, _ flags: ExitFlags) {
    guard interrupts.isDeterministic else { return }
    if count != 0 {
      assembler.alu(.sub, .qword, ABI.budget, Int32(truncatingIfNeeded: count))
    } else if flags.contains(.checksBudget) {
      assembler.test(.qword, ABI.budget, ABI.budget)
    }
  }

  mutating func lowerExitIndirect(_ op: Op) {
    emit(nanChecks())
    loadExtended(.rax, op.a)
    retire(op.extra, op.exitFlags)
    moveOut()
    if op.exitFlags.contains(.checksBudget) { checkInterruptsBeforeLookup() }
    assembler.jumpThroughCache(missing: trampoline(trampolines.leaveMiss))
  }

  mutating func lowerExitWith(_ op: Op) {
    emit(nanChecks())
    retire(op.extra, [])
    storePC(UInt64(bitPattern: op.imm), at: StateOffset.pc)
    assembler.store(.dword, ABI.state(StateOffset.exitReason), Int32(op.aux))
    moveOut()
    assembler.jmp(toAddress: trampoline(trampolines.leave))
  }

  mutating func lowerRaise(_ op: Op) {
    emit(nanChecks())
    if op.a.isNone {
      assembler.store(.qword, ABI.state(StateOffset.exceptionValue), 0)
    } else {
      loadExtended(.rcx, op.a)
      assembler.store(.qword, ABI.state(StateOffset.exceptionValue), .rcx)
    }
    retire(op.extra, [])
    storePC(UInt64(bitPattern: op.imm), at: StateOffset.exceptionCause)
    storePC(currentPC, at: StateOffset.pc)
    assembler.store(.dword, ABI.state(StateOffset.exitReason), Int32(ExitReason.exception.rawValue))
    moveOut()
    assembler.jmp(toAddress: trampoline(trampolines.leave))
  }

  // MARK: Cold parts

  /// Emits what was put off until the block's end; parts may add further parts.
  mutating func emitColdParts() {
    var index = 0
    while index < cold.count {
      let part = cold[index]
      index += 1
      assembler.bind(part.label)
      switch part.kind {
      case .takenExit:
        emit(part.checks)
        emitExit(retired: part.argument, part.flags, pc: part.pc, number: part.exit)
      case .slowAccess:
        sites[Int(part.argument)].stub = UInt32(blockOffset + assembler.count)
        assembler.push(Int32(bitPattern: part.argument))
        assembler.jmp(toAddress: trampoline(trampolines.slow))
      case .leave:
        retire(part.argument, [])
        assembler.jmp(toAddress: trampoline(trampolines.leave))
      case .outside:
        sites[Int(part.argument)].trap = UInt32(blockOffset + assembler.count)
        assembler.plain(.hlt)
      }
    }
    for index in 0..<exitLabels.count {
      exits[Int(firstExit) + index].stub = UInt32(blockOffset + assembler.count)
      guard exits[Int(firstExit) + index].displacement != 0 else { continue }
      let staysInside = !moves.isEmpty && innerEntry(at: exits[Int(firstExit) + index].pc) != nil
      assembler.bind(exitLabels[index].unchained)
      if staysInside { moveOut() }
      assembler.call(toAddress: trampoline(trampolines.leaveUnchained))
      if let label = exitLabels[index].budget {
        assembler.bind(label)
        if let poll = exitLabels[index].poll { polls[Int(poll)].resume = UInt32(blockOffset + assembler.count) }
        if staysInside { moveOut() }
        assembler.call(toAddress: trampoline(trampolines.leaveBudget))
      }
    }
  }

  /// Forgets all exits. The first of the table stands for none.
  mutating func forgetExits() {
    exits.removeAll()
    exits.append(ExitCode())
  }

  /// Tells of the ways in and out of the block that was lowered last.
  mutating func tell(_ outline: inout BlockOutline) {
    outline.removeAll()
    for index in 0..<labels.count { outline.labels.append(CodeAddress(labels[index])) }
    for index in Int(firstExit)..<exits.count {
      let exit = exits[index]
      outline.exits.append(
        ChainSite(
          site: UInt32(truncatingIfNeeded: index), change: exit.change, mayChain: exit.displacement != 0,
          target: exit.pc))
    }
  }
}
