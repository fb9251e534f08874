/// The general-purpose pins of the nRF51 and nRF52.
///
/// Source: nRF51 Series Reference Manual v3.0, chapter 14. Pins that nothing drives read as their pull resistors say;
/// `martlet,pulled-up` lists in a mask those that the board pulls up (buttons).
import Bits
import Bus

public final class NordicGPIO: Device {
  public static var compatible: [String] { ["nordic,nrf-gpio"] }

  public struct State: Codable, Sendable, Equatable {
    var output: UInt32 = 0
    var direction: UInt32 = 0
    /// PIN_CNF without its direction bit.
    var configuration = [UInt32](repeating: 2, count: 32)
    /// Pins that something outside holds low.
    var heldLow: UInt32 = 0
  }

  public let context: DeviceContext
  public var state = State()
  public let registers: [RegisterMap]
  public let regions: [AddressRange]
  private let pulledUp: UInt32
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    guard let range = context.node.regions.first else { throw .missingRegion(device: context.node.name, index: 0) }
    self.context = context
    pulledUp = context.node.u32("martlet,pulled-up") ?? 0
    // Zephyr's trees give only parts of it.
    regions = [AddressRange(base: range.base, size: 0x1000)]
    registers = [
      RegisterMap([
        Register("OUT", 0x504), Register("OUTSET", 0x508), Register("OUTCLR", 0x50C), Register("IN", 0x510, .readOnly),
        Register("DIR", 0x514), Register("DIRSET", 0x518), Register("DIRCLR", 0x51C),
        Register("PIN_CNF", 0x700, count: 32),
      ])
    ]
  }

  /// The levels of the pins.
  var levels: UInt32 {
    var inputs = pulledUp
    for pin in 0..<32 {
      switch state.configuration[pin] >> 2 & 3 {
      case 1: inputs &= ~(1 << UInt32(pin))
      case 3: inputs |= 1 << UInt32(pin)
      default: break
      }
    }
    return inputs & ~state.heldLow & ~state.direction | state.output & state.direction
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    let word: UInt32
    switch offset & ~3 {
    case 0x504, 0x508, 0x50C: word = state.output
    case 0x510: word = levels
    case 0x514, 0x518, 0x51C: word = state.direction
    case 0x700..<0x780:
      let pin = Int(offset - 0x700) / 4
      word = state.configuration[pin] & ~1 | state.direction >> UInt32(pin) & 1
    default:
      unimplemented.unknown(offset: offset, isWrite: false, of: context)
      return 0
    }
    return UInt64(word) >> (8 * (offset & 3)) & .mask(8 * size)
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    let value = UInt32(truncatingIfNeeded: value)
    switch offset {
    case 0x504: state.output = value
    case 0x508: state.output |= value
    case 0x50C: state.output &= ~value
    case 0x514: state.direction = value
    case 0x518: state.direction |= value
    case 0x51C: state.direction &= ~value
    case 0x700..<0x780:
      let pin = UInt32(offset - 0x700) / 4
      state.configuration[Int(pin)] = value
      state.direction = state.direction & ~(1 << pin) | (value & 1) << pin
    default: unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
  }

  public func reset() { state = State() }
}
