// The 16550A UART with its FIFOs, as on PCs and the `virt` board.
//
// Source: National Semiconductor PC16550D data sheet, section 8. Characters take no time on the line: a written one
// leaves at once, and received ones wait in `State.input` until the receiver has room, so none is ever lost.

import Bits
import Bus

public final class NS16550A: CharacterDevice {
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

  /// Offsets in units of the stride.
  private enum Port {
    static let data: UInt64 = 0
    static let interruptEnable: UInt64 = 1
    /// IIR reads, FCR is written.
    static let interruptID: UInt64 = 2
    static let lineControl: UInt64 = 3
    static let modemControl: UInt64 = 4
    static let lineStatus: UInt64 = 5
    static let modemStatus: UInt64 = 6
    static let scratch: UInt64 = 7
  }

  public let context: DeviceContext
  public var state = State()
  public let registers: [RegisterMap]
  private let shift: UInt64
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    let shift = context.node.u32("reg-shift") ?? 0
    guard shift <= 3 else {
      throw .badProperty(device: context.node.name, property: "reg-shift", reason: "\(shift) is more than 3")
    }
    self.context = context
    self.shift = UInt64(shift)
    registers = [RegisterMap(Self.declare(stride: 1 << UInt64(shift)))]
  }

  private static func declare(stride: UInt64) -> [Register] {
    [
      Register("RBR", 0 * stride, width: 1, .readOnly, sideEffectOnRead: true),
      Register("THR", 0 * stride, width: 1, .writeOnly),
      Register(
        "IER", 1 * stride, width: 1,
        [.field("ERBFI", 0), .field("ETBEI", 1), .field("ELSI", 2), .field("EDSSI", 3), .reserved(4..<8)]),
      Register("IIR", 2 * stride, width: 1, .readOnly, reset: 1, sideEffectOnRead: true, [.field("ID", 0..<4)]),
      Register(
        "FCR", 2 * stride, width: 1, .writeOnly,
        [
          .field("FIFOEN", 0), .field("RFRST", 1), .field("XFRST", 2), .unimplemented("DMAMODE", 3),
          .reserved(4..<6), .field("RTRIG", 6..<8),
        ]),
      Register(
        "LCR", 3 * stride, width: 1,
        [
          .field("WLS", 0..<2), .field("STB", 2), .field("PEN", 3), .field("EPS", 4), .field("STICK", 5),
          .unimplemented("BREAK", 6), .field("DLAB", 7),
        ]),
      Register(
        "MCR", 4 * stride, width: 1,
        [
          .field("DTR", 0), .field("RTS", 1), .field("OUT1", 2), .field("OUT2", 3), .field("LOOP", 4),
          .unimplemented("AFE", 5), .reserved(6..<8),
        ]),
      Register(
        "LSR", 5 * stride, width: 1, .readOnly, reset: 0x60, sideEffectOnRead: true,
        [.field("DR", 0), .field("OE", 1), .field("THRE", 5), .field("TEMT", 6)]),
      Register(
        "MSR", 6 * stride, width: 1, .readOnly, reset: 0xb0, sideEffectOnRead: true,
        [.field("DELTA", 0..<4), .field("CTS", 4), .field("DSR", 5), .field("RI", 6), .field("DCD", 7)]),
      Register("SCR", 7 * stride, width: 1),
    ]
  }

  // MARK: Accesses

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    guard registers[0].contains(offset, isWrite: false) else {
      unimplemented.unknown(offset: offset, isWrite: false, of: context)
      return 0
    }
    let port = offset >> shift
    let value = UInt64(value(of: port))
    switch port {
    case Port.data where !dividerAccess:
      if !state.receiver.isEmpty { state.receiver.removeFirst() }
      fillReceiver()
    case Port.interruptID: if interruptID == 0b0010 { state.transmitterEmptied = false }
    case Port.lineStatus: state.overrun = false
    case Port.modemStatus: state.modemDelta = 0
    default: return value
    }
    updateInterrupt()
    return value
  }

  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    registers[0].contains(offset, isWrite: false) ? UInt64(value(of: offset >> shift)) : nil
  }

  /// What a read of the register shows, without its side effects.
  private func value(of port: UInt64) -> UInt8 {
    switch port {
    case Port.data: dividerAccess ? UInt8(truncatingIfNeeded: state.divisor) : state.receiver.first ?? 0
    case Port.interruptEnable: dividerAccess ? UInt8(state.divisor >> 8) : state.interruptEnable
    case Port.interruptID: interruptID | (fifosEnabled ? 0xc0 : 0)
    case Port.lineControl: state.lineControl
    case Port.modemControl: state.modemControl
    case Port.lineStatus: (state.receiver.isEmpty ? 0 : 1) | (state.overrun ? 2 : 0) | 0x60
    case Port.modemStatus: modemLines | state.modemDelta
    default: state.scratch
    }
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard registers[0].contains(offset, isWrite: true) else {
      return unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
    let byte = UInt8(truncatingIfNeeded: value)
    let port = offset >> shift
    switch port {
    case Port.data where dividerAccess: state.divisor = state.divisor & 0xff00 | UInt16(byte)
    case Port.interruptEnable where dividerAccess: state.divisor = state.divisor & 0x00ff | UInt16(byte) << 8
    case Port.data: transmit(byte)
    case Port.interruptEnable:
      // Switching the interrupt on while the transmitter is empty raises it (section 8.7, figure of the THRE logic).
      if byte & 2 != 0, state.interruptEnable & 2 == 0 { state.transmitterEmptied = true }
      state.interruptEnable = byte & 0x0f
    case Port.interruptID: setFIFOControl(byte)
    case Port.lineControl: state.lineControl = byte
    case Port.modemControl:
      let before = modemLines
      state.modemControl = byte & 0x1f
      noteModemChange(from: before)
      fillReceiver()
    default: return state.scratch = byte
    }
    if let match = registers[0].match(offset, isWrite: true), port > Port.interruptEnable || !dividerAccess {
      unimplemented.write(UInt64(byte), to: match, of: context)
    }
    updateInterrupt()
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

  private func transmit(_ byte: UInt8) {
    if isLooped {
      if receiverRoom > 0 { state.receiver.append(byte) } else { state.overrun = true }
    } else {
      context.characters?.write([byte])
    }
    state.transmitterEmptied = true
  }

  private func setFIFOControl(_ byte: UInt8) {
    if (byte ^ state.fifoControl) & 1 != 0 || byte & 2 != 0 { state.receiver.removeAll() }
    state.fifoControl = byte & 1 != 0 ? byte & 0xc9 : 0
    if byte & 4 != 0 { state.transmitterEmptied = true }
    fillReceiver()
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
