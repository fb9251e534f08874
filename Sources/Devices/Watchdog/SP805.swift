// Arm's watchdog SP805, as in the Cortex-M System Design Kit and the Stellaris: the first time it reaches 0 it
// interrupts, the second time it resets.
//
// Source: ARM Watchdog Module (SP805) Technical Reference Manual (DDI 0270), chapter 3.

import Bits
import Bus

public final class SP805: BankDevice {
  public static var compatible: [String] { ["arm,cmsdk-watchdog", "arm,sp805", "ti,stellaris-watchdog"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    var counter = DownCounter()
    var isPending = false
    var isLocked = false
  }

  private static let map = RegisterMap([
    Register("LOAD", 0x000, reset: 0xFFFF_FFFF), Register("VALUE", 0x004, .readOnly),
    Register("CONTROL", 0x008, [.field("INTEN", 0), .field("RESEN", 1)]), Register("INTCLR", 0x00C, .writeOnly),
    Register("RIS", 0x010, .readOnly), Register("MIS", 0x014, .readOnly), Register("LOCK", 0xC00),
  ])

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(SP805.map))
  public let registers = [SP805.map]
  var unimplemented = UnimplementedLog()
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    input = context.clockInput
    input.listen(self) { $0.schedule() }
  }

  private var now: UInt64 { input.ticks }

  private func catchUp() {
    guard state.counter.advance(to: now) else { return }
    if state.isPending, bank[0x008].has(1) { context.control.reset(.watchdog) }
    state.isPending = true
  }

  private func schedule() {
    context.interrupts.first?.line.set(state.isPending && bank[0x008].has(0))
    context.cancel(token: 0)
    guard let next = state.counter.nextZero else { return }
    context.schedule(at: input.time(of: next), token: 0)
  }

  public func event(_ token: UInt64) {
    catchUp()
    schedule()
  }

  func load(_ offset: UInt64, isPeek: Bool) -> UInt32 {
    if !isPeek { catchUp() }
    switch offset {
    case 0x004: return state.counter.value
    case 0x010: return state.isPending ? 1 : 0
    case 0x014: return state.isPending ? bank[0x008] & 1 : 0
    case 0xC00: return state.isLocked ? 1 : 0
    default: return bank[offset]
    }
  }

  func store(_ value: UInt32, at offset: UInt64) {
    if offset == 0xC00 { return state.isLocked = value != 0x1ACC_E551 }
    guard !state.isLocked else { return context.log(.guestError, "a write while the registers are locked") }
    catchUp()
    if offset == 0x00C { state.isPending = false } else { bank[offset] = value }
    // Each of the three starts the count anew; it runs while INTEN is set.
    state.counter.isRunning = bank[0x008].has(0)
    if offset != 0x008 || value.has(0) {
      state.counter.reload = bank[0x000]
      state.counter.value = bank[0x000]
      state.counter.since = now
    }
    schedule()
  }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State(bank: RegisterBank(Self.map))
    context.interrupts.first?.line.set(false)
  }
}
