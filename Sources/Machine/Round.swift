// Owns the round: how far every hart runs before events fire and input takes effect, and whose turn it is.

import Bus
import Engine

/// A round of the harts, of which ``Machine/roundEnd`` says when it ends.
struct Round: Codable, Sendable {
  /// Ticks; never raised while the round lasts.
  private(set) var end: UInt64 = 0
  /// The hart whose turn it is.
  var nextHart = 0
  /// Harts before ``nextHart`` may still have time of the round to spend.
  var hasPassedTurn = false
  /// No other has begun.
  var isOver = true
  /// All harts waited when it began.
  private(set) var isIdle = false

  mutating func begin(end: UInt64, isIdle: Bool) { (self.end, self.isIdle) = (end, isIdle) }
  mutating func shorten(to end: UInt64) { self.end = min(self.end, end) }
  mutating func finish() { (nextHart, hasPassedTurn, isOver) = (0, false, true) }
}

extension Machine {
  /// The time (ticks) that every hart is to reach. Whoever asks gets an end that knows of all that was scheduled up to now;
  /// one that something has brought forward stays, whatever becomes of its reason.
  var roundEnd: UInt64 {
    round.shorten(to: deadline)
    return round.end
  }

  /// When something next happens to all harts: an event, input of a replay, the end of the run. In ticks, `.max` for never.
  private var deadline: UInt64 {
    var deadline = replay.last?.ticks ?? .max
    if events.nextDeadline != .max { deadline = min(deadline, engine.ticks(until: events.nextDeadline)) }
    if let limit = runLimit, limit > 0 { deadline = min(deadline, limit) }
    // All harts wait: time passes up to where it had come to.
    if round.isIdle, let rerun { deadline = min(deadline, rerun.target.ticks) }
    // A time that a debugger waits for shortens a wait; not a round in which harts take turns, whose order would change.
    if engine.vcpus.count == 1 || round.isIdle, let time = engine.debug.events.nextTime {
      deadline = min(deadline, time)
    }
    return deadline
  }
}
