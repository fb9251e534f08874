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

  private static let map = RegisterMap([
    Register("CR", 0x00, [.field("RNGEN", 2), .field("IE", 3)]), Register("SR", 0x04),
    Register("DR", 0x08, .readOnly, sideEffectOnRead: true),
  ])
  private static let numberTime: UInt64 = 834

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(STM32RNG.map))
  public let registers = [STM32RNG.map]
  var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
  }

  private var isEnabled: Bool { bank[0x00].has(2) }
  private var isReady: Bool { isEnabled && context.clock.now >= state.ready }

  func load(_ offset: UInt64, isPeek: Bool) -> UInt32 {
    switch offset {
    case 0x04: return isReady ? 1 : 0
    case 0x08:
      guard isReady, !isPeek else { return 0 }
      state.seed ^= state.seed >> 12
      state.seed ^= state.seed << 25
      state.seed ^= state.seed >> 27
      start()
      return UInt32(truncatingIfNeeded: (state.seed &* 0x2545_F491_4F6C_DD1D) >> 32)
    default: return bank[offset]
    }
  }

  func store(_ value: UInt32, at offset: UInt64) {
    let wasEnabled = isEnabled
    if offset == 0x00 { bank[offset] = value }
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
