// Owns flow control from the host: the guest is held while what it printed waits for a slow reader.

import Synchronization

/// Holds the guest, at the end of a slice; whatever else reaches the machine, a debugger for one, is served meanwhile.
public final class OutputGate: Sendable {
  private let holds = Atomic<Int>(0)
  /// A type of its own: Swift would wrap a bare function once more at each look under the lock.
  private struct Observer {
    var onChange: (@Sendable () -> Void)?
  }
  private let observer = Mutex(Observer())

  public init() {}

  /// Holds the guest until ``release()`` was called as often.
  public func hold() { change(by: 1) }
  public func release() { change(by: -1) }

  var isClosed: Bool { holds.load(ordering: .acquiring) > 0 }

  /// Has `body` called, on any thread, whenever it should be looked whether the gate is closed.
  func observe(_ body: @escaping @Sendable () -> Void) { observer.withLock { $0.onChange = body } }

  private func change(by count: Int) {
    holds.add(count, ordering: .acquiringAndReleasing)
    observer.withLock { $0.onChange }?()
  }
}
