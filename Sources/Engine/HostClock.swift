// Owns the engine's look at the host's clock.

import Glibc

/// The host's monotonic clock in nanoseconds; for statistics only, never seen by a guest.
func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}
