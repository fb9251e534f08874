// Owns the way threads share a value and wait for its changes.

import Glibc

/// A value that one thread at a time touches, and whose changes others can wait for.
@safe package final class Guarded<Value>: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var value: Value

  package init(_ value: Value) {
    self.value = value
    unsafe mutex = .allocate(capacity: 1)
    unsafe changed = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(changed, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe pthread_cond_destroy(changed)
    unsafe mutex.deallocate()
    unsafe changed.deallocate()
  }

  /// Runs `body`, which changes nothing that is waited for.
  package func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body(&value)
  }

  /// Runs `body` and wakes all who wait: when the lock is free, or they would wake only to wait for it.
  package func change<Result>(_ body: (inout Value) -> Result) -> Result {
    defer { unsafe pthread_cond_broadcast(changed) }
    return withLock(body)
  }

  /// Waits until `body`, tried at once and after each change, returns a result.
  package func wait<Result>(until body: (inout Value) -> Result?) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while true {
      // The access to `value` ends before others get at it.
      if let result = body(&value) { return result }
      unsafe pthread_cond_wait(changed, mutex)
    }
  }

  /// As ``wait(until:)``; nil if there is no result within `nanoseconds`.
  package func wait<Result>(nanoseconds: UInt64, until body: (inout Value) -> Result?) -> Result? {
    var deadline = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &deadline)
    let fraction = UInt64(deadline.tv_nsec) + nanoseconds % 1_000_000_000
    deadline.tv_sec += Int(nanoseconds / 1_000_000_000 + fraction / 1_000_000_000)
    deadline.tv_nsec = Int(fraction % 1_000_000_000)
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while true {
      if let result = body(&value) { return result }
      if unsafe pthread_cond_timedwait(changed, mutex, &deadline) == ETIMEDOUT { return body(&value) }
    }
  }
}
