// Owns the entering of the guest's handlers, for exceptions and interrupts, and what keeps a vCPU from going on.

import Bits
import GuestKit
import HostKit
import IR

extension VCPU {
  /// - Returns: whether there was one to take.
  @discardableResult
  func takeInterrupt() -> Bool {
    progress.mayInterrupt = false
    progress.isKicked = false
    guard let interrupt = guest.pendingInterrupt(state) else { return false }
    engineLog.write(.int, "hart \(number): \(guest.exceptionName(interrupt.cause)) at \(state.pc.hex0x())")
    profile.statistics.interrupts &+= 1
    guest.enterException(state, interrupt)
    enterMode()
    return true
  }

  /// The instruction at PC raises an exception. A step of time passes, so that an endless loop of exceptions ends at the
  /// deadline.
  func take(_ exception: GuestException) -> RunOutcome? {
    switch exceptionHandler?.handle(exception, on: self) ?? .enter {
    case .enter: return enter(exception)
    case .stop: return .exception(exception)
    case .resume:
      enterMode()
      progress.ticks &+= 1
      progress.mayInterrupt = true
      return nil
    }
  }

  /// Enters the guest's handler.
  func enter(_ exception: GuestException) -> RunOutcome? {
    let pc = state.pc
    profile.statistics.exceptions &+= 1
    engineLog.write(
      .int,
      "hart \(number): \(guest.exceptionName(exception.cause)) value \(exception.value.hex0x()) at \(pc.hex0x())")
    guest.enterException(state, exception)
    enterMode()
    progress.ticks &+= 1
    progress.mayInterrupt = true
    if let outcome = lockUp(at: pc) {
      guard isKnownLockedUp else {
        isKnownLockedUp = true
        return outcome
      }
      progress.isWaiting = true
    }
    if let stop = debugStop() { return stop }
    if progress.isWaiting { return .waiting }
    let last = progress.repeatedException
    let isRepeated = last.pc == pc && last.retired == progress.retired
    progress.repeatedException = RepeatedException(
      pc: pc, retired: progress.retired, count: isRepeated ? last.count + 1 : 0)
    if !isRepeated { isKnownLockedUp = false }
    guard progress.repeatedException.count >= 100 else { return nil }
    progress.repeatedException.count = 0
    if isKnownLockedUp { return nil }
    isKnownLockedUp = true
    return .lockedUp(
      "hart \(number) is locked up: \(guest.exceptionName(exception.cause)) at \(pc.hex0x()), value "
        + "\(exception.value.hex0x()), raised again by its own handler")
  }

  /// Does what ``take(_:)`` does while translated code runs, if that cannot end the run.
  /// - Returns: false if it might; nothing was done.
  func takeInCode(_ exception: GuestException) -> Bool {
    let pc = state.pc
    let retired = retiredInstructions
    let last = progress.repeatedException
    guard exceptionHandler == nil, !watched[0].handlers, !isStepping, opSession == nil, !engineLog.isOn(.int),
      last.pc != pc || last.retired != retired
    else {
      return false
    }
    profile.statistics.exceptions &+= 1
    guest.enterException(state, exception)
    modeChanged()
    progress.repeatedException = RepeatedException(pc: pc, retired: retired)
    passTick()
    if guest.pendingInterrupt(state) != nil { kick() }
    return true
  }

  /// What to say of a vCPU that is in the architecture's own lock-up state.
  func lockUp(at pc: UInt64) -> RunOutcome? {
    exceptionHardware?.lockUp(state).map { .lockedUp("hart \(number) is locked up: \($0), at \(pc.hex0x())") }
  }

  /// What ends a run that has just entered a handler.
  func debugStop() -> RunOutcome? { debugUnit?.takeDebugStop(state).map { .caught($0) } ?? eventOutcome() }
}
