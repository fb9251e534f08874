// Owns flow control from the host: the guest is held while what it printed waits for a slow reader.

import Synchronization

/// Holds the guest, at the end of a slice; whatever else reaches the machine, a debugger for one, is served meanwhile.
public final class OutputGate: Sendable {
  private let holds = Atomic<Int>(0)
  private let onChange = Mutex<(@Sendable () -> Void)?>(nil)

  public init() {}

  /// Holds the guest until ``release()`` was called as often.
  public func hold() { change(by: 1) }
  public func release() { change(by: -1) }

  var isClosed: Bool { holds.load(ordering: .acquiring) > 0 }

  /// Has `body` called, on any thread, whenever it should be looked whether the gate is closed.
  func observe(_ body: @escaping @Sendable () -> Void) { onChange.withLock { $0 = body } }

  private func change(by count: Int) {
    holds.add(count, ordering: .acquiringAndReleasing)
    onChange.withLock { $0 }?()
  }
}
