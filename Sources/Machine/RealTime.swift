// Owns how virtual time is held back to the user's clock. Only waiting is added: what a run does is the same without.

import Bits
import Engine

/// Two clocks side by side: the user's and the guest's, from a moment on at which the guest began to run.
///
/// A guest that falls behind, because it has more to do than the host is fit for, makes up for 50 ms at most; for what
/// is beyond it the clocks are laid side by side anew, so that time that the user waits for is not cut short later.
package struct Pace {
  /// Seconds of the guest to a second of the user's.
  private let factor: Double
  /// Both in nanoseconds.
  private var start: (user: UInt64, guest: UInt64)?
  /// Nanoseconds of the user's clock.
  private static let longestDelay = 50_000_000.0

  package init(factor: Double) { self.factor = factor }

  /// The clocks run side by side from now on, if they do not yet; the guest's shows `guest`.
  package mutating func begin(at guest: UInt64, now user: UInt64) {
    if start == nil { start = (user, guest) }
  }

  /// One of the clocks will stand still or jump.
  package mutating func end() { start = nil }

  /// Nanoseconds of the user's clock until the guest's may show `guest`; 0 when it may.
  package mutating func wait(until guest: UInt64, now user: UInt64) -> UInt64 {
    begin(at: guest, now: user)
    guard let start else { return 0 }
    let ahead = (Double(guest) - Double(start.guest)) / factor - (Double(user) - Double(start.user))
    if ahead < -Self.longestDelay { self.start = (user, guest) }
    return UInt64(min(max(0, ahead.rounded(.up)), 1e18))
  }

  /// What the guest's clock may show.
  package func guest(at user: UInt64) -> UInt64 {
    guard let start else { return 0 }
    return start.guest &+ UInt64(min(max(0, Double(user &- start.user) * factor), 1e18))
  }
}

extension Machine {
  /// Waits, all harts waiting too, until the round is due to end; without a limit if it has no end. If somebody wants in
  /// before, the round ends then.
  /// - Returns: whether there is a round to run.
  func idle(from start: UInt64) -> Bool {
    if rerun != nil { return roundEnd != .max }
    guard stepRequest == nil, !hasSteppingHart else {
      // The step may have to say that there is none to make.
      if roundEnd == .max { _ = door.wait(nanoseconds: 50_000_000) }
      return roundEnd != .max
    }
    guard pace != nil else {
      if roundEnd == .max { door.wait() }
      return roundEnd != .max
    }
    let unit = clock.nanosecondsPerInstruction
    pace?.begin(at: start &* unit, now: HostClock.nanoseconds)
    if roundEnd == .max { door.wait() } else if isDue(roundEnd) { return true }
    round.shorten(to: max(start, (pace?.guest(at: HostClock.nanoseconds) ?? 0) / unit))
    return roundEnd > start
  }

  /// Waits until the user's clock allows a time, in ticks. Returns false if somebody wants in before.
  func isDue(_ ticks: UInt64) -> Bool {
    guard let left = pace?.wait(until: ticks &* clock.nanosecondsPerInstruction, now: HostClock.nanoseconds), left > 0
    else {
      return true
    }
    return !door.wait(nanoseconds: left)
  }
}
