// The general-purpose timers of the Stellaris LM3S6965.
//
// Source: LM3S6965 data sheet, chapter 9.

import Bits
import Bus

/// A general-purpose timer: one of 32 bits, or two of 16 with prescalers. Capture, PWM and the real-time mode are not there.
public final class StellarisTimer: BankDevice {
  public static var compatible: [String] { ["ti,stellaris-timer"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    var counters = [DownCounter(), DownCounter(0xFFFF)]
    /// RIS
    var pending: UInt32 = 0
  }

  private static let mode: [Field] = [.field("MR", 0..<2), .unimplemented("CMR", 2), .unimplemented("AMS", 3)]
  private static let map: RegisterTable<StellarisTimer> = [
    Register("CFG", 0x00), Register("TAMR", 0x04, mode), Register("TBMR", 0x08, mode),
    Register("CTL", 0x0C).onWrite { $0.writeControl($1) },
    Register("IMR", 0x18), Register("RIS", 0x1C, .readOnly).onRead(\.state.pending),
    Register("MIS", 0x20, .readOnly).onRead { $0.state.pending & $0.bank[0x18] },
    Register("ICR", 0x24, .writeOnly).onWrite { $0.state.pending &= ~$1 },
    Register("TAILR", 0x28, reset: 0xFFFF_FFFF).onWrite { $0.load(0, $1) },
    Register("TBILR", 0x2C, reset: 0xFFFF).onWrite { $0.load(1, $1) },
    Register("TAMATCHR", 0x30, reset: 0xFFFF_FFFF), Register("TBMATCHR", 0x34, reset: 0xFFFF), Register("TAPR", 0x38),
    Register("TBPR", 0x3C), Register("TAPMR", 0x40), Register("TBPMR", 0x44),
    Register("TAR", 0x48, .readOnly).onRead { $0.state.counters[0].value },
    Register("TBR", 0x4C, .readOnly).onRead { $0.state.counters[1].value },
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(StellarisTimer.map))
  public let table = StellarisTimer.map
  public var unimplemented = UnimplementedLog()
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    input = context.clockInput
    input.listen(self) { $0.schedule() }
  }

  private var isWide: Bool { bank[0x00] == 0 }

  /// Clocks of a half's count: prescalers work only in the 16-bit mode.
  private func divider(_ half: Int) -> UInt64 { isWide ? 1 : UInt64(bank[0x38 + 4 * UInt64(half)] & 0xFF) + 1 }

  private func ticks(_ half: Int) -> UInt64 { input.ticks / divider(half) }

  private func catchUp() {
    for half in 0..<2 where state.counters[half].advance(to: ticks(half)) {
      state.pending |= 1 << UInt32(8 * half)
      if state.counters[half].isOneShot { bank[0x0C] &= ~(1 << UInt32(8 * half)) }
    }
  }

  /// The wires of the halves A and B.
  private func schedule() {
    for half in 0..<2 {
      context.cancel(token: UInt64(half))
      if half < context.interrupts.count {
        context.interrupts[half].line.set(state.pending & bank[0x18] & 0x1F << UInt32(8 * half) != 0)
      }
      guard let next = state.counters[half].nextZero else { continue }
      context.schedule(at: input.time(of: next &* divider(half)), token: UInt64(half))
    }
  }

  public func event(_ token: UInt64) {
    catchUp()
    schedule()
  }

  public func prepareRead() { catchUp() }

  public func performWrite(_ write: () -> Void) {
    catchUp()
    write()
    schedule()
  }

  private func writeControl(_ value: UInt32) {
    let old = bank[0x0C]
    bank[0x0C] = value
    for half in 0..<2 where value.has(8 * half) != old.has(8 * half) { run(half, value.has(8 * half)) }
  }

  private func load(_ half: Int, _ value: UInt32) {
    bank[0x28 + 4 * UInt64(half)] = value
    state.counters[half].reload = isWide && half == 0 ? value : value & 0xFFFF
    state.counters[half].value = state.counters[half].reload
    state.counters[half].since = ticks(half)
  }

  private func run(_ half: Int, _ runs: Bool) {
    guard runs else { return state.counters[half].isRunning = false }
    guard half == 0 || !isWide else { return }
    let limit = bank[0x28 + 4 * UInt64(half)] & (isWide ? .max : 0xFFFF)
    state.counters[half].reload = limit
    state.counters[half].value = limit
    state.counters[half].isOneShot = bank[0x04 + 4 * UInt64(half)] & 3 == 1
    state.counters[half].since = ticks(half)
    state.counters[half].isRunning = true
  }

  public func reset(_ cause: ResetCause) {
    for half in 0..<2 { context.cancel(token: UInt64(half)) }
    state = State(bank: RegisterBank(Self.map))
    for output in context.interrupts { output.line.set(false) }
  }
}
