// A counter that counts down at some frequency and is loaded again when it passes 0: the core of many timers.

struct DownCounter: Codable, Sendable, Equatable {
  /// What is loaded after 0.
  var reload: UInt32
  /// The count at tick `since` while it runs, or what it stands at.
  var value: UInt32
  var since: UInt64 = 0
  var isRunning = false
  /// Stops at 0.
  var isOneShot = false

  init(_ value: UInt32 = .max) {
    reload = value
    self.value = value
  }

  /// Brings the counter up to tick `now`; returns whether it has reached 0.
  mutating func advance(to now: UInt64) -> Bool {
    guard isRunning else { return false }
    let elapsed = now &- since
    since = now
    let reachesZero = value > 0 && elapsed >= UInt64(value)
    guard elapsed > UInt64(value) else {
      value -= UInt32(elapsed)
      if reachesZero, isOneShot { isRunning = false }
      return reachesZero
    }
    guard !isOneShot else {
      (value, isRunning) = (0, false)
      return reachesZero
    }
    let rest = elapsed - UInt64(value) - 1
    let period = UInt64(reload) + 1
    let wraps = reload > 0 && rest >= UInt64(reload)
    value = reload - UInt32(rest % period)
    return reachesZero || wraps
  }

  /// The tick at which it next reaches 0; nil if it does not.
  var nextZero: UInt64? {
    guard isRunning, value > 0 || reload > 0 && !isOneShot else { return nil }
    return since &+ (value > 0 ? UInt64(value) : UInt64(reload) + 1)
  }
}
