// What is particular to Arm's MPS2 boards: the FPGA's own inputs, outputs and counters, and its configuration controller.
//
// Sources: Application Note AN385 (DAI 0385), sections 4.6 and 4.9; AN386; AN500.

import Bits
import Bus

/// LEDs, buttons, and counters of 1 Hz, 100 Hz and of the system clock.
public final class MPS2FPGAIO: BankDevice {
  public static var compatible: [String] { ["arm,mps2-fpgaio", "arm,mps2-fpgaio-gpio"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// What the three counters show beyond the ticks since the start: 1 Hz, 100 Hz, COUNTER.
    var offsets: [UInt32] = [0, 0, 0]
  }

  private static let map: RegisterTable<MPS2FPGAIO> = [
    Register("LED0", 0x00, [.field("LED", 0..<10)]), Register("BUTTON", 0x08, .readOnly),
    counter("CLK1HZ", 0), counter("CLK100HZ", 1), counter("COUNTER", 2),
    Register("PRESCALE", 0x1C).onWrite { $0.setPrescaler($1) },
    Register("PSCNTR", 0x20, .readOnly).onRead { $0.bank[0x1C] - UInt32($0.input.ticks % (UInt64($0.bank[0x1C]) + 1)) },
    Register("MISC", 0x4C),
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(MPS2FPGAIO.map))
  public let table = MPS2FPGAIO.map
  /// Zephyr's trees describe single registers of it; it stands in a page of its own.
  public let regions: [AddressRange]
  public var unimplemented = UnimplementedLog()
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    let range = try context.node.firstRegion()
    self.context = context
    input = context.clockInput
    regions = [AddressRange(base: range.base & ~0xFFF, size: 0x1000)]
  }

  /// The third counter counts the clock over a prescaler.
  private func ticks(_ counter: Int) -> UInt32 {
    switch counter {
    case 0: UInt32(truncatingIfNeeded: context.clock.ticks(frequency: 1))
    case 1: UInt32(truncatingIfNeeded: context.clock.ticks(frequency: 100))
    default: UInt32(truncatingIfNeeded: input.ticks / (UInt64(bank[0x1C]) + 1))
    }
  }

  private static func counter(_ name: String, _ number: Int) -> DeviceRegister<MPS2FPGAIO> {
    Register(name, 0x10 + 4 * UInt64(number))
      .onRead { $0.count(number) }.onWrite { $0.state.offsets[number] = $1 &- $0.ticks(number) }
  }

  private func count(_ counter: Int) -> UInt32 { ticks(counter) &+ state.offsets[counter] }

  private func setPrescaler(_ value: UInt32) {
    let shown = count(2)
    bank[0x1C] = value
    state.offsets[2] = shown &- ticks(2)
  }

  public func reset(_ cause: ResetCause) { state = State(bank: RegisterBank(Self.map)) }
}

/// The serial configuration controller: what the FPGA image is, from the node's `martlet,identification`.
public final class MPS2SCC: BankDevice {
  public static var compatible: [String] { ["arm,mps2-scc"] }

  public let context: DeviceContext
  public var state: PlainBank
  public let table: RegisterTable<MPS2SCC>
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    table = RegisterTable([
      Register("CFG0", 0x000), Register("CFG1", 0x004), Register("CFG3", 0x00C, .readOnly),
      Register("CFG4", 0x010, .readOnly, reset: 2), Register("CFGDATA_RTN", 0x0A0), Register("CFGDATA_OUT", 0x0A4),
      Register("CFGCTRL", 0x0A8), Register("CFGSTAT", 0x0AC, reset: 1), Register("DLL", 0x100, reset: 1),
      Register("AID", 0xFF8, .readOnly, reset: 0x0020_0008),
      Register("ID", 0xFFC, .readOnly, reset: UInt64(context.node.u32("martlet,identification") ?? 0x4104_3850)),
    ])
    state = PlainBank(table)
  }

  public func reset(_ cause: ResetCause) { state = PlainBank(table) }
}
