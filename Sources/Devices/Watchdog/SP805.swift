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

  private static let map: RegisterTable<SP805> = [
    Register("LOAD", 0x000, reset: 0xFFFF_FFFF).onWrite { device, value in
      device.change(restarts: true) { device.bank[0x000] = value }
    },
    Register("VALUE", 0x004, .readOnly).onRead(\.state.counter.value),
    Register("CONTROL", 0x008, [.field("INTEN", 0), .field("RESEN", 1)]).onWrite { device, value in
      device.change(restarts: value.has(0)) { device.bank[0x008] = value }
    },
    Register("INTCLR", 0x00C, .writeOnly).onWrite { device, _ in
      device.change(restarts: true) { device.state.isPending = false }
    },
    Register("RIS", 0x010, .readOnly).onRead { $0.state.isPending ? 1 : 0 },
    Register("MIS", 0x014, .readOnly).onRead { $0.state.isPending ? $0.bank[0x008] & 1 : 0 },
    Register("LOCK", 0xC00).onRead { $0.state.isLocked ? 1 : 0 }.onWrite { $0.state.isLocked = $1 != 0x1ACC_E551 },
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(SP805.map))
  public let table = SP805.map
  public var unimplemented = UnimplementedLog()
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

  public func prepareRead() { catchUp() }

  /// Carries a write out that the lock permits. The counter runs while INTEN is set, and may start anew.
  private func change(restarts: Bool, _ body: () -> Void) {
    guard !state.isLocked else { return context.log(.guestError, "a write while the registers are locked") }
    catchUp()
    body()
    state.counter.isRunning = bank[0x008].has(0)
    if restarts {
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
