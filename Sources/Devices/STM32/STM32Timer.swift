/// The timers of STM32, basic, general-purpose and advanced: an up- or down-counter with compare registers.
///
/// Sources: RM0008 chapters 14 to 17, RM0090 chapters 17 to 20, RM0385 chapters 22 to 24. TIM2 and TIM5 of F4 and F7 have
/// 32 bits. Outputs lead nowhere; input capture, slave modes and counting up and down in turn are not modelled.
import Bits
import Bus

public final class STM32Timer: BankDevice {
  public static var compatible: [String] { ["st,stm32-timers"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// PSC and ARR in use: they are taken over at updates.
    var prescaler: UInt32 = 0
    var period: UInt32
    /// Counts left before an update, as RCR says.
    var repetitions: UInt32 = 0
    /// The counter at clock `since` of `frequency` Hz; `phase` clocks of the prescaler had passed.
    var count: UInt32 = 0
    var phase: UInt64 = 0
    var since: UInt64 = 0
    var frequency: UInt64 = 1
  }

  private enum Offset {
    static let control: UInt64 = 0x00
    static let slave: UInt64 = 0x08
    static let enables: UInt64 = 0x0C
    static let status: UInt64 = 0x10
    static let generate: UInt64 = 0x14
    static let modes: UInt64 = 0x18
    static let count: UInt64 = 0x24
    static let prescaler: UInt64 = 0x28
    static let period: UInt64 = 0x2C
    static let repetition: UInt64 = 0x30
    static let compare: UInt64 = 0x34
  }

  public let context: DeviceContext
  public var state: State
  public let registers: [RegisterMap]
  var unimplemented = UnimplementedLog()
  /// The largest count.
  private let limit: UInt32

  public init(context: DeviceContext) throws(DeviceError) {
    guard let range = context.node.regions.first else { throw .missingRegion(device: context.node.name, index: 0) }
    self.context = context
    let isWide = STM32Family(context) != .f1 && (range.base == 0x4000_0000 || range.base == 0x4000_0C00)
    limit = isWide ? .max : 0xFFFF
    let map = RegisterMap(Self.declare(limit))
    registers = [map]
    state = State(bank: RegisterBank(map), period: limit)
  }

  private static func declare(_ limit: UInt32) -> [Register] {
    let width = limit == .max ? 32 : 16
    return [
      Register(
        "CR1", 0x00,
        [
          .field("CEN", 0), .field("UDIS", 1), .field("URS", 2), .field("OPM", 3), .field("DIR", 4),
          .unimplemented("CMS", 5..<7), .field("ARPE", 7), .field("CKD", 8..<10), .field("UIFREMAP", 11),
        ]),
      Register("CR2", 0x04), Register("SMCR", 0x08, [.unimplemented("SMS", 0..<3), .field("-", 3..<17)]),
      Register(
        "DIER", 0x0C,
        [
          .field("UIE", 0), .field("CCIE", 1..<5), .field("COMIE", 5), .field("TIE", 6), .field("BIE", 7),
          .unimplemented("DMA", 8..<15),
        ]),
      Register("SR", 0x10), Register("EGR", 0x14, .writeOnly), Register("CCMR", 0x18, count: 2), Register("CCER", 0x20),
      Register("CNT", 0x24, [.field("CNT", 0..<width)]), Register("PSC", 0x28, [.field("PSC", 0..<16)]),
      Register("ARR", 0x2C, reset: UInt64(limit), [.field("ARR", 0..<width)]),
      Register("RCR", 0x30, [.field("REP", 0..<8)]), Register("CCR", 0x34, count: 4, [.field("CCR", 0..<width)]),
      Register("BDTR", 0x44), Register("DCR", 0x48), Register("DMAR", 0x4C), Register("OR", 0x50),
    ]
  }

  // MARK: Counting

  private var isRunning: Bool { bank[Offset.control].has(0) }
  private var isDown: Bool { bank[Offset.control].has(4) }

  /// The clock of the bus the timer is on, in Hz; the CPU's where the tree has no clock controller.
  private var frequency: UInt64 {
    if let clocks = context.device("clocks") as? STM32RCC, let bus = context.node.cells("clocks")?.dropFirst().first {
      return clocks.timerFrequency(enable: UInt64(bus))
    }
    return max(1, context.node.node(path: "/cpus/cpu@0")?.u64("clock-frequency") ?? 16_000_000)
  }

  /// Brings the counter up to now.
  private func catchUp() {
    let clock = context.clock.ticks(frequency: state.frequency)
    if isRunning {
      var clocks = clock &- state.since &+ state.phase
      while isRunning, clocks > UInt64(state.prescaler) {
        let divider = UInt64(state.prescaler) + 1
        let counts = clocks / divider
        let left = countsToUpdate
        if counts < left {
          match(state.count, UInt32(truncatingIfNeeded: counts))
          state.count = isDown ? state.count &- UInt32(counts) : state.count &+ UInt32(counts)
          clocks %= divider
        } else {
          match(state.count, UInt32(truncatingIfNeeded: left &- 1))
          clocks -= left * divider
          state.count = isDown ? state.period : 0
          match(at: state.count)
          overflow()
          clocks = skipPeriods(clocks)
        }
      }
      state.phase = clocks
    }
    // The clock may have been set up anew.
    state.frequency = frequency
    state.since = context.clock.ticks(frequency: state.frequency)
  }

  private var countsToUpdate: UInt64 {
    if isDown { return UInt64(state.count) + 1 }
    return UInt64(state.count <= state.period ? state.period - state.count : limit - state.count) + 1
  }

  /// Leaves out whole periods in which nothing new can happen.
  private func skipPeriods(_ clocks: UInt64) -> UInt64 {
    let period = (UInt64(state.prescaler) + 1) * (UInt64(state.period) + 1)
    guard isRunning, state.repetitions == 0, bank[Offset.repetition] == 0, clocks / period > 2 else { return clocks }
    return clocks % period + 2 * period
  }

  /// Sets the flags of the channels whose values are among the `count` counts after `start`.
  private func match(_ start: UInt32, _ count: UInt32) {
    guard count > 0 else { return }
    for channel in 0..<4 where isCompare(channel) {
      let value = bank[Offset.compare + 4 * UInt64(channel)]
      let distance = isDown ? start &- value : value &- start
      if distance >= 1, distance <= count { bank[Offset.status] |= 2 << UInt32(channel) }
    }
  }

  private func match(at count: UInt32) {
    for channel in 0..<4 where isCompare(channel) && bank[Offset.compare + 4 * UInt64(channel)] == count {
      bank[Offset.status] |= 2 << UInt32(channel)
    }
  }

  /// Whether a channel compares and does not capture.
  private func isCompare(_ channel: Int) -> Bool {
    bank[Offset.modes + 4 * UInt64(channel / 2)].field(8 * (channel & 1), 2) == 0
  }

  private func overflow() {
    if state.repetitions > 0 {
      state.repetitions -= 1
      return
    }
    update(sets: true)
    if bank[Offset.control].has(3) { bank[Offset.control] &= ~1 }
  }

  /// An update event: what was written to PSC, ARR and RCR is taken over.
  private func update(sets flag: Bool) {
    guard !bank[Offset.control].has(1) else { return }
    state.prescaler = bank[Offset.prescaler]
    state.period = bank[Offset.period]
    state.repetitions = bank[Offset.repetition]
    if flag { bank[Offset.status] |= 1 }
  }

  /// Asks to be woken when a flag comes whose interrupt is enabled, or the counter stops.
  private func schedule() {
    updateInterrupts()
    context.cancel(token: 0)
    guard isRunning, state.period > 0 || bank[Offset.period] > 0 else { return }
    var counts: UInt64?
    let enables = bank[Offset.enables] & ~bank[Offset.status]
    if enables.has(0) || bank[Offset.control].has(3) || enables & 0x1E != 0 { counts = countsToUpdate }
    for channel in 0..<4 where enables.has(channel + 1) && isCompare(channel) {
      let value = bank[Offset.compare + 4 * UInt64(channel)]
      let isAhead = isDown ? value < state.count : value > state.count
      if isAhead { counts = min(counts ?? .max, UInt64(isDown ? state.count - value : value - state.count)) }
    }
    guard let counts else { return }
    let clocks = counts * (UInt64(state.prescaler) + 1) - min(state.phase, UInt64(state.prescaler))
    context.schedule(
      at: VirtualClock.nanoseconds(ticks: state.since &+ clocks, frequency: state.frequency), token: 0)
  }

  public func event(_ token: UInt64) {
    catchUp()
    schedule()
  }

  // MARK: Registers

  func load(_ offset: UInt64, isPeek: Bool) -> UInt32 {
    if isPeek { return offset == Offset.count ? state.count : bank[offset] }
    catchUp()
    if offset == Offset.count || offset == Offset.status { schedule() }
    return offset == Offset.count ? state.count : bank[offset]
  }

  func store(_ value: UInt32, at offset: UInt64) {
    catchUp()
    switch offset {
    case Offset.control:
      let wasRunning = isRunning
      bank[offset] = value
      if !wasRunning, isRunning { state.since = context.clock.ticks(frequency: state.frequency) }
    case Offset.status: bank[offset] &= value
    case Offset.generate: generate(value)
    case Offset.count:
      state.count = value
      state.phase = 0
    case Offset.period:
      bank[offset] = value
      if !bank[Offset.control].has(7) { state.period = value }
    default: bank[offset] = value
    }
    schedule()
  }

  private func generate(_ value: UInt32) {
    if value.has(0) {
      update(sets: !bank[Offset.control].has(2))
      state.count = isDown ? state.period : 0
      state.phase = 0
    }
    bank[Offset.status] |= value & 0xFE
  }

  /// The wires: one for all, or break, update, trigger and commutation, capture and compare.
  private func updateInterrupts() {
    let pending = bank[Offset.status] & bank[Offset.enables]
    guard context.interrupts.count >= 4 else {
      context.interrupts.first?.line.set(pending & 0xFF != 0)
      return
    }
    for (output, mask) in zip(context.interrupts, [0x80, 0x01, 0x60, 0x1E] as [UInt32]) {
      output.line.set(pending & mask != 0)
    }
  }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State(bank: RegisterBank(registers[0]), period: limit)
    updateInterrupts()
  }
}
