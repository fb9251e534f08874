// Owns the waiting for a stop of the machine, for commands that run the guest.

import Machine

/// Counts stops, and lets a thread wait for the next one.
final class StopWaiter: Sendable {
  private struct State {
    var count = 0
    var last: StopEvent?
    var waiters = 0
  }
  private let state = Guarded(State())

  func note(_ event: StopEvent) {
    state.change {
      $0.count += 1
      $0.last = event
    }
  }

  /// Announces that a stop will be waited for. Every call is followed by one of ``wait(after:seconds:)``.
  /// - Returns: the number of stops so far.
  func expectStop() -> Int {
    state.withLock {
      $0.waiters += 1
      return $0.count
    }
  }

  /// Whether a command waits, and will show the stop itself.
  var isAwaited: Bool { state.withLock { $0.waiters > 0 } }

  /// The stop that came after the first `number`; nil if none comes in time.
  func wait(after number: Int, seconds: Int) -> StopEvent? {
    defer { state.withLock { $0.waiters -= 1 } }
    return state.wait(nanoseconds: UInt64(seconds) * 1_000_000_000) { $0.count > number ? $0.last : nil }
  }
}
