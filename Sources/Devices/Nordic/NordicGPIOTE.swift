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
  public let table = RegisterTable<NordicGPIOTE>(
    tasks("OUT", 0x000) { device, number in
      // 1 sets, 2 clears, 3 toggles.
      let channel = device.channel(number)
      switch channel.polarity {
      case 1, 2: device.drive(number, channel.polarity == 1)
      case 3: device.drive(number, device.port(channel.port)?.takenLevel(channel.pin) == false)
      default: break
      }
    }, tasks("SET", 0x030) { $0.drive($1, true) }, tasks("CLR", 0x060) { $0.drive($1, false) },
    (0..<8).map { .event("IN\($0)", 0x100 + 4 * UInt64($0)) } + [.event("PORT", 0x17C)], NordicGPIOTE.interrupts,
    [Register("CONFIG", 0x510, count: 8).onRead { $0.state.configuration[$1] }.onWrite { $0.configure($2, $1) }])
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  /// A task of each channel.
  private static func tasks(
    _ name: String, _ offset: UInt64, _ trigger: @escaping @Sendable (NordicGPIOTE, Int) -> Void
  ) -> Registers {
    (0..<8).map { number in .task("\(name)\(number)", offset + 4 * UInt64(number)) { trigger($0, number) } }
  }

  private func port(_ number: Int) -> NordicGPIO? {
    context.directory.all.lazy.compactMap { $0 as? NordicGPIO }.first { $0.port == number }
  }

  /// A channel's fields: 1 event or 3 task, the pin, the port, and 1 rising or set, 2 falling or clear, 3 toggle.
  private func channel(_ number: Int) -> (mode: UInt32, pin: Int, port: Int, polarity: UInt32) {
    let value = state.configuration[number]
    return (value & 3, Int(value.field(8, 5)), Int(value.field(13, 1)), value.field(16, 2))
  }

  private func drive(_ number: Int, _ isHigh: Bool) {
    let channel = channel(number)
    if channel.mode == 3 { port(channel.port)?.take(channel.pin, isHigh) }
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

  private func configure(_ number: Int, _ value: UInt32) {
    let before = channel(number)
    state.configuration[number] = value
    let after = channel(number)
    if before.mode == 3, after.mode != 3 || (before.pin, before.port) != (after.pin, after.port) {
      port(before.port)?.take(before.pin, nil)
    }
    // OUTINIT
    if after.mode == 3 { port(after.port)?.take(after.pin, value.has(20)) }
  }

  public func reset(_ cause: ResetCause) {
    state = State()
    updateInterrupt()
  }
}
