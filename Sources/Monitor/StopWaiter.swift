// Owns the waiting for a stop of the machine, for commands that run the guest.

import Machine

/// Counts stops, and lets a thread wait for the next one.
final class StopWaiter: Sendable {
  private struct State {
    var count = 0
    var last: StopEvent?
    var waiters = 0
    /// Lines for whoever waits.
    var lines: [String] = []
    var lost = 0

    mutating func takeLines() -> [String] {
      defer { (lines, lost) = ([], 0) }
      return lost == 0 ? lines : lines + ["[\(lost) more logged faster than they could be shown]"]
    }
  }
  /// Lines kept for a waiter that is slow to show them.
  private static let mostLines = 1000
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

  /// Takes back what ``expectStop()`` announced.
  func giveUp() { state.change { $0.waiters -= 1 } }

  /// Leaves a line for whoever waits for a stop to show.
  /// - Returns: whether somebody does.
  func post(_ line: String) -> Bool {
    state.change { state in
      guard state.waiters > 0 else { return false }
      if state.lines.count < Self.mostLines { state.lines.append(line) } else { state.lost += 1 }
      return true
    }
  }

  /// The stop that came after the first `number`; nil if the command is cancelled before.
  func wait(after number: Int, _ run: CommandRun) -> StopEvent? {
    run.whenCancelled { [state] in state.change { _ in } }
    while true {
      let (lines, outcome) = state.wait { state -> ([String], StopEvent??)? in
        let event = state.count > number ? state.last : nil
        let isOver = event != nil || run.isCancelled
        guard isOver || !state.lines.isEmpty else { return nil }
        if isOver { state.waiters -= 1 }
        return (state.takeLines(), isOver ? .some(event) : nil)
      }
      for line in lines { run.show(line + "\n") }
      if let outcome { return outcome }
    }
  }
}
