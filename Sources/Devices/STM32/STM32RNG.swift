// The random number generator of STM32F4 and F7: a fixed sequence, so that runs repeat.
//
// Source: RM0090 chapter 24. A number takes 40 periods of its 48 MHz clock.

import Bus

public final class STM32RNG: BankDevice {
  public static var compatible: [String] { ["st,stm32-rng"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// When the number in DR is ready, in nanoseconds.
    var ready: UInt64 = 0
    /// xorshift64*
    var seed: UInt64 = 0x9E37_79B9_7F4A_7C15
  }

  private static let map: RegisterTable<STM32RNG> = [
    Register("CR", 0x00, [.field("RNGEN", 2), .field("IE", 3)]).onWrite { $0.writeControl($1) },
    Register("SR", 0x04).onRead { $0.isReady ? 1 : 0 }.onWrite { _, _ in },
    Register("DR", 0x08, .readOnly).onDestructiveRead { $0.takeNumber() },
  ]
  private static let numberTime: UInt64 = 834

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(STM32RNG.map))
  public let table = STM32RNG.map
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
  }

  private var isEnabled: Bool { bank[0x00].has(2) }
  private var isReady: Bool { isEnabled && context.clock.now >= state.ready }

  private func takeNumber() -> UInt32 {
    guard isReady else { return 0 }
    state.seed ^= state.seed >> 12
    state.seed ^= state.seed << 25
    state.seed ^= state.seed >> 27
    start()
    return UInt32(truncatingIfNeeded: (state.seed &* 0x2545_F491_4F6C_DD1D) >> 32)
  }

  private func writeControl(_ value: UInt32) {
    let wasEnabled = isEnabled
    bank[0x00] = value
    if isEnabled, !wasEnabled { start() } else { update() }
  }

  private func start() {
    state.ready = context.clock.now + Self.numberTime
    if bank[0x00].has(3) { context.schedule(at: state.ready, token: 0) }
    update()
  }

  public func event(_ token: UInt64) { update() }

  private func update() { context.interrupts.first?.line.set(isReady && bank[0x00].has(3)) }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    // The sequence goes on: two starts are not alike.
    state = State(bank: RegisterBank(Self.map), seed: state.seed)
    update()
  }
}
