// Arm's PL022 synchronous serial port, also Stellaris's SSI, as a master in Motorola's format (SPI).
//
// Sources: ARM PrimeCell Synchronous Serial Port (PL022) Technical Reference Manual (DDI 0194), chapters 2 and 3; LM3S6965
// data sheet, chapter 13. A frame takes its bits' time by CPSR and SCR; its peripherals are those of an ``SPIBus``.

import Bits
import Bus

public final class PL022: BankDevice, PinFollower {
  public static var compatible: [String] { ["arm,pl022", "ti,stellaris-ssi"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    var transmitter: [UInt16] = []
    var receiver: [UInt16] = []
    /// A frame is on the wires: the first of the transmitter's.
    var isShifting = false
    /// RORRIS and RTRIS; the other raw interrupts follow from the FIFOs.
    var raised: UInt32 = 0
  }

  private enum Offset {
    static let control0: UInt64 = 0x00
    static let control1: UInt64 = 0x04
    static let prescaler: UInt64 = 0x10
    static let mask: UInt64 = 0x14
  }

  private enum Interrupt {
    static let overrun: UInt32 = 1
    static let timeout: UInt32 = 2
    static let receive: UInt32 = 4
    static let transmit: UInt32 = 8
  }

  private enum Token {
    static let frame: UInt64 = 0
    static let timeout: UInt64 = 1
  }

  private static func registers(_ identification: [UInt64]) -> Registers {
    [
      Register(
        "SSPCR0", Offset.control0,
        [
          .field("DSS", 0..<4), .unimplemented("FRF", 4..<6), .field("SPO", 6), .field("SPH", 7),
          .field("SCR", 8..<16),
        ]),
      Register(
        "SSPCR1", Offset.control1,
        [.field("LBM", 0), .field("SSE", 1), .unimplemented("MS", 2), .unimplemented("SOD", 3)]),
      Register("SSPDR", 0x08, [.field("DATA", 0..<16)])
        .onRead { UInt32($0.state.receiver.first ?? 0) }.afterRead { $0.takeFrame() }.onWrite { $0.send($1) },
      Register(
        "SSPSR", 0x0C, .readOnly, reset: 3,
        [.field("TFE", 0), .field("TNF", 1), .field("RNE", 2), .field("RFF", 3), .field("BSY", 4)]
      ).onRead(\.status),
      Register("SSPCPSR", Offset.prescaler, [.field("CPSDVSR", 0..<8)]),
      Register("SSPIMSC", Offset.mask, interrupts("IM")),
      Register("SSPRIS", 0x18, .readOnly, reset: 8, interrupts("RIS")).onRead(\.raw),
      Register("SSPMIS", 0x1C, .readOnly, interrupts("MIS")).onRead { $0.raw & $0.bank[Offset.mask] },
      Register("SSPICR", 0x20, .writeOnly, [.field("RORIC", 0), .field("RTIC", 1)]).onWrite { $0.clear($1) },
      Register("SSPDMACR", 0x24, [.unimplemented("RXDMAE", 0), .unimplemented("TXDMAE", 1)]),
      Register("SSPPeriphID4", 0xFD0, .readOnly, count: 4),
    ]
      + identification.enumerated().map { index, value in
        let name = index < 4 ? "SSPPeriphID\(index)" : "SSPPCellID\(index - 4)"
        return Register(name, 0xFE0 + 4 * UInt64(index), .readOnly, reset: value)
      }
  }

  private static func interrupts(_ suffix: String) -> [Field] {
    [.field("ROR" + suffix, 0), .field("RT" + suffix, 1), .field("RX" + suffix, 2), .field("TX" + suffix, 3)]
  }

  private static let depth = 8

  public let context: DeviceContext
  public var state: State
  public let table: RegisterTable<PL022>
  public var unimplemented = UnimplementedLog()
  private lazy var bus = SPIBus(of: self)
  /// SSPCLK. Frames on the wires and timeouts that run do not feel it change.
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    input = context.clockInput
    let isStellaris = context.node.compatible.contains("ti,stellaris-ssi")
    table = RegisterTable(
      Self.registers((isStellaris ? [0x22, 0, 0x18, 1] : [0x22, 0x10, 0x24, 0]) + [0x0D, 0xF0, 0x05, 0xB1]))
    state = State(bank: RegisterBank(table))
  }

  private var isEnabled: Bool { bank[Offset.control1].has(1) }
  private var isLoopedBack: Bool { bank[Offset.control1].has(0) }
  /// SPH: the port's own chip select stays active from frame to frame.
  private var holdsSelection: Bool { bank[Offset.control0].has(7) }
  /// Bits of a frame; 4 is the least.
  private var width: UInt32 { max(bank[Offset.control0] & 15, 3) + 1 }

  /// Nanoseconds of so many bits. The prescaler is even and 2 at least.
  private func time(ofBits count: UInt32) -> UInt64 {
    let divisor = UInt64(max(2, bank[Offset.prescaler] & 0xFE)) * UInt64(bank[Offset.control0].field(8, 8) + 1)
    return max(1, UInt64(count) * divisor * 1_000_000_000 / max(1, input.frequency))
  }

  // MARK: Frames

  private func startFrame() {
    guard isEnabled, !state.isShifting, !state.transmitter.isEmpty else { return }
    state.isShifting = true
    bus.updateSelection(native: true)
    context.schedule(at: context.clock.now &+ time(ofBits: width), token: Token.frame)
  }

  public func event(_ token: UInt64) {
    if token == Token.frame { endFrame() } else { state.raised |= Interrupt.timeout }
    updateInterrupt()
  }

  private func endFrame() {
    guard state.isShifting, !state.transmitter.isEmpty else { return }
    state.isShifting = false
    let frame = UInt32(state.transmitter.removeFirst()) & (1 << width &- 1)
    let answer = isLoopedBack ? frame : bus.exchange(frame, bits: Int(width))
    if !holdsSelection || state.transmitter.isEmpty { bus.updateSelection(native: false) }
    if state.receiver.count < Self.depth {
      state.receiver.append(UInt16(truncatingIfNeeded: answer))
    } else {
      state.raised |= Interrupt.overrun
    }
    awaitTimeout()
    startFrame()
  }

  public func pinsChanged() { bus.updateSelection(native: state.isShifting) }

  /// RTRIS comes when the receiver holds frames that none has read for the time of 32 bits.
  private func awaitTimeout() {
    context.cancel(token: Token.timeout)
    guard !state.receiver.isEmpty, state.raised & Interrupt.timeout == 0 else { return }
    context.schedule(at: context.clock.now &+ time(ofBits: 32), token: Token.timeout)
  }

  // MARK: Registers

  /// The frame on the wires has left the FIFO.
  private var waiting: Int { state.transmitter.count - (state.isShifting ? 1 : 0) }

  private var status: UInt32 {
    (waiting == 0 ? 1 : 0) | (waiting < Self.depth ? 2 : 0) | (state.receiver.isEmpty ? 0 : 4)
      | (state.receiver.count == Self.depth ? 8 : 0) | (state.transmitter.isEmpty ? 0 : 16)
  }

  private var raw: UInt32 {
    state.raised | (state.receiver.count >= Self.depth / 2 ? Interrupt.receive : 0)
      | (waiting <= Self.depth / 2 ? Interrupt.transmit : 0)
  }

  public func performWrite(_ write: () -> Void) {
    write()
    startFrame()
    updateInterrupt()
  }

  private func takeFrame() {
    guard !state.receiver.isEmpty else { return }
    state.receiver.removeFirst()
    if state.receiver.isEmpty { state.raised &= ~Interrupt.timeout }
    awaitTimeout()
    updateInterrupt()
  }

  private func send(_ frame: UInt32) {
    if waiting < Self.depth { state.transmitter.append(UInt16(truncatingIfNeeded: frame)) }
  }

  private func clear(_ interrupts: UInt32) {
    state.raised &= ~interrupts
    awaitTimeout()
  }

  private func updateInterrupt() { context.interrupts.first?.line.set(raw & bank[Offset.mask] != 0) }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: Token.frame)
    context.cancel(token: Token.timeout)
    state = State(bank: RegisterBank(table))
    bus.updateSelection(native: false)
    updateInterrupt()
  }
}
