/// Tasks and events of pins.
///
/// Source: nRF51 Series Reference Manual v3.0, chapter 15. Tasks drive pins; since no pin changes from outside, there are
/// no events.
import Bus

public final class NordicGPIOTE: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-gpiote"] }

  public struct State: Codable, Sendable, Equatable {
    var events = NordicEvents()
    var configuration = [UInt32](repeating: 0, count: 8)
  }

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
          tasks: (0..<4).map { ("OUT\($0)", 4 * UInt64($0)) },
          events: (0..<4).map { ("IN\($0)", 0x100 + 4 * UInt64($0)) } + [("PORT", 0x17C)])
          + [Register("CONFIG", 0x510, count: 8)])
    ]
  }

  private var pins: NordicGPIO? { context.directory.device(at: 0x5000_0000, in: context.space) as? NordicGPIO }

  /// OUT[n]: sets, clears or toggles the pin of a channel in task mode.
  func trigger(_ task: Int) {
    guard task < 8, state.configuration[task] & 3 == 3, let pins else { return }
    let bit = UInt32(1) << (state.configuration[task] >> 8 & 31)
    switch state.configuration[task] >> 16 & 3 {
    case 1: pins.state.output |= bit
    case 2: pins.state.output &= ~bit
    case 3: pins.state.output ^= bit
    default: break
    }
  }

  func value(at offset: UInt64, isPeek: Bool) -> UInt32? {
    (0x510..<0x530).contains(offset) ? state.configuration[Int(offset - 0x510) / 4] : nil
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    guard (0x510..<0x530).contains(offset) else { return false }
    state.configuration[Int(offset - 0x510) / 4] = value
    return true
  }

  public func reset() {
    state = State()
    updateInterrupt()
  }
}
