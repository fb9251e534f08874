// The APB UART of Arm's Cortex-M System Design Kit, as on the MPS2 boards.
//
// Source: Cortex-M System Design Kit Technical Reference Manual (DDI 0479), section 4.3. Characters take no time on the
// line; received ones wait in `State.input` until the receiver's one place is free.

import Bits
import Bus

public final class CMSDKUART: CharacterDevice, RegisterDevice {
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
  public let table = RegisterTable<CMSDKUART>(
    [
      Register("DATA", 0x0).onDestructiveRead { $0.takeCharacter() }.onWrite { $0.send($1) },
      Register("STATE", 0x4, [.field("TXFULL", 0), .field("RXFULL", 1), .field("TXOVR", 2), .field("RXOVR", 3)])
        .onRead { $0.state.received == nil ? 0 : 2 },
      Register(
        "CTRL", 0x8,
        [
          .field("TXEN", 0), .field("RXEN", 1), .field("TXIE", 2), .field("RXIE", 3), .field("TXOVRIE", 4),
          .field("RXOVRIE", 5), .unimplemented("HSTM", 6),
        ]
      ).onRead(\.state.control).onWrite { $0.state.control = $1 },
      Register("INTSTATUS", 0xC, [.field("TX", 0), .field("RX", 1), .field("TXOVR", 2), .field("RXOVR", 3)])
        .onRead(\.state.interrupts).onWrite { $0.state.interrupts &= ~$1 },
      Register("BAUDDIV", 0x10, [.field("DIV", 0..<20)]).onRead(\.state.divider).onWrite { $0.state.divider = $1 },
    ], CMSDKUART.identification([0x04, 0, 0, 0, 0x21, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1]))
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
  }

  public func performWrite(_ write: () -> Void) {
    write()
    fillReceiver()
  }

  private func takeCharacter() -> UInt32 {
    defer {
      state.received = nil
      fillReceiver()
    }
    return UInt32(state.received ?? 0)
  }

  private func send(_ value: UInt32) {
    guard state.control & 1 != 0 else { return }
    context.characters?.write([UInt8(truncatingIfNeeded: value)])
    if state.control & 4 != 0 { state.interrupts |= 1 }
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
