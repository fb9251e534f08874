// The core-local interruptor: software interrupts, and one timer with a comparator per hart.
//
// Source: SiFive FU540-C000 manual, chapter 9; RISC-V privileged manual, machine timer registers. `mtime` counts the
// virtual clock at `/cpus/timebase-frequency`. Harts are numbered as they appear in `interrupts-extended`.

import Bits
import Bus

public final class CLINT: RegisterDevice {
  public static var compatible: [String] { ["sifive,clint0", "riscv,clint0"] }

  public struct State: Codable, Sendable, Equatable {
    var softwarePending: [Bool]
    var compare: [UInt64]
    /// What writes to `mtime` added to the count of the clock.
    var offset: UInt64 = 0
  }

  public let context: DeviceContext
  public var state: State { didSet { if state.offset != oldValue.offset { showTime() } } }
  public let table: RegisterTable<CLINT>
  public let timeFrequency: UInt64
  private let software: [IRQLine?]
  private let timer: [IRQLine?]
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    let name = context.node.name
    try context.node.firstRegion()
    guard !context.interrupts.isEmpty else { throw .missingProperty(device: name, property: "interrupts-extended") }
    guard let frequency = context.node.node(path: "/cpus")?.u64("timebase-frequency") else {
      throw .missingProperty(device: "cpus", property: "timebase-frequency")
    }
    guard (1...1_000_000_000).contains(frequency) else {
      throw .badProperty(device: "cpus", property: "timebase-frequency", reason: "\(frequency) Hz is out of range")
    }
    var harts: [String] = []
    for output in context.interrupts where !harts.contains(output.controller) { harts.append(output.controller) }
    guard harts.count <= 4095 else {
      throw .badProperty(device: name, property: "interrupts-extended", reason: "more than 4095 harts")
    }
    /// The line to a hart's interrupt of this number: 3 is machine software, 7 machine timer.
    func line(_ hart: String, _ number: UInt32) -> IRQLine? {
      context.interrupts.first { $0.controller == hart && $0.cells.first == number }?.line
    }
    self.context = context
    timeFrequency = frequency
    software = harts.map { line($0, 3) }
    timer = harts.map { line($0, 7) }
    state = State(
      softwarePending: Array(repeating: false, count: harts.count), compare: Array(repeating: .max, count: harts.count))
    table = [
      Register("msip", 0, count: harts.count, [.field("MSIP", 0), .reserved(1..<32)])
        .inParts(read: { $0.state.softwarePending[$1] ? 1 : 0 }, write: { $0.setSoftware($2, $1 != 0) }),
      Register("mtimecmp", 0x4000, width: 8, reset: .max, count: harts.count)
        .inParts(read: { $0.state.compare[$1] }, write: { $0.setCompare($2, $1) }),
      Register("mtime", 0xbff8, width: 8)
        .inParts(read: { device, _ in device.time }, write: { device, value, _ in device.setTime(value) }),
    ]
    showTime()
  }

  /// `mtime` is what the CPUs show as the time.
  private func showTime() {
    context.clock.counter = PlatformCounter(frequency: timeFrequency, offset: state.offset)
  }

  public var time: UInt64 { context.clock.ticks(frequency: timeFrequency) &+ state.offset }

  private func setSoftware(_ hart: Int, _ isPending: Bool) {
    state.softwarePending[hart] = isPending
    software[hart]?.set(isPending)
  }

  private func setCompare(_ hart: Int, _ value: UInt64) {
    state.compare[hart] = value
    updateTimer(hart)
  }

  private func setTime(_ value: UInt64) {
    state.offset = value &- context.clock.ticks(frequency: timeFrequency)
    for hart in timer.indices { updateTimer(hart) }
  }

  /// The token of an event is the number of the hart.
  public func event(_ token: UInt64) { updateTimer(Int(token)) }

  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    let restored = try decodeSnapshot(State.self, from: bytes)
    guard restored.softwarePending.count == timer.count, restored.compare.count == timer.count else {
      throw .malformed(type: "CLINT.State", offset: 0)
    }
    state = restored
  }

  public func reset(_ cause: ResetCause) {
    for hart in timer.indices {
      state.softwarePending[hart] = false
      state.compare[hart] = .max
      software[hart]?.set(false)
    }
    state.offset = 0 &- context.clock.ticks(frequency: timeFrequency)
    for hart in timer.indices { updateTimer(hart) }
  }

  /// Drives the timer interrupt of a hart and asks to be woken when it will rise.
  private func updateTimer(_ hart: Int) {
    let time = time
    let compare = state.compare[hart]
    timer[hart]?.set(time >= compare)
    context.cancel(token: UInt64(hart))
    guard time < compare else { return }
    let (ticks, overflow) = context.clock.ticks(frequency: timeFrequency).addingReportingOverflow(compare - time)
    guard !overflow else { return }
    let deadline = VirtualClock.nanoseconds(ticks: ticks, frequency: timeFrequency)
    if deadline != .max { context.schedule(at: deadline, token: UInt64(hart)) }
  }
}
