// The SPI and I²C masters with EasyDMA of the nRF52, which share their addresses: ENABLE chooses.
//
// Source: nRF52840 Product Specification v1.7, sections 6.25 (SPIM) and 6.31 (TWIM). A transfer takes no time, but one that
// a shortcut starts behind another waits until that would be over. SPI's peripherals are those of an ``SPIBus``; where
// there are none its output is wired to its input, and it receives what it sends.

import Bus

public final class NordicSerialMaster: NordicPeripheral, PinFollower {
  public static var compatible: [String] { ["nordic,nrf-spim", "nordic,nrf-twim"] }

  public struct State: NordicState, Codable, Sendable, Equatable {
    var events = NordicEvents()
    var enable: UInt32 = 0
    var errorSource: UInt32 = 0
    /// The registers that hold what is written.
    var held: RegisterBank
    var receiveBuffer = NordicBuffer()
    var transmitBuffer = NordicBuffer()
  }

  private enum Event {
    static let stopped = 1
    static let endReceive = 4
    static let end = 6
    static let endTransmit = 8
    static let error = 9
    static let suspended = 18
    static let receiveStarted = 19
    static let transmitStarted = 20
    static let lastReceived = 23
    static let lastTransmitted = 24
  }

  private static let held = RegisterMap([
    Register("PSEL", 0x508, reset: 0xFFFF_FFFF, count: 4), Register("FREQUENCY", 0x524, reset: 0x0400_0000),
    Register("RXD.LIST", 0x540), Register("TXD.LIST", 0x550), Register("CONFIG", 0x554),
    Register("IFTIMING", 0x560, count: 2),
    Register("CSNPOL", 0x568, count: 3), Register("ADDRESS", 0x588, [.field("ADDRESS", 0..<7)]), Register("ORC", 0x5C0),
  ])

  public let context: DeviceContext
  public var state = State(held: RegisterBank(NordicSerialMaster.held))
  public let registers: [RegisterMap]
  private var unimplemented = UnimplementedLog()
  private lazy var bus = SPIBus(of: self)

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    registers = [
      RegisterMap(
        NordicRegisters.declare(
          tasks: [
            ("STARTRX", 0), ("STARTTX", 8), ("START", 0x10), ("STOP", 0x14), ("SUSPEND", 0x1C), ("RESUME", 0x20),
          ],
          events: [
            ("STOPPED", 0x104), ("ENDRX", 0x110), ("END", 0x118), ("ENDTX", 0x120), ("ERROR", 0x124),
            ("SUSPENDED", 0x148), ("RXSTARTED", 0x14C), ("TXSTARTED", 0x150), ("LASTRX", 0x15C), ("LASTTX", 0x160),
          ], hasShorts: true) + [Register("ERRORSRC", 0x4C4), Register("ENABLE", 0x500)]
          + NordicBuffer.declare("RXD", 0x534) + NordicBuffer.declare("TXD", 0x544) + Self.held.registers)
    ]
  }

  private var isSPI: Bool { state.enable == 7 }
  private var isI2C: Bool { state.enable == 6 }

  func trigger(_ task: Int) {
    switch task {
    case 0 where isI2C: receive()
    case 2 where isI2C: transmit()
    case 4 where isSPI: exchange()
    case 5:
      if isI2C { target(at: address)?.stop() }
      cancelStarts()
      raise(Event.stopped)
    case 7: raise(Event.suspended)
    case 0, 2, 4:
      unimplemented.once("ENABLE is \(state.enable): only the masters with EasyDMA, 6 and 7, are implemented", context)
    default: break
    }
  }

  private var address: UInt32 { state.held[0x588] }

  // MARK: SPI

  private func exchange() {
    raise(Event.receiveStarted)
    raise(Event.transmitStarted)
    let (sent, buffer) = (state.transmitBuffer.read(context), state.receiveBuffer)
    let filler = UInt8(truncatingIfNeeded: state.held[0x5C0])
    bus.updateSelection(native: true)
    let received = (0..<max(sent.count, Int(buffer.count))).map { index in
      let byte = index < sent.count ? sent[index] : filler
      return bus.isEmpty ? byte : UInt8(truncatingIfNeeded: bus.exchange(UInt32(byte), bits: 8))
    }
    bus.updateSelection(native: false)
    buffer.write(Array(received.prefix(Int(buffer.count))), context)
    state.transmitBuffer.amount = UInt32(sent.count)
    state.receiveBuffer.amount = buffer.count
    for event in [Event.endTransmit, Event.endReceive, Event.end] { raise(event) }
    if isShorted(17) { start(4, behind: max(UInt32(sent.count), buffer.count)) }
  }

  func pinsChanged() { bus.updateSelection(native: false) }

  // MARK: I²C

  private func receive() {
    guard let target = target(at: address) else { return refuse(0x2) }
    target.start(isRead: true)
    raise(Event.receiveStarted)
    let buffer = state.receiveBuffer
    buffer.write((0..<buffer.count).map { _ in target.read() }, context)
    state.receiveBuffer.amount = buffer.count
    raise(Event.lastReceived)
    if isShorted(10) { start(2, behind: buffer.count) }
    if isShorted(11) { raise(Event.suspended) }
    if isShorted(12) { trigger(5) }
  }

  private func transmit() {
    guard let target = target(at: address) else { return refuse(0x2) }
    target.start(isRead: false)
    raise(Event.transmitStarted)
    state.transmitBuffer.amount = 0
    for byte in state.transmitBuffer.read(context) {
      guard target.write(byte) else { return refuse(0x4) }
      state.transmitBuffer.amount += 1
    }
    raise(Event.lastTransmitted)
    if isShorted(7) { start(0, behind: state.transmitBuffer.amount) }
    if isShorted(8) { raise(Event.suspended) }
    if isShorted(9) { trigger(5) }
  }

  // MARK: Shortcuts

  /// Triggers a task when a transfer of so many bytes, and an address, would be over: nine clocks each. FREQUENCY counts
  /// 2³² for 16 MHz.
  private func start(_ task: Int, behind count: UInt32) {
    let clocks = 9 * (UInt64(count) + 1)
    let time = clocks * 268_435_456_000 / UInt64(max(state.held[0x524], 0x0100_0000))
    context.schedule(at: context.clock.now + time, token: UInt64(task))
  }

  private func cancelStarts() { for task: UInt64 in [0, 2, 4] { context.cancel(token: task) } }

  public func event(_ token: UInt64) { trigger(Int(token)) }

  private func refuse(_ source: UInt32) {
    unimplemented.once("nothing answers at address \(address) of the bus", context)
    state.errorSource |= source
    raise(Event.error)
  }

  // MARK: Registers

  func value(at offset: UInt64, isPeek: Bool) -> UInt32? {
    switch offset {
    case 0x4C4: state.errorSource
    case 0x500: state.enable
    case 0x534..<0x540: state.receiveBuffer[offset - 0x534]
    case 0x544..<0x550: state.transmitBuffer[offset - 0x544]
    default: Self.held.match(offset, isWrite: false) == nil ? nil : state.held[offset]
    }
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    switch offset {
    case 0x4C4: state.errorSource &= ~value
    case 0x500: state.enable = value & 15
    case 0x534..<0x540: state.receiveBuffer[offset - 0x534] = value
    case 0x544..<0x550: state.transmitBuffer[offset - 0x544] = value
    default:
      guard let match = Self.held.match(offset, isWrite: true) else { return false }
      state.held[offset] = value & match.register.mask
    }
    return true
  }

  public func reset(_ cause: ResetCause) {
    cancelStarts()
    state = State(held: RegisterBank(Self.held))
    updateInterrupt()
  }
}
