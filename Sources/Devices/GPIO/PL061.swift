// Arm's PL061, eight general-purpose pins each with an interrupt, with what the Stellaris adds to configure pads.
//
// Sources: ARM PrimeCell General Purpose Input/Output (PL061) Technical Reference Manual (DDI 0190), chapter 3; LM3S6965
// data sheet, chapter 8. Pins that are not driven read low, or high where `martlet,pulled-up` says so in a mask.

import Bits
import Bus

public final class PL061: BankDevice, PinController {
  public static var compatible: [String] { ["arm,pl061", "ti,stellaris-gpio"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    var output: UInt32 = 0
    /// Edges that have come.
    var edges: UInt32 = 0
  }

  private static let pins: [Field] = [.field("-", 0..<8)]
  private static let map: RegisterTable<PL061> = [
    // Bits 9 to 2 of the address choose the pins.
    Register("DATA", 0x000, count: 256).onRead { $0.levels & UInt32($1) }.onWrite { $0.drive($1, UInt32($2)) },
    Register("DIR", 0x400, pins), Register("IS", 0x404, pins),
    Register("IBE", 0x408, pins), Register("IEV", 0x40C, pins), Register("IM", 0x410, pins),
    Register("RIS", 0x414, .readOnly).onRead(\.raw),
    Register("MIS", 0x418, .readOnly).onRead { $0.raw & $0.bank[0x410] },
    Register("ICR", 0x41C, .writeOnly).onWrite { $0.state.edges &= ~$1 },
    Register("AFSEL", 0x420, pins), Register("DR2R", 0x500, reset: 0xFF, pins), Register("DR4R", 0x504, pins),
    Register("DR8R", 0x508, pins), Register("ODR", 0x50C, pins), Register("PUR", 0x510, pins),
    Register("PDR", 0x514, pins), Register("SLR", 0x518, pins), Register("DEN", 0x51C, pins), Register("LOCK", 0x520),
    Register("CR", 0x524, pins),
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(PL061.map))
  public let table = PL061.map
  public var unimplemented = UnimplementedLog()
  private let pulledUp: UInt32
  private lazy var followers = PinFollowers(context.directory)

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    pulledUp = context.node.u32("martlet,pulled-up") ?? 0
  }

  private var levels: UInt32 {
    let direction = bank[0x400]
    return (state.output & direction | (pulledUp | bank[0x510]) & ~direction) & 0xFF
  }

  /// AFSEL gives pins to the chip's peripherals.
  func level(ofPin number: Int) -> Bool? {
    (0..<8).contains(number) && !bank[0x420].has(number) ? levels.has(number) : nil
  }

  private var raw: UInt32 { state.edges & ~bank[0x404] | ~(levels ^ bank[0x40C]) & bank[0x404] }

  public func performWrite(_ write: () -> Void) {
    let (before, owners) = (levels, bank[0x420])
    write()
    let changes = before ^ levels
    state.edges |= changes & (bank[0x408] | ~(levels ^ bank[0x40C]))
    updateInterrupt()
    if changes != 0 || bank[0x420] != owners { followers.pinsChanged() }
  }

  private func drive(_ value: UInt32, _ mask: UInt32) { state.output = state.output & ~mask | value & mask }

  private func updateInterrupt() { context.interrupts.first?.line.set(raw & bank[0x410] != 0) }

  public func reset(_ cause: ResetCause) {
    state = State(bank: RegisterBank(Self.map))
    updateInterrupt()
    followers.pinsChanged()
  }
}
