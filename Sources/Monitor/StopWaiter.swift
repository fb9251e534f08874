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

  /// - Returns: whether a command waits for the stop, and will show it itself.
  func note(_ event: StopEvent) -> Bool {
    state.change {
      $0.count += 1
      $0.last = event
      return $0.waiters > 0
    }
  }

  /// Announces that a stop will be waited for. Every call is followed by one of ``wait(after:_:)``.
  /// - Returns: the number of stops so far.
  func expectStop() -> Int {
    state.withLock {
      $0.waiters += 1
      return $0.count
    }
  }

  /// The stop that came after the first `number`; nil if the command is cancelled before.
  func wait(after number: Int, _ run: CommandRun) -> StopEvent? {
    run.whenCancelled { [state] in state.change { _ in } }
    return state.wait { state -> StopEvent?? in
      let event = state.count > number ? state.last : nil
      guard event != nil || run.isCancelled else { return nil }
      state.waiters -= 1
      return .some(event)
    }
  }
}
