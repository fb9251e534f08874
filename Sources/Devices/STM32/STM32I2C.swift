// The first version of STM32's I²C controller (F1, F4), as a master.
//
// Source: RM0090 chapter 27. Bytes take no time on the bus. Received bytes wait in DR and in the shift register behind
// it; software that acknowledges a byte gets the next one as soon as there is room.

import Bus

public final class STM32I2C: BankDevice {
  public static var compatible: [String] { ["st,stm32-i2c-v1"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// The event and error flags of SR1 that stay until software clears them.
    var flags: UInt32 = 0
    /// SR1 was read since SB or ADDR came.
    var sawFlags = false
    var isActive = false
    var isReading = false
    /// Of the target that acknowledged.
    var target: UInt32?
    /// DR, then the shift register.
    var received: [UInt8] = []
    /// The last byte was not acknowledged: no more come.
    var isOver = false
  }

  private enum Status {
    static let start = 0
    static let addressed = 1
    static let finished = 2
    static let notEmpty = 6
    static let empty = 7
    static let refused = 10
  }

  private static let map: RegisterTable<STM32I2C> = [
    Register(
      "CR1", 0x00,
      [
        .field("PE", 0), .unimplemented("SMBUS", 1), .field("-", 2..<7), .field("NOSTRETCH", 7), .field("START", 8),
        .field("STOP", 9), .field("ACK", 10), .field("POS", 11), .field("PEC", 12..<14), .field("SWRST", 15),
      ]
    ).onWrite { $0.writeControl($1) },
    Register(
      "CR2", 0x04,
      [
        .field("FREQ", 0..<6), .field("ITERREN", 8), .field("ITEVTEN", 9), .field("ITBUFEN", 10),
        .unimplemented("DMAEN", 11), .field("LAST", 12),
      ]),
    Register("OAR1", 0x08, [.unimplemented("ADD", 1..<8), .field("-", 8..<16)]),
    Register("OAR2", 0x0C, [.unimplemented("ENDUAL", 0), .field("ADD2", 1..<8)]),
    Register("DR", 0x10)
      .onRead { UInt32($0.state.received.first ?? 0) }
      .afterRead { $0.takeByte() }
      .onWrite { $0.writeData(UInt8(truncatingIfNeeded: $1)) },
    Register("SR1", 0x14)
      .onRead(\.status)
      .afterRead { $0.state.sawFlags = true }
      .onWrite { $0.state.flags &= $1 | 0xFF },
    Register("SR2", 0x18, .readOnly)
      .onRead { $0.state.isActive ? 3 | ($0.state.isReading ? 0 : 4) : 0 }
      .afterRead { $0.acknowledgeAddress() },
    Register("CCR", 0x1C), Register("TRISE", 0x20, reset: 2), Register("FLTR", 0x24),
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(STM32I2C.map))
  public let table = STM32I2C.map
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
  }

  private var status: UInt32 {
    guard !state.flags.has(Status.addressed) else { return state.flags }
    let isWriting = state.isActive && !state.isReading && state.target != nil
    return state.flags.setting(Status.notEmpty, to: !state.received.isEmpty)
      .setting(Status.empty, to: isWriting)
      .setting(Status.finished, to: state.received.count > 1 || isWriting && state.flags.has(Status.finished))
  }

  public func performWrite(_ write: () -> Void) {
    write()
    updateInterrupts()
  }

  private func takeByte() {
    guard !state.received.isEmpty else { return }
    state.received.removeFirst()
    fetch()
    updateInterrupts()
  }

  /// Reading SR1 and then SR2 clears ADDR.
  private func acknowledgeAddress() {
    guard state.sawFlags, state.flags.has(Status.addressed) else { return }
    state.flags = state.flags.setting(Status.addressed, to: false)
    fetch()
    updateInterrupts()
  }

  /// Takes bytes from the target while there is room for them.
  private func fetch() {
    guard state.isReading, let address = state.target, let target = target(at: address) else { return }
    while state.received.count < 2, !state.isOver {
      state.received.append(target.read())
      state.isOver = !bank[0x00].has(10)
    }
  }

  private func writeControl(_ value: UInt32) {
    // START and STOP are done with as soon as they are set.
    bank[0x00] = value & ~0x300
    if value.has(15) || !value.has(0) {
      let control = value.has(15) ? 0 : value
      if value.has(15) { state = State(bank: RegisterBank(Self.map)) }
      bank[0x00] = control & ~0x300
      (state.isActive, state.target, state.flags) = (false, nil, 0)
      return
    }
    if value.has(9) {
      state.target.flatMap { target(at: $0) }?.stop()
      (state.isActive, state.target, state.isOver) = (false, nil, true)
      state.flags &= ~0xFF
    }
    if value.has(8) {
      (state.isActive, state.target, state.received) = (true, nil, [])
      state.flags = 1 << UInt32(Status.start)
      state.sawFlags = false
    }
  }

  private func writeData(_ byte: UInt8) {
    guard state.isActive else { return }
    if state.flags.has(Status.start) {
      state.flags = 0
      state.isReading = byte & 1 != 0
      state.isOver = false
      guard let target = target(at: UInt32(byte >> 1)) else {
        unimplemented.once("nothing answers at address \(byte >> 1) of the bus", context)
        return state.flags = 1 << UInt32(Status.refused)
      }
      state.target = UInt32(byte >> 1)
      target.start(isRead: state.isReading)
      state.flags = 1 << UInt32(Status.addressed)
      state.sawFlags = false
    } else if let target = state.target.flatMap({ target(at: $0) }), !state.isReading {
      state.flags |= 1 << UInt32(target.write(byte) ? Status.finished : Status.refused)
    }
  }

  /// The wires are the events' and the errors'.
  private func updateInterrupts() {
    let (status, enables) = (status, bank[0x04])
    let buffer = enables.has(10) ? status & 0xC0 : 0
    context.interrupts.first?.line.set(enables.has(9) && status & 0x1F | buffer != 0)
    if context.interrupts.count > 1 { context.interrupts[1].line.set(enables.has(8) && status & 0xFF00 != 0) }
  }

  public func reset(_ cause: ResetCause) {
    state = State(bank: RegisterBank(Self.map))
    updateInterrupts()
  }
}
