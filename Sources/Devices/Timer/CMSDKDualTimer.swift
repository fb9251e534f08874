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

  private static let map: RegisterTable<CMSDKDualTimer> = RegisterTable(registers(0) + registers(1))

  private static func registers(_ half: Int) -> Registers {
    let (name, base) = ("TIMER\(half + 1)", 0x20 * UInt64(half))
    return [
      Register(name + "LOAD", base).onWrite { $0.load(half, $1) },
      Register(name + "VALUE", base + 4, .readOnly, reset: 0xFFFF_FFFF).onRead { $0.state.halves[half].counter.value },
      Register(
        name + "CONTROL", base + 8, reset: 0x20,
        [
          .field("ONESHOT", 0), .field("SIZE", 1), .field("PRE", 2..<4), .field("INTEN", 5), .field("PERIODIC", 6),
          .field("ENABLE", 7),
        ]
      ).onWrite { $0.configure(half, $1) },
      Register(name + "INTCLR", base + 12, .writeOnly).onWrite { device, _ in
        device.state.halves[half].isPending = false
      },
      Register(name + "RIS", base + 16, .readOnly).onRead { $0.state.halves[half].isPending ? 1 : 0 },
      Register(name + "MIS", base + 20, .readOnly).onRead { $0.isHigh(half) ? 1 : 0 },
      Register(name + "BGLOAD", base + 24).onWrite { $0.setReload(half, $1) },
    ]
  }

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(CMSDKDualTimer.map))
  public let table = CMSDKDualTimer.map
  public var unimplemented = UnimplementedLog()
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

  private func isHigh(_ half: Int) -> Bool { state.halves[half].isPending && control(half).has(5) }

  private func schedule() {
    var isHigh = false
    for half in 0..<2 {
      isHigh = isHigh || self.isHigh(half)
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

  public func prepareRead() { catchUp() }

  public func performWrite(_ write: () -> Void) {
    catchUp()
    write()
    schedule()
  }

  private func load(_ half: Int, _ value: UInt32) {
    let base = 0x20 * UInt64(half)
    (bank[base], bank[base + 24]) = (value, value)
    state.halves[half].counter.value = value & limit(half)
    state.halves[half].counter.reload = control(half).has(6) ? value & limit(half) : limit(half)
  }

  private func setReload(_ half: Int, _ value: UInt32) {
    let base = 0x20 * UInt64(half)
    (bank[base], bank[base + 24]) = (value, value)
    state.halves[half].counter.reload = value & limit(half)
  }

  private func configure(_ half: Int, _ value: UInt32) {
    bank[UInt64(0x20 * half + 8)] = value
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
