// Owns what is printed at the target for the client's console, on its way from the machine's thread to the server's.

import Synchronization

/// Text that waits to be taken. The machine never waits for it: what is printed faster than a client takes it is lost, and
/// how much that was is said.
final class ConsoleText: Sendable {
  private struct State {
    var text = ""
    var lost = 0
    var isAwaited = false
  }

  private static let limit = 1 << 16

  private let state = Mutex(State())

  /// - Returns: whether somebody has to be sent to take it.
  func add(_ text: String) -> Bool {
    state.withLock { state in
      if state.text.utf8.count + text.utf8.count > Self.limit { state.lost += 1 } else { state.text += text }
      defer { state.isAwaited = true }
      return !state.isAwaited
    }
  }

  func take() -> String {
    state.withLock { state in
      defer { state = State() }
      return state.lost == 0
        ? state.text : state.text + "[\(state.lost) more printed faster than they could be shown]\n"
    }
  }
}
