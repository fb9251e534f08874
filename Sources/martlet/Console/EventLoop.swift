// Owns the main thread: it waits for whatever the host has to say, and for the end.

import Glibc

/// Waits for input on descriptors, and calls who watches them.
final class EventLoop {
  private var watchers: [(descriptor: Int32, body: () -> Void)] = []
  private let verdict: Verdict

  init(_ verdict: Verdict) { self.verdict = verdict }

  /// Calls `body` whenever the descriptor is readable, or its peer is gone.
  func watch(_ descriptor: Int32, _ body: @escaping () -> Void) {
    watchers.append((descriptor, body))
  }

  func forget(_ descriptor: Int32) { watchers.removeAll { $0.descriptor == descriptor } }

  /// Runs until the verdict is reached, until `condition` holds, or until `deadline` on the host's clock.
  func run(until deadline: Double?, while condition: () -> Bool = { true }) {
    while verdict.reached == nil, condition() {
      var timeout: Int32 = -1
      if let deadline {
        let left = deadline - Self.now
        if left <= 0 { return verdict.reach(.timeout) }
        timeout = Int32(min(left * 1000 + 1, 1_000_000))
      }
      var polls = watchers.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
      polls.append(pollfd(fd: verdict.descriptor, events: Int16(POLLIN), revents: 0))
      guard unsafe poll(&polls, nfds_t(polls.count), timeout) > 0 else { continue }
      for poll in polls where poll.revents != 0 {
        watchers.first { $0.descriptor == poll.fd }?.body()
      }
    }
  }

  /// Seconds of a clock that never goes back.
  static var now: Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
