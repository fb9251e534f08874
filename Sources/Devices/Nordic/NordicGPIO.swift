// The general-purpose pins of the nRF51 and nRF52.
//
// Sources: nRF51 Series Reference Manual v3.0, chapter 14; nRF52840 Product Specification v1.7, section 6.9. Pins that
// nothing drives read as their pull resistors say; `martlet,pulled-up` lists in a mask those that the board pulls up
// (buttons).

import Bits
import Bus

public final class NordicGPIO: BankDevice, PinController {
  public static var compatible: [String] { ["nordic,nrf-gpio"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// The pins that meet the condition of their SENSE field.
    var detected: UInt32 = 0
    /// The pins that GPIOTE has taken over, and the levels that it drives.
    var taken: UInt32 = 0
    var takenLevels: UInt32 = 0
  }

  /// Registers by their offsets in the manuals less 0x500, where the first of them are.
  private enum Offset {
    static let output: UInt64 = 0x04
    static let direction: UInt64 = 0x14
    static let latch: UInt64 = 0x20
    static let detectMode: UInt64 = 0x24
    static let configuration: UInt64 = 0x200
  }

  private static let map: RegisterTable<NordicGPIO> = [
    Register("OUT", Offset.output).changesPins { $0.bank[Offset.output] = $1 },
    Register("OUTSET", 0x08).onRead(\.output).changesPins { $0.bank[Offset.output] |= $1 },
    Register("OUTCLR", 0x0C).onRead(\.output).changesPins { $0.bank[Offset.output] &= ~$1 },
    Register("IN", 0x10, .readOnly).onRead(\.levels),
    Register("DIR", Offset.direction).changesPins { $0.bank[Offset.direction] = $1 },
    Register("DIRSET", 0x18).onRead(\.direction).changesPins { $0.bank[Offset.direction] |= $1 },
    Register("DIRCLR", 0x1C).onRead(\.direction).changesPins { $0.bank[Offset.direction] &= ~$1 },
    Register("LATCH", Offset.latch).onWrite { device, value in
      device.changeSignal { device.bank[Offset.latch] &= ~value }
    },
    Register("DETECTMODE", Offset.detectMode).onWrite { device, value in
      device.changeSignal { device.bank[Offset.detectMode] = value }
    },
    Register("PIN_CNF", Offset.configuration, reset: 2, count: 32)
      .onRead { $0.mode($1) & ~1 | $0.direction >> UInt32($1) & 1 }.onWrite { $0.configure($2, $1) },
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(NordicGPIO.map))
  public let table = NordicGPIO.map
  public let regions: [AddressRange]
  public var unimplemented = UnimplementedLog()
  private let pulledUp: UInt32
  private lazy var followers = PinFollowers(context.directory)
  /// 0 or 1.
  let port: Int

  public init(context: DeviceContext) throws(DeviceError) {
    let range = try context.node.firstRegion()
    self.context = context
    pulledUp = context.node.u32("martlet,pulled-up") ?? 0
    // The second port stands within the first one's 4 KiB, 0x300 up. Trees give parts of them in different ways.
    port = range.base & 0xFFF == 0x300 ? 1 : 0
    regions = [AddressRange(base: range.base &+ 0x500, size: 0x300)]
  }

  // MARK: Pins

  private func mode(_ pin: Int) -> UInt32 { bank[Offset.configuration + 4 * UInt64(pin)] }

  func level(ofPin number: Int) -> Bool? { (0..<32).contains(number) ? levels.has(number) : nil }

  /// The levels of the pins.
  var levels: UInt32 {
    var inputs = pulledUp
    for pin in 0..<32 {
      switch mode(pin).field(2, 2) {
      case 1: inputs = inputs.setting(pin, to: false)
      case 3: inputs = inputs.setting(pin, to: true)
      default: break
      }
    }
    let own = inputs & ~bank[Offset.direction] | bank[Offset.output] & bank[Offset.direction]
    return own & ~state.taken | state.takenLevels & state.taken
  }

  private var output: UInt32 { bank[Offset.output] }
  private var direction: UInt32 { bank[Offset.direction] }

  /// GPIOTE drives a pin, whatever OUT and DIR say; with nil it gives the pin back.
  func take(_ pin: Int, _ level: Bool?) {
    changePins {
      state.taken = state.taken.setting(pin, to: level != nil)
      state.takenLevels = state.takenLevels.setting(pin, to: level ?? false)
    }
  }

  /// The level that GPIOTE drives a pin to.
  func takenLevel(_ pin: Int) -> Bool { state.takenLevels.has(pin) }

  // MARK: Registers

  private func configure(_ pin: Int, _ value: UInt32) {
    changePins {
      bank[Offset.configuration + 4 * UInt64(pin)] = value
      bank[Offset.direction] = direction.setting(pin, to: value.has(0))
    }
  }

  /// Changes what DETECT follows. The signal falls as bits are cleared, and rises anew for those that stay.
  private func changeSignal(_ change: () -> Void) {
    changePins(change)
    let latched = bank[Offset.latch]
    if detectsLatched { setDetected(0) }
    setDetected(detectsLatched ? latched : sensed)
  }

  /// Makes a change, and lets those know who wait for pins.
  fileprivate func changePins(_ change: () -> Void) {
    let before = levels
    change()
    let sensed = sensed
    bank[Offset.latch] |= sensed
    setDetected(detectsLatched ? bank[Offset.latch] : sensed)
    let changes = before ^ levels
    if changes != 0 {
      events?.pinsChanged(port, to: levels, changes)
      followers.pinsChanged()
    }
  }

  private var events: NordicGPIOTE? {
    context.directory.all.lazy.compactMap { $0 as? NordicGPIOTE }.first
  }

  /// The pins whose SENSE condition is met.
  private var sensed: UInt32 {
    let levels = levels
    return (0..<32).reduce(0) { found, pin in
      let sense = mode(pin).field(16, 2)
      return found.setting(pin, to: sense == 2 && levels.has(pin) || sense == 3 && !levels.has(pin))
    }
  }

  /// DETECTMODE: whether DETECT follows LATCH, not the pins.
  private var detectsLatched: Bool { bank[Offset.detectMode].has(0) }

  /// The signals of all ports are one: the PORT event comes when it rises.
  private func setDetected(_ found: UInt32) {
    let isFirst = state.detected == 0 && !others.contains { $0.state.detected != 0 }
    state.detected = found
    if found != 0, isFirst { events?.portDetected() }
  }

  private var others: [NordicGPIO] {
    context.directory.all.compactMap { $0 as? NordicGPIO }.filter { $0 !== self }
  }

  public func reset(_ cause: ResetCause) { state = State(bank: RegisterBank(Self.map)) }
}

extension DeviceRegister<NordicGPIO> {
  fileprivate func changesPins(_ write: @escaping @Sendable (NordicGPIO, UInt32) -> Void) -> Self {
    onWrite { device, value in device.changePins { write(device, value) } }
  }
}
