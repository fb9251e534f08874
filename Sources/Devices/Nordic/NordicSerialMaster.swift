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

  private static let held: Registers = [
    Register("PSEL", 0x508, reset: 0xFFFF_FFFF, count: 4), Register("FREQUENCY", 0x524, reset: 0x0400_0000),
    Register("RXD.LIST", 0x540), Register("TXD.LIST", 0x550), Register("CONFIG", 0x554),
    Register("IFTIMING", 0x560, count: 2),
    Register("CSNPOL", 0x568, count: 3), Register("ADDRESS", 0x588, [.field("ADDRESS", 0..<7)]), Register("ORC", 0x5C0),
  ]
  private static let initial = RegisterBank(RegisterTable(held))

  public let context: DeviceContext
  public var state = State(held: NordicSerialMaster.initial)
  public let table = RegisterTable<NordicSerialMaster>(
    [
      .task("STARTRX", 0x000) { $0.startReceive() }, .task("STARTTX", 0x008) { $0.startTransmit() },
      .task("START", 0x010) { $0.startExchange() }, .task("STOP", 0x014) { $0.stop() },
      .task("SUSPEND", 0x01C) { $0.raise(Event.suspended) }, .task("RESUME", 0x020) { _ in },
      .event("STOPPED", 0x104), .event("ENDRX", 0x110), .event("END", 0x118), .event("ENDTX", 0x120),
      .event("ERROR", 0x124), .event("SUSPENDED", 0x148), .event("RXSTARTED", 0x14C), .event("TXSTARTED", 0x150),
      .event("LASTRX", 0x15C), .event("LASTTX", 0x160), .shorts,
    ], NordicSerialMaster.interrupts,
    [
      Register("ERRORSRC", 0x4C4).onRead(\.state.errorSource).onWrite { $0.state.errorSource &= ~$1 },
      Register("ENABLE", 0x500, [.field("ENABLE", 0..<4)]).onRead(\.state.enable).onWrite { $0.state.enable = $1 },
    ], Register.buffer("RXD", 0x534, \.state.receiveBuffer), Register.buffer("TXD", 0x544, \.state.transmitBuffer), held
  )
  public var unimplemented = UnimplementedLog()
  private lazy var bus = SPIBus(of: self)

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  public func held(at offset: UInt64) -> UInt32? { state.held[offset] }
  public func hold(_ value: UInt32, at offset: UInt64) { state.held[offset] = value }

  private var isSPI: Bool { state.enable == 7 }
  private var isI2C: Bool { state.enable == 6 }

  private func startReceive() { if isI2C { receive() } else { refuseStart() } }
  private func startTransmit() { if isI2C { transmit() } else { refuseStart() } }
  private func startExchange() { if isSPI { exchange() } else { refuseStart() } }

  private func refuseStart() {
    unimplemented.once("ENABLE is \(state.enable): only the masters with EasyDMA, 6 and 7, are implemented", context)
  }

  private func stop() {
    if isI2C { target(at: address)?.stop() }
    cancelStarts()
    raise(Event.stopped)
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
    if isShorted(17) { start(.exchange, behind: max(UInt32(sent.count), buffer.count)) }
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
    if isShorted(10) { start(.transmit, behind: buffer.count) }
    if isShorted(11) { raise(Event.suspended) }
    if isShorted(12) { stop() }
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
    if isShorted(7) { start(.receive, behind: state.transmitBuffer.amount) }
    if isShorted(8) { raise(Event.suspended) }
    if isShorted(9) { stop() }
  }

  // MARK: Shortcuts

  /// What waits for a transfer to be over: the numbers of events.
  private enum Start: UInt64, CaseIterable {
    case receive = 0
    case transmit = 2
    case exchange = 4
  }

  /// Starts another when a transfer of so many bytes, and an address, would be over: nine clocks each. FREQUENCY counts
  /// 2³² for 16 MHz.
  private func start(_ next: Start, behind count: UInt32) {
    let clocks = 9 * (UInt64(count) + 1)
    let time = clocks * 268_435_456_000 / UInt64(max(state.held[0x524], 0x0100_0000))
    context.schedule(at: context.clock.now + time, token: next.rawValue)
  }

  private func cancelStarts() { for start in Start.allCases { context.cancel(token: start.rawValue) } }

  public func event(_ token: UInt64) {
    switch Start(rawValue: token) {
    case .receive: startReceive()
    case .transmit: startTransmit()
    case .exchange: startExchange()
    case nil: break
    }
  }

  private func refuse(_ source: UInt32) {
    unimplemented.once("nothing answers at address \(address) of the bus", context)
    state.errorSource |= source
    raise(Event.error)
  }

  public func reset(_ cause: ResetCause) {
    cancelStarts()
    state = State(held: Self.initial)
    updateInterrupt()
  }
}
