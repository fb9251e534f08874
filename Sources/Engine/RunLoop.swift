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
  /// An exception that a debugger wants to see was entered, the guest asks for its debugger, or something has happened that
  /// a ``DebugObserver`` waits for: the text says what.
  case caught(String)
  /// An exception of the instruction at PC that the vCPU's ``ExceptionHandler`` wants to be dealt with outside of the run.
  case exception(GuestException)
  /// The guest raises the same exception for ever: the text says which and where. Said once; after that the vCPU stays
  /// as it is, as hardware does, and others run on.
  case lockedUp(String)
  /// Translation failed for a reason that lies in Martlet.
  case failed(String)
}

extension VCPU {
  /// Runs until its time reaches `deadline` (in ticks) or something ends the run earlier.
  ///
  /// Interrupts are taken, and the deadline is seen, only where the architecture of the guest's code says so: after
  /// taken backward branches and indirect jumps, exceptions, waits, changes of system state, and stores that decide about
  /// interrupts. So a run does not depend on how code was cut into blocks.
  ///
  /// - Parameter round: where waits end at the latest, if not at the deadline. Who cuts runs where others would not gives it, so
  ///   that all goes as it does without.
  public func run(until deadline: UInt64, ofRound round: UInt64? = nil) -> RunOutcome {
    begin(deadline)
    waitEnd = round ?? deadline
    defer { end() }
    if isInsideBlock(), let outcome = finishOps() { return outcome }
    if let reason = debugUnit?.takeDebugStop(state) { return .caught(reason) }
    if progress.isWaiting {
      guard guest.wakesFromWait(state) else { return .waiting }
      progress.isWaiting = false
    }
    guardian.forgetWatchedAccesses()
    if let outcome = passWatchpoint() { return outcome }
    while true {
      // A jump that a kick has turned back ends here too, perhaps one into another mode.
      if let kicks, kicks.pending.isRaised {
        enterMode()
        progress.mayInterrupt = true
      }
      while let transition = exceptionHardware?.pendingTransition(state) {
        if let outcome = enter(transition) { return outcome }
      }
      if watched[0].isCounting || watched[0].isPending, let outcome = countOutcome() { return outcome }
      if progress.mayInterrupt {
        if let outcome = atInterruptPoint() { return outcome }
      }
      let pc = state.pc
      if debug.isBreakpoint(pc), passedBreakpoint != pc {
        if stops(at: pc) { return .breakpoint }
        // A debugger's filter has looked at the hart, and may have set another PC.
        guard state.pc == pc else { continue }
        if let outcome = matchInstruction() { return outcome }
        continue
      }
      // A breakpoint that execution goes on from is stepped over, so that no block contains it.
      let isAlone = debug.isBreakpoint(pc) || progress.runsNextAlone || follower != nil || watched[0].isCounting
      let id: BlockID
      do throws(TranslationFailure) {
        id = try block(at: pc, isAlone ? .step : .normal)
      } catch {
        guard case .guest(let exception) = error else { return .failed("translating \(pc.hex0x()): \(error)") }
        if let outcome = take(exception) { return outcome }
        continue
      }
      passedBreakpoint = nil
      progress.runsNextAlone = false
      if progress.passedWatchpoint != nil { progress.passedWatchpoint = nil }
      if isAlone {
        executeAlone(id)
      } else {
        dispatch(from: id)
      }
      switch state.exitReason {
      case .unchained, .indirectMiss: if flagsFollowCode { enterMode() }
      case .budget:
        noteStop()
        _ = handle(.budget)
        if kicks == nil { sample() }
      case let reason:
        if profile.countsExecutions, let reason { profile.note(.left(reason), at: state.pc) }
        if let outcome = handle(reason) { return outcome }
      }
    }
  }

  /// Executes one guest instruction; entering a handler, for an exception or an interrupt that is due, counts as one.
  ///
  /// - Parameter deadline: as of ``run(until:)``; ``VCPU/mayInterrupt`` tells whether it could be seen.
  public func step(until deadline: UInt64 = .max) -> RunOutcome {
    begin(deadline)
    defer { end() }
    if isInsideBlock() { return finishOps() ?? .stepped }
    if let outcome = lockUp(at: state.pc) { return outcome }
    if progress.isWaiting, !guest.wakesFromWait(state) { return .waiting }
    progress.isWaiting = false
    if progress.mayInterrupt, !debug.masksInterruptsInSteps, takeInterrupt() {
      return debugStop() ?? transferOutcome() ?? .stepped
    }
    let isPassing = progress.passedWatchpoint == state.pc
    return (isPassing ? executeWatched() : executeOne()) ?? transferOutcome() ?? countOutcome() ?? .stepped
  }

  /// Executes the instruction at PC by itself, with all that it leads to.
  func executeOne() -> RunOutcome? {
    do throws(TranslationFailure) {
      let id = try block(at: state.pc, .step)
      passedBreakpoint = nil
      progress.passedWatchpoint = nil
      progress.runsNextAlone = false
      executeAlone(id)
    } catch {
      guard case .guest(let exception) = error else { return .failed("translating \(state.pc.hex0x()): \(error)") }
      return take(exception)
    }
    switch state.exitReason {
    case .unchained, .indirectMiss: break
    case let reason: if let outcome = handle(reason) { return outcome }
    }
    return takeTransitions()
  }

  /// Does what the last instruction still does: an exception return is part of the jump to its address.
  func takeTransitions() -> RunOutcome? {
    while let transition = exceptionHardware?.pendingTransition(state) {
      if let outcome = enter(transition) { return outcome }
    }
    return nil
  }

  func begin(_ deadline: UInt64) {
    runners.current = self
    (self.deadline, waitEnd) = (deadline, deadline)
    if watched[0].counts || watched[0].isCounting { approachCounts(deadline) }
    enterMode()
    interpreter?.forgetReturns()
    if runners.isSeveral, !progress.isWaiting { code.cutForeignChains(protection?.protectionState(state) ?? []) }
    watchHit = nil
    state.store(UInt64(0), at: StateOffset.pendingRetired)
    if kicks != nil {
      hostStart = HostClock.nanoseconds
      setTimer()
    }
  }

  func end() {
    runners.current = nil
    clock.now = time
    hostStart = .max
  }

  /// Interrupts and the deadline, where both may be seen.
  private func atInterruptPoint() -> RunOutcome? {
    if runners.stopFlag.isRaised { runners.stopProbe.noteStop() }
    acknowledgeKicks()
    if let outcome = transferOutcome() { return outcome }
    let givesWay = progress.givesWay
    progress.givesWay = false
    if progress.ticks >= deadline || runners.stopFlag.isRaised { return .deadline }
    if givesWay { return .yielded }
    return takeInterrupt() ? debugStop() ?? transferOutcome() : nil
  }

  /// Makes a vCPU's header ready for translated code: the budget up to the deadline (none if the vCPU was kicked),
  /// nothing pending.
  func prepare() {
    let state = state
    if let kicks {
      if isDue() { kicks.kick(state) }
      state.budget = .max
      state.store(Int64.max, at: StateOffset.budgetStart)
      state.store(UInt64(0), at: StateOffset.pendingRetired)
      state.exitReason = nil
      return
    }
    var budget = progress.isKicked ? 0 : Int64(clamping: deadline &- min(progress.ticks, deadline))
    if options.tiers == .adaptive { budget = min(budget, sampler.interval) }
    state.budget = budget
    state.store(budget, at: StateOffset.budgetStart)
    state.store(UInt64(0), at: StateOffset.pendingRetired)
    state.exitReason = nil
  }

  /// Brings what ran since ``prepare()`` into the vCPU's time.
  func account() {
    let state = state
    state.store(UInt64(0), at: StateOffset.pendingRetired)
    let executed = executedInRun
    if kicks != nil { hostStart &+= executed &* clock.nanosecondsPerInstruction }
    progress.ticks &+= executed
    progress.retired &+= executed
    state.budget = 0
    state.store(Int64(0), at: StateOffset.budgetStart)
    if decidedInterrupts {
      decidedInterrupts = false
      progress.mayInterrupt = true
    }
  }

  /// - Returns: what ends the run, if anything.
  func handle(_ reason: ExitReason?) -> RunOutcome? {
    switch reason {
    case .budget:
      // A helper that changed the mode (an exception return) leaves this way.
      enterMode()
      progress.mayInterrupt = true
    case .codeFence:
      progress.mayInterrupt = true
    case .stateChanged:
      enterMode()
      progress.mayInterrupt = true
    case .exception:
      let exception = GuestException(
        cause: state.exceptionCause, value: state.exceptionValue, details: exceptionDetails)
      exceptionDetails = .zero
      return take(exception)
    case .wait:
      if flagsFollowCode { enterMode() }
      progress.mayInterrupt = true
      progress.isWaiting = !guest.wakesFromWait(state)
      if progress.isWaiting { return .waiting }
      // The wait ended at once, for an interrupt that is pending but masked. Software that waits in a loop all the same
      // (firmware, for its hart to be started) would turn in it until the end of its part of the round: let time pass.
      if runners.isSeveral, guest.pendingInterrupt(state) == nil {
        idle(until: min(waitEnd, progress.ticks &+ Self.doze))
      }
      return nil
    case .yield:
      if flagsFollowCode { enterMode() }
      progress.mayInterrupt = true
      if runners.isSeveral { return .yielded }
      if kicks == nil { idle(until: min(waitEnd, progress.ticks &+ Self.doze)) }
      return nil
    case .breakpoint: return .breakpoint
    case .watchpoint: return atWatchpoint()
    case .semihosting: return .semihosting
    case .step:
      // An instruction was abandoned, to be executed in a block of its own; those before it may have changed the mode.
      progress.runsNextAlone = true
      if flagsFollowCode { enterMode() }
    case .unchained, .indirectMiss, nil: break
    }
    return nil
  }

  /// Whether the vCPU, which has come to where it stands, stops at a breakpoint there; if not, it passes it.
  public func stopsAtBreakpoint() -> Bool {
    guard debug.isBreakpoint(state.pc) else { return false }
    if stops(at: state.pc) { return true }
    passBreakpoint()
    return false
  }

  /// Asks the filters of a breakpoint where the vCPU stands; for a stop within the block there, ``wantedOp`` says which.
  private func stops(at pc: UInt64) -> Bool {
    wantedOp = nil
    guard debug.stops(self, at: pc) else { return wantedOp != nil }
    wantedOp = nil
    return true
  }

  /// Lets the next run execute the instruction at PC even if there is a breakpoint on it, or not.
  public func passBreakpoint(_ passes: Bool = true) {
    passedBreakpoint = passes ? state.pc : nil
  }

  /// Ticks that pass in a wait that a held off interrupt ends at once, and in one for another vCPU where there is none.
  private static var doze: UInt64 { 4096 }

  /// Lets time pass for a vCPU that waits.
  public func idle(until ticks: UInt64) { progress.ticks = max(progress.ticks, ticks) }

  /// Lets a vCPU that waits go on.
  public func endWait() { progress.isWaiting = false }
}
