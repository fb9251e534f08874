// The USART of STM32: the first version (F1, F4) with SR and DR, and the second (F7) with ISR, RDR and TDR.
//
// Sources: RM0008 chapter 27, RM0090 chapter 30 (first), RM0385 chapter 31 (second). Characters take no time on the line,
// silence does: IDLE and the receiver timeout come when the baud rate has them come. Received characters wait in
// `State.input` until the receiver's one place is free.

import Bits
import Bus

public final class STM32USART: CharacterDevice, BankDevice {
  public static var compatible: [String] { ["st,stm32-usart", "st,stm32-uart"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// Characters from the host that the receiver has not taken yet.
    var input = ByteQueue()
    var received: UInt8?
    /// TC: the last character has left.
    var isComplete = true
    /// IDLE and RTOF: the line rests after characters came.
    var isIdle = false
    var hasTimedOut = false
  }

  /// Tokens of the two kinds of silence.
  private enum Silence {
    static let idle: UInt64 = 0
    static let timeout: UInt64 = 1
  }

  private enum Status {
    static let idle = 4
    static let notEmpty = 5
    static let complete = 6
    static let empty = 7
    /// RTOF, of the second version.
    static let timeout = 11
  }

  public let context: DeviceContext
  public var state: State
  public let table: RegisterTable<STM32USART>
  public var unimplemented = UnimplementedLog()
  private let isSecond: Bool
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    isSecond = STM32Family(context) == .f7
    input = context.busClock()
    table = RegisterTable(isSecond ? Self.second : Self.first)
    state = State(bank: RegisterBank(table))
  }

  private static let status: [Field] = [
    .field("PE", 0), .field("FE", 1), .field("NF", 2), .field("ORE", 3), .field("IDLE", 4), .field("RXNE", 5),
    .field("TC", 6), .field("TXE", 7),
  ]
  private static let transfers: [Field] = [
    .field("EIE", 0), .unimplemented("IREN", 1), .field("IRLP", 2), .unimplemented("HDSEL", 3), .field("NACK", 4),
    .unimplemented("SCEN", 5), .unimplemented("DMAR", 6), .unimplemented("DMAT", 7), .field("RTSE", 8),
    .field("CTSE", 9), .field("CTSIE", 10), .field("ONEBIT", 11),
  ]

  /// CR2, as both versions have it.
  private static let lines: [Field] = [
    .field("LBDL", 5), .unimplemented("LBDIE", 6), .field("LBCL", 8), .field("CPHA", 9), .field("CPOL", 10),
    .unimplemented("CLKEN", 11), .field("STOP", 12..<14), .unimplemented("LINEN", 14),
  ]

  private static let first: Registers = [
    Register("SR", 0x00, reset: 0xC0, status + [.field("LBD", 8), .field("CTS", 9)])
      .onRead(\.flags).onWrite { $0.clearFlags($1) },
    Register("DR", 0x04)
      .onRead { UInt32($0.state.received ?? 0) }.afterRead { $0.takeCharacter() }.onWrite { $0.send($1) },
    Register("BRR", 0x08),
    Register(
      "CR1", 0x0C,
      [
        .field("SBK", 0), .unimplemented("RWU", 1), .field("RE", 2), .field("TE", 3), .field("IDLEIE", 4),
        .field("RXNEIE", 5),
        .field("TCIE", 6), .field("TXEIE", 7), .field("PEIE", 8), .field("PS", 9), .field("PCE", 10),
        .field("WAKE", 11), .field("M", 12), .field("UE", 13), .field("OVER8", 15),
      ]),
    Register("CR2", 0x10, lines + [.field("ADD", 0..<4)]), Register("CR3", 0x14, transfers), Register("GTPR", 0x18),
  ]

  private static let second: Registers = [
    Register(
      "CR1", 0x00,
      [
        .field("UE", 0), .field("UESM", 1), .field("RE", 2), .field("TE", 3), .field("IDLEIE", 4), .field("RXNEIE", 5),
        .field("TCIE", 6), .field("TXEIE", 7), .field("PEIE", 8), .field("PS", 9), .field("PCE", 10),
        .field("WAKE", 11), .field("M0", 12), .unimplemented("MME", 13), .unimplemented("CMIE", 14),
        .field("OVER8", 15),
        .field("DEDT", 16..<21), .field("DEAT", 21..<26), .field("RTOIE", 26), .unimplemented("EOBIE", 27),
        .field("M1", 28),
      ]),
    Register(
      "CR2", 0x04,
      lines + [
        .field("ADDM7", 4), .unimplemented("SWAP", 15), .unimplemented("INV", 16..<19), .unimplemented("MSBFIRST", 19),
        .unimplemented("ABREN", 20), .field("ABRMOD", 21..<23), .field("RTOEN", 23), .field("ADD", 24..<32),
      ]),
    Register(
      "CR3", 0x08, transfers + [.field("OVRDIS", 12), .field("DDRE", 13), .field("DEM", 14), .field("DEP", 15)]),
    Register("BRR", 0x0C), Register("GTPR", 0x10), Register("RTOR", 0x14),
    Register("RQR", 0x18, .writeOnly).onWrite { if $1.has(3) { $0.takeCharacter() } },
    Register(
      "ISR", 0x1C, .readOnly, reset: 0xC0, status + [.field("BUSY", 16), .field("TEACK", 21), .field("REACK", 22)]
    ).onRead(\.flags),
    Register("ICR", 0x20, .writeOnly).onWrite { $0.clearFlags(ofSecond: $1) },
    Register("RDR", 0x24, .readOnly).onRead { UInt32($0.state.received ?? 0) }.afterRead { $0.takeCharacter() },
    Register("TDR", 0x28).onWrite { $0.send($1) },
  ]

  // MARK: Registers

  /// CR1
  private var control: UInt32 { bank[isSecond ? 0x00 : 0x0C] }
  private var isEnabled: Bool { control.has(isSecond ? 0 : 13) }
  private var receives: Bool { isEnabled && control.has(2) }
  private var transmits: Bool { isEnabled && control.has(3) }

  private var flags: UInt32 {
    var flags: UInt32 = 1 << Status.empty
    if state.isIdle { flags |= 1 << Status.idle }
    if state.received != nil { flags |= 1 << Status.notEmpty }
    if state.isComplete { flags |= 1 << Status.complete }
    if isSecond {
      if state.hasTimedOut { flags |= 1 << Status.timeout }
      if transmits { flags |= 1 << 21 }
      if receives { flags |= 1 << 22 }
    }
    return flags
  }

  private func takeCharacter() {
    state.received = nil
    if !isSecond { state.isIdle = false }
    fillReceiver()
    updateInterrupt()
  }

  public func performWrite(_ write: () -> Void) {
    write()
    fillReceiver()
    updateInterrupt()
  }

  private func send(_ value: UInt32) {
    guard transmits else { return }
    context.characters?.write([UInt8(truncatingIfNeeded: value)])
    state.isComplete = true
  }

  /// SR of the first version: zeros clear TC and RXNE.
  private func clearFlags(_ value: UInt32) {
    if !value.has(Status.complete) { state.isComplete = false }
    if !value.has(Status.notEmpty) { takeCharacter() }
  }

  /// ICR of the second version.
  private func clearFlags(ofSecond value: UInt32) {
    if value.has(Status.idle) { state.isIdle = false }
    if value.has(Status.timeout) { state.hasTimedOut = false }
    if value.has(Status.complete) { state.isComplete = false }
  }

  public func receive(_ bytes: [UInt8]) {
    state.input += bytes
    fillReceiver()
    updateInterrupt()
  }

  private func fillReceiver() {
    guard receives, state.received == nil, let byte = state.input.popFirst() else { return }
    state.received = byte
    awaitSilence()
  }

  // MARK: Silence

  /// Clocks of a bit; 0 while BRR has none. Of OVER8 the fraction has three bits (RM0090 30.3.4, RM0385 31.5.4).
  private var bit: UInt64 {
    let value = bank[isSecond ? 0x0C : 0x08] & 0xFFFF
    return UInt64(control.has(15) ? (value >> 4) << 3 | value & 7 : value)
  }

  /// Bits of a frame: start, data with parity, stop.
  private var frame: UInt64 {
    let stop: UInt64 = bank[isSecond ? 0x04 : 0x10].field(12, 2) > 1 ? 2 : 1
    return (control.has(12) ? 10 : isSecond && control.has(28) ? 8 : 9) + stop
  }

  /// A character came: silence counts from now on.
  private func awaitSilence() {
    let now = input.ticks
    schedule(at: now &+ frame &* bit, Silence.idle)
    guard isSecond, bank[0x04].has(23) else { return context.cancel(token: Silence.timeout) }
    schedule(at: now &+ UInt64(bank[0x14] & 0xFF_FFFF) &* bit, Silence.timeout)
  }

  private func schedule(at tick: UInt64, _ token: UInt64) {
    let time = max(input.time(of: tick), context.clock.now)
    if time != .max { context.schedule(at: time, token: token) }
  }

  public func event(_ token: UInt64) {
    guard state.input.isEmpty else { return }
    if token == Silence.idle { state.isIdle = true } else { state.hasTimedOut = true }
    updateInterrupt()
  }

  /// The enables of CR1 stand at the same bits as the flags of the status.
  private func updateInterrupt() {
    let wanted = control & (1 << Status.idle | 1 << Status.notEmpty | 1 << Status.complete | 1 << Status.empty)
    let hasTimedOut = isSecond && state.hasTimedOut && control.has(26)
    context.interrupts.first?.line.set(isEnabled && (flags & wanted != 0 || hasTimedOut))
  }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: Silence.idle)
    context.cancel(token: Silence.timeout)
    state = State(bank: RegisterBank(table), input: state.input)
    updateInterrupt()
  }
}
