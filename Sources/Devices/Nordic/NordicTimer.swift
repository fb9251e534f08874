// The timer of the nRF51 and nRF52: 8 to 32 bits at 16 MHz over a power of two, or a counter of tasks.
//
// Sources: nRF51 Series Reference Manual v3.0, chapter 18; nRF52840 Product Specification v1.7, section 6.30. MODE 1 and,
// on the nRF52, 2 count tasks.

import Bits
import Bus

public final class NordicTimer: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-timer"] }

  public struct State: NordicState, Codable, Sendable, Equatable {
    var events = NordicEvents()
    var mode: UInt32 = 0
    var bitMode: UInt32 = 0
    var prescaler: UInt32 = 4
    var compare: [UInt32]
    var isRunning = false
    /// Ticks of the timer: when the counter showed 0, or what it shows while it stands.
    var origin: UInt64 = 0
    var seen: UInt64 = 0
  }

  public let context: DeviceContext
  public var state: State
  public let table: RegisterTable<NordicTimer>
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    let count = Int(context.node.u32("cc-num") ?? 4)
    guard (1...6).contains(count) else {
      throw .badProperty(device: context.node.name, property: "cc-num", reason: "\(count) is not 1 to 6")
    }
    self.context = context
    state = State(compare: Array(repeating: 0, count: count))
    table = RegisterTable(
      [
        .task("START", 0x000) { $0.setRunning(true) }, .task("STOP", 0x004) { $0.setRunning(false) },
        .task("COUNT", 0x008) { $0.countTask() }, .task("CLEAR", 0x00C) { $0.clear() },
        .task("SHUTDOWN", 0x010) { $0.setRunning(false) },
      ], (0..<count).map { number in .task("CAPTURE\(number)", 0x40 + 4 * UInt64(number)) { $0.capture(number) } },
      (0..<count).map { .event("COMPARE\($0)", 0x140 + 4 * UInt64($0)) },
      [
        Register("SHORTS", 0x200).onRead(\.events.shorts).onWrite { device, value in
          device.set { $0.events.shorts = value }
        }
      ], NordicTimer.interrupts,
      [
        Register("MODE", 0x504, [.field("MODE", 0..<2)])
          .onRead(\.state.mode).onWrite { device, value in device.setKeepingCount { $0.mode = value } },
        Register("BITMODE", 0x508, [.field("BITMODE", 0..<2)])
          .onRead(\.state.bitMode).onWrite { device, value in device.set { $0.bitMode = value } },
        Register("PRESCALER", 0x510, reset: 4, [.field("PRESCALER", 0..<4)])
          .onRead(\.state.prescaler).onWrite { device, value in device.setKeepingCount { $0.prescaler = value } },
        Register("CC", 0x540, count: count)
          .onRead { $0.state.compare[$1] }.onWrite { device, value, number in device.set { $0.compare[number] = value }
          },
      ])
  }

  // MARK: Counting

  private var frequency: UInt64 { 16_000_000 >> UInt64(min(state.prescaler, 9)) }
  private var clock: UInt64 { context.clock.ticks(frequency: frequency) }
  private var mask: UInt64 { [0xFFFF, 0xFF, 0xFF_FFFF, 0xFFFF_FFFF][Int(state.bitMode & 3)] }
  private var countsTasks: Bool { state.mode != 0 }
  private var counts: Bool { state.isRunning && !countsTasks }
  /// Counts since the counter was 0, not cut to its width.
  private var count: UInt64 { counts ? clock &- state.origin : state.origin }

  private func setRunning(_ runs: Bool) {
    guard runs != state.isRunning else { return }
    if !runs { catchUp() }
    if !countsTasks { state.origin = clock &- state.origin }
    state.isRunning = runs
    state.seen = count
    schedule()
  }

  private func setCount(_ value: UInt64) {
    state.origin = counts ? clock &- value : value
    state.seen = value
    schedule()
  }

  private func next(_ number: Int, after count: UInt64) -> UInt64 {
    let distance = (UInt64(state.compare[number]) &- count) & mask
    return count &+ (distance == 0 ? mask + 1 : distance)
  }

  /// Compare registers whose matches must come at their time; none if nobody would hear of them: what they do to the
  /// counter is then found out later.
  private var awaited: [Int] {
    let heard = state.compare.indices.filter { events.mask.has(16 + $0) || isRouted(16 + $0) }
    return heard.isEmpty ? [] : heard + state.compare.indices.filter { isShorted($0) || isShorted(8 + $0) }
  }

  private func catchUp() {
    while counts {
      skipRounds()
      let now = count
      guard now > state.seen,
        let first = state.compare.indices.map({ next($0, after: state.seen) }).min(), first <= now
      else { break }
      state.seen = first
      matched(at: first, late: now &- first)
    }
    if counts { state.seen = count }
  }

  /// Leaves out all but the last rounds of a counter that has gone round many times: each does what the others did.
  private func skipRounds() {
    let behind = count &- state.seen
    let clearing = state.compare.indices.filter { isShorted($0) }.map { next($0, after: 0) }.min()
    let round = clearing ?? mask + 1
    // A stop ends the first round, and rounds that end with a clear begin with one.
    guard behind > 3 &* round, clearing == nil || state.seen == 0,
      !state.compare.indices.contains(where: { isShorted(8 + $0) })
    else { return }
    let whole = behind / round &- 2
    if clearing == nil { state.seen &+= whole &* round } else { state.origin &+= whole &* round }
  }

  /// The counter reached `count`, `late` ticks ago.
  private func matched(at count: UInt64, late: UInt64) {
    var clears = false
    var stops = false
    for number in state.compare.indices where (UInt64(state.compare[number]) ^ count) & mask == 0 {
      raise(16 + number)
      clears = clears || isShorted(number)
      stops = stops || isShorted(8 + number)
    }
    if clears {
      state.origin = clock &- late
      state.seen = 0
    }
    if stops {
      state.origin = clears ? 0 : count
      state.isRunning = false
    }
  }

  private func schedule() {
    context.cancel(token: 0)
    guard counts, let first = awaited.map({ next($0, after: state.seen) }).min() else { return }
    context.schedule(
      at: VirtualClock.nanoseconds(ticks: state.origin &+ first, frequency: frequency), token: 0)
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

  private func countTask() {
    guard state.isRunning, countsTasks else { return }
    state.origin = (state.origin &+ 1) & mask
    matched(at: state.origin, late: 0)
  }

  private func clear() {
    catchUp()
    setCount(0)
  }

  private func capture(_ number: Int) {
    catchUp()
    state.compare[number] = UInt32(truncatingIfNeeded: count & mask)
    schedule()
  }

  private func set(_ change: (inout State) -> Void) {
    change(&state)
    schedule()
  }

  /// A change of what the counter counts: it goes on from what it shows.
  private func setKeepingCount(_ change: (inout State) -> Void) {
    let shown = count
    change(&state)
    setCount(shown)
    schedule()
  }

  func maskChanged() { schedule() }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State(compare: Array(repeating: 0, count: state.compare.count))
    updateInterrupt()
  }
}
