// Owns the main thread: it waits for whatever the host has to say, and for the end.

import Bits
import Glibc

/// Waits for input on descriptors, and calls who watches them.
final class EventLoop {
  private struct Watcher {
    var descriptor: Int32
    /// Not looked at before this time.
    var rests: Double?
    var body: () -> Void
  }
  private var watchers: [Watcher] = []
  private let verdict: Verdict

  init(_ verdict: Verdict) { self.verdict = verdict }

  /// Calls `body` whenever the descriptor is readable, or its peer is gone.
  func watch(_ descriptor: Int32, _ body: @escaping () -> Void) {
    watchers.append(Watcher(descriptor: descriptor, body: body))
  }

  func forget(_ descriptor: Int32) { watchers.removeAll { $0.descriptor == descriptor } }

  /// Leaves the descriptor alone for a while: its peer is gone, but may come back.
  func rest(_ descriptor: Int32, seconds: Double) {
    for index in watchers.indices where watchers[index].descriptor == descriptor {
      watchers[index].rests = HostClock.seconds + seconds
    }
  }

  /// Runs until the verdict is reached, while `condition` holds, or until `deadline` on the host's clock.
  /// - Parameter isAfterEnd: for what follows the verdict.
  func run(until deadline: Double?, isAfterEnd: Bool = false, while condition: () -> Bool = { true }) {
    while isAfterEnd || verdict.reached == nil, condition() {
      if let deadline, HostClock.seconds >= deadline { return verdict.reach(.timeout) }
      turn(until: deadline ?? .infinity, isAfterEnd: isAfterEnd)
    }
  }

  /// Waits for the next thing to happen, until a time at most, and deals with it.
  func turn(until limit: Double, isAfterEnd: Bool = false) {
    let now = HostClock.seconds
    let next = min(limit, watchers.compactMap(\.rests).min() ?? .infinity)
    let timeout = next.isFinite ? Int32(min(max(0, next - now) * 1000 + 1, 1_000_000)) : -1
    var polls: [pollfd] = []
    for index in watchers.indices {
      if let end = watchers[index].rests, end > now { continue }
      watchers[index].rests = nil
      polls.append(pollfd(fd: watchers[index].descriptor, events: Int16(POLLIN), revents: 0))
    }
    if !isAfterEnd { polls.append(pollfd(fd: verdict.descriptor, events: Int16(POLLIN), revents: 0)) }
    guard unsafe poll(&polls, nfds_t(polls.count), now < limit ? timeout : 0) > 0 else { return }
    for poll in polls where poll.revents != 0 {
      watchers.first { $0.descriptor == poll.fd }?.body()
    }
  }
}
