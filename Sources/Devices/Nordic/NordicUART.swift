// The UART of the nRF51 and nRF52, and the nRF52's UART with EasyDMA at the same address: ENABLE chooses.
//
// Sources: nRF51 Series Reference Manual v3.0, chapter 29; nRF52840 Product Specification v1.7, sections 6.33 and 6.34.
// Sent characters take no time on the line; received ones wait in `State.input` until the receiver's six places have
// room, or come into memory at the line's speed.

import Bits
import Bus

public final class NordicUART: CharacterDevice, NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-uart", "nordic,nrf-uarte"] }

  public struct State: NordicState, Codable, Sendable, Equatable {
    var events = NordicEvents()
    /// Characters from the host that the receiver has not taken yet.
    var input = ByteQueue()
    /// What RXD and the FIFO behind it hold, oldest first.
    var receiver: [UInt8] = []
    var isReceiving = false
    var isTransmitting = false
    var enable: UInt32 = 0
    var errorSource: UInt32 = 0
    /// PSELRTS, PSELTXD, PSELCTS, PSELRXD
    var pins: [UInt32] = [0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF]
    var baudRate: UInt32 = 0x0400_0000
    var configuration: UInt32 = 0
    /// RXD.PTR, MAXCNT and AMOUNT as written and read.
    var receiveBuffer = NordicBuffer()
    var transmitBuffer = NordicBuffer()
    /// The buffer that is being filled; nil while none is.
    var filling: NordicBuffer?
  }

  private enum Event {
    static let received = 2
    static let endReceive = 4
    static let transmitted = 7
    static let endTransmit = 8
    static let timeout = 17
    static let receiveStarted = 19
    static let transmitStarted = 20
    static let transmitStopped = 22
  }

  public let context: DeviceContext
  public var state = State()
  public let table = RegisterTable<NordicUART>(
    [
      .task("STARTRX", 0x000) { $0.startReceive() }, .task("STOPRX", 0x004) { $0.stopReceive() },
      .task("STARTTX", 0x008) { $0.startTransmit() }, .task("STOPTX", 0x00C) { $0.stopTransmit() },
      .task("SUSPEND", 0x01C) { ($0.state.isReceiving, $0.state.isTransmitting) = (false, false) },
      .task("FLUSHRX", 0x02C) { $0.flushReceiver() }, .event("CTS", 0x100), .event("NCTS", 0x104),
      .event("RXDRDY", 0x108), .event("ENDRX", 0x110), .event("TXDRDY", 0x11C), .event("ENDTX", 0x120),
      .event("ERROR", 0x124), .event("RXTO", 0x144), .event("RXSTARTED", 0x14C), .event("TXSTARTED", 0x150),
      .event("TXSTOPPED", 0x158), .shorts,
    ], NordicUART.interrupts,
    [
      Register("ERRORSRC", 0x480).onRead(\.state.errorSource).onWrite { $0.state.errorSource &= ~$1 },
      Register("ENABLE", 0x500, [.field("ENABLE", 0..<4)]).onRead(\.state.enable).onWrite { $0.enable($1) },
      Register("PSEL", 0x508, reset: 0xFFFF_FFFF, count: 4).onRead { $0.state.pins[$1] }.onWrite {
        $0.state.pins[$2] = $1
      },
      Register("RXD", 0x518, .readOnly)
        .onRead { UInt32($0.state.receiver.first ?? 0) }.afterRead { $0.takeCharacter() },
      Register("TXD", 0x51C, .writeOnly).onWrite { $0.send($1) },
      Register("BAUDRATE", 0x524, reset: 0x0400_0000).onRead(\.state.baudRate).onWrite { $0.state.baudRate = $1 },
    ], Register.buffer("RXD", 0x534, \.state.receiveBuffer), Register.buffer("TXD", 0x544, \.state.transmitBuffer),
    [Register("CONFIG", 0x56C).onRead(\.state.configuration).onWrite { $0.state.configuration = $1 }])
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
  }

  private var isSimple: Bool { state.enable == 4 }
  private var hasDMA: Bool { state.enable == 8 }

  private func startTransmit() {
    state.isTransmitting = true
    if hasDMA { transmit() }
  }

  private func stopTransmit() {
    state.isTransmitting = false
    if hasDMA { raise(Event.transmitStopped) }
  }

  /// There is no FIFO that could hold characters.
  private func flushReceiver() {
    guard hasDMA else { return }
    state.receiveBuffer.amount = 0
    raise(Event.endReceive)
  }

  private func startReceive() {
    state.isReceiving = true
    guard hasDMA else { return fillReceiver() }
    state.filling = state.receiveBuffer
    state.filling?.amount = 0
    raise(Event.receiveStarted)
    scheduleReceive()
  }

  private func stopReceive() {
    state.isReceiving = false
    if hasDMA, state.filling != nil { endReceive() }
    context.cancel(token: 0)
    raise(Event.timeout)
  }

  // MARK: EasyDMA

  private func transmit() {
    state.transmitBuffer.amount = state.transmitBuffer.count
    raise(Event.transmitStarted)
    let bytes = state.transmitBuffer.read(context)
    context.characters?.write(bytes)
    if !bytes.isEmpty { raise(Event.transmitted) }
    raise(Event.endTransmit)
  }

  /// Nanoseconds of a character of ten bits.
  private var characterTime: UInt64 {
    let bits = (UInt64(state.baudRate) * 16_000_000) >> 32
    return 10_000_000_000 / max(bits, 1200)
  }

  private func scheduleReceive() {
    context.cancel(token: 0)
    if hasDMA, state.filling != nil, !state.input.isEmpty {
      context.schedule(at: context.clock.now + characterTime, token: 0)
    }
  }

  /// The next character has come in.
  public func event(_ token: UInt64) {
    guard hasDMA, var buffer = state.filling, let byte = state.input.popFirst() else { return }
    buffer.write([byte], at: buffer.amount, context)
    buffer.amount += 1
    state.filling = buffer
    raise(Event.received)
    if buffer.amount >= buffer.count { endReceive() }
    scheduleReceive()
  }

  private func endReceive() {
    state.receiveBuffer.amount = state.filling?.amount ?? 0
    state.filling = nil
    raise(Event.endReceive)
    if isShorted(5) { startReceive() } else if isShorted(6) { state.isReceiving = false }
  }

  // MARK: Registers

  private func enable(_ value: UInt32) {
    state.enable = value
    fillReceiver()
  }

  private func takeCharacter() {
    guard !state.receiver.isEmpty else { return }
    state.receiver.removeFirst()
    if !state.receiver.isEmpty { raise(Event.received) }
    fillReceiver()
  }

  private func send(_ value: UInt32) {
    guard isSimple, state.isTransmitting else { return }
    context.characters?.write([UInt8(truncatingIfNeeded: value)])
    raise(Event.transmitted)
  }

  public func receive(_ bytes: [UInt8]) {
    let isResting = state.input.isEmpty
    state.input += bytes
    fillReceiver()
    if isResting { scheduleReceive() }
  }

  /// Takes waiting input while there is room.
  private func fillReceiver() {
    guard isSimple, state.isReceiving else { return }
    let count = min(6 - state.receiver.count, state.input.count)
    guard count > 0 else { return }
    let wasEmpty = state.receiver.isEmpty
    state.receiver += state.input.take(count)
    if wasEmpty { raise(Event.received) }
  }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State(input: state.input)
    updateInterrupt()
  }
}
