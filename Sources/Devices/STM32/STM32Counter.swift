// The counter of an STM32 timer: where it is after so many clocks, and what happens on the way, by arithmetic.
//
// Sources: RM0090 sections 17.3.1 to 17.3.3 and 18.3.1 to 18.3.2; RM0008 and RM0385 agree.

/// The counter with the values in use; those that registers hold for the next update are ``Preload``.
struct STM32Counter: Codable, Sendable, Equatable {
  enum Alignment: UInt8, Codable, Sendable {
    case up, down, centre
  }

  /// What an update takes over: PSC, ARR, RCR, CCR1 to CCR4.
  struct Preload: Codable, Sendable, Equatable {
    var prescaler: UInt32
    var period: UInt32
    var repetition: UInt32
    var compare: [UInt32]

    /// - Parameter prescaler: the offsets of PSC, ARR, RCR and CCR1 in the bank.
    init(_ bank: RegisterBank, _ prescaler: UInt64, _ period: UInt64, _ repetition: UInt64, _ compare: UInt64) {
      self.prescaler = bank[prescaler]
      self.period = bank[period]
      self.repetition = bank[repetition]
      self.compare = [bank[compare], bank[compare + 4], bank[compare + 8], bank[compare + 12]]
    }
  }

  /// What the control registers say.
  struct Control: Codable, Sendable, Equatable {
    /// Neither is an update made (UDIS), …
    var isWithoutUpdates = false
    /// … nor does the counter go on behind one (OPM).
    var stopsAtUpdate = false
    /// The channels that compare, a bit each.
    var channels: UInt32 = 0
    /// Whether they match while it counts up, and down: of centre-aligned modes one may not.
    var matchesRising = true
    var matchesFalling = true
  }

  /// Flags of SR that come, whether there was an update, and whether it stopped the counter.
  struct Outcome {
    var flags: UInt32 = 0
    var hasUpdated = false
    var hasStopped = false
  }

  /// The largest count: 16 or 32 bits.
  let limit: UInt64
  var alignment = Alignment.up
  var prescaler: UInt64 = 0
  var period: UInt64
  var compare: [UInt32] = [0, 0, 0, 0]
  /// Overflows and underflows to come before the one that makes an update.
  var repetitions: UInt64 = 0
  var count: UInt64 = 0
  /// Counts down, in the centre-aligned mode.
  var isFalling = false
  /// Clocks of the prescaler that have passed of this count.
  var phase: UInt64 = 0

  init(limit: UInt32) {
    self.limit = UInt64(limit)
    period = UInt64(limit)
  }

  private var divider: UInt64 { prescaler + 1 }
  /// A period of 0 blocks the counter.
  private var isBlocked: Bool { period == 0 }
  private var countsDown: Bool { alignment == .down || alignment == .centre && isFalling }
  /// Counts from one overflow or underflow to the next.
  private var length: UInt64 { alignment == .centre ? period : period + 1 }

  /// Counts to the next overflow or underflow. A counter above its period goes round by the largest count.
  private var countsToWrap: UInt64 {
    switch alignment {
    case .up: (count <= period ? period : limit) - count + 1
    case .down: count + 1
    case .centre: isFalling ? max(count, 1) : count < period ? period - count : 1
    }
  }

  /// Goes on by so many clocks of the timer.
  mutating func advance(_ clocks: UInt64, _ preload: Preload, _ control: Control) -> Outcome {
    var outcome = Outcome()
    var left = phase &+ clocks
    // To the first overflow, to the first update, over all whole intervals between updates, and to the end.
    while !isBlocked, !outcome.hasStopped {
      let counts = left / divider
      guard counts >= countsToWrap else {
        match(over: counts, control, &outcome.flags)
        count = countsDown ? count - counts : count + counts
        left %= divider
        break
      }
      left -= countsToWrap * divider
      wrap(preload, control, &outcome)
      if !outcome.hasStopped { skip(&left, preload, control, &outcome) }
    }
    phase = outcome.hasStopped || isBlocked ? 0 : left
    return outcome
  }

  /// The overflow or underflow.
  private mutating func wrap(_ preload: Preload, _ control: Control, _ outcome: inout Outcome) {
    match(over: countsToWrap - 1, control, &outcome.flags)
    let (wasDown, old) = (countsDown, period)
    let isUpdate = repetitions == 0 && !control.isWithoutUpdates
    repetitions -= repetitions > 0 ? 1 : 0
    // A value above the period matches at the overflow, or in the down-counting mode at the underflow.
    if alignment == .down || !wasDown { match(old + 1...UInt64(UInt32.max) + 1, control, &outcome.flags) }
    if isUpdate {
      update(preload)
      outcome.flags |= 1
      outcome.hasUpdated = true
      outcome.hasStopped = control.stopsAtUpdate
    }
    switch alignment {
    case .up: count = 0
    case .down: count = period
    case .centre: (count, isFalling) = wasDown ? (0, false) : (period, true)
    }
    match(count...count, control, &outcome.flags)
  }

  /// Takes over what the registers hold.
  mutating func update(_ preload: Preload) {
    prescaler = UInt64(preload.prescaler)
    period = UInt64(preload.period)
    compare = preload.compare
    repetitions = UInt64(preload.repetition)
  }

  /// From an overflow or underflow on, leaves out whole periods up to the next update, or whole intervals between
  /// updates: after the first, all are the same.
  private mutating func skip(_ left: inout UInt64, _ preload: Preload, _ control: Control, _ outcome: inout Outcome) {
    guard !isBlocked else { return }
    let period = length * divider
    let isUpdated = outcome.hasUpdated && repetitions == UInt64(preload.repetition)
    let periods: UInt64
    if control.isWithoutUpdates {
      periods = left / period
      repetitions -= min(repetitions, periods)
    } else if isUpdated, !control.stopsAtUpdate {
      let interval = repetitions + 1
      periods = left / (period * interval) * interval
      if periods > 0 { outcome.flags |= 1 }
    } else {
      periods = min(repetitions, left / period)
      repetitions -= periods
    }
    guard periods > 0 else { return }
    left -= periods * period
    matchAll(isOnce: periods == 1, control, &outcome.flags)
    if alignment == .centre, periods & 1 != 0 { (count, isFalling) = isFalling ? (0, false) : (self.period, true) }
  }

  // MARK: Compare

  /// Sets the flags of the channels with values in a range.
  private func match(_ values: ClosedRange<UInt64>, _ control: Control, _ flags: inout UInt32) {
    for channel in 0..<4 where control.channels >> UInt32(channel) & 1 != 0 {
      if values.contains(UInt64(compare[channel])) { flags |= 2 << UInt32(channel) }
    }
  }

  /// The counts after this one, in one direction. Both ends of a centre-aligned period match in either.
  private func match(over counts: UInt64, _ control: Control, _ flags: inout UInt32) {
    guard counts > 0, alignment != .centre || (isFalling ? control.matchesFalling : control.matchesRising) else {
      return
    }
    match(countsDown ? count - counts...count - 1 : count + 1...count + counts, control, &flags)
  }

  /// Whole periods.
  private func matchAll(isOnce: Bool, _ control: Control, _ flags: inout UInt32) {
    let top = UInt64(UInt32.max)
    guard alignment == .centre else { return match(0...top, control, &flags) }
    let (falls, rises) = (isFalling || !isOnce, !isFalling || !isOnce)
    if falls { match(0...0, control, &flags) }
    if rises { match(period...top, control, &flags) }
    guard period > 1, falls && control.matchesFalling || rises && control.matchesRising else { return }
    match(1...period - 1, control, &flags)
  }

  // MARK: What comes

  /// Clocks until one of `wanted` (flags of SR) may come; nil if none does.
  func clocks(until wanted: UInt32, _ control: Control) -> UInt64? {
    guard !isBlocked else { return nil }
    var counts: UInt64?
    if wanted & 1 != 0, !control.isWithoutUpdates { counts = countsToWrap + repetitions * length }
    let channels = wanted >> 1 & control.channels
    if channels != 0 { counts = min(counts ?? .max, countsToWrap) }
    for channel in 0..<4 where channels >> UInt32(channel) & 1 != 0 {
      let value = UInt64(compare[channel])
      if countsDown ? value < count : value > count {
        counts = min(counts ?? .max, countsDown ? count - value : value - count)
      }
    }
    return counts.map { $0 * divider - min(phase, prescaler) }
  }
}
