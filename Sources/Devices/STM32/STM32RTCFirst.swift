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

  private static let map: RegisterTable<STM32RTCFirst> = [
    Register("CRH", 0x00, [.field("SECIE", 0), .field("ALRIE", 1), .field("OWIE", 2)]),
    // Registers are always in step and writes always done.
    Register("CRL", 0x04, reset: 0x20)
      .onRead { $0.bank[0x04] & 0x10 | $0.state.flags | 0x28 }
      .onWrite { ($0.bank[0x04], $0.state.flags) = ($1 & 0x10, $0.state.flags & $1) },
    Register("PRLH", 0x08, [.field("PRL", 0..<4)]).onWrite { $0.set(0x08, $1) },
    Register("PRLL", 0x0C, reset: 0x8000, [.field("PRL", 0..<16)]).onWrite { $0.set(0x0C, $1) },
    Register("DIVH", 0x10, .readOnly).onRead { $0.left >> 16 },
    Register("DIVL", 0x14, .readOnly, reset: 0x8000).onRead { $0.left & 0xFFFF },
    Register("CNTH", 0x18, [.field("CNT", 0..<16)])
      .onRead { $0.state.count >> 16 }.onWrite { $0.setCount($0.state.count & 0xFFFF | $1 << 16) },
    Register("CNTL", 0x1C, [.field("CNT", 0..<16)])
      .onRead { $0.state.count & 0xFFFF }.onWrite { $0.setCount($0.state.count & 0xFFFF_0000 | $1) },
    Register("ALRH", 0x20, reset: 0xFFFF, [.field("ALR", 0..<16)]).onWrite { $0.set(0x20, $1) },
    Register("ALRL", 0x24, reset: 0xFFFF, [.field("ALR", 0..<16)]).onWrite { $0.set(0x24, $1) },
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(STM32RTCFirst.map))
  public let table = STM32RTCFirst.map
  public var unimplemented = UnimplementedLog()
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

  public func prepareRead() { catchUp() }

  public func performWrite(_ write: () -> Void) {
    guard context.permitsBackupWrites else { return }
    catchUp()
    write()
    schedule()
  }

  /// Clocks that are left of the present count, less one.
  private var left: UInt32 { UInt32(truncatingIfNeeded: divider - 1 - (now - state.since) % divider) }

  /// A prescaler or alarm; either starts the present count anew.
  private func set(_ offset: UInt64, _ value: UInt32) {
    bank[offset] = value
    state.since = now
  }

  private func setCount(_ count: UInt32) { (state.count, state.since) = (count, now) }

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
