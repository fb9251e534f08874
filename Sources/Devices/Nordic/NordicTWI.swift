// The two-wire master of the nRF51, on a bus where nothing answers.
//
// Source: nRF51 Series Reference Manual v3.0, chapter 28. Every address is refused, so drivers find no device.

import Bus

public final class NordicTWI: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-twi"] }

  public struct State: NordicState, Codable, Sendable, Equatable {
    var events = NordicEvents()
    var enable: UInt32 = 0
    var errorSource: UInt32 = 0
    /// PSELSCL, PSELSDA, FREQUENCY, ADDRESS
    var pins: [UInt32] = [0xFFFF_FFFF, 0xFFFF_FFFF]
    var frequency: UInt32 = 0x0400_0000
    var address: UInt32 = 0
  }

  private enum Event {
    static let stopped = 1
    static let error = 9
  }

  public let context: DeviceContext
  public var state = State()
  public let registers: [RegisterMap]
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    registers = [
      RegisterMap(
        NordicRegisters.declare(
          tasks: [("STARTRX", 0), ("STARTTX", 8), ("STOP", 0x14), ("SUSPEND", 0x1C), ("RESUME", 0x20)],
          events: [
            ("STOPPED", 0x104), ("RXDREADY", 0x108), ("TXDSENT", 0x11C), ("ERROR", 0x124), ("BB", 0x138),
            ("SUSPENDED", 0x148),
          ], hasShorts: true)
          + [
            Register("ERRORSRC", 0x4C4, [.field("ANACK", 1), .field("DNACK", 2)]), Register("ENABLE", 0x500),
            Register("PSEL", 0x508, count: 2), Register("RXD", 0x518, .readOnly), Register("TXD", 0x51C),
            Register("FREQUENCY", 0x524), Register("ADDRESS", 0x588),
          ])
    ]
  }

  func trigger(_ task: Int) {
    switch task {
    case 0, 2:
      guard state.enable == 5 else { return }
      unimplemented.once("nothing answers at address \(state.address) of the bus", context)
      state.errorSource |= 2
      raise(Event.error)
    case 5: raise(Event.stopped)
    default: break
    }
  }

  func value(at offset: UInt64, isPeek: Bool) -> UInt32? {
    switch offset {
    case 0x4C4: state.errorSource
    case 0x500: state.enable
    case 0x508, 0x50C: state.pins[Int(offset - 0x508) / 4]
    case 0x518, 0x51C: 0
    case 0x524: state.frequency
    case 0x588: state.address
    default: nil
    }
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    switch offset {
    case 0x4C4: state.errorSource &= ~value
    case 0x500: state.enable = value & 7
    case 0x508, 0x50C: state.pins[Int(offset - 0x508) / 4] = value
    case 0x51C: break
    case 0x524: state.frequency = value
    case 0x588: state.address = value & 0x7F
    default: return false
    }
    return true
  }

  public func reset(_ cause: ResetCause) {
    state = State()
    updateInterrupt()
  }
}
