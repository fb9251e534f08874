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
  public let registers: [RegisterMap]
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    input = context.lowFrequencyClock
    registers = [
      RegisterMap(
        NordicRegisters.declare(
          tasks: [("START", 0), ("STOP", 4), ("CLEAR", 8), ("TRIGOVRFLW", 12)],
          events: [("TICK", 0x100), ("OVRFLW", 0x104)] + (0..<4).map { ("COMPARE\($0)", 0x140 + 4 * UInt64($0)) })
          + [
            Register("EVTEN", 0x340), Register("EVTENSET", 0x344), Register("EVTENCLR", 0x348),
            Register("COUNTER", 0x504, .readOnly), Register("PRESCALER", 0x508), Register("CC", 0x540, count: 4),
          ])
    ]
    input.listen(self) { $0.schedule() }
  }

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

  func trigger(_ task: Int) {
    switch task {
    case 0: setRunning(true)
    case 1: setRunning(false)
    case 2: setCount(0)
    case 3: setCount(0xFF_FFF0)
    default: break
    }
  }

  func value(at offset: UInt64, isPeek: Bool) -> UInt32? {
    if !isPeek { catchUp() }
    switch offset {
    case 0x340, 0x344, 0x348: return state.routed
    case 0x504: return UInt32(truncatingIfNeeded: count) & 0xFF_FFFF
    case 0x508: return state.prescaler
    case 0x540..<0x550: return state.compare[Int(offset - 0x540) / 4]
    default: return nil
    }
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    catchUp()
    switch offset {
    case 0x340: state.routed = value
    case 0x344: state.routed |= value
    case 0x348: state.routed &= ~value
    case 0x508: if !state.isRunning { state.prescaler = value & 0xFFF }
    case 0x540..<0x550: state.compare[Int(offset - 0x540) / 4] = value & 0xFF_FFFF
    default: return false
    }
    schedule()
    return true
  }

  func maskChanged() { schedule() }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State()
    updateInterrupt()
  }
}
