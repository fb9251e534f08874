/// The UART of the nRF51 and nRF52.
///
/// Source: nRF51 Series Reference Manual v3.0, chapter 29. Characters take no time on the line; received ones wait in
/// `State.input` until the receiver's six places have room.
import Bus

public final class NordicUART: CharacterDevice, NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-uart"] }

  public struct State: Codable, Sendable, Equatable {
    var events = NordicEvents()
    /// Characters from the host that the receiver has not taken yet.
    var input: [UInt8] = []
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
  }

  private enum Event {
    static let received = 2
    static let transmitted = 7
    static let timeout = 17
  }

  public let context: DeviceContext
  public var state = State()
  public let registers: [RegisterMap]
  var events: NordicEvents {
    get { state.events }
    set { state.events = newValue }
  }

  public init(context: DeviceContext) throws(DeviceError) {
    guard !context.node.regions.isEmpty else { throw .missingRegion(device: context.node.name, index: 0) }
    self.context = context
    registers = [
      RegisterMap(
        NordicRegisters.declare(
          tasks: [("STARTRX", 0), ("STOPRX", 4), ("STARTTX", 8), ("STOPTX", 12), ("SUSPEND", 28)],
          events: [
            ("CTS", 0x100), ("NCTS", 0x104), ("RXDRDY", 0x108), ("TXDRDY", 0x11C), ("ERROR", 0x124), ("RXTO", 0x144),
          ], hasShorts: true)
          + [
            Register("ERRORSRC", 0x480), Register("ENABLE", 0x500), Register("PSEL", 0x508, count: 4),
            Register("RXD", 0x518, .readOnly, sideEffectOnRead: true), Register("TXD", 0x51C, .writeOnly),
            Register("BAUDRATE", 0x524), Register("CONFIG", 0x56C),
          ])
    ]
  }

  private var isEnabled: Bool { state.enable == 4 }

  func trigger(_ task: Int) {
    switch task {
    case 0:
      state.isReceiving = true
      fillReceiver()
    case 1:
      state.isReceiving = false
      raise(Event.timeout)
    case 2: state.isTransmitting = true
    case 3: state.isTransmitting = false
    case 7: (state.isReceiving, state.isTransmitting) = (false, false)
    default: break
    }
  }

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
    case 0x56C: return state.configuration
    default: return nil
    }
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    switch offset {
    case 0x480: state.errorSource &= ~value
    case 0x500:
      state.enable = value & 7
      fillReceiver()
    case 0x508...0x514: state.pins[Int(offset - 0x508) / 4] = value
    case 0x51C:
      guard isEnabled, state.isTransmitting else { break }
      context.characters?.write([UInt8(truncatingIfNeeded: value)])
      raise(Event.transmitted)
    case 0x524: state.baudRate = value
    case 0x56C: state.configuration = value
    default: return false
    }
    return true
  }

  public func receive(_ bytes: [UInt8]) {
    state.input += bytes
    fillReceiver()
  }

  /// Takes waiting input while there is room.
  private func fillReceiver() {
    guard isEnabled, state.isReceiving else { return }
    let count = min(6 - state.receiver.count, state.input.count)
    guard count > 0 else { return }
    let wasEmpty = state.receiver.isEmpty
    state.receiver += state.input.prefix(count)
    state.input.removeFirst(count)
    if wasEmpty { raise(Event.received) }
  }

  public func reset() {
    state = State()
    updateInterrupt()
  }
}
