// The 16550A UART with its FIFOs, as on PCs and the `virt` board.
//
// Source: National Semiconductor PC16550D data sheet, section 8. Characters take no time on the line: a written one
// leaves at once, and received ones wait in `State.input` until the receiver has room, so none is ever lost.

import Bits
import Bus

public final class NS16550A: CharacterDevice, RegisterDevice {
  public static var compatible: [String] { ["ns16550a", "ns16550", "snps,dw-apb-uart"] }

  public struct State: Codable, Sendable, Equatable {
    /// Characters from the host that the receiver has not taken yet.
    var input = ByteQueue()
    /// The receiver FIFO (one character when FIFOs are off), oldest first.
    var receiver: [UInt8] = []
    var interruptEnable: UInt8 = 0
    var fifoControl: UInt8 = 0
    var lineControl: UInt8 = 0
    var modemControl: UInt8 = 0
    var scratch: UInt8 = 0
    var divisor: UInt16 = 12
    /// Overrun, the only line error that can happen here.
    var overrun = false
    /// The transmitter ran empty and nobody has noticed yet.
    var transmitterEmptied = false
    /// Modem status lines that changed since they were last read, bits 0 to 3.
    var modemDelta: UInt8 = 0
  }

  public let context: DeviceContext
  public var state = State()
  public let table: RegisterTable<NS16550A>
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    let shift = context.node.u32("reg-shift") ?? 0
    guard shift <= 3 else {
      throw .badProperty(device: context.node.name, property: "reg-shift", reason: "\(shift) is more than 3")
    }
    self.context = context
    table = RegisterTable(Self.registers(stride: 1 << UInt64(shift)))
  }

  /// While DLAB is set, the divisor stands in place of the first two.
  private static func registers(stride: UInt64) -> Registers {
    [
      Register("RBR", 0 * stride, width: 1, .readOnly)
        .onRead {
          UInt32($0.dividerAccess ? UInt8(truncatingIfNeeded: $0.state.divisor) : $0.state.receiver.first ?? 0)
        }
        .afterRead { $0.takeCharacter() },
      Register("THR", 0 * stride, width: 1, .writeOnly).onWrite { $0.send(UInt8($1)) },
      Register(
        "IER", 1 * stride, width: 1,
        [.field("ERBFI", 0), .field("ETBEI", 1), .field("ELSI", 2), .field("EDSSI", 3), .field("-", 4..<8)]
      )
      .onRead { UInt32($0.dividerAccess ? UInt8($0.state.divisor >> 8) : $0.state.interruptEnable) }
      .onWrite { $0.enableInterrupts(UInt8($1)) },
      Register("IIR", 2 * stride, width: 1, .readOnly, reset: 1, [.field("ID", 0..<4)])
        .onRead { UInt32($0.interruptID | ($0.fifosEnabled ? 0xc0 : 0)) }
        .afterRead { if $0.interruptID == 0b0010 { $0.notice { $0.transmitterEmptied = false } } },
      Register(
        "FCR", 2 * stride, width: 1, .writeOnly,
        [
          .field("FIFOEN", 0), .field("RFRST", 1), .field("XFRST", 2), .unimplemented("DMAMODE", 3),
          .reserved(4..<6), .field("RTRIG", 6..<8),
        ]
      ).onWrite { $0.setFIFOControl(UInt8($1)) },
      Register(
        "LCR", 3 * stride, width: 1,
        [
          .field("WLS", 0..<2), .field("STB", 2), .field("PEN", 3), .field("EPS", 4), .field("STICK", 5),
          .unimplemented("BREAK", 6), .field("DLAB", 7),
        ]
      ).onRead { UInt32($0.state.lineControl) }.onWrite { $0.state.lineControl = UInt8($1) },
      Register(
        "MCR", 4 * stride, width: 1,
        [
          .field("DTR", 0), .field("RTS", 1), .field("OUT1", 2), .field("OUT2", 3), .field("LOOP", 4),
          .unimplemented("AFE", 5), .reserved(6..<8),
        ]
      )
      .onRead { UInt32($0.state.modemControl) }
      .onWrite { $0.setModemControl(UInt8($1)) },
      Register(
        "LSR", 5 * stride, width: 1, .readOnly, reset: 0x60,
        [.field("DR", 0), .field("OE", 1), .field("THRE", 5), .field("TEMT", 6)]
      )
      .onRead { ($0.state.receiver.isEmpty ? 0 : 1) | ($0.state.overrun ? 2 : 0) | 0x60 }
      .afterRead { $0.notice { $0.overrun = false } },
      Register(
        "MSR", 6 * stride, width: 1, .readOnly, reset: 0xb0,
        [.field("DELTA", 0..<4), .field("CTS", 4), .field("DSR", 5), .field("RI", 6), .field("DCD", 7)]
      )
      .onRead { UInt32($0.modemLines | $0.state.modemDelta) }
      .afterRead { $0.notice { $0.modemDelta = 0 } },
      Register("SCR", 7 * stride, width: 1).onRead { UInt32($0.state.scratch) }.onWrite {
        $0.state.scratch = UInt8($1)
      },
    ]
  }

  public func receive(_ bytes: [UInt8]) {
    state.input += bytes
    fillReceiver()
    updateInterrupt()
  }

  public func reset(_ cause: ResetCause) {
    state = State()
    updateInterrupt()
  }

  // MARK: Behaviour

  private var dividerAccess: Bool { state.lineControl & 0x80 != 0 }
  private var fifosEnabled: Bool { state.fifoControl & 1 != 0 }
  private var isLooped: Bool { state.modemControl & 0x10 != 0 }
  private var receiverRoom: Int { (fifosEnabled ? 16 : 1) - state.receiver.count }
  /// How many characters raise the receiver interrupt.
  private var trigger: Int { fifosEnabled ? [1, 4, 8, 14][Int(state.fifoControl >> 6)] : 1 }

  /// The guest has seen what a status register told of.
  private func notice(_ change: (inout State) -> Void) {
    change(&state)
    updateInterrupt()
  }

  private func takeCharacter() {
    guard !dividerAccess else { return }
    if !state.receiver.isEmpty { state.receiver.removeFirst() }
    fillReceiver()
    updateInterrupt()
  }

  private func send(_ byte: UInt8) {
    guard !dividerAccess else { return state.divisor = state.divisor & 0xff00 | UInt16(byte) }
    if isLooped {
      if receiverRoom > 0 { state.receiver.append(byte) } else { state.overrun = true }
    } else {
      context.characters?.write([byte])
    }
    state.transmitterEmptied = true
    updateInterrupt()
  }

  /// Switching the interrupt on while the transmitter is empty raises it (section 8.7, figure of the THRE logic).
  private func enableInterrupts(_ byte: UInt8) {
    guard !dividerAccess else { return state.divisor = state.divisor & 0x00ff | UInt16(byte) << 8 }
    if byte & 2 != 0, state.interruptEnable & 2 == 0 { state.transmitterEmptied = true }
    state.interruptEnable = byte & 0x0f
    updateInterrupt()
  }

  private func setModemControl(_ byte: UInt8) {
    let before = modemLines
    state.modemControl = byte & 0x1f
    noteModemChange(from: before)
    fillReceiver()
    updateInterrupt()
  }

  private func setFIFOControl(_ byte: UInt8) {
    if (byte ^ state.fifoControl) & 1 != 0 || byte & 2 != 0 { state.receiver.removeAll() }
    state.fifoControl = byte & 1 != 0 ? byte & 0xc9 : 0
    if byte & 4 != 0 { state.transmitterEmptied = true }
    fillReceiver()
    updateInterrupt()
  }

  /// Takes waiting input while there is room; the line is cut off in loopback mode.
  private func fillReceiver() {
    guard !isLooped else { return }
    let count = min(receiverRoom, state.input.count)
    guard count > 0 else { return }
    state.receiver += state.input.take(count)
  }

  /// CTS, DSR, RI, DCD in bits 4 to 7: a ready partner, or the own outputs in loopback mode.
  private var modemLines: UInt8 {
    guard isLooped else { return 0xb0 }
    let control = state.modemControl
    return (control & 2) << 3 | (control & 1) << 5 | (control & 4) << 4 | (control & 8) << 4
  }

  private func noteModemChange(from before: UInt8) {
    let changed = (before ^ modemLines) >> 4
    // RI counts only when it falls (TERI).
    let ring: UInt8 = before & 0x40 != 0 && modemLines & 0x40 == 0 ? 4 : 0
    state.modemDelta |= changed & 0b1011 | ring
  }

  /// Bits 0 to 3 of IIR: the most urgent pending interrupt, 1 for none.
  private var interruptID: UInt8 {
    let enabled = state.interruptEnable
    if enabled & 4 != 0, state.overrun { return 0b0110 }
    if enabled & 1 != 0, state.receiver.count >= trigger { return 0b0100 }
    // The line is silent as soon as the last character is in: no waiting for the timeout of four characters.
    if enabled & 1 != 0, !state.receiver.isEmpty { return 0b1100 }
    if enabled & 2 != 0, state.transmitterEmptied { return 0b0010 }
    if enabled & 8 != 0, state.modemDelta != 0 { return 0b0000 }
    return 0b0001
  }

  private func updateInterrupt() {
    context.interrupts.first?.line.set(interruptID & 1 == 0)
  }
}
