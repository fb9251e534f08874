// The CLOCK and POWER peripherals, which stand at one address.
//
// Sources: nRF51 Series Reference Manual v3.0, chapters 12 and 13; nRF52840 Product Specification v1.7, sections 5.3 and
// 5.4. Oscillators start at once; the CPU's speed does not depend on them. USB power is absent.

import Bus

public final class NordicClock: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-clock", "nordic,nrf-power"] }

  public struct State: NordicState, Codable, Sendable, Equatable {
    var events = NordicEvents()
    var highRuns = false
    var lowRuns = false
    /// The source LFCLK was started from.
    var lowSource: UInt32 = 0
    /// The registers that hold what is written.
    var held: RegisterBank
    /// RESETREAS
    var resetReason: UInt32 = 0
    /// How LFCLK runs.
    var lowClock = ClockPhase(frequency: 0)
  }

  /// The bits of RESETREAS that resets set; without any it was the supply's.
  private static func reason(_ cause: ResetCause) -> UInt32 {
    switch cause {
    case .pin, .debugger: 1
    case .watchdog, .windowWatchdog: 1 << 1
    case .software: 1 << 2
    case .lockUp: 1 << 3
    case .powerOn, .brownOut, .controller: 0
    }
  }

  /// RESET and GPREGRET of the nRF51, GPREGRET and GPREGRET2 of the nRF52.
  private static let retained: [UInt64] = [0x51C, 0x520, 0x544]

  private static let held: Registers = [
    Register("POFCON", 0x510), Register("LFCLKSRC", 0x518), Register("GPREGRET", 0x51C, [.field("GPREGRET", 0..<8)]),
    Register("GPREGRET2", 0x520, [.field("GPREGRET", 0..<8)]), Register("RAMON", 0x524, reset: 3),
    Register("PERR0", 0x528), Register("RLENR0", 0x52C), Register("CTIV", 0x538),
    Register("RESET", 0x544, [.field("RESET", 0)]),
    Register("XTALFREQ", 0x550, reset: 0xFF),
    Register("RAMONB", 0x554, reset: 3), Register("TRACECONFIG", 0x55C), Register("DCDCEN", 0x578),
    Register("DCDCEN0", 0x580), Register("PROTENSET0", 0x600), Register("PROTENSET1", 0x604),
    Register("DISABLEINDEBUG", 0x608, reset: 1), Register("PROTBLOCKSIZE", 0x60C), Register("LFRCMODE", 0x5B4),
    Register("RAM.POWER", 0x900, reset: 0xFFFF, count: 9, stride: 16),
  ]
  private static let initial = RegisterBank(RegisterTable(held))

  public let context: DeviceContext
  public var state = State(held: NordicClock.initial)
  public let table: RegisterTable<NordicClock>
  public var unimplemented = UnimplementedLog()
  private let lowClock: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    lowClock = context.lowFrequencyClock
    table = RegisterTable(
      [
        .task("HFCLKSTART", 0x000) { $0.startHigh() }, .task("HFCLKSTOP", 0x004) { $0.state.highRuns = false },
        .task("LFCLKSTART", 0x008) { $0.startLow() }, .task("LFCLKSTOP", 0x00C) { $0.stopLow() },
        .task("CAL", 0x010) { $0.raise(3) }, .task("CTSTART", 0x014) { _ in }, .task("CTSTOP", 0x018) { _ in },
        .task("CONSTLAT", 0x078) { _ in }, .task("LOWPWR", 0x07C) { _ in }, .event("HFCLKSTARTED", 0x100),
        .event("LFCLKSTARTED", 0x104), .event("POFWARN", 0x108), .event("DONE", 0x10C), .event("CTTO", 0x110),
        .event("SLEEPENTER", 0x114), .event("SLEEPEXIT", 0x118), .event("USBDETECTED", 0x11C),
        .event("USBREMOVED", 0x120), .event("USBPWRRDY", 0x124),
      ], NordicClock.interrupts,
      [
        Register("RESETREAS", 0x400).onRead(\.state.resetReason).onWrite { $0.state.resetReason &= ~$1 },
        Register("HFCLKRUN", 0x408, .readOnly).onRead { $0.state.highRuns ? 1 : 0 },
        Register("HFCLKSTAT", 0x40C, .readOnly).onRead { $0.state.highRuns ? 0x1_0001 : 0 },
        Register("LFCLKRUN", 0x414, .readOnly).onRead { $0.state.lowRuns ? 1 : 0 },
        Register("LFCLKSTAT", 0x418, .readOnly).onRead { $0.state.lowRuns ? 0x1_0000 | $0.state.lowSource : 0 },
        Register("LFCLKSRCCOPY", 0x41C, .readOnly).onRead(\.state.lowSource),
        Register("RAMSTATUS", 0x428, .readOnly).onRead { _ in 3 },
        Register("USBREGSTATUS", 0x438, .readOnly).onRead { _ in 0 },
        Register("SYSTEMOFF", 0x500, .writeOnly).onWrite { if $1.has(0) { $0.context.control.powerOff(exitCode: 0) } },
        Register("MAINREGSTATUS", 0x640, .readOnly).onRead { _ in 0 },
      ], Self.held,
      [
        Register("RAM.POWERSET", 0x904, count: 9, stride: 16)
          .onRead { $0.memoryPower($1) }.onWrite { $0.setMemoryPower($2, $0.memoryPower($2) | $1) },
        Register("RAM.POWERCLR", 0x908, count: 9, stride: 16)
          .onRead { $0.memoryPower($1) }.onWrite { $0.setMemoryPower($2, $0.memoryPower($2) & ~$1) },
      ])
    driveClock()
  }

  public func held(at offset: UInt64) -> UInt32? { state.held[offset] }
  public func hold(_ value: UInt32, at offset: UInt64) { state.held[offset] = value }

  private func memoryPower(_ section: Int) -> UInt32 { state.held[0x900 + 16 * UInt64(section)] }
  private func setMemoryPower(_ section: Int, _ value: UInt32) { state.held[0x900 + 16 * UInt64(section)] = value }

  private func driveClock() {
    lowClock.drive(state.lowRuns ? 32_768 : 0)
    state.lowClock = lowClock.phase
  }

  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    state = try decodeSnapshot(State.self, from: bytes)
    lowClock.restore(state.lowClock)
  }

  private func startHigh() {
    state.highRuns = true
    raise(0)
  }

  private func startLow() {
    state.lowRuns = true
    state.lowSource = state.held[0x518] & 3
    driveClock()
    raise(1)
  }

  private func stopLow() {
    state.lowRuns = false
    driveClock()
  }

  public func reset(_ cause: ResetCause) {
    let isSupply = cause == .powerOn || cause == .brownOut
    let (held, reason) = (state.held, isSupply ? 0 : state.resetReason | Self.reason(cause))
    state = State(held: Self.initial, resetReason: reason)
    if cause.leavesNordicRegisters { for offset in Self.retained { state.held[offset] = held[offset] } }
    driveClock()
    updateInterrupt()
  }
}

extension DeviceContext {
  /// LFCLK; it runs where no CLOCK starts and stops it.
  var lowFrequencyClock: ClockSignal { clocks.signal("nordic:lfclk", 32_768) }
}

extension ResetCause {
  /// Whether the retained registers and the watchdog are left alone: by soft resets and those of a locked-up CPU
  /// (nRF51 Series Reference Manual v3.0, section 12.1.5; nRF52840 Product Specification v1.7, section 5.3.7.7).
  var leavesNordicRegisters: Bool { self == .software || self == .lockUp }
}
