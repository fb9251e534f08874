// Tasks and events of pins.
//
// Sources: nRF51 Series Reference Manual v3.0, chapter 15; nRF52840 Product Specification v1.7, section 6.10. A channel with
// tasks takes its pin over until it gives it back; events come from changes of pins that are driven by the chip itself.

import Bus

public final class NordicGPIOTE: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-gpiote"] }

  public struct State: NordicState, Codable, Sendable, Equatable {
    var events = NordicEvents()
    var configuration = [UInt32](repeating: 0, count: 8)
  }

  private static let portEvent = 31

  public let context: DeviceContext
  public var state = State()
  public let registers: [RegisterMap]

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    let channels = (0..<8).map { ("\($0)", 4 * UInt64($0)) }
    registers = [
      RegisterMap(
        NordicRegisters.declare(
          tasks: channels.map { ("OUT" + $0.0, $0.1) } + channels.map { ("SET" + $0.0, 0x30 + $0.1) }
            + channels.map { ("CLR" + $0.0, 0x60 + $0.1) },
          events: channels.map { ("IN" + $0.0, 0x100 + $0.1) } + [("PORT", 0x17C)])
          + [Register("CONFIG", 0x510, count: 8)])
    ]
  }

  private func port(_ number: Int) -> NordicGPIO? {
    context.directory.all.lazy.compactMap { $0 as? NordicGPIO }.first { $0.port == number }
  }

  /// A channel's fields: 1 event or 3 task, the pin, the port, and 1 rising or set, 2 falling or clear, 3 toggle.
  private func channel(_ number: Int) -> (mode: UInt32, pin: Int, port: Int, polarity: UInt32) {
    let value = state.configuration[number]
    return (value & 3, Int(value.field(8, 5)), Int(value.field(13, 1)), value.field(16, 2))
  }

  /// OUT[n] does what the channel's polarity says, SET[n] and CLR[n] what they are called.
  func trigger(_ task: Int) {
    let (number, kind) = task < 12 ? (task, 0) : task < 24 ? (task - 12, 1) : (task - 24, 2)
    guard number < 8 else { return }
    let channel = channel(number)
    guard channel.mode == 3, let pins = port(channel.port) else { return }
    let isHigh: Bool
    switch (kind, channel.polarity) {
    case (1, _), (0, 1): isHigh = true
    case (2, _), (0, 2): isHigh = false
    case (0, 3): isHigh = !pins.takenLevel(channel.pin)
    default: return
    }
    pins.take(channel.pin, isHigh)
  }

  /// Pins of a port changed to these levels.
  func pinsChanged(_ port: Int, to levels: UInt32, _ changes: UInt32) {
    for number in 0..<8 {
      let channel = channel(number)
      guard channel.mode == 1, channel.port == port, changes.has(channel.pin) else { continue }
      if channel.polarity.has(levels.has(channel.pin) ? 0 : 1) { raise(number) }
    }
  }

  /// A pin met the condition of its SENSE field.
  func portDetected() { raise(Self.portEvent) }

  func value(at offset: UInt64, isPeek: Bool) -> UInt32? {
    (0x510..<0x530).contains(offset) ? state.configuration[Int(offset - 0x510) / 4] : nil
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    guard (0x510..<0x530).contains(offset) else { return false }
    let number = Int(offset - 0x510) / 4
    let before = channel(number)
    state.configuration[number] = value
    let after = channel(number)
    if before.mode == 3, after.mode != 3 || (before.pin, before.port) != (after.pin, after.port) {
      port(before.port)?.take(before.pin, nil)
    }
    // OUTINIT
    if after.mode == 3 { port(after.port)?.take(after.pin, value.has(20)) }
    return true
  }

  public func reset(_ cause: ResetCause) {
    state = State()
    updateInterrupt()
  }
}
