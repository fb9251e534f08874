// The PL011 UART and the UART of Stellaris microcontrollers, which is made of it.
//
// Source: PrimeCell UART (PL011) Technical Reference Manual (DDI 0183), chapter 3; Stellaris LM3S6965 data sheet, chapter
// 12. Characters take no time on the line; received ones wait in `State.input` until the receiver has room. The receive
// timeout comes when none has arrived for 32 bit times, by the divisors and the frequency of the node or its clock.

import Bits
import Bus

public final class PL011: CharacterDevice, RegisterDevice {
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
  public let table: RegisterTable<PL011>
  public var unimplemented = UnimplementedLog()
  /// UARTCLK
  private let input: ClockSignal

  private static let registers: Registers = [
    Register("UARTDR", 0x00).onDestructiveRead { $0.takeCharacter() }.onWrite { $0.send($1) },
    Register("UARTRSR", 0x04),
    Register(
      "UARTFR", 0x18, .readOnly, reset: 0x90,
      [.field("BUSY", 3), .field("RXFE", 4), .field("TXFF", 5), .field("RXFF", 6), .field("TXFE", 7)]
    ).onRead(\.flags),
    Register("UARTILPR", 0x20),
    Register("UARTIBRD", 0x24, [.field("BAUD_DIVINT", 0..<16)]).onRead(\.state.integerDivisor).onWrite {
      $0.state.integerDivisor = $1
    },
    Register("UARTFBRD", 0x28, [.field("BAUD_DIVFRAC", 0..<6)]).onRead(\.state.fractionalDivisor).onWrite {
      $0.state.fractionalDivisor = $1
    },
    Register(
      "UARTLCR_H", 0x2C,
      [
        .field("BRK", 0), .field("PEN", 1), .field("EPS", 2), .field("STP2", 3), .field("FEN", 4),
        .field("WLEN", 5..<7),
        .field("SPS", 7),
      ]
    ).onRead(\.state.lineControl).onWrite { $0.state.lineControl = $1 },
    Register(
      "UARTCR", 0x30, reset: 0x300,
      [
        .field("UARTEN", 0), .unimplemented("SIREN", 1), .field("SIRLP", 2), .field("-", 3..<7),
        .unimplemented("LBE", 7),
        .field("TXE", 8), .field("RXE", 9), .field("DTR", 10), .field("RTS", 11), .field("OUT", 12..<14),
        .field("RTSEN", 14), .field("CTSEN", 15),
      ]
    ).onRead(\.state.control).onWrite { $0.state.control = $1 },
    Register("UARTIFLS", 0x34, reset: 0x12, [.field("TXIFLSEL", 0..<3), .field("RXIFLSEL", 3..<6)]).onRead(
      \.state.levels
    ).onWrite { $0.state.levels = $1 },
    Register("UARTIMSC", 0x38, interrupts).onRead(\.state.mask).onWrite { $0.state.mask = $1 },
    Register("UARTRIS", 0x3C, .readOnly).onRead(\.state.raw),
    Register("UARTMIS", 0x40, .readOnly).onRead { $0.state.raw & $0.state.mask },
    Register("UARTICR", 0x44, .writeOnly).onWrite { $0.clear($1) },
    Register("UARTDMACR", 0x48, [.field("RXDMAE", 0), .field("TXDMAE", 1), .field("DMAONERR", 2)]).onRead(\.state.dma)
      .onWrite { $0.state.dma = $1 },
  ]

  private static let interrupts: [Field] = [
    .field("MODEM", 0..<4), .field("RX", 4), .field("TX", 5), .field("RT", 6), .field("ERROR", 7..<11),
  ]

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    let own = context.node.u64("clock-frequency")
    input =
      own == nil && context.node.has("clocks")
      ? context.clockInput : ClockSignal(context.clock, frequency: min(max(1, own ?? 24_000_000), 1 << 32))
    let isStellaris = context.node.compatible.contains("ti,stellaris-uart")
    let part: [UInt64] = isStellaris ? [0x11, 0, 0x18, 1] : [0x11, 0x10, 0x34, 0]
    table = RegisterTable(Self.registers, PL011.identification([0, 0, 0, 0] + part + [0x0D, 0xF0, 0x05, 0xB1]))
  }

  private var capacity: Int { state.lineControl & 0x10 != 0 ? 16 : 1 }
  private var isReceiving: Bool { state.control & 0x201 == 0x201 }
  /// How many characters raise the receive interrupt.
  private var trigger: Int {
    capacity == 1 ? 1 : [2, 4, 8, 12, 14, 14, 14, 14][Int(state.levels >> 3 & 7)]
  }

  private var flags: UInt32 {
    0x80 | (state.receiver.isEmpty ? 0x10 : 0) | (state.receiver.count >= capacity ? 0x40 : 0)
  }

  public func performWrite(_ write: () -> Void) {
    write()
    fillReceiver()
  }

  private func takeCharacter() -> UInt32 {
    guard !state.receiver.isEmpty else { return 0 }
    let byte = state.receiver.removeFirst()
    if state.receiver.count < trigger { state.raw &= ~Interrupt.receive }
    if state.receiver.isEmpty { state.raw &= ~Interrupt.timeout }
    fillReceiver()
    awaitTimeout()
    return UInt32(byte)
  }

  private func send(_ value: UInt32) {
    context.characters?.write([UInt8(truncatingIfNeeded: value)])
    state.raw |= Interrupt.transmit
  }

  private func clear(_ interrupts: UInt32) {
    state.raw &= ~interrupts
    awaitTimeout()
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

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State(input: state.input)
    fillReceiver()
  }
}
