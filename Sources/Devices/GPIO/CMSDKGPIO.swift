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
  private static let map: RegisterTable<CMSDKGPIO> = [
    Register("DATA", 0x000, half).onRead(\.levels).onWrite { $0.bank[0x004] = $1 }, Register("DATAOUT", 0x004, half),
    setting("OUTENSET", 0x010), clearing("OUTENCLR", 0x010), setting("ALTFUNCSET", 0x018),
    clearing("ALTFUNCCLR", 0x018),
    setting("INTENSET", 0x020), clearing("INTENCLR", 0x020), setting("INTTYPESET", 0x028),
    clearing("INTTYPECLR", 0x028), setting("INTPOLSET", 0x030), clearing("INTPOLCLR", 0x030),
    Register("INTSTATUS", 0x038, half).onRead(\.state.pending).onWrite { $0.state.pending &= ~$1 },
    Register("MASKLOWBYTE", 0x400, count: 256)
      .onRead { $0.levels & UInt32($1) }.onWrite { $0.drive($1, UInt32($2)) },
    Register("MASKHIGHBYTE", 0x800, count: 256)
      .onRead { $0.levels & UInt32($1) << 8 }.onWrite { $0.drive($1, UInt32($2) << 8) },
  ]

  private static func setting(_ name: String, _ offset: UInt64) -> DeviceRegister<CMSDKGPIO> {
    Register(name, offset, half).onWrite { $0.bank[offset] |= $1 }
  }

  /// The one beside it, whose bits clear.
  private static func clearing(_ name: String, _ offset: UInt64) -> DeviceRegister<CMSDKGPIO> {
    Register(name, offset + 4, half).onRead { $0.bank[offset] }.onWrite { $0.bank[offset] &= ~$1 }
  }

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(CMSDKGPIO.map))
  public let table = CMSDKGPIO.map
  public var unimplemented = UnimplementedLog()
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

  public func performWrite(_ write: () -> Void) {
    let (before, owners) = (levels, bank[0x018])
    write()
    interrupt(before)
    if levels != before || bank[0x018] != owners { followers.pinsChanged() }
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
