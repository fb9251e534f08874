// Owns the queue through which other threads reach the machine's thread.

import Glibc
import Synchronization

/// A queue of work for one thread. Work is done in the order it was submitted: by the thread, or, while that rests and others
/// wait for nothing, in its place by whoever brings the work and would wait for it. Two threads never work at once.
final class Door: @unchecked Sendable {
  private struct State {
    var work: [() -> Void] = []
    var isClosed = false
    var isOpen = false
    var owner: pthread_t?
    /// The owner waits in ``rest()``.
    var isResting = false
    /// It is to end that: somebody has left it something to do.
    var isDue = false
    /// Works in the owner's place.
    var substitute: pthread_t?
  }
  private let state = Guarded(State())
  private let hasWork = Atomic<Bool>(false)
  /// Called, under no lock, whenever work arrives.
  var onArrival: () -> Void = {}
  /// Whether the owner has something to do of its own. Asked by whoever works.
  var isOwnerNeeded: () -> Bool = { false }

  /// From now on a thread of its own works; until then whoever calls does.
  func open() { state.withLock { $0.isOpen = true } }

  /// Makes the calling thread the one that works.
  func own() { state.withLock { $0.owner = pthread_self() } }

  /// Whether the calling thread is the one that works.
  var isInside: Bool {
    state.withLock { state in
      !state.isOpen
        || [state.owner, state.substitute].contains { $0.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }
  }

  /// Does not wait for the work to be done.
  func post(_ body: @escaping () -> Void) {
    state.change {
      $0.work.append(body)
      hasWork.store(true, ordering: .releasing)
    }
    onArrival()
  }

  /// Waits for the work to be done.
  func submit<T>(_ body: @escaping () -> T) -> T {
    if substitutes() {
      defer { endSubstitution() }
      return body()
    }
    let slot = Slot<T>()
    post { [state] in
      let value = body()
      state.change { _ in slot.value = value }
    }
    return state.wait { _ in slot.value }
  }

  /// Takes the place of the owner, if that rests.
  private func substitutes() -> Bool {
    state.withLock { state in
      guard state.isResting, !state.isDue, !state.isClosed, state.work.isEmpty, state.substitute == nil else {
        return false
      }
      state.substitute = pthread_self()
      return true
    }
  }

  private func endSubstitution() {
    let isOwnerNeeded = isOwnerNeeded()
    let endsRest = state.withLock { state in
      state.substitute = nil
      state.isDue = isOwnerNeeded
      return isOwnerNeeded || !state.work.isEmpty || state.isClosed
    }
    if endsRest { state.change { _ in } }
  }

  /// Guarded by `state`'s lock.
  private final class Slot<T> { var value: T? }

  var isEmpty: Bool { !hasWork.load(ordering: .acquiring) }

  /// Does all work there is. Returns false once the door is closed.
  func serve() -> Bool {
    while true {
      let (batch, isClosed) = state.withLock { state in
        defer { state.work.removeAll() }
        hasWork.store(false, ordering: .relaxed)
        return (state.work, state.isClosed)
      }
      for body in batch { body() }
      if batch.isEmpty { return !isClosed }
    }
  }

  /// Sleeps until there is something to do for the owner, or the door is closed. Meanwhile others may work in its place.
  func rest() {
    state.wait { state in
      let ends = state.substitute == nil && (state.isDue || !state.work.isEmpty || state.isClosed)
      state.isResting = !ends
      if ends { state.isDue = false }
      return ends ? () : nil
    }
  }

  /// Sleeps until work arrives or the door is closed; not before ``open()``, when none could come.
  func wait() { state.wait { $0.isOpen && $0.work.isEmpty && !$0.isClosed ? nil : () } }

  /// The same, for `nanoseconds` at most. Returns whether there is work.
  func wait(nanoseconds: UInt64) -> Bool {
    state.wait(nanoseconds: nanoseconds) { $0.work.isEmpty && !$0.isClosed ? nil : () } != nil
  }

  func close() {
    state.change { $0.isClosed = true }
    onArrival()
  }
}
