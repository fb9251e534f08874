// The dual timer of Arm's Cortex-M System Design Kit, which is Arm's SP804: two down-counters of 16 or 32 bits.
//
// Source: Cortex-M System Design Kit Technical Reference Manual (DDI 0479), section 4.2.

import Bits
import Bus

public final class CMSDKDualTimer: BankDevice {
  public static var compatible: [String] { ["arm,cmsdk-dtimer", "arm,sp804"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    struct Half: Codable, Sendable, Equatable {
      var counter = DownCounter()
      var isPending = false
    }
    var bank: RegisterBank
    var halves = [Half(), Half()]
  }

  private static let map = RegisterMap(
    ([(1, 0x00), (2, 0x20)] as [(Int, UInt64)]).flatMap { number, base in
      [
        Register("TIMER\(number)LOAD", base), Register("TIMER\(number)VALUE", base + 4, .readOnly, reset: 0xFFFF_FFFF),
        Register(
          "TIMER\(number)CONTROL", base + 8, reset: 0x20,
          [
            .field("ONESHOT", 0), .field("SIZE", 1), .field("PRE", 2..<4), .field("INTEN", 5), .field("PERIODIC", 6),
            .field("ENABLE", 7),
          ]), Register("TIMER\(number)INTCLR", base + 12, .writeOnly),
        Register("TIMER\(number)RIS", base + 16, .readOnly), Register("TIMER\(number)MIS", base + 20, .readOnly),
        Register("TIMER\(number)BGLOAD", base + 24),
      ]
    })

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(CMSDKDualTimer.map))
  public let registers = [CMSDKDualTimer.map]
  var unimplemented = UnimplementedLog()
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    input = context.clockInput
    input.listen(self) { $0.schedule() }
  }

  private func control(_ half: Int) -> UInt32 { bank[UInt64(0x20 * half + 8)] }
  /// log2 of the prescaler: 1, 16 or 256.
  private func shift(_ half: Int) -> UInt64 { UInt64(4 * min(control(half).field(2, 2), 2)) }
  /// Clocks behind the prescaler.
  private func ticks(_ half: Int) -> UInt64 { input.ticks >> shift(half) }
  private func limit(_ half: Int) -> UInt32 { control(half).has(1) ? .max : 0xFFFF }

  private func catchUp() {
    for half in 0..<2 where state.halves[half].counter.advance(to: ticks(half)) {
      state.halves[half].isPending = true
    }
  }

  private func schedule() {
    var isHigh = false
    for half in 0..<2 {
      isHigh = isHigh || state.halves[half].isPending && control(half).has(5)
      context.cancel(token: UInt64(half))
      guard let next = state.halves[half].counter.nextZero else { continue }
      context.schedule(at: input.time(of: next &<< shift(half)), token: UInt64(half))
    }
    context.interrupts.first?.line.set(isHigh)
  }

  public func event(_ token: UInt64) {
    catchUp()
    schedule()
  }

  func load(_ offset: UInt64, isPeek: Bool) -> UInt32 {
    if !isPeek { catchUp() }
    let half = Int(offset) / 0x20
    switch offset % 0x20 {
    case 4: return state.halves[half].counter.value
    case 16: return state.halves[half].isPending ? 1 : 0
    case 20: return state.halves[half].isPending && control(half).has(5) ? 1 : 0
    default: return bank[offset]
    }
  }

  func store(_ value: UInt32, at offset: UInt64) {
    catchUp()
    let half = Int(offset) / 0x20
    bank[offset] = value
    switch offset % 0x20 {
    case 0:
      bank[offset + 24] = value
      state.halves[half].counter.value = value & limit(half)
      state.halves[half].counter.reload = control(half).has(6) ? value & limit(half) : limit(half)
    case 8: configure(half, value)
    case 12: state.halves[half].isPending = false
    case 24:
      bank[offset - 24] = value
      state.halves[half].counter.reload = value & limit(half)
    default: break
    }
    schedule()
  }

  private func configure(_ half: Int, _ value: UInt32) {
    state.halves[half].counter.isOneShot = value.has(0)
    state.halves[half].counter.reload = (value.has(6) ? bank[UInt64(0x20 * half)] : .max) & limit(half)
    state.halves[half].counter.value &= limit(half)
    state.halves[half].counter.isRunning = value.has(7)
    state.halves[half].counter.since = ticks(half)
  }

  public func reset(_ cause: ResetCause) {
    for half in 0..<2 { context.cancel(token: UInt64(half)) }
    state = State(bank: RegisterBank(Self.map))
    context.interrupts.first?.line.set(false)
  }
}
