// Owns the labels of a block and its ways out: exits to known guest PCs, which may be chained, and all others; what a host
// keeps of them; and the parts of a block that are seldom run.

import Bits
import IR

/// An exit to a known guest PC.
public struct ExitCode: BitwiseCopyable {
  /// Offset in the code cache of the four bytes of its jump that are replaced, a multiple of 4; 0 if it is never chained.
  public var displacement: UInt32 = 0
  /// Offset of the code that leaves by this exit: a call of `SharedCode.leaveUnchained` and, if the exit checks the
  /// budget, one of `leaveBudget`. Ascending from exit to exit, so that where they were called from tells the exit.
  public var stub: UInt32 = 0
  /// The guest PC it leads to.
  public var pc: UInt64 = 0
  /// See `ChainSite`.
  public var change: UInt8 = 0
  /// Whether interrupts are taken here.
  public var closesLoop = false
  /// Where a chained exit to an entry of its own block goes, if that has its own assignment of registers; else 0.
  public var inner: UInt32 = 0

  @inlinable init() {}
  @inlinable init(pc: UInt64, change: UInt8) {
    self.pc = pc
    self.change = change
  }
}

/// A read of the poll page, and where to go on if that faults; offsets in the code cache.
public struct PollSite: BitwiseCopyable {
  public var start: UInt32
  public var resume: UInt32

  @inlinable init(start: UInt32, resume: UInt32) {
    self.start = start
    self.resume = resume
  }
}

/// Where a block's exit goes while it is not chained, and when the budget is used up.
@usableFromInline struct ExitLabels: BitwiseCopyable {
  @usableFromInline var unchained: Label
  @usableFromInline var budget: Label?
  /// Number of the poll site that goes to `budget` by a fault.
  @usableFromInline var poll: UInt32?

  @inlinable init(unchained: Label) { self.unchained = unchained }
}

/// A part of a block that stands behind its end.
public struct ColdPart<Work: BitwiseCopyable>: BitwiseCopyable {
  public enum Kind: BitwiseCopyable {
    /// The taken side of `exitIf`: retire `argument`, go to `pc`.
    case takenExit
    /// Complete memory access number `argument` by the slow path.
    case slowAccess
    /// Fault, so that memory access number `argument`, which is outside the window, gets a way to the slow path.
    case outside
    /// Retire `argument` and leave as the state says.
    case leave
  }
  public var kind: Kind
  public var label: Label
  public var argument: UInt32
  @usableFromInline var exit: UInt32 = 0
  @usableFromInline var flags: ExitFlags = []
  @usableFromInline var pc: UInt64 = 0
  /// To be done first, of a `takenExit`.
  @usableFromInline var work: Work?

  @inlinable public init(_ kind: Kind, _ label: Label, argument: UInt32) {
    self.kind = kind
    self.label = label
    self.argument = argument
  }
}

extension Lowering {
  // MARK: Entries

  /// All guest registers are where code that is entered expects them, since no value is live.
  @inlinable mutating func lowerLabel(_ op: Op) {
    if position > 0, !ops[Int(position) - 1].opcode.endsBlock {
      T.emit(T.exitWork(&self), &self)
      retire(op.extra, [])
    }
    alignLoopHead(labels.count + 1)
    target.beginLabel()
    begun = 0
    spillCount = 0
    if !moves.isEmpty { innerEntries[labels.count + 1].offset = codeOffset }
    labels.append(codeOffset)
  }

  // MARK: Exits to known guest PCs

  @inlinable mutating func lowerExit(_ op: Op) {
    T.emit(T.exitWork(&self), &self)
    emitExit(retired: op.extra, op.exitFlags, pc: UInt64(bitPattern: op.imm), number: takeNumber(op))
  }

  @inlinable mutating func lowerExitIf(_ op: Op) {
    let number = takeNumber(op)
    let pc = UInt64(bitPattern: op.imm)
    if let known = constant(op.a) {
      guard known != 0 else { return }
      T.emit(T.exitWork(&self), &self)
      return emitExit(retired: op.extra, op.exitFlags, pc: pc, number: number)
    }
    let work = T.exitWork(&self)
    let condition = T.test(op.a, &self)
    if op.exitFlags.contains(.checksBudget), staysInside(pc) {
      // Likely a loop's end: the taken side stays in line.
      let over = target.skip(unless: condition)
      T.emit(work, &self)
      emitExit(retired: op.extra, op.exitFlags, pc: pc, number: number)
      target.land(over)
    } else {
      var part = ColdPart<T.ExitWork>(.takenExit, target.makeLabel(), argument: op.extra)
      part.exit = number
      part.flags = op.exitFlags
      part.pc = pc
      part.work = work
      target.branch(condition, part.label)
      cold.append(part)
    }
  }

  @inlinable mutating func takeNumber(_ op: Op) -> UInt32 {
    let number = UInt32(exits.count)
    exits.append(ExitCode(pc: UInt64(bitPattern: op.imm), change: op.exitFlags.change))
    exitLabels.append(ExitLabels(unchained: target.makeLabel()))
    return number
  }

  /// Whether an exit to `pc` may be chained at all: not if its page may come to be mapped elsewhere.
  @inlinable @inline(__always)
  func mayChain(_ flags: ExitFlags, _ pc: UInt64) -> Bool {
    !flags.contains(.unchainable) && (dataPath != .tlb || pc & ~0xFFF == blockPC & ~0xFFF)
  }

  /// Whether the way to `pc` keeps the block's own assignment of registers.
  @inlinable @inline(__always)
  func staysInside(_ pc: UInt64) -> Bool { moves.isEmpty || innerEntry(at: pc) != nil }

  @inlinable mutating func emitExit(retired: UInt32, _ flags: ExitFlags, pc: UInt64, number: UInt32) {
    let closesLoop = flags.contains(.checksBudget)
    guard mayChain(flags, pc) else {
      target.move(ABI.jumpTarget, constant: Int64(bitPattern: pc))
      retire(retired, flags)
      moveOut()
      if closesLoop { checkInterruptsBeforeLookup() }
      target.jump(.lookUp)
      return
    }
    let staysInside = staysInside(pc)
    let labels = exitLabels.count - (exits.count - Int(number))
    exits[Int(number)].closesLoop = closesLoop
    if closesLoop, staysInside, interrupts == .budget { target.alignExit(retired: retired) }
    retire(retired, flags)
    if !staysInside { moveOut() }
    let condition = closesLoop ? checkInterrupts(labels) : nil
    let place = target.chainableJump(
      condition, exitLabels[labels].unchained, else: condition == nil ? nil : exitLabels[labels].budget)
    exits[Int(number)].displacement = UInt32(blockOffset + place)
  }

  /// Finds out whether the engine wants control at the exit with labels number `labels` of the block.
  /// - Returns: the condition under which it does not, if there is one to look at.
  @inlinable mutating func checkInterrupts(_ labels: Int) -> T.Condition? {
    guard interrupts != .unchain else { return nil }
    exitLabels[labels].budget = target.makeLabel()
    switch interrupts {
    case .unchain: return nil
    case .budget: return T.budgetIsLeft
    case .flag: return target.testMayRun()
    case .page:
      exitLabels[labels].poll = UInt32(polls.count)
      readPollPage(resume: 0)
      return nil
    }
  }

  /// Leaves for the PC in `ABI.jumpTarget` if the engine wants control.
  @inlinable mutating func checkInterruptsBeforeLookup() {
    switch interrupts {
    case .unchain: break
    case .budget: target.leaveIndirectly(unless: T.budgetIsLeft)
    case .flag: target.leaveIndirectly(unless: target.testMayRun())
    case .page: readPollPage(resume: UInt32(target.offset(of: .leaveBudgetIndirect)))
    }
  }

  @inlinable mutating func readPollPage(resume: UInt32) {
    polls.append(PollSite(start: codeOffset, resume: resume))
    target.readPollPage()
  }

  /// Takes `count` off the budget; sets the flags by what is left if the exit checks it.
  @inlinable mutating func retire(_ count: UInt32, _ flags: ExitFlags) {
    if interrupts.isDeterministic { target.retire(count, setsFlags: flags.contains(.checksBudget)) }
  }

  // MARK: Other ways out

  @inlinable mutating func lowerExitIndirect(_ op: Op) {
    T.emit(T.exitWork(&self), &self)
    loadExtended(ABI.jumpTarget, op.a)
    retire(op.extra, op.exitFlags)
    moveOut()
    if op.exitFlags.contains(.checksBudget) { checkInterruptsBeforeLookup() }
    target.jumpThroughCache()
  }

  @inlinable mutating func lowerExitWith(_ op: Op) {
    T.emit(T.exitWork(&self), &self)
    retire(op.extra, [])
    target.storeLeaving(.i64, constant: op.imm, state: StateOffset.pc)
    target.storeLeaving(.i32, constant: Int64(op.aux), state: StateOffset.exitReason)
    moveOut()
    target.jump(.leave)
  }

  @inlinable mutating func lowerRaise(_ op: Op) {
    T.emit(T.exitWork(&self), &self)
    if op.a.isNone {
      target.storeLeaving(.i64, constant: 0, state: StateOffset.exceptionValue)
    } else {
      loadExtended(ABI.leaving, op.a)
      target.store(.i64, ABI.leaving, state: StateOffset.exceptionValue)
    }
    retire(op.extra, [])
    target.storeLeaving(.i64, constant: op.imm, state: StateOffset.exceptionCause)
    target.storeLeaving(.i64, constant: Int64(bitPattern: currentPC), state: StateOffset.pc)
    target.storeLeaving(.i32, constant: Int64(ExitReason.exception.rawValue), state: StateOffset.exitReason)
    moveOut()
    target.jump(.leave)
  }

  // MARK: Cold parts

  /// Emits what was put off until the block's end; parts may add further parts.
  @inlinable mutating func emitColdParts() {
    var index = 0
    while index < cold.count {
      let part = cold[index]
      index += 1
      target.bind(part.label)
      switch part.kind {
      case .takenExit:
        if let work = part.work { T.emit(work, &self) }
        emitExit(retired: part.argument, part.flags, pc: part.pc, number: part.exit)
      case .slowAccess: T.emitSlowAccess(part.argument, &self)
      case .leave:
        retire(part.argument, [])
        target.jump(.leave)
      case .outside: T.emitTrap(part.argument, &self)
      }
    }
    for index in 0..<exitLabels.count { emitStub(index) }
  }

  /// The code that leaves by exit number `index` of the block.
  @inlinable @inline(__always)
  mutating func emitStub(_ index: Int) {
    let exit = Int(firstExit) + index
    exits[exit].stub = codeOffset
    guard exits[exit].displacement != 0 else { return }
    let movesOut = !moves.isEmpty && innerEntry(at: exits[exit].pc) != nil
    target.bind(exitLabels[index].unchained)
    if movesOut { moveOut() }
    target.call(.leaveUnchained)
    guard let label = exitLabels[index].budget else { return }
    target.bind(label)
    if let poll = exitLabels[index].poll { polls[Int(poll)].resume = codeOffset }
    if movesOut { moveOut() }
    target.call(.leaveBudget)
  }

  // MARK: What is kept

  /// Tells of the ways in and out of the block that was lowered last.
  @inlinable mutating func tell(_ outline: inout BlockOutline) {
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

  /// The site of the exit whose stub made a call that returns to `offset`.
  @inlinable public func exit(calledFrom offset: UInt32) -> UInt32 {
    // Mostly it is an exit of one of the newest blocks.
    var (low, high) = (0, exits.count)
    var step = 8
    while step < high, exits[high - step].stub >= offset {
      high -= step
      step *= 2
    }
    if step < high { low = high - step }
    while low < high {
      let middle = (low + high) / 2
      if exits[middle].stub < offset { low = middle + 1 } else { high = middle }
    }
    return UInt32(low - 1)
  }

  /// Where a read of the poll page at `offset` in the code cache goes on that faults; nil if there is none.
  public func poll(faultingAt offset: UInt32) -> UInt32? {
    var (low, high) = (0, polls.count)
    while low < high {
      let middle = (low + high) / 2
      if polls[middle].start < offset { low = middle + 1 } else { high = middle }
    }
    return low < polls.count && polls[low].start == offset ? polls[low].resume : nil
  }
}

extension Target {
  @inlinable @inline(__always)
  public mutating func jump(_ code: SharedCode) { jump(toCode: offset(of: code)) }
  @inlinable @inline(__always)
  mutating func call(_ code: SharedCode) { call(toCode: offset(of: code)) }
}
