// The external interrupts of STM32, and the selection of the ports whose pins raise them.
//
// Sources: RM0008 section 10.2 (F1), RM0090 section 12.2 (F4), RM0385 section 11 (F7). Lines 16 and up, which belong to
// other peripherals, are raised by SWIER only.

import Bits
import Bus

public final class STM32EXTI: BankDevice {
  public static var compatible: [String] { ["st,stm32-exti"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// PR
    var pending: UInt32 = 0
  }

  public let context: DeviceContext
  public var state: State
  public let table: RegisterTable<STM32EXTI>
  public var unimplemented = UnimplementedLog()
  /// The lines of each interrupt wire, in a mask.
  private let wires: [UInt32]
  private let isFirst: Bool

  /// `line-ranges = <first count>, …` says which lines share which entry of `interrupts`.
  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    let cells = context.node.cells("line-ranges") ?? [0, 1, 1, 1, 2, 1, 3, 1, 4, 1, 5, 5, 10, 6]
    var wires: [UInt32] = []
    for pair in stride(from: 0, to: cells.count - 1, by: 2) {
      guard cells[pair] < 32, cells[pair + 1] <= 32 else {
        throw .badProperty(device: context.node.name, property: "line-ranges", reason: "there are lines 0 to 31")
      }
      wires.append(UInt32(truncatingIfNeeded: (1 << UInt64(cells[pair + 1]) - 1) << UInt64(cells[pair])))
    }
    self.wires = wires
    let family = STM32Family(context)
    isFirst = family == .f1
    let lines: [Field] = [.field("LINES", 0..<(family == .f1 ? 20 : family == .f4 ? 23 : 25))]
    table = RegisterTable([
      Register("IMR", 0x00, lines), Register("EMR", 0x04, lines), Register("RTSR", 0x08, lines),
      Register("FTSR", 0x0C, lines), Register("SWIER", 0x10, lines).onWrite { $0.raise($1) },
      Register("PR", 0x14, lines).onRead(\.state.pending).onWrite { $0.clear($1) },
    ])
    state = State(bank: RegisterBank(table))
  }

  public func performWrite(_ write: () -> Void) {
    write()
    update()
  }

  private func raise(_ lines: UInt32) {
    let started = lines & ~bank[0x10]
    bank[0x10] |= lines
    trigger(started)
  }

  private func clear(_ lines: UInt32) {
    state.pending &= ~lines
    bank[0x10] &= ~lines
  }

  /// The edge, or its likeness by SWIER, of lines in a mask: an interrupt becomes pending if IMR has the line, and an event
  /// goes to the CPU, with nothing pending, if EMR does.
  private func trigger(_ lines: UInt32) {
    state.pending |= lines & bank[0x00]
    guard lines & bank[0x04] != 0 else { return }
    for case let cpu as any EventInput in context.directory.all { cpu.signalEvent() }
  }

  /// Pins of a port changed to these levels.
  func pinsChanged(_ port: STM32GPIO, to levels: UInt32, _ changes: UInt32) {
    let rising = changes & levels & bank[0x08]
    let falling = changes & ~levels & bank[0x0C]
    let edges = (rising | falling) & 0xFFFF
    guard edges != 0 else { return }
    let number = Int((port.context.node.regions.first?.base ?? 0) >> 10 & 15) - (isFirst ? 2 : 0)
    let selector = context.directory.first(STM32SYSCFG.self)
    trigger(
      (0..<16).reduce(0) { lines, line in
        edges.has(line) && selector?.port(ofLine: line) ?? 0 == number ? lines | 1 << UInt32(line) : lines
      })
    update()
  }

  private func update() {
    for (wire, output) in zip(wires, context.interrupts) { output.line.set(state.pending & bank[0x00] & wire != 0) }
  }

  public func reset(_ cause: ResetCause) {
    state = State(bank: RegisterBank(table))
    update()
  }
}

/// SYSCFG (F4, F7) and AFIO (F1): which port drives each external interrupt; the rest holds what is written.
public final class STM32SYSCFG: BankDevice {
  public static var compatible: [String] { ["st,stm32-syscfg", "st,stm32-afio"] }

  public let context: DeviceContext
  public var state: PlainBank
  public let table: RegisterTable<STM32SYSCFG>
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    let own =
      STM32Family(context) == .f1
      ? [
        Register("EVCR", 0x00, [.field("PIN", 0..<7), .unimplemented("EVOE", 7)]), Register("MAPR", 0x04),
        Register("MAPR2", 0x1C),
      ]
      : [
        Register("MEMRMP", 0x00, [.unimplemented("MEM_MODE", 0..<3), .unimplemented("SWP_FMC", 10..<12)]),
        Register("PMC", 0x04),
        // The compensation cell is ready once it is on.
        Register("CMPCR", 0x20).onRead { $0.bank[0x20].setting(8, to: $0.bank[0x20].has(0)) },
      ]
    table = RegisterTable(own + [Register("EXTICR", 0x08, count: 4)])
    state = PlainBank(table)
  }

  func port(ofLine line: Int) -> Int { Int(bank[0x08 + 4 * UInt64(line / 4)].field(4 * (line % 4), 4)) }

  public func reset(_ cause: ResetCause) { state = PlainBank(table) }
}
