// A port of STM32's general-purpose pins: the first version (F1) with CRL and CRH, and the second (F4, F7) with MODER.
//
// Sources: RM0008 chapter 9 (F1), RM0090 chapter 8, RM0385 chapter 6. Pins that nothing drives read as their pull
// resistors say, or low; `martlet,pulled-up` lists in a mask those that the board pulls up (buttons).

import Bits
import Bus

public final class STM32GPIO: BankDevice {
  public static var compatible: [String] { ["st,stm32-gpio"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// The lock sequence's position; LCKR is frozen at 4.
    var lockStep = 0
  }

  public let context: DeviceContext
  public var state: State
  public let table: RegisterTable<STM32GPIO>
  public var unimplemented = UnimplementedLog()
  private let isFirst: Bool
  private let pulledUp: UInt32
  /// Offset of ODR.
  private let output: UInt64

  public init(context: DeviceContext) throws(DeviceError) {
    let range = try context.node.firstRegion()
    self.context = context
    isFirst = STM32Family(context) == .f1
    pulledUp = context.node.u32("martlet,pulled-up") ?? 0
    output = isFirst ? 0x0C : 0x14
    // After reset the pins of the debug port have pull resistors and their alternate function.
    let port = range.base >> 10 & 15
    let modes: UInt64 = isFirst ? 0 : port == 0 ? 0xA800_0000 : port == 1 ? 0x280 : 0
    let pulls: UInt64 = isFirst ? 0 : port == 0 ? 0x6400_0000 : port == 1 ? 0x100 : 0
    let low: [Field] = [.field("-", 0..<16)]
    table = RegisterTable(
      isFirst
        ? [
          Register("CRL", 0x00, reset: 0x4444_4444), Register("CRH", 0x04, reset: 0x4444_4444),
          Register("IDR", 0x08, .readOnly).onRead(\.levels), Register("ODR", 0x0C, low),
          Register("BSRR", 0x10, .writeOnly).onWrite { $0.setAndReset($1) },
          Register("BRR", 0x14, .writeOnly).onWrite { $0.setAndReset($1 << 16) },
          Register("LCKR", 0x18).onWrite { $0.lock($1, at: 0x18) },
        ]
        : [
          Register("MODER", 0x00, reset: modes), Register("OTYPER", 0x04, low), Register("OSPEEDR", 0x08),
          Register("PUPDR", 0x0C, reset: pulls), Register("IDR", 0x10, .readOnly).onRead(\.levels),
          Register("ODR", 0x14, low), Register("BSRR", 0x18, .writeOnly).onWrite { $0.setAndReset($1) },
          Register("LCKR", 0x1C).onWrite { $0.lock($1, at: 0x1C) }, Register("AFR", 0x20, count: 2),
        ])
    state = State(bank: RegisterBank(table))
  }

  // MARK: Pins

  /// Whether a pin drives its level, and whether it is pulled up or down.
  private func mode(_ pin: Int) -> (drives: Bool, isPulledUp: Bool, isPulledDown: Bool) {
    let isHigh = bank[output].has(pin)
    if isFirst {
      let mode = bank[pin < 8 ? 0x00 : 0x04].field(4 * (pin & 7), 4)
      let isOutput = mode & 3 != 0
      // Open drains drive only low levels; inputs with a pull resistor take its direction from ODR.
      return (isOutput && (mode & 4 == 0 || !isHigh), mode == 8 && isHigh, mode == 8 && !isHigh)
    }
    let pull = bank[0x0C].field(2 * pin, 2)
    let isOutput = bank[0x00].field(2 * pin, 2) == 1
    return (isOutput && (!bank[0x04].has(pin) || !isHigh), pull == 1, pull == 2)
  }

  /// The levels of the pins.
  var levels: UInt32 {
    (0..<16).reduce(0) { levels, pin in
      let mode = mode(pin)
      let isHigh =
        mode.drives ? bank[output].has(pin) : mode.isPulledUp || !mode.isPulledDown && pulledUp.has(pin)
      return levels.setting(pin, to: isHigh)
    }
  }

  // MARK: Registers

  public func performWrite(_ write: () -> Void) {
    let before = levels
    write()
    let changes = before ^ levels
    guard changes != 0 else { return }
    context.directory.first(STM32EXTI.self)?.pinsChanged(self, to: levels, changes)
  }

  /// BSRR: bits to set, above them bits to reset.
  private func setAndReset(_ value: UInt32) { bank[output] = bank[output] & ~(value >> 16) | value & 0xFFFF }

  /// The lock key: bit 16 written 1, 0, 1 with the same pins. What it locks stays writable here.
  private func lock(_ value: UInt32, at offset: UInt64) {
    guard state.lockStep < 3 else { return }
    state.lockStep = value.has(16) == (state.lockStep != 1) ? state.lockStep + 1 : 0
    bank[offset] = value.setting(16, to: state.lockStep == 3)
    if state.lockStep == 3 { unimplemented.once("locked pins can still be configured", context) }
  }

  public func reset(_ cause: ResetCause) { state = State(bank: RegisterBank(table)) }
}
