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

  private static let held = RegisterMap([
    Register("ENABLE", 0x500), Register("CH", 0x510, reset: 0, count: 32), Register("RESOLUTION", 0x5F0, reset: 1),
    Register("OVERSAMPLE", 0x5F4), Register("SAMPLERATE", 0x5F8),
  ])

  public let context: DeviceContext
  public var state = State(held: RegisterBank(NordicSAADC.held))
  public let registers: [RegisterMap]

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    registers = [
      RegisterMap(
        NordicRegisters.declare(
          tasks: [("START", 0), ("SAMPLE", 4), ("STOP", 8), ("CALIBRATEOFFSET", 12)],
          events: [
            ("STARTED", 0x100), ("END", 0x104), ("DONE", 0x108), ("RESULTDONE", 0x10C), ("CALIBRATEDONE", 0x110),
            ("STOPPED", 0x114),
          ]) + [Register("STATUS", 0x400, .readOnly)] + Self.held.registers + NordicBuffer.declare("RESULT", 0x62C))
    ]
  }

  func trigger(_ task: Int) {
    switch task {
    case 0:
      state.result.amount = 0
      raise(Event.started)
    case 1: sample()
    case 2: raise(Event.stopped)
    case 3: raise(Event.calibrated)
    default: break
    }
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

  func value(at offset: UInt64, isPeek: Bool) -> UInt32? {
    switch offset {
    case 0x400: 0
    case 0x62C..<0x638: state.result[offset - 0x62C]
    default: Self.held.match(offset, isWrite: false) == nil ? nil : state.held[offset]
    }
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    if (0x62C..<0x638).contains(offset) {
      state.result[offset - 0x62C] = value
      return true
    }
    guard Self.held.match(offset, isWrite: true) != nil else { return false }
    state.held[offset] = value
    return true
  }

  public func reset(_ cause: ResetCause) {
    state = State(held: RegisterBank(Self.held))
    updateInterrupt()
  }
}
