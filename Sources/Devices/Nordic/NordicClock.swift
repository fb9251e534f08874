/// The CLOCK and POWER peripherals, which stand at one address.
///
/// Source: nRF51 Series Reference Manual v3.0, chapters 12 and 13. Oscillators start at once; the CPU's speed does not
/// depend on them.
import Bus

public final class NordicClock: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-clock", "nordic,nrf-power"] }

  public struct State: Codable, Sendable, Equatable {
    var events = NordicEvents()
    var highRuns = false
    var lowRuns = false
    /// The source LFCLK was started from.
    var lowSource: UInt32 = 0
    /// Registers that hold what is written, by offset in ascending order.
    var held: [UInt32] = Array(repeating: 0, count: 0x100)
    var resetReason: UInt32 = 0
  }

  /// Registers that only hold a value here, and what resets give them.
  private static let held: [(name: String, offset: UInt64, reset: UInt32)] = [
    ("POFCON", 0x510, 0), ("LFCLKSRC", 0x518, 0), ("GPREGRET", 0x51C, 0), ("RAMON", 0x524, 3), ("PERR0", 0x528, 0),
    ("RLENR0", 0x52C, 0), ("CTIV", 0x538, 0), ("XTALFREQ", 0x550, 0xFF), ("RAMONB", 0x554, 3), ("DCDCEN", 0x578, 0),
    ("PROTENSET0", 0x600, 0), ("PROTENSET1", 0x604, 0), ("DISABLEINDEBUG", 0x608, 1), ("PROTBLOCKSIZE", 0x60C, 0),
  ]

  public let context: DeviceContext
  public var state = State()
  public let registers: [RegisterMap]
  var events: NordicEvents {
    get { state.events }
    set { state.events = newValue }
  }

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    registers = [
      RegisterMap(
        NordicRegisters.declare(
          tasks: [("HFCLKSTART", 0), ("HFCLKSTOP", 4), ("LFCLKSTART", 8), ("LFCLKSTOP", 12), ("CAL", 16)],
          events: [("HFCLKSTARTED", 0x100), ("LFCLKSTARTED", 0x104), ("POFWARN", 0x108), ("DONE", 0x10C)])
          + [
            Register("RESETREAS", 0x400), Register("HFCLKRUN", 0x408, .readOnly),
            Register("HFCLKSTAT", 0x40C, .readOnly), Register("LFCLKRUN", 0x414, .readOnly),
            Register("LFCLKSTAT", 0x418, .readOnly), Register("LFCLKSRCCOPY", 0x41C, .readOnly),
            Register("RAMSTATUS", 0x428, .readOnly), Register("SYSTEMOFF", 0x500, .writeOnly),
            Register("RESET", 0x544),
          ] + Self.held.map { Register($0.name, $0.offset, reset: UInt64($0.reset)) })
    ]
    setHeld()
  }

  private func setHeld() {
    for register in Self.held { state.held[Int(register.offset - 0x500) / 4] = register.reset }
  }

  func trigger(_ task: Int) {
    switch task {
    case 0:
      state.highRuns = true
      raise(0)
    case 1: state.highRuns = false
    case 2:
      state.lowRuns = true
      state.lowSource = state.held[6] & 3
      raise(1)
    case 3: state.lowRuns = false
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
    case 0x500, 0x544: 0
    case _ where Self.held.contains { $0.offset == offset }: state.held[Int(offset - 0x500) / 4]
    default: nil
    }
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    switch offset {
    case 0x400: state.resetReason &= ~value
    case 0x500: if value & 1 != 0 { context.control.powerOff(exitCode: 0) }
    case 0x544: break
    case _ where Self.held.contains { $0.offset == offset }: state.held[Int(offset - 0x500) / 4] = value
    default: return false
    }
    return true
  }

  public func reset() {
    // GPREGRET outlives resets.
    let retained = state.held[7]
    state = State()
    setHeld()
    state.held[7] = retained
    updateInterrupt()
  }
}
