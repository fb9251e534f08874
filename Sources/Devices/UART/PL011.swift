// The PL011 UART and the UART of Stellaris microcontrollers, which is made of it.
//
// Source: PrimeCell UART (PL011) Technical Reference Manual (DDI 0183), chapter 3; Stellaris LM3S6965 data sheet, chapter
// 12. Characters take no time on the line; received ones wait in `State.input` until the receiver has room. The receive
// timeout comes when none has arrived for 32 bit times, by the divisors and the frequency of the node or its clock.

import Bits
import Bus

public final class PL011: CharacterDevice {
  public static var compatible: [String] { ["arm,pl011", "ti,stellaris-uart"] }

  public struct State: Codable, Sendable, Equatable {
    /// Characters from the host that the receiver has not taken yet.
    var input = ByteQueue()
    var receiver: [UInt8] = []
    var integerDivisor: UInt32 = 0
    var fractionalDivisor: UInt32 = 0
    var lineControl: UInt32 = 0
    var control: UInt32 = 0x300
    var levels: UInt32 = 0x12
    var mask: UInt32 = 0
    var raw: UInt32 = 0
    var dma: UInt32 = 0
  }

  private enum Interrupt {
    static let receive: UInt32 = 1 << 4
    static let transmit: UInt32 = 1 << 5
    static let timeout: UInt32 = 1 << 6
  }

  public let context: DeviceContext
  public var state = State()
  private let isStellaris: Bool
  /// UARTCLK
  private let input: ClockSignal
  private var unimplemented = UnimplementedLog()
  public let registers = [
    RegisterMap([
      Register("UARTDR", 0x00, sideEffectOnRead: true), Register("UARTRSR", 0x04),
      Register(
        "UARTFR", 0x18, .readOnly, reset: 0x90,
        [.field("BUSY", 3), .field("RXFE", 4), .field("TXFF", 5), .field("RXFF", 6), .field("TXFE", 7)]),
      Register("UARTILPR", 0x20), Register("UARTIBRD", 0x24), Register("UARTFBRD", 0x28),
      Register("UARTLCR_H", 0x2C, [.field("FEN", 4), .field("WLEN", 5..<7)]),
      Register(
        "UARTCR", 0x30, reset: 0x300,
        [.field("UARTEN", 0), .unimplemented("SIREN", 1), .unimplemented("LBE", 7), .field("TXE", 8), .field("RXE", 9)]),
      Register("UARTIFLS", 0x34, reset: 0x12), Register("UARTIMSC", 0x38), Register("UARTRIS", 0x3C, .readOnly),
      Register("UARTMIS", 0x40, .readOnly), Register("UARTICR", 0x44, .writeOnly), Register("UARTDMACR", 0x48),
    ])
  ]

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    let own = context.node.u64("clock-frequency")
    input =
      own == nil && context.node.has("clocks")
      ? context.clockInput : ClockSignal(context.clock, frequency: min(max(1, own ?? 24_000_000), 1 << 32))
    isStellaris = context.node.compatible.contains("ti,stellaris-uart")
  }

  private var capacity: Int { state.lineControl & 0x10 != 0 ? 16 : 1 }
  private var isReceiving: Bool { state.control & 0x201 == 0x201 }
  /// How many characters raise the receive interrupt.
  private var trigger: Int {
    capacity == 1 ? 1 : [2, 4, 8, 12, 14, 14, 14, 14][Int(state.levels >> 3 & 7)]
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    if offset & ~3 == 0, !state.receiver.isEmpty {
      let byte = state.receiver.removeFirst()
      if state.receiver.count < trigger { state.raw &= ~Interrupt.receive }
      if state.receiver.isEmpty { state.raw &= ~Interrupt.timeout }
      fillReceiver()
      awaitTimeout()
      return UInt64(byte)
    }
    guard let value = value(offset & ~3) else {
      unimplemented.unknown(offset: offset, isWrite: false, of: context)
      return 0
    }
    return UInt64(value) >> (8 * (offset & 3)) & .mask(8 * size)
  }

  private func value(_ offset: UInt64) -> UInt32? {
    switch offset {
    case 0x00, 0x04, 0x20: 0
    case 0x18: 0x80 | (state.receiver.isEmpty ? 0x10 : 0) | (state.receiver.count >= capacity ? 0x40 : 0)
    case 0x24: state.integerDivisor
    case 0x28: state.fractionalDivisor
    case 0x2C: state.lineControl
    case 0x30: state.control
    case 0x34: state.levels
    case 0x38: state.mask
    case 0x3C: state.raw
    case 0x40: state.raw & state.mask
    case 0x48: state.dma
    case 0xFD0..<0xFE0: 0
    case 0xFE0..<0x1000:
      (isStellaris ? [0x11, 0, 0x18, 1, 0x0D, 0xF0, 5, 0xB1] : [0x11, 0x10, 0x34, 0, 0x0D, 0xF0, 5, 0xB1])[
        Int(offset - 0xFE0) / 4]
    default: nil
    }
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard let match = registers[0].match(offset, isWrite: true) else {
      return unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
    let value = UInt32(truncatingIfNeeded: value)
    unimplemented.write(UInt64(value), to: match, of: context)
    switch offset {
    case 0x00:
      context.characters?.write([UInt8(truncatingIfNeeded: value)])
      state.raw |= Interrupt.transmit
    case 0x24: state.integerDivisor = value & 0xFFFF
    case 0x28: state.fractionalDivisor = value & 0x3F
    case 0x2C: state.lineControl = value & 0xFF
    case 0x30: state.control = value & 0xFFFF
    case 0x34: state.levels = value & 0x3F
    case 0x38: state.mask = value & 0x7FF
    case 0x44:
      state.raw &= ~value
      awaitTimeout()
    case 0x48: state.dma = value & 7
    default: break
    }
    fillReceiver()
  }

  public func receive(_ bytes: [UInt8]) {
    state.input += bytes
    fillReceiver()
  }

  /// Takes waiting input while there is room.
  private func fillReceiver() {
    let count = isReceiving ? min(capacity - state.receiver.count, state.input.count) : 0
    if count > 0 {
      state.receiver += state.input.take(count)
      if state.receiver.count >= trigger { state.raw |= Interrupt.receive }
      awaitTimeout()
    }
    updateInterrupt()
  }

  /// Starts the 32 bit times anew, while the receiver holds characters that no interrupt tells of.
  private func awaitTimeout() {
    context.cancel(token: 0)
    guard capacity > 1, !state.receiver.isEmpty, state.raw & Interrupt.timeout == 0 else { return }
    context.schedule(at: context.clock.now + 32 * bitTime, token: 0)
  }

  /// Nanoseconds of a bit: 16 clocks times the divisor, of which the lower six bits are a fraction.
  private var bitTime: UInt64 {
    let divisor = UInt64(state.integerDivisor) << 6 | UInt64(state.fractionalDivisor)
    return max(1, 16 * divisor * 1_000_000_000 / (64 * max(1, input.frequency)))
  }

  public func event(_ token: UInt64) {
    state.raw |= Interrupt.timeout
    updateInterrupt()
  }

  private func updateInterrupt() { context.interrupts.first?.line.set(state.raw & state.mask != 0) }

  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    offset & ~3 == 0 ? nil : value(offset & ~3).map { UInt64($0) >> (8 * (offset & 3)) & .mask(8 * size) }
  }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State(input: state.input)
    fillReceiver()
  }
}
