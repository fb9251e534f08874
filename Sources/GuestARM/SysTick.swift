// Owns the SysTick timer (ARMv7-M manual, B3.3), on the CPU's clock or on a reference clock of the chip's.

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
  // MARK: Clocks

  var hasReference: Bool { context.clocks.reference.frequency != 0 }

  /// The clock that is counted: CLKSOURCE, which reads as 1 where there is no reference clock.
  private var source: ClockSignal {
    state.tick.control & 4 != 0 ? context.clocks.cpu : context.clocks.reference
  }

  /// SYST_CALIB: NOREF, or what is known of the reference clock.
  private var tickCalibration: UInt32 { hasReference ? context.clocks.calibration : 1 << 31 }

  // MARK: Registers

  static var tickRegisters: Registers {
    [
      Register(
        "SYST_CSR", 0xE010,
        [.field("ENABLE", 0), .field("TICKINT", 1), .field("CLKSOURCE", 2), .field("COUNTFLAG", 16)]
      ).onRead { $0.tickControl }.afterRead { $0.state.tick.hasCounted = false }
        .onWrite { $0.writeTickControl($1) }.inParts(),
      Register("SYST_RVR", 0xE014).onRead { $0.state.tick.reload }.onWrite { $0.writeTickReload($1) }.inParts(),
      Register("SYST_CVR", 0xE018).onRead { $0.tickValue }.onWrite { system, _ in system.clearTickValue() },
      Register("SYST_CALIB", 0xE01C, .readOnly).onRead { $0.tickCalibration },
    ]
  }

  /// The counter's value now.
  private var tickValue: UInt32 {
    let now = catchUp()
    let tick = state.tick
    guard tick.isRunning else { return tick.frozen }
    // It may hold its period since before the clock's first tick.
    let passed = now &- tick.start
    return Int64(bitPattern: passed) < 0 ? 0 : tick.period &- UInt32(truncatingIfNeeded: passed)
  }

  private var tickControl: UInt32 {
    catchUp()
    return state.tick.control | (state.tick.hasCounted ? 1 << 16 : 0)
  }

  /// A change of the clock keeps the count.
  private func writeTickControl(_ value: UInt32) {
    let now = tickValue
    let old = state.tick.control
    state.tick.control = value & 3 | (hasReference ? value & 4 : 4)
    if value & 1 == 0 {
      state.tick.frozen = now
    } else if old & 1 == 0 || (old ^ state.tick.control) & 4 != 0 {
      if now == 0 {
        load(at: source.ticks &+ 1)
      } else {
        state.tick.start = source.ticks &- UInt64(max(state.tick.reload, now) &- now)
        state.tick.period = max(state.tick.reload, now)
      }
    }
    scheduleTick()
  }

  private func writeTickReload(_ value: UInt32) {
    _ = tickValue
    state.tick.reload = value & 0xFF_FFFF
    if state.tick.control & 1 != 0, state.tick.period == 0 { load(at: source.ticks &+ 1) }
    scheduleTick()
  }

  /// Any write of the counter clears it, and COUNTFLAG.
  private func clearTickValue() {
    catchUp()
    state.tick.hasCounted = false
    state.tick.frozen = 0
    if state.tick.control & 1 != 0 { load(at: source.ticks &+ 1) }
    scheduleTick()
  }

  /// The exception is taken, or taken back: what was due until now is done with.
  func clearPendingTick() {
    catchUp()
    state.pending[ExceptionNumber.sysTick.rawValue] = false
    scheduleTick()
  }

  // MARK: Counting

  private func load(at time: UInt64) {
    state.tick.start = time
    state.tick.period = state.tick.reload
    state.tick.frozen = 0
  }

  /// The clock at which the counter reaches 0.
  private var zero: UInt64 { state.tick.start &+ UInt64(state.tick.period) }

  /// Lets happen what was due: the counter reached 0, was loaded again, and so on.
  /// - Returns: ticks of the source, which cost several divisions; 0 while the counter stands.
  @discardableResult private func catchUp() -> UInt64 {
    guard state.tick.isRunning else { return 0 }
    let now = source.ticks
    guard zero <= now else { return now }
    load(at: zero &+ 1)
    if state.tick.isRunning, zero <= now {
      let length = UInt64(state.tick.period) + 1
      state.tick.start &+= ((now &- zero) / length &+ 1) &* length
    }
    state.tick.hasCounted = true
    if state.tick.control & 2 != 0 { setPending(ExceptionNumber.sysTick.rawValue) }
    return now
  }

  /// Asks for the time of the next exception; while one is pending no other comes.
  func scheduleTick() {
    context.cancel(token: 0)
    guard state.tick.isRunning, state.tick.control & 2 != 0, !state.pending[ExceptionNumber.sysTick.rawValue] else {
      return
    }
    let time = source.time(of: zero)
    if time != .max { context.schedule(at: time, token: 0) }
  }

  public func event(_ token: UInt64) {
    catchUp()
    scheduleTick()
  }
}
