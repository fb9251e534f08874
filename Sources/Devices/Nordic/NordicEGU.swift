// The event generator units of the nRF52: each of 16 tasks makes an event.
//
// Source: nRF52840 Product Specification v1.7, section 6.8.

import Bus

public final class NordicEGU: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-egu", "nordic,nrf-swi"] }

  public struct State: NordicState, Codable, Sendable, Equatable { var events = NordicEvents() }

  public let context: DeviceContext
  public var state = State()
  public let registers = [
    RegisterMap(
      NordicRegisters.declare(
        tasks: (0..<16).map { ("TRIGGER\($0)", 4 * UInt64($0)) },
        events: (0..<16).map { ("TRIGGERED\($0)", 0x100 + 4 * UInt64($0)) }))
  ]

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  func trigger(_ task: Int) { if task < 16 { raise(task) } }
  func value(at offset: UInt64, isPeek: Bool) -> UInt32? { nil }
  func setValue(_ value: UInt32, at offset: UInt64) -> Bool { false }

  public func reset(_ cause: ResetCause) {
    state = State()
    updateInterrupt()
  }
}
