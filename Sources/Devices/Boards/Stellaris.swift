/// What is particular to the Stellaris LM3S6965: system control and general-purpose timers.
///
/// Source: LM3S6965 data sheet, chapters 5 and 9.
import Bits
import Bus

/// System control: identification, the system clock with a PLL that is always locked, resets and sleep modes as storage.
/// It drives the CPU's clock and that of a node `/system-clock`, which trees have for it.
public final class StellarisSystemControl: BankDevice {
  public static var compatible: [String] { ["ti,stellaris-sysctl"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// How the system clock runs.
    var clock = ClockPhase(frequency: 0)
  }

  private static let map = RegisterMap([
    Register("DID0", 0x000, .readOnly, reset: 0x1001_0002), Register("DID1", 0x004, .readOnly, reset: 0x1073_402E),
    Register("DC0", 0x008, .readOnly, reset: 0x00FF_007F), Register("DC1", 0x010, .readOnly, reset: 0x0011_33FF),
    Register("DC2", 0x014, .readOnly, reset: 0x030F_5317), Register("DC3", 0x018, .readOnly, reset: 0x0F0F_87FF),
    Register("DC4", 0x01C, .readOnly, reset: 0x5000_007F), Register("PBORCTL", 0x030, reset: 0x7FFD),
    Register("LDOPCTL", 0x034), Register("SRCR", 0x040, count: 3), Register("RIS", 0x050, .readOnly, reset: 0x40),
    Register("IMC", 0x054), Register("MISC", 0x058), Register("RESC", 0x05C),
    Register("RCC", 0x060, reset: 0x078E_3AD1),
    Register("PLLCFG", 0x064, .readOnly), Register("RCC2", 0x070, reset: 0x0780_2800),
    Register("RCGC", 0x100, reset: 0x40, count: 3), Register("SCGC", 0x110, reset: 0x40, count: 3),
    Register("DCGC", 0x120, reset: 0x40, count: 3), Register("DSLPCLKCFG", 0x144, reset: 0x0780_0000),
  ])

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(StellarisSystemControl.map))
  public let registers = [StellarisSystemControl.map]
  var unimplemented = UnimplementedLog()
  private let signals: [ClockSignal]

  public init(context: DeviceContext) throws(DeviceError) {
    guard !context.node.regions.isEmpty else { throw .missingRegion(device: context.node.name, index: 0) }
    self.context = context
    signals = [context.clocks.cpu, context.clocks.signal("/system-clock")]
    driveClock()
  }

  func store(_ value: UInt32, at offset: UInt64) {
    bank[offset] = value
    if offset == 0x060 || offset == 0x070 { driveClock() }
  }

  // MARK: The system clock

  /// The frequencies of crystals, in Hz, by RCC's XTAL; smaller ones cannot drive the PLL.
  private static let crystals: [UInt64] = [
    1_000_000, 1_843_200, 2_000_000, 2_457_600, 3_579_545, 3_686_400, 4_000_000, 4_096_000, 4_915_200, 5_000_000,
    5_120_000, 6_000_000, 6_144_000, 7_372_800, 8_000_000, 8_192_000,
  ]

  /// Hz (data sheet, figure 5-4): RCC2 stands in for some fields of RCC if it says so.
  private var frequency: UInt64 {
    let (first, second) = (bank[0x060], bank[0x070])
    let isSecond = second.has(31)
    let divider = UInt64(isSecond ? second.field(23, 6) : first.field(23, 4)) + 1
    // The PLL's 400 MHz are halved before they are divided, always.
    guard (isSecond ? second : first).has(11) else { return 200_000_000 / divider }
    let oscillator: UInt64 =
      switch isSecond ? second.field(4, 3) : first.field(4, 2) {
      case 0: Self.crystals[Int(first.field(6, 4))]
      case 1: 12_000_000
      case 2: 3_000_000
      case 7: 32_768
      default: 30_000
      }
    return max(1, oscillator / (first.has(22) ? divider : 1))
  }

  private func driveClock() {
    for signal in signals { signal.drive(frequency) }
    state.clock = signals[0].phase
  }

  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    state = try decodeSnapshot(State.self, from: bytes)
    for signal in signals { signal.restore(state.clock) }
  }

  public func reset(_ cause: ResetCause) {
    state = State(bank: RegisterBank(Self.map))
    driveClock()
  }
}

/// A general-purpose timer: one of 32 bits, or two of 16 with prescalers. Capture, PWM and the real-time mode are not there.
public final class StellarisTimer: BankDevice {
  public static var compatible: [String] { ["ti,stellaris-timer"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    var counters = [DownCounter(), DownCounter(0xFFFF)]
    /// RIS
    var pending: UInt32 = 0
  }

  private static let mode: [Field] = [.field("MR", 0..<2), .unimplemented("CMR", 2), .unimplemented("AMS", 3)]
  private static let map = RegisterMap([
    Register("CFG", 0x00), Register("TAMR", 0x04, mode), Register("TBMR", 0x08, mode), Register("CTL", 0x0C),
    Register("IMR", 0x18), Register("RIS", 0x1C, .readOnly), Register("MIS", 0x20, .readOnly),
    Register("ICR", 0x24, .writeOnly), Register("TAILR", 0x28, reset: 0xFFFF_FFFF),
    Register("TBILR", 0x2C, reset: 0xFFFF),
    Register("TAMATCHR", 0x30, reset: 0xFFFF_FFFF), Register("TBMATCHR", 0x34, reset: 0xFFFF), Register("TAPR", 0x38),
    Register("TBPR", 0x3C), Register("TAPMR", 0x40), Register("TBPMR", 0x44), Register("TAR", 0x48, .readOnly),
    Register("TBR", 0x4C, .readOnly),
  ])

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(StellarisTimer.map))
  public let registers = [StellarisTimer.map]
  var unimplemented = UnimplementedLog()
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    guard !context.node.regions.isEmpty else { throw .missingRegion(device: context.node.name, index: 0) }
    self.context = context
    input = context.clockInput
    input.listen(self) { $0.schedule() }
  }

  private var isWide: Bool { bank[0x00] == 0 }

  /// Clocks of a half's count: prescalers work only in the 16-bit mode.
  private func divider(_ half: Int) -> UInt64 { isWide ? 1 : UInt64(bank[0x38 + 4 * UInt64(half)] & 0xFF) + 1 }

  private func ticks(_ half: Int) -> UInt64 { input.ticks / divider(half) }

  private func catchUp() {
    for half in 0..<2 where state.counters[half].advance(to: ticks(half)) {
      state.pending |= 1 << UInt32(8 * half)
      if state.counters[half].isOneShot { bank[0x0C] &= ~(1 << UInt32(8 * half)) }
    }
  }

  /// The wires of the halves A and B.
  private func schedule() {
    for half in 0..<2 {
      context.cancel(token: UInt64(half))
      if half < context.interrupts.count {
        context.interrupts[half].line.set(state.pending & bank[0x18] & 0x1F << UInt32(8 * half) != 0)
      }
      guard let next = state.counters[half].nextZero else { continue }
      context.schedule(at: input.time(of: next &* divider(half)), token: UInt64(half))
    }
  }

  public func event(_ token: UInt64) {
    catchUp()
    schedule()
  }

  func load(_ offset: UInt64, isPeek: Bool) -> UInt32 {
    if !isPeek { catchUp() }
    switch offset {
    case 0x1C: return state.pending
    case 0x20: return state.pending & bank[0x18]
    case 0x48, 0x4C: return state.counters[Int(offset - 0x48) / 4].value
    default: return bank[offset]
    }
  }

  func store(_ value: UInt32, at offset: UInt64) {
    catchUp()
    let old = bank[offset]
    bank[offset] = value
    switch offset {
    case 0x0C: for half in 0..<2 where value.has(8 * half) != old.has(8 * half) { run(half, value.has(8 * half)) }
    case 0x24: state.pending &= ~value
    case 0x28, 0x2C:
      let half = Int(offset - 0x28) / 4
      state.counters[half].reload = isWide && half == 0 ? value : value & 0xFFFF
      state.counters[half].value = state.counters[half].reload
      state.counters[half].since = ticks(half)
    default: break
    }
    schedule()
  }

  private func run(_ half: Int, _ runs: Bool) {
    guard runs else { return state.counters[half].isRunning = false }
    guard half == 0 || !isWide else { return }
    let limit = bank[0x28 + 4 * UInt64(half)] & (isWide ? .max : 0xFFFF)
    state.counters[half].reload = limit
    state.counters[half].value = limit
    state.counters[half].isOneShot = bank[0x04 + 4 * UInt64(half)] & 3 == 1
    state.counters[half].since = ticks(half)
    state.counters[half].isRunning = true
  }

  public func reset(_ cause: ResetCause) {
    for half in 0..<2 { context.cancel(token: UInt64(half)) }
    state = State(bank: RegisterBank(Self.map))
    for output in context.interrupts { output.line.set(false) }
  }
}
