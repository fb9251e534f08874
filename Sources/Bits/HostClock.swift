// Owns the look at the host's clock, which no guest ever sees.

import Glibc

/// The host's monotonic clock, which `perf record -k mono` uses too.
public enum HostClock {
  /// Since an unspecified start.
  public static var nanoseconds: UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  public static var seconds: Double { Double(nanoseconds) / 1e9 }

  /// Processor time of the calling thread.
  public static var threadSeconds: Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
