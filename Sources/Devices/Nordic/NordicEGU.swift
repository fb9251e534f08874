// The event generator units of the nRF52: each of 16 tasks makes an event.
//
// Source: nRF52840 Product Specification v1.7, section 6.8.

import Bus

public final class NordicEGU: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-egu", "nordic,nrf-swi"] }

  public struct State: NordicState, Codable, Sendable, Equatable { var events = NordicEvents() }

  public let context: DeviceContext
  public var state = State()
  public let table = RegisterTable<NordicEGU>(
    (0..<16).map { number in .task("TRIGGER\(number)", 4 * UInt64(number)) { $0.raise(number) } },
    (0..<16).map { .event("TRIGGERED\($0)", 0x100 + 4 * UInt64($0)) }, NordicEGU.interrupts)
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  public func reset(_ cause: ResetCause) {
    state = State()
    updateInterrupt()
  }
}
