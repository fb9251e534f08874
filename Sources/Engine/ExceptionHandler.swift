// Owns the seam through which exceptions leave the run loop to the program around an engine, in place of the guest's handler:
// a runner of user programs serves their calls itself.

import GuestKit

/// Sees each exception that an instruction of a vCPU raises, interrupts excepted, before the guest's state is changed for
/// it. PC is that of the instruction.
public protocol ExceptionHandler: AnyObject {
  func handle(_ exception: GuestException, on vcpu: VCPU) -> ExceptionVerdict
}

/// What becomes of an exception that a handler has seen.
public enum ExceptionVerdict: Sendable {
  /// The guest's own handler is entered.
  case enter
  /// It is dealt with: the vCPU goes on at its PC, which the handler has moved or not.
  case resume
  /// The run ends with ``RunOutcome/exception(_:)``.
  case stop
}
