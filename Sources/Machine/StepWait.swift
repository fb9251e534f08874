// Owns what a user is told of time that passed while a stepped hart waited for an interrupt.

import Bits

/// A wait in the steps since the last ``Machine/resume(_:passesBreakpoints:)``.
public struct StepWait: Sendable, Equatable {
  /// Virtual time that passed.
  public var nanoseconds: UInt64
  /// Nothing else would have ended it soon.
  public var wasEnded: Bool

  public var words: String {
    let time = "\(seconds(nanoseconds)) of virtual time passed in a wait for an interrupt"
    guard wasEnded else { return time }
    return nanoseconds == 0
      ? "the step ended a wait for an interrupt that nothing else would have ended"
      : "\(time), which the step ended, as nothing else did"
  }
}

extension Machine {
  public var stepWait: StepWait? {
    guard stepsWaited > 0 || stepEndedWait else { return nil }
    return StepWait(nanoseconds: stepsWaited &* clock.nanosecondsPerInstruction, wasEnded: stepEndedWait)
  }
}

/// `0.008000000 s`
public func seconds(_ nanoseconds: UInt64) -> String {
  let fraction = String(nanoseconds % 1_000_000_000)
  return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 9 - fraction.count) + fraction + " s"
}
