// The timers of STM32, basic, general-purpose and advanced: a counter with compare registers.
//
// Sources: RM0008 chapters 14 to 17, RM0090 chapters 17 to 20, RM0385 chapters 22 to 24. Outputs and triggers lead nowhere,
// and nothing drives inputs: of capture, CCxG is all there is.

import Bits
import Bus

public final class STM32Timer: BankDevice {
  public static var compatible: [String] { ["st,stm32-timers"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    var counter: STM32Counter
    /// What the registers say, in the counter's terms.
    var preload: STM32Counter.Preload
    var control = STM32Counter.Control()
    /// The clock at which the counter was there.
    var since: UInt64 = 0
  }

  private enum Offset {
    static let control: UInt64 = 0x00
    static let control2: UInt64 = 0x04
    static let enables: UInt64 = 0x0C
    static let status: UInt64 = 0x10
    static let generate: UInt64 = 0x14
    static let modes: UInt64 = 0x18
    static let channels: UInt64 = 0x20
    static let count: UInt64 = 0x24
    static let prescaler: UInt64 = 0x28
    static let period: UInt64 = 0x2C
    static let repetition: UInt64 = 0x30
    static let compare: UInt64 = 0x34
    static let outputs: UInt64 = 0x44
  }

  public let context: DeviceContext
  public var state: State
  public let table: RegisterTable<STM32Timer>
  public var unimplemented = UnimplementedLog()
  private let kind: STM32TimerKind
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    let range = try context.node.firstRegion()
    self.context = context
    kind = STM32TimerKind(STM32Family(context), base: range.base, interrupts: context.interrupts.count)
    input = context.busClock(ofTimers: true)
    table = RegisterTable(kind.registers)
    state = Self.initial(table, kind)
    input.listen(self) { $0.schedule() }
  }

  /// Registers that a timer lacks are 0 in its bank.
  private static func initial(_ table: RegisterTable<STM32Timer>, _ kind: STM32TimerKind) -> State {
    let bank = RegisterBank(table, through: 0x60)
    return State(
      bank: bank, counter: STM32Counter(limit: kind.limit),
      preload: STM32Counter.Preload(bank, Offset.prescaler, Offset.period, Offset.repetition, Offset.compare))
  }

  // MARK: Counting

  private var isRunning: Bool { bank[Offset.control].has(0) }

  /// Registers were written.
  private func readRegisters() {
    let bank = bank
    let value = bank[Offset.control]
    state.preload = STM32Counter.Preload(bank, Offset.prescaler, Offset.period, Offset.repetition, Offset.compare)
    var control = STM32Counter.Control(isWithoutUpdates: value.has(1), stopsAtUpdate: value.has(3))
    for channel in 0..<kind.channels where mode(channel, bank) & 3 == 0 { control.channels |= 1 << UInt32(channel) }
    let alignment = value.field(5, 2)
    (control.matchesRising, control.matchesFalling) = (alignment & 2 != 0, alignment & 1 != 0)
    state.control = control
  }

  /// A channel's byte of CCMR: CCxS, 0 where it compares, and with it OCxPE (bit 3).
  private func mode(_ channel: Int, _ bank: RegisterBank) -> UInt32 {
    bank[Offset.modes + 4 * UInt64(channel / 2)].field(8 * (channel & 1), 8)
  }

  /// Brings the counter up to now.
  private func catchUp() {
    let now = input.ticks
    let clocks = now &- state.since
    state.since = now
    guard isRunning, clocks > 0 else { return }
    let outcome = state.counter.advance(clocks, state.preload, state.control)
    if outcome.flags != 0 { bank[Offset.status] |= outcome.flags }
    if outcome.hasUpdated { noteUpdate() }
    if outcome.hasStopped { bank[Offset.control] &= ~1 }
  }

  /// AOE enables the outputs at each update.
  private func noteUpdate() { if bank[Offset.outputs].has(14) { bank[Offset.outputs] |= 1 << 15 } }

  /// Asks to be woken when a flag comes whose interrupt is enabled.
  private func schedule() {
    updateInterrupts()
    context.cancel(token: 0)
    let wanted = bank[Offset.enables] & ~bank[Offset.status] & 0x1F
    guard isRunning, wanted != 0, let clocks = state.counter.clocks(until: wanted, state.control) else { return }
    let time = input.time(of: state.since &+ clocks)
    if time != .max { context.schedule(at: time, token: 0) }
  }

  public func event(_ token: UInt64) {
    catchUp()
    schedule()
  }

  // MARK: Registers

  public func prepareRead() { catchUp() }

  public func performWrite(_ write: () -> Void) {
    catchUp()
    write()
    readRegisters()
    schedule()
  }

  /// What a look shows is up to date without the device being so.
  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    let saved = state
    defer { state = saved }
    catchUp()
    return table.peek(self, offset, size: size)
  }

  var countValue: UInt32 {
    let count = UInt32(truncatingIfNeeded: state.counter.count)
    return copiesUpdateFlag ? count.setting(31, to: bank[Offset.status].has(0)) : count
  }

  var controlValue: UInt32 {
    isCentred ? bank[Offset.control].setting(4, to: state.counter.isFalling) : bank[Offset.control]
  }

  private var copiesUpdateFlag: Bool { bank[Offset.control].has(11) }
  private var isCentred: Bool { bank[Offset.control].field(5, 2) != 0 }

  /// A register some bits of which a level of LOCK freezes.
  func store(_ value: UInt32, at offset: UInt64, frozenBy level: UInt32, _ frozen: UInt32) {
    bank[offset] = lock >= level ? bank[offset] & frozen | value & ~frozen : value
  }

  func setPeriod(_ value: UInt32) {
    bank[Offset.period] = value
    if !bank[Offset.control].has(7) { state.counter.period = UInt64(value) }
  }

  func writeControl(_ value: UInt32) {
    bank[Offset.control] = value
    let wasCentred = state.counter.alignment == .centre
    state.counter.alignment = isCentred ? .centre : value.has(4) ? .down : .up
    if !isCentred || !wasCentred { state.counter.isFalling = false }
    if !value.has(7) { state.counter.period = UInt64(bank[Offset.period]) }
  }

  /// UIFCPY, in bit 31, is not of the count.
  func setCount(_ value: UInt32) {
    let bits = kind.isWide && copiesUpdateFlag ? 0x7FFF_FFFF : kind.limit
    state.counter.count = UInt64(value & bits)
    state.counter.phase = 0
  }

  /// CCMR. LOCK 3 keeps OCxM and OCxPE of outputs.
  func setMode(_ value: UInt32, of index: Int) {
    let offset = Offset.modes + 4 * UInt64(index)
    let kept: UInt32 = [0, 8].reduce(0) { bank[offset].field($1, 2) == 0 ? $0 | 0x78 << UInt32($1) : $0 }
    store(value, at: offset, frozenBy: 3, kept)
    if value & 0x303 != 0 { unimplemented.once("CCxS: nothing drives the inputs of capture channels", context) }
    useCompareValues()
  }

  func setCompare(_ value: UInt32, of channel: Int) {
    bank[Offset.compare + 4 * UInt64(channel)] = value
    useCompareValues()
  }

  /// Values are in use at once where OCxPE is clear.
  private func useCompareValues() {
    for channel in 0..<kind.channels where mode(channel, bank) & 0xB == 0 {
      state.counter.compare[channel] = bank[Offset.compare + 4 * UInt64(channel)]
    }
  }

  /// The level of LOCK, which is written once after a reset.
  private var lock: UInt32 { bank[Offset.outputs].field(8, 2) }

  /// BDTR: what LOCK freezes stays, and LOCK itself.
  func writeOutputs(_ value: UInt32) {
    let kept: UInt32 = lock == 0 ? 0 : lock == 1 ? 0x73FF : 0x7FFF
    bank[Offset.outputs] = bank[Offset.outputs] & kept | value & ~kept
  }

  func generate(_ value: UInt32) {
    let control = bank[Offset.control]
    if value.has(0) {
      if !control.has(1) {
        state.counter.update(state.preload)
        noteUpdate()
        if !control.has(2) { bank[Offset.status] |= 1 }
      }
      state.counter.count = state.counter.alignment == .down ? state.counter.period : 0
      state.counter.isFalling = false
      state.counter.phase = 0
    }
    for channel in 0..<kind.channels where value.has(channel + 1) { generate(channel) }
    guard kind.channels > 0 else { return }
    bank[Offset.status] |= value & (kind.isAdvanced ? 0xE0 : 0x40)
    // A break switches the outputs off.
    if kind.isAdvanced, value.has(7) { bank[Offset.outputs] &= ~(1 << 15) }
  }

  /// CCxG: a compare event, or a capture; one that was not read since the last is an overcapture.
  private func generate(_ channel: Int) {
    let flag: UInt32 = 2 << UInt32(channel)
    if mode(channel, bank) & 3 != 0 {
      bank[Offset.compare + 4 * UInt64(channel)] = UInt32(truncatingIfNeeded: state.counter.count)
      if bank[Offset.status] & flag != 0 { bank[Offset.status] |= flag << 8 }
    }
    bank[Offset.status] |= flag
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
    state = Self.initial(table, kind)
    state.since = input.ticks
    updateInterrupts()
  }
}
