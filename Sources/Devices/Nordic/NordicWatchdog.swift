// The watchdog of the nRF51 and nRF52.
//
// Source: nRF52840 Product Specification v1.7, section 6.36. It counts at 32.768 kHz, resets two cycles after its TIMEOUT
// event, and cannot be stopped; soft resets and those of a locked-up CPU leave it alone. It pauses with virtual time, when a debugger halts the CPU; pausing in sleep is not modelled.

import Bus

public final class NordicWatchdog: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-wdt"] }

  public struct State: NordicState, Codable, Sendable, Equatable {
    var events = NordicEvents()
    var isRunning = false
    /// CRV
    var reload: UInt32 = .max
    /// RREN, and the requests that were served since the counter was last loaded.
    var enabled: UInt32 = 1
    var served: UInt32 = 0
    var configuration: UInt32 = 1
    /// The counter has run out: the reset is coming.
    var isTimedOut = false
    /// When the timeout or the reset is due, in nanoseconds of virtual time.
    var due: UInt64 = 0
  }

  private static let key: UInt32 = 0x6E52_4635
  private static let cycle: UInt64 = 30_518

  public let context: DeviceContext
  public var state = State()
  public let table = RegisterTable<NordicWatchdog>(
    [.task("START", 0x000) { $0.run() }, .event("TIMEOUT", 0x100)], NordicWatchdog.interrupts,
    [
      Register("RUNSTATUS", 0x400, .readOnly).onRead { $0.state.isRunning ? 1 : 0 },
      Register("REQSTATUS", 0x404, .readOnly).onRead { $0.state.enabled & ~$0.state.served },
      Register("CRV", 0x504, reset: 0xFFFF_FFFF)
        .onRead(\.state.reload).onWrite { if !$0.state.isRunning { $0.state.reload = max($1, 15) } },
      Register("RREN", 0x508, reset: 1, [.field("RR", 0..<8)])
        .onRead(\.state.enabled).onWrite { if !$0.state.isRunning { $0.state.enabled = $1 } },
      Register("CONFIG", 0x50C, reset: 1, [.field("SLEEP", 0), .field("HALT", 3)])
        .onRead(\.state.configuration).onWrite { $0.configure($1) },
      Register("RR", 0x600, .writeOnly, count: 8).onWrite { if $1 == key { $0.serve($2) } },
    ])
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  private func run() {
    guard !state.isRunning else { return }
    state.isRunning = true
    start()
  }

  private func start() {
    state.served = 0
    state.due = context.clock.now &+ VirtualClock.nanoseconds(ticks: UInt64(state.reload) + 1, frequency: 32_768)
    schedule()
  }

  private func schedule() { context.schedule(at: state.due, token: state.isTimedOut ? 1 : 0) }

  public func event(_ token: UInt64) {
    guard token == 0 else { return context.control.reset(.watchdog) }
    state.isTimedOut = true
    state.due = context.clock.now &+ 2 * Self.cycle
    schedule()
    raise(0)
  }

  private func configure(_ value: UInt32) {
    if !state.isRunning { state.configuration = value }
    if !value.has(0) { unimplemented.once("CONFIG.SLEEP: the watchdog counts while the CPU sleeps", context) }
  }

  /// After TIMEOUT nothing helps any more.
  private func serve(_ request: Int) {
    state.served |= 1 << UInt32(request)
    if state.isRunning, !state.isTimedOut, state.enabled & ~state.served == 0 { start() }
  }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    context.cancel(token: 1)
    if !cause.leavesNordicRegisters { state = State() }
    if state.isRunning { schedule() }
    updateInterrupt()
  }
}
