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

  private static let held = RegisterMap([
    Register("POFCON", 0x510), Register("LFCLKSRC", 0x518), Register("GPREGRET", 0x51C, [.field("GPREGRET", 0..<8)]),
    Register("GPREGRET2", 0x520, [.field("GPREGRET", 0..<8)]), Register("RAMON", 0x524, reset: 3),
    Register("PERR0", 0x528), Register("RLENR0", 0x52C), Register("CTIV", 0x538),
    Register("RESET", 0x544, [.field("RESET", 0)]),
    Register("XTALFREQ", 0x550, reset: 0xFF),
    Register("RAMONB", 0x554, reset: 3), Register("TRACECONFIG", 0x55C), Register("DCDCEN", 0x578),
    Register("DCDCEN0", 0x580), Register("PROTENSET0", 0x600), Register("PROTENSET1", 0x604),
    Register("DISABLEINDEBUG", 0x608, reset: 1), Register("PROTBLOCKSIZE", 0x60C), Register("LFRCMODE", 0x5B4),
    Register("RAM.POWER", 0x900, reset: 0xFFFF, count: 9, stride: 16),
  ])

  public let context: DeviceContext
  public var state = State(held: RegisterBank(NordicClock.held))
  public let registers: [RegisterMap]
  private let lowClock: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    lowClock = context.lowFrequencyClock
    registers = [
      RegisterMap(
        NordicRegisters.declare(
          tasks: [
            ("HFCLKSTART", 0), ("HFCLKSTOP", 4), ("LFCLKSTART", 8), ("LFCLKSTOP", 12), ("CAL", 16), ("CTSTART", 20),
            ("CTSTOP", 24), ("CONSTLAT", 0x78), ("LOWPWR", 0x7C),
          ],
          events: [
            ("HFCLKSTARTED", 0x100), ("LFCLKSTARTED", 0x104), ("POFWARN", 0x108), ("DONE", 0x10C), ("CTTO", 0x110),
            ("SLEEPENTER", 0x114), ("SLEEPEXIT", 0x118), ("USBDETECTED", 0x11C), ("USBREMOVED", 0x120),
            ("USBPWRRDY", 0x124),
          ])
          + [
            Register("RESETREAS", 0x400), Register("HFCLKRUN", 0x408, .readOnly),
            Register("HFCLKSTAT", 0x40C, .readOnly), Register("LFCLKRUN", 0x414, .readOnly),
            Register("LFCLKSTAT", 0x418, .readOnly), Register("LFCLKSRCCOPY", 0x41C, .readOnly),
            Register("RAMSTATUS", 0x428, .readOnly), Register("USBREGSTATUS", 0x438, .readOnly),
            Register("SYSTEMOFF", 0x500, .writeOnly),
            Register("MAINREGSTATUS", 0x640, .readOnly),
          ] + Self.held.registers)
    ]
    driveClock()
  }

  private func driveClock() {
    lowClock.drive(state.lowRuns ? 32_768 : 0)
    state.lowClock = lowClock.phase
  }

  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    state = try decodeSnapshot(State.self, from: bytes)
    lowClock.restore(state.lowClock)
  }

  func trigger(_ task: Int) {
    switch task {
    case 0:
      state.highRuns = true
      raise(0)
    case 1: state.highRuns = false
    case 2:
      state.lowRuns = true
      state.lowSource = state.held[0x518] & 3
      driveClock()
      raise(1)
    case 3:
      state.lowRuns = false
      driveClock()
    case 4: raise(3)
    default: break
    }
  }

  func value(at offset: UInt64, isPeek: Bool) -> UInt32? {
    switch offset {
    case 0x400: state.resetReason
    case 0x408: state.highRuns ? 1 : 0
    case 0x40C: state.highRuns ? 0x1_0001 : 0
    case 0x414: state.lowRuns ? 1 : 0
    case 0x418: state.lowRuns ? 0x1_0000 | state.lowSource : 0
    case 0x41C: state.lowSource
    case 0x428: 3
    case 0x438, 0x500, 0x640: 0
    // RAM[n].POWERSET and POWERCLR beside RAM[n].POWER.
    case 0x900..<0x990 where offset & 15 == 4 || offset & 15 == 8: state.held[offset & ~15]
    default: Self.held.match(offset, isWrite: false) == nil ? nil : state.held[offset]
    }
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    switch offset {
    case 0x400: state.resetReason &= ~value
    case 0x500: if value & 1 != 0 { context.control.powerOff(exitCode: 0) }
    case 0x900..<0x990 where offset & 15 == 4: state.held[offset & ~15] |= value
    case 0x900..<0x990 where offset & 15 == 8: state.held[offset & ~15] &= ~value
    default:
      guard let match = Self.held.match(offset, isWrite: true) else { return false }
      state.held[offset] = value & match.register.mask
    }
    return true
  }

  public func reset(_ cause: ResetCause) {
    let isSupply = cause == .powerOn || cause == .brownOut
    let (held, reason) = (state.held, isSupply ? 0 : state.resetReason | Self.reason(cause))
    state = State(held: RegisterBank(Self.held), resetReason: reason)
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
