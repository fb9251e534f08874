// The analog-to-digital converter of the nRF52: every input is at 0 V.
//
// Source: nRF52840 Product Specification v1.7, section 6.23. Conversions take no time.

import Bus

public final class NordicSAADC: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-saadc"] }

  public struct State: NordicState, Codable, Sendable, Equatable {
    var events = NordicEvents()
    /// ENABLE and all that holds what is written.
    var held: RegisterBank
    var result = NordicBuffer()
  }

  private enum Event {
    static let started = 0
    static let end = 1
    static let done = 2
    static let resultDone = 3
    static let calibrated = 4
    static let stopped = 5
  }

  private static let held: Registers = [
    Register("ENABLE", 0x500), Register("CH", 0x510, reset: 0, count: 32), Register("RESOLUTION", 0x5F0, reset: 1),
    Register("OVERSAMPLE", 0x5F4), Register("SAMPLERATE", 0x5F8),
  ]
  private static let initial = RegisterBank(RegisterTable(held))

  public let context: DeviceContext
  public var state = State(held: NordicSAADC.initial)
  public let table = RegisterTable<NordicSAADC>(
    [
      .task("START", 0x000) { $0.start() }, .task("SAMPLE", 0x004) { $0.sample() },
      .task("STOP", 0x008) { $0.raise(Event.stopped) },
      .task("CALIBRATEOFFSET", 0x00C) { $0.raise(Event.calibrated) }, .event("STARTED", 0x100), .event("END", 0x104),
      .event("DONE", 0x108), .event("RESULTDONE", 0x10C), .event("CALIBRATEDONE", 0x110), .event("STOPPED", 0x114),
    ],
    (0..<8).flatMap { number in
      // The limits of a channel are never passed.
      [.event("CH[\(number)].LIMITH", 0x118 + 8 * number), .event("CH[\(number)].LIMITL", 0x11C + 8 * number)]
    }, NordicSAADC.interrupts, [Register("STATUS", 0x400, .readOnly).onRead { _ in 0 }], held,
    Register.buffer("RESULT", 0x62C, \.state.result))
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  public func held(at offset: UInt64) -> UInt32? { state.held[offset] }
  public func hold(_ value: UInt32, at offset: UInt64) { state.held[offset] = value }

  private func start() {
    state.result.amount = 0
    raise(Event.started)
  }

  /// One half-word for each channel whose positive input is connected. RESULT counts half-words.
  private func sample() {
    let buffer = state.result
    for channel in 0..<8 where state.held[0x510 + 16 * UInt64(channel)] != 0 && state.result.amount < buffer.count {
      buffer.write([0, 0], at: 2 * state.result.amount, context)
      state.result.amount += 1
    }
    raise(Event.done)
    raise(Event.resultDone)
    if state.result.amount >= buffer.count { raise(Event.end) }
  }

  public func reset(_ cause: ResetCause) {
    state = State(held: Self.initial)
    updateInterrupt()
  }
}
