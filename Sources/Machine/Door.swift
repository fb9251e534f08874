// Owns the queue through which other threads reach the machine's thread.

import Glibc
import Synchronization

/// A queue of work for one thread. Work is done in the order it was submitted.
@safe final class Door: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var work: [() -> Void] = []
  private var isClosed = false
  private var isOpen = false
  private var owner: pthread_t?
  private let hasWork = Atomic<Bool>(false)
  /// Called, under no lock, whenever work arrives.
  var onArrival: () -> Void = {}

  init() {
    unsafe mutex = .allocate(capacity: 1)
    unsafe condition = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(condition, nil)
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe pthread_cond_destroy(condition)
    unsafe mutex.deallocate()
    unsafe condition.deallocate()
  }

  /// From now on a thread of its own works; until then whoever calls does.
  func open() { locked { isOpen = true } }

  /// Makes the calling thread the one that works.
  func own() { locked { owner = pthread_self() } }

  /// Whether the calling thread is the one that works.
  var isInside: Bool {
    locked { isOpen ? owner.map { pthread_equal($0, pthread_self()) != 0 } ?? false : true }
  }

  private func locked<T>(_ body: () -> T) -> T {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Does not wait for the work to be done.
  func post(_ body: @escaping () -> Void) {
    unsafe pthread_mutex_lock(mutex)
    work.append(body)
    hasWork.store(true, ordering: .releasing)
    unsafe pthread_cond_broadcast(condition)
    unsafe pthread_mutex_unlock(mutex)
    onArrival()
  }

  /// Waits for the work to be done.
  func submit<T>(_ body: @escaping () -> T) -> T {
    let slot = Slot<T>()
    post { [self] in
      let value = body()
      unsafe pthread_mutex_lock(mutex)
      slot.value = value
      unsafe pthread_cond_broadcast(condition)
      unsafe pthread_mutex_unlock(mutex)
    }
    unsafe pthread_mutex_lock(mutex)
    while slot.value == nil { unsafe pthread_cond_wait(condition, mutex) }
    unsafe pthread_mutex_unlock(mutex)
    return slot.value!
  }

  private final class Slot<T> { var value: T? }

  var isEmpty: Bool { !hasWork.load(ordering: .acquiring) }

  /// Does all work there is. Returns false once the door is closed.
  func serve() -> Bool {
    while true {
      unsafe pthread_mutex_lock(mutex)
      let batch = work
      work.removeAll()
      hasWork.store(false, ordering: .relaxed)
      let closed = isClosed
      unsafe pthread_mutex_unlock(mutex)
      for body in batch { body() }
      if batch.isEmpty { return !closed }
    }
  }

  /// Sleeps until work arrives or `nanoseconds` have passed.
  func wait(nanoseconds: UInt64? = nil) {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    guard work.isEmpty, !isClosed else { return }
    guard let nanoseconds else {
      unsafe pthread_cond_wait(condition, mutex)
      return
    }
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    let total = UInt64(time.tv_nsec) + nanoseconds % 1_000_000_000
    time.tv_sec += Int(nanoseconds / 1_000_000_000 + total / 1_000_000_000)
    time.tv_nsec = Int(total % 1_000_000_000)
    unsafe pthread_cond_timedwait(condition, mutex, &time)
  }

  func close() {
    unsafe pthread_mutex_lock(mutex)
    isClosed = true
    unsafe pthread_cond_broadcast(condition)
    unsafe pthread_mutex_unlock(mutex)
    onArrival()
  }
}
