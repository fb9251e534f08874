// The APB timer of Arm's Cortex-M System Design Kit: 32 bits, counting down at the system clock.
//
// Source: Cortex-M System Design Kit Technical Reference Manual (DDI 0479), section 4.1.

import Bits
import Bus

public final class CMSDKTimer: RegisterDevice {
  public static var compatible: [String] { ["arm,cmsdk-timer"] }

  public struct State: Codable, Sendable, Equatable {
    /// CTRL: enable, external enable, external clock, interrupt enable.
    var control: UInt32 = 0
    var reload: UInt32 = 0
    var pending = false
    /// The counter's value at clock `since` while it runs, or what it stands at.
    var value: UInt32 = 0
    var since: UInt64 = 0
  }

  public let context: DeviceContext
  public var state = State()
  public let table = RegisterTable<CMSDKTimer>(
    [
      Register(
        "CTRL", 0x0,
        [.field("ENABLE", 0), .unimplemented("EXTIN", 1), .unimplemented("EXTCLK", 2), .field("INTEN", 3)]
      ).onRead(\.state.control).onWrite { $0.setControl($1) },
      Register("VALUE", 0x4).onRead { $0.count(at: $0.clock).value }.onWrite { $0.state.value = $1 },
      Register("RELOAD", 0x8).onRead(\.state.reload).onWrite { ($0.state.reload, $0.state.value) = ($1, $1) },
      Register("INTSTATUS", 0xC, [.field("INT", 0)])
        .onRead { $0.state.pending ? 1 : 0 }.onWrite { if $1.has(0) { $0.state.pending = false } },
    ], CMSDKTimer.identification([0x04, 0, 0, 0, 0x22, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1]))
  private let input: ClockSignal
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    input = context.clockInput
    input.listen(self) { $0.schedule() }
  }

  private var clock: UInt64 { input.ticks }
  private var isRunning: Bool { state.control & 1 != 0 }

  /// The count at `now`, and whether it has passed 0 since: each time it is loaded again.
  private func count(at now: UInt64) -> (value: UInt32, expires: Bool) {
    guard isRunning else { return (state.value, false) }
    let elapsed = now &- state.since
    if elapsed <= UInt64(state.value) {
      return (state.value - UInt32(elapsed), elapsed == UInt64(state.value) && state.value != 0)
    }
    let rest = elapsed - UInt64(state.value) - 1
    let value = state.reload == 0 ? 0 : state.reload - UInt32(rest % (UInt64(state.reload) + 1))
    return (value, state.value != 0 || state.reload != 0 && rest >= UInt64(state.reload))
  }

  /// Brings the counter up to now.
  private func catchUp() {
    guard isRunning else { return }
    let now = clock
    let (value, expires) = count(at: now)
    (state.since, state.value) = (now, value)
    if expires { expire() }
  }

  private func expire() {
    if state.control & 8 != 0 { state.pending = true }
    updateInterrupt()
  }

  private func updateInterrupt() { context.interrupts.first?.line.set(state.pending) }

  private func schedule() {
    context.cancel(token: 0)
    guard isRunning, state.control & 8 != 0, state.value != 0 || state.reload != 0 else { return }
    let zero = state.value != 0 ? UInt64(state.value) : UInt64(state.reload) + 1
    context.schedule(at: input.time(of: state.since &+ zero), token: 0)
  }

  public func event(_ token: UInt64) {
    catchUp()
    schedule()
  }

  public func prepareRead() { catchUp() }

  public func performWrite(_ write: () -> Void) {
    catchUp()
    write()
    updateInterrupt()
    schedule()
  }

  private func setControl(_ value: UInt32) {
    if !isRunning { state.since = clock }
    state.control = value
  }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State()
    updateInterrupt()
  }
}
