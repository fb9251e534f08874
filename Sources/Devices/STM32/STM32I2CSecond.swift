// The second version of STM32's I²C controller (F7), as a master.
//
// Source: RM0385 chapter 30. Bytes take no time on the bus.

import Bus

public final class STM32I2CSecond: BankDevice {
  public static var compatible: [String] { ["st,stm32-i2c-v2"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// NACKF, STOPF, TC and TCR of ISR.
    var flags: UInt32 = 0
    var isActive = false
    var isReading = false
    var target: UInt32 = 0
    /// Bytes of the present NBYTES that are still to come.
    var left: UInt32 = 0
    var received: UInt8?
  }

  private enum Status {
    static let refused = 4
    static let stopped = 5
    static let complete = 6
    static let reload = 7
  }

  private static let map: RegisterTable<STM32I2CSecond> = [
    Register(
      "CR1", 0x00,
      [
        .field("PE", 0), .field("TXIE", 1), .field("RXIE", 2), .field("ADDRIE", 3), .field("NACKIE", 4),
        .field("STOPIE", 5), .field("TCIE", 6), .field("ERRIE", 7), .field("DNF", 8..<12), .field("ANFOFF", 12),
        .unimplemented("TXDMAEN", 14), .unimplemented("RXDMAEN", 15), .field("SBC", 16), .field("NOSTRETCH", 17),
        .field("GCEN", 19),
      ]
    ).onWrite { $0.configure($1) },
    Register(
      "CR2", 0x04,
      [
        .field("SADD", 0..<10), .field("RD_WRN", 10), .unimplemented("ADD10", 11), .field("HEAD10R", 12),
        .field("START", 13), .field("STOP", 14), .field("NACK", 15), .field("NBYTES", 16..<24), .field("RELOAD", 24),
        .field("AUTOEND", 25), .field("PECBYTE", 26),
      ]
    ).onWrite { $0.writeControl($1) },
    Register("OAR1", 0x08, [.unimplemented("OA1", 1..<8), .field("-", 8..<16)]),
    Register("OAR2", 0x0C, [.field("OA2", 1..<11), .unimplemented("OA2EN", 15)]), Register("TIMINGR", 0x10),
    Register(
      "TIMEOUTR", 0x14,
      [.field("-", 0..<15), .unimplemented("TIMOUTEN", 15), .field("TIMEOUTB", 16..<28), .unimplemented("TEXTEN", 31)]),
    Register("ISR", 0x18, .readOnly, reset: 1).onRead(\.status),
    Register("ICR", 0x1C, .writeOnly).onWrite { $0.state.flags &= ~($1 & 0x3F38) }, Register("PECR", 0x20, .readOnly),
    Register("RXDR", 0x24, .readOnly).onRead { UInt32($0.state.received ?? 0) }.afterRead { $0.takeByte() },
    Register("TXDR", 0x28).onWrite { $0.transmit(UInt8(truncatingIfNeeded: $1)) },
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(STM32I2CSecond.map))
  public let table = STM32I2CSecond.map
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
  }

  private var wantsByte: Bool { state.isActive && !state.isReading && state.left > 0 }

  private var status: UInt32 {
    (state.flags | 1).setting(1, to: wantsByte).setting(2, to: state.received != nil).setting(15, to: state.isActive)
  }

  public func performWrite(_ write: () -> Void) {
    write()
    updateInterrupts()
  }

  private func takeByte() {
    guard state.received != nil else { return }
    state.received = nil
    proceed()
    updateInterrupts()
  }

  private func configure(_ value: UInt32) {
    bank[0x00] = value
    if !value.has(0) { (state.isActive, state.flags, state.received) = (false, 0, nil) }
  }

  private func writeControl(_ value: UInt32) {
    bank[0x04] = value & ~0x6000
    guard bank[0x00].has(0) else { return }
    if value.has(13) {
      start(value)
    } else if state.flags.has(Status.reload), value.field(16, 8) > 0 {
      state.flags = state.flags.setting(Status.reload, to: false)
      state.left = value.field(16, 8)
      proceed()
    }
    if value.has(14) { stop() }
  }

  private func start(_ value: UInt32) {
    state.flags &= ~(1 << UInt32(Status.complete))
    state.isReading = value.has(10)
    state.target = value.field(1, 7)
    state.left = value.field(16, 8)
    state.isActive = true
    guard let target = target(at: state.target) else {
      unimplemented.once("nothing answers at address \(state.target) of the bus", context)
      return refuse()
    }
    target.start(isRead: state.isReading)
    if state.isReading || state.left == 0 { proceed() }
  }

  private func refuse() {
    state.flags |= 1 << UInt32(Status.refused)
    stop()
  }

  private func stop() {
    if state.isActive { target(at: state.target)?.stop() }
    state.isActive = false
    state.left = 0
    state.flags = state.flags.setting(Status.stopped, to: true).setting(Status.complete, to: false)
  }

  private func transmit(_ byte: UInt8) {
    guard wantsByte else { return }
    state.left -= 1
    guard target(at: state.target)?.write(byte) ?? false else { return refuse() }
    if state.left == 0 { proceed() }
  }

  /// Takes the next byte to read, or ends the transfer as CR2 says.
  private func proceed() {
    if state.left > 0 {
      guard state.isReading else { return }
      state.left -= 1
      state.received = target(at: state.target)?.read()
      return
    }
    if bank[0x04].has(24) {
      state.flags |= 1 << UInt32(Status.reload)
    } else if bank[0x04].has(25) {
      stop()
    } else {
      state.flags |= 1 << UInt32(Status.complete)
    }
  }

  /// The enables of CR1 for TXIS to STOPF stand at the same bits as the flags; TCIE serves TC and TCR.
  private func updateInterrupts() {
    let (status, enables) = (status, bank[0x00])
    let isComplete = enables.has(6) && status & 0xC0 != 0
    context.interrupts.first?.line.set(status & enables & 0x3E != 0 || isComplete)
  }

  public func reset(_ cause: ResetCause) {
    state = State(bank: RegisterBank(Self.map))
    updateInterrupts()
  }
}
