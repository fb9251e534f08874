// The two watchdogs of STM32: the independent one, on the slow internal oscillator, and the window watchdog on APB1.
//
// Sources: RM0008 chapters 19 and 20, RM0090 chapters 21 and 22, RM0385 chapters 28 and 29.

import Bits
import Bus

/// IWDG: counts down from RLR at the slow oscillator's clock over 4 to 256.
public final class STM32IndependentWatchdog: BankDevice {
  public static var compatible: [String] { ["st,stm32-watchdog"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    var isRunning = false
    /// PR, RLR and WINR can be written.
    var isUnlocked = false
    /// When the counter was last loaded, in nanoseconds.
    var loaded: UInt64 = 0
  }

  private static let map: RegisterTable<STM32IndependentWatchdog> = [
    Register("KR", 0x00, .writeOnly).onWrite { $0.writeKey($1 & 0xFFFF) },
    Register("PR", 0x04, [.field("PR", 0..<3)]).onWrite { $0.set($1, at: 0x04) },
    Register("RLR", 0x08, reset: 0xFFF, [.field("RL", 0..<12)]).onWrite { $0.set($1, at: 0x08) },
    Register("SR", 0x0C, .readOnly),
    Register("WINR", 0x10, reset: 0xFFF, [.field("WIN", 0..<12)])
      .onWrite { if $0.set($1, at: 0x10) { $0.reload() } },
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(STM32IndependentWatchdog.map))
  public let table = STM32IndependentWatchdog.map
  public var unimplemented = UnimplementedLog()
  private let frequency: UInt64

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    frequency = STM32Family(context) == .f1 ? 40_000 : 32_000
  }

  /// Nanoseconds of one count.
  private var countTime: UInt64 { 1_000_000_000 * (4 << UInt64(min(bank[0x04], 6))) / frequency }

  private func writeKey(_ key: UInt32) {
    switch key {
    case 0xCCCC:
      state.isRunning = true
      reload()
    case 0xAAAA:
      let count = UInt64(bank[0x08]) - min(UInt64(bank[0x08]), (context.clock.now - state.loaded) / countTime)
      if state.isRunning, count > UInt64(bank[0x10]) { return context.control.reset(.watchdog) }
      reload()
    default: state.isUnlocked = key == 0x5555
    }
  }

  /// - Returns: whether the register could be written.
  @discardableResult
  private func set(_ value: UInt32, at offset: UInt64) -> Bool {
    if state.isUnlocked {
      bank[offset] = value
    } else {
      context.log(.guestError, "a write to PR, RLR or WINR, which are locked")
    }
    return state.isUnlocked
  }

  private func reload() {
    state.isUnlocked = false
    state.loaded = context.clock.now
    guard state.isRunning else { return }
    context.schedule(at: state.loaded + (UInt64(bank[0x08]) + 1) * countTime, token: 0)
  }

  public func event(_ token: UInt64) { context.control.reset(.watchdog) }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State(bank: RegisterBank(Self.map))
  }
}

/// WWDG: counts down from T at PCLK1 / 4096 over 1 to 8, resets when bit 6 falls or when written above W.
public final class STM32WindowWatchdog: BankDevice {
  public static var compatible: [String] { ["st,stm32-window-watchdog"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// When T was last written, in clocks of the bus.
    var loaded: UInt64 = 0
  }

  private static let map: RegisterTable<STM32WindowWatchdog> = [
    Register("CR", 0x00, reset: 0x7F, [.field("T", 0..<7), .field("WDGA", 7)])
      .onRead { $0.bank[0x00] & 0x80 | $0.count }.onWrite { $0.writeControl($1) },
    Register("CFR", 0x04, reset: 0x7F, [.field("W", 0..<7), .field("WDGTB", 7..<9), .field("EWI", 9)])
      .onWrite { device, value in
        device.bank[0x04] = value
        device.schedule()
      },
    Register("SR", 0x08, [.field("EWIF", 0)]).onWrite { device, value in
      device.bank[0x08] &= value
      device.schedule()
    },
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(STM32WindowWatchdog.map))
  public let table = STM32WindowWatchdog.map
  public var unimplemented = UnimplementedLog()
  /// PCLK1
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    input = context.busClock()
    input.listen(self) { $0.schedule() }
  }

  private var isRunning: Bool { bank[0x00].has(7) }

  /// Clocks of one count.
  private var divider: UInt64 { 4096 << UInt64(bank[0x04].field(7, 2)) }

  private var count: UInt32 {
    guard isRunning else { return bank[0x00] & 0x7F }
    let counts = (input.ticks &- state.loaded) / divider
    return UInt32(UInt64(bank[0x00] & 0x7F) - min(UInt64(bank[0x00] & 0x7F), counts))
  }

  private func writeControl(_ value: UInt32) {
    let isEarly = isRunning && count > bank[0x04] & 0x7F
    bank[0x00] = value | bank[0x00] & 0x80
    state.loaded = input.ticks
    if isRunning, isEarly || !value.has(6) { return context.control.reset(.windowWatchdog) }
    schedule()
  }

  private func schedule() {
    updateInterrupt()
    context.cancel(token: 0)
    context.cancel(token: 1)
    let value = UInt64(bank[0x00] & 0x7F)
    guard isRunning, value >= 0x40 else { return }
    context.schedule(at: input.time(of: state.loaded &+ (value - 0x3F) * divider), token: 1)
    let warning = input.time(of: state.loaded &+ (value - 0x40) * divider)
    if warning > context.clock.now { context.schedule(at: warning, token: 0) }
  }

  public func event(_ token: UInt64) {
    guard token == 0 else { return context.control.reset(.windowWatchdog) }
    bank[0x08] = 1
    updateInterrupt()
  }

  private func updateInterrupt() { context.interrupts.first?.line.set(bank[0x08].has(0) && bank[0x04].has(9)) }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    context.cancel(token: 1)
    state = State(bank: RegisterBank(Self.map))
    updateInterrupt()
  }
}
