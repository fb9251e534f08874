// Owns the SysTick timer (ARMv7-M manual, B3.3). Both of its clocks are the CPU's.

import Bus

struct SysTickState: Codable, Sendable, Equatable {
  /// ENABLE, TICKINT, CLKSOURCE.
  var control: UInt32 = 0
  var reload: UInt32 = 0
  var hasCounted = false
  /// The clock at which the counter holds `period`; before, it is 0.
  var start: UInt64 = 0
  /// What the counter was last loaded with.
  var period: UInt32 = 0
  /// The counter's value while it stands.
  var frozen: UInt32 = 0

  var isRunning: Bool { control & 1 != 0 && period != 0 }
}

extension SystemControl {
  /// The counter's value now.
  var tickValue: UInt32 {
    catchUp()
    let tick = state.tick
    guard tick.isRunning else { return tick.frozen }
    let now = cycles
    return now < tick.start ? 0 : tick.period &- UInt32(truncatingIfNeeded: now &- tick.start)
  }

  func readTickControl(isPeek: Bool) -> UInt32 {
    catchUp()
    let value = state.tick.control | (state.tick.hasCounted ? 1 << 16 : 0)
    if !isPeek { state.tick.hasCounted = false }
    return value
  }

  func writeTickControl(_ value: UInt32) {
    let now = tickValue
    let wasEnabled = state.tick.control & 1 != 0
    state.tick.control = value & 7
    if value & 1 != 0, !wasEnabled {
      if now == 0 {
        load(at: cycles &+ 1)
      } else {
        state.tick.start = cycles &- UInt64(max(state.tick.reload, now) &- now)
        state.tick.period = max(state.tick.reload, now)
      }
    } else if value & 1 == 0 {
      state.tick.frozen = now
    }
    scheduleTick()
  }

  func writeTickReload(_ value: UInt32) {
    _ = tickValue
    state.tick.reload = value & 0xFF_FFFF
    if state.tick.control & 1 != 0, state.tick.period == 0 { load(at: cycles &+ 1) }
    scheduleTick()
  }

  /// Any write of the counter clears it, and COUNTFLAG.
  func clearTickValue() {
    catchUp()
    state.tick.hasCounted = false
    state.tick.frozen = 0
    if state.tick.control & 1 != 0 { load(at: cycles &+ 1) }
    scheduleTick()
  }

  private func load(at time: UInt64) {
    state.tick.start = time
    state.tick.period = state.tick.reload
    state.tick.frozen = 0
  }

  /// The clock at which the counter reaches 0.
  private var zero: UInt64 { state.tick.start &+ UInt64(state.tick.period) }

  /// Lets happen what was due: the counter reached 0 and was loaded again.
  private func catchUp() {
    let now = cycles
    while state.tick.isRunning, zero <= now {
      state.tick.hasCounted = true
      if state.tick.control & 2 != 0 { setPending(ExceptionNumber.sysTick.rawValue) }
      load(at: zero &+ 1)
    }
  }

  private func scheduleTick() {
    context.cancel(token: 0)
    guard state.tick.isRunning else { return }
    context.schedule(at: VirtualClock.nanoseconds(ticks: zero, frequency: frequency), token: 0)
  }

  public func event(_ token: UInt64) {
    catchUp()
    scheduleTick()
  }
}
