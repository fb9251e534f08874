// The SPI controller of STM32 as a master whose output is wired to its input: it receives what it sends.
//
// Sources: RM0090 chapter 28 (F1, F4), RM0385 chapter 32 (F7, with FIFOs). Frames take no time.

import Bits
import Bus

public final class STM32SPI: BankDevice {
  public static var compatible: [String] { ["st,stm32-spi", "st,stm32-spi-fifo"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// Received bytes, oldest first; frames of more than 8 bits are two of them.
    var received: [UInt8] = []
    /// OVR
    var isOverrun = false
  }

  private static let map: RegisterTable<STM32SPI> = [
    Register(
      "CR1", 0x00,
      [
        .field("CPHA", 0), .field("CPOL", 1), .field("MSTR", 2), .field("BR", 3..<6), .field("SPE", 6),
        .field("LSBFIRST", 7), .field("SSI", 8), .field("SSM", 9), .field("RXONLY", 10), .field("DFF", 11),
        .field("CRCNEXT", 12), .unimplemented("CRCEN", 13), .field("BIDIOE", 14), .unimplemented("BIDIMODE", 15),
      ]),
    Register(
      "CR2", 0x04, reset: 0x700,
      [
        .unimplemented("RXDMAEN", 0), .unimplemented("TXDMAEN", 1), .field("SSOE", 2), .field("NSSP", 3),
        .unimplemented("FRF", 4), .field("ERRIE", 5), .field("RXNEIE", 6), .field("TXEIE", 7), .field("DS", 8..<12),
        .field("FRXTH", 12), .field("LDMA", 13..<15),
      ]), Register("SR", 0x08, reset: 2).onRead(\.status),
    Register("DR", 0x0C).onRead { UInt32($0.state.received.first ?? 0) }.afterRead { _ in },
    Register("CRCPR", 0x10, reset: 7),
    Register("RXCRCR", 0x14, .readOnly),
    Register("TXCRCR", 0x18, .readOnly),
    Register("I2SCFGR", 0x1C, [.unimplemented("I2SMOD", 11), .field("-", 0..<11)]),
    Register("I2SPR", 0x20, reset: 2),
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(STM32SPI.map))
  public let table = STM32SPI.map
  public var unimplemented = UnimplementedLog()
  private let hasFIFO: Bool

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    hasFIFO = STM32Family(context) == .f7
  }

  private var isWide: Bool { hasFIFO ? bank[0x04].field(8, 4) > 7 : bank[0x00].has(11) }
  private var capacity: Int { hasFIFO ? 4 : isWide ? 2 : 1 }

  private var status: UInt32 {
    let threshold = hasFIFO ? (bank[0x04].has(12) ? 1 : 2) : 1
    var status: UInt32 = 2
    if state.received.count >= threshold { status |= 1 }
    if state.isOverrun { status |= 1 << 6 }
    if hasFIFO { status |= UInt32(min(state.received.count, 3)) << 9 }
    return status
  }

  /// The size of an access to DR is the number of bytes it moves, as far as frames are bytes in a FIFO.
  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    guard offset == 0x0C else {
      return table.read(self, offset, size: size)
    }
    let count = isWide || hasFIFO && size > 1 ? 2 : 1
    let bytes = state.received.prefix(count)
    state.received.removeFirst(bytes.count)
    state.isOverrun = false
    updateInterrupt()
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard offset == 0x0C else {
      table.write(self, offset, size: size, value)
      return updateInterrupt()
    }
    guard bank[0x00].has(6) else { return }
    for byte in 0..<(isWide || hasFIFO && size > 1 ? 2 : 1) {
      if state.received.count >= capacity {
        state.isOverrun = true
      } else {
        state.received.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)))
      }
    }
    updateInterrupt()
  }

  private func updateInterrupt() {
    let (status, enables) = (status, bank[0x04])
    let pending = enables.has(6) && status.has(0) || enables.has(7) && status.has(1) || enables.has(5) && status.has(6)
    context.interrupts.first?.line.set(bank[0x00].has(6) && pending)
  }

  public func reset(_ cause: ResetCause) {
    state = State(bank: RegisterBank(Self.map))
    context.interrupts.first?.line.set(false)
  }
}
