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
  public let table = RegisterTable<NordicTWI>(
    [
      .task("STARTRX", 0x000) { $0.start() }, .task("STARTTX", 0x008) { $0.start() },
      .task("STOP", 0x014) { $0.raise(Event.stopped) }, .task("SUSPEND", 0x01C) { _ in },
      .task("RESUME", 0x020) { _ in }, .event("STOPPED", 0x104), .event("RXDREADY", 0x108), .event("TXDSENT", 0x11C),
      .event("ERROR", 0x124), .event("BB", 0x138), .event("SUSPENDED", 0x148), .shorts,
    ], NordicTWI.interrupts,
    [
      Register("ERRORSRC", 0x4C4, [.field("OVERRUN", 0), .field("ANACK", 1), .field("DNACK", 2)])
        .onRead(\.state.errorSource).onWrite { $0.state.errorSource &= ~$1 },
      Register("ENABLE", 0x500, [.field("ENABLE", 0..<3)]).onRead(\.state.enable).onWrite { $0.state.enable = $1 },
      Register("PSEL", 0x508, reset: 0xFFFF_FFFF, count: 2).onRead { $0.state.pins[$1] }.onWrite {
        $0.state.pins[$2] = $1
      }, Register("RXD", 0x518, .readOnly),
      Register("TXD", 0x51C),
      Register("FREQUENCY", 0x524, reset: 0x0400_0000).onRead(\.state.frequency).onWrite { $0.state.frequency = $1 },
      Register("ADDRESS", 0x588, [.field("ADDRESS", 0..<7)]).onRead(\.state.address).onWrite { $0.state.address = $1 },
    ])
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  private func start() {
    guard state.enable == 5 else { return }
    unimplemented.once("nothing answers at address \(state.address) of the bus", context)
    state.errorSource |= 2
    raise(Event.error)
  }

  public func reset(_ cause: ResetCause) {
    state = State()
    updateInterrupt()
  }
}
