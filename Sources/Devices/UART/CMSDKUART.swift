// The APB UART of Arm's Cortex-M System Design Kit, as on the MPS2 boards.
//
// Source: Cortex-M System Design Kit Technical Reference Manual (DDI 0479), section 4.3. Characters take no time on the
// line; received ones wait in `State.input` until the receiver's one place is free.

import Bits
import Bus

public final class CMSDKUART: CharacterDevice {
  public static var compatible: [String] { ["arm,cmsdk-uart"] }

  public struct State: Codable, Sendable, Equatable {
    /// Characters from the host that the receiver has not taken yet.
    var input = ByteQueue()
    var received: UInt8?
    /// CTRL: transmitter, receiver, their interrupts, overrun interrupts, high-speed test.
    var control: UInt32 = 0
    var divider: UInt32 = 0
    /// Bit 0 transmit, 1 receive, 2 and 3 overruns.
    var interrupts: UInt32 = 0
  }

  public let context: DeviceContext
  public var state = State()
  public let registers = [
    RegisterMap([
      Register("DATA", 0x0, sideEffectOnRead: true),
      Register("STATE", 0x4, [.field("TXFULL", 0), .field("RXFULL", 1), .field("TXOVR", 2), .field("RXOVR", 3)]),
      Register(
        "CTRL", 0x8,
        [.field("TXEN", 0), .field("RXEN", 1), .field("TXIE", 2), .field("RXIE", 3), .unimplemented("HSTM", 6)]),
      Register("INTSTATUS", 0xC, [.field("TX", 0), .field("RX", 1)]), Register("BAUDDIV", 0x10),
    ])
  ]
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    switch offset & ~3 {
    case 0x0:
      let byte = state.received ?? 0
      state.received = nil
      fillReceiver()
      return UInt64(byte)
    case 0x4: return state.received == nil ? 0 : 2
    case 0x8: return UInt64(state.control)
    case 0xC: return UInt64(state.interrupts)
    case 0x10: return UInt64(state.divider)
    case 0xFD0...0xFFC: return Self.identification(offset)
    default:
      unimplemented.unknown(offset: offset, isWrite: false, of: context)
      return 0
    }
  }

  /// Peripheral and component identification registers, from 0xFD0 on.
  private static func identification(_ offset: UInt64) -> UInt64 {
    let bytes: [UInt64] = [0x04, 0, 0, 0, 0x21, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1]
    return bytes[Int(offset - 0xFD0) / 4]
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard let match = registers[0].match(offset, isWrite: true) else {
      return unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
    let value = UInt32(truncatingIfNeeded: value)
    unimplemented.write(UInt64(value), to: match, of: context)
    switch offset {
    case 0x0:
      guard state.control & 1 != 0 else { return }
      context.characters?.write([UInt8(truncatingIfNeeded: value)])
      if state.control & 4 != 0 { state.interrupts |= 1 }
    case 0x4: break
    case 0x8:
      state.control = value & 0x7F
      fillReceiver()
    case 0xC: state.interrupts &= ~value
    default: state.divider = value & 0xF_FFFF
    }
    updateInterrupts()
  }

  public func receive(_ bytes: [UInt8]) {
    state.input += bytes
    fillReceiver()
  }

  private func fillReceiver() {
    if state.control & 2 != 0, state.received == nil, let byte = state.input.popFirst() {
      state.received = byte
      if state.control & 8 != 0 { state.interrupts |= 2 }
    }
    updateInterrupts()
  }

  /// The wires are, by the node's `interrupt-names` or in this order, "tx" and "rx"; one wire serves both.
  private func updateInterrupts() {
    let names = context.node.strings("interrupt-names") ?? ["tx", "rx"]
    for (index, output) in context.interrupts.enumerated() {
      let isReceive = context.interrupts.count > 1 && index < names.count && names[index] == "rx"
      let mask: UInt32 = context.interrupts.count == 1 ? 3 : isReceive ? 2 : 1
      output.line.set(state.interrupts & mask != 0)
    }
  }

  public func reset(_ cause: ResetCause) {
    state = State(input: state.input)
    updateInterrupts()
  }
}
