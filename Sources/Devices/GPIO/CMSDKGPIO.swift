// The general-purpose pins of Arm's Cortex-M System Design Kit: 16 of them, each with an interrupt.
//
// Source: Cortex-M System Design Kit Technical Reference Manual (DDI 0479), section 3.4. Pins that are not driven read
// low, or high where `martlet,pulled-up` says so in a mask. Interrupts come from pins the chip itself drives.

import Bits
import Bus

public final class CMSDKGPIO: BankDevice, PinController {
  public static var compatible: [String] { ["arm,cmsdk-gpio"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// INTSTATUS
    var pending: UInt32 = 0
  }

  private static let half: [Field] = [.field("-", 0..<16)]
  private static let map = RegisterMap([
    Register("DATA", 0x000, half), Register("DATAOUT", 0x004, half), Register("OUTENSET", 0x010, half),
    Register("OUTENCLR", 0x014, half), Register("ALTFUNCSET", 0x018, half), Register("ALTFUNCCLR", 0x01C, half),
    Register("INTENSET", 0x020, half), Register("INTENCLR", 0x024, half), Register("INTTYPESET", 0x028, half),
    Register("INTTYPECLR", 0x02C, half), Register("INTPOLSET", 0x030, half), Register("INTPOLCLR", 0x034, half),
    Register("INTSTATUS", 0x038, half), Register("MASKLOWBYTE", 0x400, count: 256),
    Register("MASKHIGHBYTE", 0x800, count: 256),
  ])

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(CMSDKGPIO.map))
  public let registers = [CMSDKGPIO.map]
  var unimplemented = UnimplementedLog()
  private let pulledUp: UInt32
  private lazy var followers = PinFollowers(context.directory)

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    pulledUp = context.node.u32("martlet,pulled-up") ?? 0
  }

  var levels: UInt32 { bank[0x004] & bank[0x010] | pulledUp & ~bank[0x010] }

  /// ALTFUNC gives pins to the chip's peripherals.
  func level(ofPin number: Int) -> Bool? {
    (0..<16).contains(number) && !bank[0x018].has(number) ? levels.has(number) : nil
  }

  func load(_ offset: UInt64, isPeek: Bool) -> UInt32 {
    switch offset {
    case 0x000: levels
    case 0x010..<0x038: bank[offset & ~4]
    case 0x038: state.pending
    case 0x400..<0x800: levels & UInt32(offset - 0x400) / 4
    case 0x800...: levels & UInt32(offset - 0x800) << 6
    default: bank[offset]
    }
  }

  func store(_ value: UInt32, at offset: UInt64) {
    let before = levels
    switch offset {
    case 0x000, 0x004: bank[0x004] = value
    // Pairs of a register that sets bits and one that clears them.
    case 0x010..<0x038: bank[offset & ~4] = offset & 4 == 0 ? bank[offset] | value : bank[offset & ~4] & ~value
    case 0x038: state.pending &= ~value
    case 0x400..<0x800: drive(value, UInt32(offset - 0x400) / 4)
    default: drive(value, UInt32(offset - 0x800) << 6)
    }
    interrupt(before)
    if levels != before || offset & ~4 == 0x018 { followers.pinsChanged() }
  }

  private func drive(_ value: UInt32, _ mask: UInt32) { bank[0x004] = bank[0x004] & ~mask | value & mask }

  /// INTTYPE is set for edges; INTPOL for rising edges and high levels.
  private func interrupt(_ before: UInt32) {
    let (edges, polarity) = (bank[0x028], bank[0x030])
    let active = ~(levels ^ polarity)
    state.pending |= (edges & (before ^ levels) & active | ~edges & active) & bank[0x020] & 0xFFFF
    if context.interrupts.count > 1 {
      for (pin, output) in context.interrupts.enumerated() { output.line.set(state.pending.has(pin)) }
    } else {
      context.interrupts.first?.line.set(state.pending != 0)
    }
  }

  public func reset(_ cause: ResetCause) {
    state = State(bank: RegisterBank(Self.map))
    for output in context.interrupts { output.line.set(false) }
  }
}
