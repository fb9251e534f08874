// Owns the waiting for a stop of the machine, for commands that run the guest.

import Glibc
import Machine
import Synchronization

/// Counts stops, and lets a thread wait for the next one.
@safe final class StopWaiter: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var count = 0
  private var last: StopEvent?
  private var waiters = 0

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

  func note(_ event: StopEvent) {
    unsafe pthread_mutex_lock(mutex)
    count += 1
    last = event
    unsafe pthread_cond_broadcast(condition)
    unsafe pthread_mutex_unlock(mutex)
  }

  /// Announces that a stop will be waited for. Every call is followed by one of ``wait(after:seconds:)``.
  /// - Returns: the number of stops so far.
  func expectStop() -> Int {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    waiters += 1
    return count
  }

  /// Whether a command waits, and will show the stop itself.
  var isAwaited: Bool {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return waiters > 0
  }

  /// The stop that came after the first `number`; nil if none comes in time.
  func wait(after number: Int, seconds: Int) -> StopEvent? {
    unsafe pthread_mutex_lock(mutex)
    defer {
      waiters -= 1
      unsafe pthread_mutex_unlock(mutex)
    }
    var deadline = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &deadline)
    deadline.tv_sec += seconds
    while count <= number {
      if unsafe pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { return count > number ? last : nil }
    }
    return last
  }
}
