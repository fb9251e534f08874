// The real-time clock of STM32F1: a counter of 32 bits behind a prescaler of 20, with an alarm.
//
// Source: RM0008 chapter 18.

import Bus

public final class STM32RTCFirst: BankDevice, STM32BackupDevice {
  public static var compatible: [String] { ["st,stm32f1-rtc"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    var count: UInt32 = 0
    /// The tick of the prescaler's clock at which `count` was reached.
    var since: UInt64 = 0
    /// SECF, ALRF and OWF.
    var flags: UInt32 = 0
  }

  private static let map = RegisterMap([
    Register("CRH", 0x00, [.field("SECIE", 0), .field("ALRIE", 1), .field("OWIE", 2)]),
    Register("CRL", 0x04, reset: 0x20),
    Register("PRLH", 0x08, [.field("PRL", 0..<4)]), Register("PRLL", 0x0C, reset: 0x8000, [.field("PRL", 0..<16)]),
    Register("DIVH", 0x10, .readOnly), Register("DIVL", 0x14, .readOnly, reset: 0x8000),
    Register("CNTH", 0x18, [.field("CNT", 0..<16)]), Register("CNTL", 0x1C, [.field("CNT", 0..<16)]),
    Register("ALRH", 0x20, reset: 0xFFFF, [.field("ALR", 0..<16)]),
    Register("ALRL", 0x24, reset: 0xFFFF, [.field("ALR", 0..<16)]),
  ])

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(STM32RTCFirst.map))
  public let registers = [STM32RTCFirst.map]
  var unimplemented = UnimplementedLog()
  /// RTCCLK
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    input = context.realTimeClock
    input.listen(self) { $0.schedule() }
  }

  private var now: UInt64 { input.ticks }
  private var divider: UInt64 { UInt64(bank[0x08] << 16 | bank[0x0C]) + 1 }
  private var alarm: UInt32 { bank[0x20] << 16 | bank[0x24] }

  private func catchUp() {
    let counts = (now - state.since) / divider
    guard counts > 0 else { return }
    let old = state.count
    state.since += counts * divider
    state.count = old &+ UInt32(truncatingIfNeeded: counts)
    state.flags |= 1
    if UInt64(alarm &- old) &- 1 < counts { state.flags |= 2 }
    if UInt64(old) + counts > UInt64(UInt32.max) { state.flags |= 4 }
  }

  private func schedule() {
    context.interrupts.first?.line.set(state.flags & bank[0x00] != 0)
    context.cancel(token: 0)
    let wanted = bank[0x00] & ~state.flags
    guard wanted != 0 else { return }
    var counts: UInt64 = wanted.has(0) ? 1 : .max
    if wanted.has(1) { counts = min(counts, alarm == state.count ? 1 << 32 : UInt64(alarm &- state.count)) }
    if wanted.has(2) { counts = min(counts, 1 << 32 - UInt64(state.count)) }
    let time = input.time(of: state.since &+ counts &* divider)
    if time != .max { context.schedule(at: time, token: 0) }
  }

  public func event(_ token: UInt64) {
    catchUp()
    schedule()
  }

  func load(_ offset: UInt64, isPeek: Bool) -> UInt32 {
    if !isPeek { catchUp() }
    let left = UInt32(truncatingIfNeeded: divider - 1 - (now - state.since) % divider)
    switch offset {
    // Registers are always in step and writes always done.
    case 0x04: return bank[offset] & 0x10 | state.flags | 0x28
    case 0x10: return left >> 16
    case 0x14: return left & 0xFFFF
    case 0x18: return state.count >> 16
    case 0x1C: return state.count & 0xFFFF
    default: return bank[offset]
    }
  }

  func store(_ value: UInt32, at offset: UInt64) {
    guard context.permitsBackupWrites else { return }
    catchUp()
    switch offset {
    case 0x04:
      bank[offset] = value & 0x10
      state.flags &= value
    case 0x18: state.count = state.count & 0xFFFF | value << 16
    case 0x1C: state.count = state.count & 0xFFFF_0000 | value
    default: bank[offset] = value
    }
    if offset != 0x00, offset != 0x04 { state.since = now }
    schedule()
  }

  /// Counter, prescaler and alarm outlive resets.
  public func reset(_ cause: ResetCause) {
    if cause == .powerOn { return resetBackup() }
    catchUp()
    context.cancel(token: 0)
    (bank[0x00], bank[0x04], state.flags) = (0, 0x20, 0)
    context.interrupts.first?.line.set(false)
  }

  func resetBackup() {
    context.cancel(token: 0)
    state = State(bank: RegisterBank(Self.map), since: now)
    context.interrupts.first?.line.set(false)
  }
}
