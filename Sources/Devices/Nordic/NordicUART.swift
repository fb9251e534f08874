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
  public let registers: [RegisterMap]

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    registers = [
      RegisterMap(
        NordicRegisters.declare(
          tasks: [
            ("STARTRX", 0), ("STOPRX", 4), ("STARTTX", 8), ("STOPTX", 12), ("SUSPEND", 28), ("FLUSHRX", 0x2C),
          ],
          events: [
            ("CTS", 0x100), ("NCTS", 0x104), ("RXDRDY", 0x108), ("ENDRX", 0x110), ("TXDRDY", 0x11C), ("ENDTX", 0x120),
            ("ERROR", 0x124), ("RXTO", 0x144), ("RXSTARTED", 0x14C), ("TXSTARTED", 0x150), ("TXSTOPPED", 0x158),
          ], hasShorts: true)
          + [
            Register("ERRORSRC", 0x480), Register("ENABLE", 0x500), Register("PSEL", 0x508, count: 4),
            Register("RXD", 0x518, .readOnly, sideEffectOnRead: true), Register("TXD", 0x51C, .writeOnly),
            Register("BAUDRATE", 0x524),
          ] + NordicBuffer.declare("RXD", 0x534) + NordicBuffer.declare("TXD", 0x544) + [Register("CONFIG", 0x56C)])
    ]
  }

  private var isSimple: Bool { state.enable == 4 }
  private var hasDMA: Bool { state.enable == 8 }

  func trigger(_ task: Int) {
    switch task {
    case 0: startReceive()
    case 1: stopReceive()
    case 2:
      state.isTransmitting = true
      if hasDMA { transmit() }
    case 3:
      state.isTransmitting = false
      if hasDMA { raise(Event.transmitStopped) }
    case 7: (state.isReceiving, state.isTransmitting) = (false, false)
    case 11 where hasDMA:
      // There is no FIFO that could hold characters.
      state.receiveBuffer.amount = 0
      raise(Event.endReceive)
    default: break
    }
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

  func value(at offset: UInt64, isPeek: Bool) -> UInt32? {
    switch offset {
    case 0x480: return state.errorSource
    case 0x500: return state.enable
    case 0x508...0x514: return state.pins[Int(offset - 0x508) / 4]
    case 0x518:
      let byte = state.receiver.first ?? 0
      if !isPeek, !state.receiver.isEmpty {
        state.receiver.removeFirst()
        if !state.receiver.isEmpty { raise(Event.received) }
        fillReceiver()
      }
      return UInt32(byte)
    case 0x51C: return 0
    case 0x524: return state.baudRate
    case 0x534..<0x540: return state.receiveBuffer[offset - 0x534]
    case 0x544..<0x550: return state.transmitBuffer[offset - 0x544]
    case 0x56C: return state.configuration
    default: return nil
    }
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    switch offset {
    case 0x480: state.errorSource &= ~value
    case 0x500:
      state.enable = value & 15
      fillReceiver()
    case 0x508...0x514: state.pins[Int(offset - 0x508) / 4] = value
    case 0x51C:
      guard isSimple, state.isTransmitting else { break }
      context.characters?.write([UInt8(truncatingIfNeeded: value)])
      raise(Event.transmitted)
    case 0x524: state.baudRate = value
    case 0x534..<0x540: state.receiveBuffer[offset - 0x534] = value
    case 0x544..<0x550: state.transmitBuffer[offset - 0x544] = value
    case 0x56C: state.configuration = value
    default: return false
    }
    return true
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
