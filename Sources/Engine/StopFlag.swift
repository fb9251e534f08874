// Owns the flag that asks the running vCPU to come back, and the measuring of how long that takes.

import Bits
import Synchronization

/// Raised by any thread, looked at by the one that runs.
final class StopFlag: Sendable {
  private let flag = Atomic<Bool>(false)
  func raise() { flag.store(true, ordering: .sequentiallyConsistent) }
  func lower() { flag.store(false, ordering: .relaxed) }
  var isRaised: Bool { flag.load(ordering: .relaxed) }
  /// Lowers it; whether it was raised. What was done before it was raised is seen after.
  func take() -> Bool {
    flag.load(ordering: .relaxed) && flag.exchange(false, ordering: .sequentiallyConsistent)
  }
}

/// When a measured stop was asked for, and how long such stops took.
final class StopProbe {
  let requested = Atomic<UInt64>(0)
  var latencies: [UInt64] = []

  /// On the engine's thread, when a stop request has been seen.
  func noteStop() {
    let time = requested.exchange(0, ordering: .acquiring)
    if time != 0 { latencies.append(HostClock.nanoseconds &- time) }
  }
}
