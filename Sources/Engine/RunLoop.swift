// Owns the loop a vCPU runs in: have blocks run, see why they came back, do what is due.

import Bits
import Bus
import GuestKit
import HostKit
import IR

/// Why a vCPU's run ended.
public enum RunOutcome: Equatable, Sendable {
  /// The deadline passed, or ``Engine/requestStop()`` was heard.
  case deadline
  /// The vCPU waits for an interrupt.
  case waiting
  /// The vCPU stands where interrupts may be taken, and waits for what another one does.
  case yielded
  case breakpoint
  /// See ``VCPU/watchHit``.
  case watchpoint
  /// The single step is complete.
  case stepped
  /// The instruction at PC asks the host for a service; it has not been executed.
  case semihosting
  /// An exception that a debugger wants to see was entered, or the guest asks for its debugger: the text says which.
  case caught(String)
  /// The guest raises the same exception for ever: the text says which and where. Said once; after that the vCPU stays
  /// as it is, as hardware does, and others run on.
  case lockedUp(String)
  /// Translation failed for a reason that lies in Martlet.
  case failed(String)
}

extension Engine {
  /// Runs `vcpu` until its time reaches `deadline` (in ticks) or something ends the run earlier.
  ///
  /// Interrupts are taken, and the deadline is seen, only where the architecture of the guest's code says so: after
  /// taken backward branches and indirect jumps, exceptions, waits, changes of system state, and stores that decide about
  /// interrupts. So a run does not
  /// depend on how code was cut into blocks.
  public func run(_ vcpu: VCPU, until deadline: UInt64) -> RunOutcome {
    begin(vcpu, deadline)
    defer { end(vcpu) }
    if isInsideBlock(vcpu), let outcome = finishOps(vcpu) { return outcome }
    if let reason = debugUnit?.takeDebugStop(vcpu.state) { return .caught(reason) }
    if vcpu.isWaiting {
      guard guest.wakesFromWait(vcpu.state) else { return .waiting }
      vcpu.isWaiting = false
    }
    forgetWatchedAccesses()
    if let outcome = passWatchpoint(vcpu) { return outcome }
    while true {
      // A jump that a kick has turned back ends here too, perhaps one into another mode.
      if let kicks, kicks.pending.isRaised {
        vcpu.enterMode()
        vcpu.mayInterrupt = true
      }
      while let transition = exceptionHardware?.pendingTransition(vcpu.state) {
        if let outcome = take(vcpu, transition) { return outcome }
      }
      if vcpu.mayInterrupt {
        if let outcome = atInterruptPoint(vcpu) { return outcome }
      }
      let pc = vcpu.state.pc
      if debug.isBreakpoint(pc), vcpu.passedBreakpoint != pc {
        if debug.stops(vcpu, at: pc) { return .breakpoint }
        // What a breakpoint has a debugger do may send the hart elsewhere.
        guard vcpu.state.pc == pc else { continue }
        if let outcome = matchInstruction(vcpu) { return outcome }
        continue
      }
      // A breakpoint that execution goes on from is stepped over, so that no block contains it.
      let isAlone = debug.isBreakpoint(pc) || vcpu.runsNextAlone
      let id: BlockID
      do throws(TranslationFailure) {
        id = try block(vcpu, at: pc, isAlone ? .step : .normal)
      } catch {
        guard case .guest(let exception) = error else { return .failed("translating \(pc.hex0x()): \(error)") }
        if let outcome = take(vcpu, exception) { return outcome }
        continue
      }
      vcpu.passedBreakpoint = nil
      vcpu.runsNextAlone = false
      if vcpu.passedWatchpoint != nil { vcpu.passedWatchpoint = nil }
      if isAlone { enterAlone(vcpu, id) } else { dispatch(vcpu, from: id) }
      switch vcpu.state.exitReason {
      case .unchained, .indirectMiss: if flagsFollowCode { vcpu.enterMode() }
      case .budget:
        _ = handle(vcpu, .budget)
        if kicks == nil { sample(vcpu) }
      case let reason:
        if let outcome = handle(vcpu, reason) { return outcome }
      }
    }
  }

  /// Executes one guest instruction; entering a handler, for an exception or an interrupt that is due, counts as one.
  ///
  /// - Parameter deadline: as of ``run(_:until:)``; ``VCPU/mayInterrupt`` tells whether it could be seen.
  public func step(_ vcpu: VCPU, until deadline: UInt64 = .max) -> RunOutcome {
    begin(vcpu, deadline)
    defer { end(vcpu) }
    if isInsideBlock(vcpu) { return finishOps(vcpu) ?? .stepped }
    if let outcome = lockUp(vcpu, at: vcpu.state.pc) { return outcome }
    if vcpu.isWaiting, !guest.wakesFromWait(vcpu.state) { return .waiting }
    vcpu.isWaiting = false
    if vcpu.mayInterrupt, !debug.masksInterruptsInSteps, takeInterrupt(vcpu) {
      return debugStop(vcpu) ?? transferOutcome(vcpu) ?? .stepped
    }
    let isPassing = vcpu.passedWatchpoint == vcpu.state.pc
    return (isPassing ? executeWatched(vcpu) : executeOne(vcpu)) ?? transferOutcome(vcpu) ?? .stepped
  }

  /// Executes the instruction at PC by itself, with all that it leads to.
  func executeOne(_ vcpu: VCPU) -> RunOutcome? {
    do throws(TranslationFailure) {
      let id = try block(vcpu, at: vcpu.state.pc, .step)
      vcpu.passedBreakpoint = nil
      vcpu.passedWatchpoint = nil
      vcpu.runsNextAlone = false
      enterAlone(vcpu, id)
    } catch {
      guard case .guest(let exception) = error else { return .failed("translating \(vcpu.state.pc.hex0x()): \(error)") }
      return take(vcpu, exception)
    }
    switch vcpu.state.exitReason {
    case .unchained, .indirectMiss: break
    case let reason: if let outcome = handle(vcpu, reason) { return outcome }
    }
    while let transition = exceptionHardware?.pendingTransition(vcpu.state) {
      if let outcome = take(vcpu, transition) { return outcome }
    }
    return nil
  }

  /// What to say of a vCPU that is in the architecture's own lock-up state.
  private func lockUp(_ vcpu: VCPU, at pc: UInt64) -> RunOutcome? {
    exceptionHardware?.lockUp(vcpu.state).map { .lockedUp("hart \(vcpu.number) is locked up: \($0), at \(pc.hex0x())") }
  }

  private func debugStop(_ vcpu: VCPU) -> RunOutcome? { debugUnit?.takeDebugStop(vcpu.state).map { .caught($0) } }

  func begin(_ vcpu: VCPU, _ deadline: UInt64) {
    current = vcpu
    currentDeadline = deadline
    vcpu.enterMode()
    interpreter?.forgetReturns()
    if vcpus.count > 1, !vcpu.isWaiting { cutForeignChains(vcpu) }
    vcpu.watchHit = nil
    vcpu.state.store(UInt64(0), at: StateOffset.pendingRetired)
    if kicks != nil {
      vcpu.hostStart = HostClock.nanoseconds
      setTimer(vcpu)
    }
  }

  /// Sees to it that `vcpu` looks itself whether it may execute what another one chained.
  private func cutForeignChains(_ vcpu: VCPU) {
    let state = protection?.protectionState(vcpu.state) ?? []
    if state == chainProtection { return }
    chainProtection = state
    unchainAll()
  }

  func end(_ vcpu: VCPU) {
    current = nil
    clock.now = time(of: vcpu)
    vcpu.hostStart = .max
  }

  /// Interrupts and the deadline, where both may be seen.
  private func atInterruptPoint(_ vcpu: VCPU) -> RunOutcome? {
    if stopFlag.isRaised { stopProbe.noteStop() }
    acknowledgeKicks(vcpu)
    if let outcome = transferOutcome(vcpu) { return outcome }
    let givesWay = vcpu.givesWay
    vcpu.givesWay = false
    if vcpu.ticks >= currentDeadline || stopFlag.isRaised { return .deadline }
    if givesWay { return .yielded }
    return takeInterrupt(vcpu) ? debugStop(vcpu) ?? transferOutcome(vcpu) : nil
  }

  /// - Returns: whether there was one to take.
  @discardableResult
  func takeInterrupt(_ vcpu: VCPU) -> Bool {
    vcpu.mayInterrupt = false
    vcpu.isKicked = false
    guard let interrupt = guest.pendingInterrupt(vcpu.state) else { return false }
    log.write(.int, "hart \(vcpu.number): \(guest.exceptionName(interrupt.cause)) at \(vcpu.state.pc.hex0x())")
    statistics.interrupts &+= 1
    guest.enterException(vcpu.state, interrupt)
    vcpu.enterMode()
    return true
  }

  /// Makes a vCPU's header ready for translated code: the budget up to the deadline (none if the vCPU was kicked),
  /// nothing pending.
  func prepare(_ vcpu: VCPU) {
    let state = vcpu.state
    if let kicks {
      if isDue(vcpu) { kicks.kick(state) }
      state.budget = .max
      state.store(Int64.max, at: StateOffset.budgetStart)
      state.store(UInt64(0), at: StateOffset.pendingRetired)
      state.exitReason = nil
      return
    }
    var budget = vcpu.isKicked ? 0 : Int64(clamping: currentDeadline &- min(vcpu.ticks, currentDeadline))
    if options.tiers == .adaptive { budget = min(budget, sampleInterval) }
    state.budget = budget
    state.store(budget, at: StateOffset.budgetStart)
    state.store(UInt64(0), at: StateOffset.pendingRetired)
    state.exitReason = nil
  }

  /// Brings what ran since ``prepare(_:)`` into the vCPU's time.
  func account(_ vcpu: VCPU) {
    let state = vcpu.state
    state.store(UInt64(0), at: StateOffset.pendingRetired)
    let executed = vcpu.executedInRun
    if kicks != nil { vcpu.hostStart &+= executed &* clock.nanosecondsPerInstruction }
    vcpu.ticks &+= executed
    vcpu.retired &+= executed
    state.budget = 0
    state.store(Int64(0), at: StateOffset.budgetStart)
    if vcpu.decidedInterrupts {
      vcpu.decidedInterrupts = false
      vcpu.mayInterrupt = true
    }
  }

  /// - Returns: what ends the run, if anything.
  func handle(_ vcpu: VCPU, _ reason: ExitReason?) -> RunOutcome? {
    switch reason {
    case .budget:
      // A helper that changed the mode (an exception return) leaves this way.
      vcpu.enterMode()
      vcpu.mayInterrupt = true
    case .codeFence:
      vcpu.mayInterrupt = true
    case .stateChanged:
      vcpu.enterMode()
      vcpu.mayInterrupt = true
    case .exception:
      let exception = GuestException(
        cause: vcpu.state.exceptionCause, value: vcpu.state.exceptionValue, details: vcpu.exceptionDetails)
      vcpu.exceptionDetails = .zero
      return take(vcpu, exception)
    case .wait:
      if flagsFollowCode { vcpu.enterMode() }
      vcpu.mayInterrupt = true
      vcpu.isWaiting = !guest.wakesFromWait(vcpu.state)
      if vcpu.isWaiting { return .waiting }
      // An interrupt is pending and held off: who waits in a loop all the same (firmware, for its hart to be started) would
      // take its whole part of the round for that.
      if vcpus.count > 1, guest.pendingInterrupt(vcpu.state) == nil {
        idle(vcpu, until: min(currentDeadline, vcpu.ticks &+ Self.doze))
      }
      return nil
    case .yield:
      if flagsFollowCode { vcpu.enterMode() }
      vcpu.mayInterrupt = true
      if vcpus.count > 1 { return .yielded }
      if kicks == nil { idle(vcpu, until: min(currentDeadline, vcpu.ticks &+ Self.doze)) }
      return nil
    case .breakpoint: return .breakpoint
    case .watchpoint: return atWatchpoint(vcpu)
    case .semihosting: return .semihosting
    case .step:
      // An instruction was abandoned, perhaps in the midst of a block.
      if flagsFollowCode { vcpu.enterMode() }
    case .unchained, .indirectMiss, nil: break
    }
    return nil
  }

  /// Enters the guest's handler. A step of time passes, so that an endless loop of exceptions ends at the deadline.
  func take(_ vcpu: VCPU, _ exception: GuestException) -> RunOutcome? {
    let pc = vcpu.state.pc
    statistics.exceptions &+= 1
    log.write(
      .int,
      "hart \(vcpu.number): \(guest.exceptionName(exception.cause)) value \(exception.value.hex0x()) at \(pc.hex0x())")
    guest.enterException(vcpu.state, exception)
    vcpu.enterMode()
    vcpu.ticks &+= 1
    vcpu.mayInterrupt = true
    if let outcome = lockUp(vcpu, at: pc) {
      guard vcpu.isKnownLockedUp else {
        vcpu.isKnownLockedUp = true
        return outcome
      }
      vcpu.isWaiting = true
    }
    if let stop = debugStop(vcpu) { return stop }
    if vcpu.isWaiting { return .waiting }
    let last = vcpu.repeatedException
    let isRepeated = last.pc == pc && last.retired == vcpu.retired
    vcpu.repeatedException = RepeatedException(
      pc: pc, retired: vcpu.retired, count: isRepeated ? last.count + 1 : 0)
    if !isRepeated { vcpu.isKnownLockedUp = false }
    guard vcpu.repeatedException.count >= 100 else { return nil }
    vcpu.repeatedException.count = 0
    if vcpu.isKnownLockedUp { return nil }
    vcpu.isKnownLockedUp = true
    return .lockedUp(
      "hart \(vcpu.number) is locked up: \(guest.exceptionName(exception.cause)) at \(pc.hex0x()), value "
        + "\(exception.value.hex0x()), raised again by its own handler")
  }

  /// Does what ``take(_:_:)`` does while translated code runs, if that cannot end the run.
  /// - Returns: false if it might; nothing was done.
  func takeInCode(_ vcpu: VCPU, _ exception: GuestException) -> Bool {
    let pc = vcpu.state.pc
    let retired = vcpu.retiredInstructions
    let last = vcpu.repeatedException
    guard !vcpu.isStepping, vcpu.opSession == nil, !log.isOn(.int), last.pc != pc || last.retired != retired else {
      return false
    }
    statistics.exceptions &+= 1
    guest.enterException(vcpu.state, exception)
    vcpu.modeChanged()
    vcpu.repeatedException = RepeatedException(pc: pc, retired: retired)
    vcpu.passTick()
    if guest.pendingInterrupt(vcpu.state) != nil { vcpu.kick() }
    return true
  }

  /// Lets the next run execute the instruction at PC even if there is a breakpoint on it, or not.
  public func passBreakpoint(_ vcpu: VCPU, _ passes: Bool = true) {
    vcpu.passedBreakpoint = passes ? vcpu.state.pc : nil
  }

  /// Ticks that pass in a wait that a held off interrupt ends at once, and in one for another vCPU where there is none.
  private static var doze: UInt64 { 4096 }

  /// Lets time pass for a vCPU that waits.
  public func idle(_ vcpu: VCPU, until ticks: UInt64) { vcpu.ticks = max(vcpu.ticks, ticks) }

  /// Lets a vCPU that waits go on.
  public func endWait(_ vcpu: VCPU) { vcpu.isWaiting = false }

  /// Lowers the flag that ``requestStop()`` raised.
  public func clearStopRequest() { stopFlag.lower() }
}
