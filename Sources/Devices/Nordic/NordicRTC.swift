// The real-time counter of the nRF51 and nRF52: 24 bits at 32.768 kHz over a prescaler.
//
// Source: nRF51 Series Reference Manual v3.0, chapter 19.

import Bus

public final class NordicRTC: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-rtc"] }

  public struct State: NordicState, Codable, Sendable, Equatable {
    var events = NordicEvents()
    /// EVTEN
    var routed: UInt32 = 0
    var prescaler: UInt32 = 0
    var compare: [UInt32] = [0, 0, 0, 0]
    var isRunning = false
    /// Ticks of the low-frequency clock: when the counter showed 0, or how many it had counted while it stands.
    var origin: UInt64 = 0
    /// The tick up to which events have been raised.
    var seen: UInt64 = 0
  }

  private enum Event {
    static let tick = 0
    static let overflow = 1
    static let compare = 16
  }

  public let context: DeviceContext
  public var state = State()
  public let table: RegisterTable<NordicRTC>
  public var unimplemented = UnimplementedLog()
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    input = context.lowFrequencyClock
    table = Self.map
    input.listen(self) { $0.schedule() }
  }

  private static let map = RegisterTable<NordicRTC>(
    [
      .task("START", 0x000) { $0.setRunning(true) }, .task("STOP", 0x004) { $0.setRunning(false) },
      .task("CLEAR", 0x008) { $0.setCount(0) }, .task("TRIGOVRFLW", 0x00C) { $0.setCount(0xFF_FFF0) },
      .event("TICK", 0x100), .event("OVRFLW", 0x104),
    ], (0..<4).map { .event("COMPARE\($0)", 0x140 + 4 * UInt64($0)) }, NordicRTC.interrupts,
    [
      Register("EVTEN", 0x340).onRead(\.state.routed).onWrite { device, value in device.set { $0.routed = value } },
      Register("EVTENSET", 0x344)
        .onRead(\.state.routed).onWrite { device, value in device.set { $0.routed |= value } },
      Register("EVTENCLR", 0x348)
        .onRead(\.state.routed).onWrite { device, value in device.set { $0.routed &= ~value } },
      Register("COUNTER", 0x504, .readOnly).onRead { UInt32(truncatingIfNeeded: $0.count) & 0xFF_FFFF },
      Register("PRESCALER", 0x508, [.field("PRESCALER", 0..<12)])
        .onRead(\.state.prescaler).onWrite { $0.setPrescaler($1) },
      Register("CC", 0x540, count: 4, [.field("COMPARE", 0..<24)])
        .onRead { $0.state.compare[$1] }.onWrite { device, value, number in device.set { $0.compare[number] = value } },
    ])

  // MARK: Counting

  private var clock: UInt64 { input.ticks }
  private var divider: UInt64 { UInt64(state.prescaler) + 1 }
  /// Counts since the counter was 0, not cut to 24 bits.
  private var count: UInt64 { (state.isRunning ? clock &- state.origin : state.origin) / divider }

  private func setRunning(_ runs: Bool) {
    guard runs != state.isRunning else { return }
    catchUp()
    state.origin = clock &- state.origin
    state.isRunning = runs
    schedule()
  }

  /// Makes the counter show `value`.
  private func setCount(_ value: UInt64) {
    catchUp()
    state.origin = state.isRunning ? clock &- value * divider : value * divider
    state.seen = value
    schedule()
  }

  /// The next count after `count` at which the low 24 bits are `value`.
  private static func next(_ value: UInt32, after count: UInt64) -> UInt64 {
    let distance = (UInt64(value) &- count) & 0xFF_FFFF
    return count &+ (distance == 0 ? 0x100_0000 : distance)
  }

  /// Events that are of interest to somebody.
  private var wanted: UInt32 { state.events.mask | state.routed }

  /// The counts at which events are to happen, after `count`.
  private func upcoming(after count: UInt64) -> [(event: Int, count: UInt64)] {
    var list: [(event: Int, count: UInt64)] = []
    if wanted & 1 != 0 { list.append((Event.tick, count &+ 1)) }
    if wanted & 2 != 0 { list.append((Event.overflow, Self.next(0, after: count))) }
    for number in 0..<4 where wanted >> UInt32(Event.compare + number) & 1 != 0 {
      list.append((Event.compare + number, Self.next(state.compare[number], after: count)))
    }
    return list
  }

  private func catchUp() {
    guard state.isRunning else { return }
    let now = count
    guard now > state.seen else { return }
    for (event, count) in upcoming(after: state.seen) where count <= now { raise(event) }
    state.seen = now
  }

  private func schedule() {
    context.cancel(token: 0)
    guard state.isRunning, let first = upcoming(after: state.seen).map(\.count).min() else { return }
    let ticks = state.origin &+ first * divider
    let time = input.time(of: ticks)
    if time != .max { context.schedule(at: time, token: 0) }
  }

  public func event(_ token: UInt64) {
    catchUp()
    schedule()
  }

  // MARK: Registers

  public func prepareRead() { catchUp() }

  public func performWrite(_ write: () -> Void) {
    catchUp()
    write()
  }

  private func setPrescaler(_ value: UInt32) {
    if !state.isRunning { state.prescaler = value }
    schedule()
  }

  private func set(_ change: (inout State) -> Void) {
    change(&state)
    schedule()
  }

  func maskChanged() { schedule() }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State()
    updateInterrupt()
  }
}
