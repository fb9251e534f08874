// The APB timer of Arm's Cortex-M System Design Kit: 32 bits, counting down at the system clock.
//
// Source: Cortex-M System Design Kit Technical Reference Manual (DDI 0479), section 4.1.

import Bits
import Bus

public final class CMSDKTimer: Device {
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
  public let registers = [
    RegisterMap([
      Register(
        "CTRL", 0x0,
        [.field("ENABLE", 0), .unimplemented("EXTIN", 1), .unimplemented("EXTCLK", 2), .field("INTEN", 3)]),
      Register("VALUE", 0x4), Register("RELOAD", 0x8), Register("INTSTATUS", 0xC),
    ])
  ]
  private let input: ClockSignal
  private var unimplemented = UnimplementedLog()

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

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    catchUp()
    return shown(offset)
  }

  /// A look does not bring the counter up to now.
  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    registers[0].match(offset, isWrite: false) == nil ? nil : shown(offset)
  }

  private func shown(_ offset: UInt64) -> UInt64 {
    switch offset {
    case 0x0: return UInt64(state.control)
    case 0x4: return UInt64(count(at: clock).value)
    case 0x8: return UInt64(state.reload)
    case 0xC: return state.pending ? 1 : 0
    case 0xFD0...0xFFC:
      let bytes: [UInt64] = [0x04, 0, 0, 0, 0x22, 0xB8, 0x1B, 0, 0x0D, 0xF0, 0x05, 0xB1]
      return bytes[Int(offset - 0xFD0) / 4]
    default:
      unimplemented.unknown(offset: offset, isWrite: false, of: context)
      return 0
    }
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard let match = registers[0].match(offset, isWrite: true) else {
      return unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
    catchUp()
    let value = UInt32(truncatingIfNeeded: value)
    unimplemented.write(UInt64(value), to: match, of: context)
    switch offset {
    case 0x0:
      if !isRunning { state.since = clock }
      state.control = value & 15
    case 0x4: state.value = value
    case 0x8:
      state.reload = value
      state.value = value
    default: if value & 1 != 0 { state.pending = false }
    }
    updateInterrupt()
    schedule()
  }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State()
    updateInterrupt()
  }
}
