// An SD memory card of standard capacity in a slot on an SPI bus, or the empty slot.
//
// Source: SD Specifications Part 1, Physical Layer Simplified Specification 6.00, chapters 5 (registers) and 7 (SPI mode).
// Operations take no time. What is written stays in the card, and in snapshots; the image file it was filled from is
// never changed.

import Bits
import Bus

public final class SDCard: StorageDevice, SPIPeripheral {
  public static var compatible: [String] { ["mmc-spi-slot", "zephyr,sdhc-spi-slot"] }

  public struct State: Codable, Sendable, Equatable {
    var isSelected = false
    /// CMD0 has put the card into SPI mode.
    var isInSPIMode = false
    /// Initialised by ACMD41 or CMD1.
    var isReady = false
    var checksCRC = false
    /// CMD55 was the last command.
    var expectsApplication = false
    var blockLength = SDCard.blockSize
    /// The second byte of the answer to CMD13.
    var errors: UInt8 = 0
    /// The command that is being sent.
    var command: [UInt8] = []
    /// What is still to be sent to the host.
    var output: [UInt8] = []
    var activity = Activity.none
    /// Byte of the card that is read or written next.
    var position = 0
    /// The block that is being written, its CRC behind it.
    var block: [UInt8] = []
    /// Blocks written since the last CMD25, for ACMD22.
    var written: UInt32 = 0
  }

  /// What goes on between commands.
  enum Activity: UInt8, Codable, Sendable {
    case none, readingMany, awaitingBlock, receivingBlock, awaitingBlocks, receivingBlocks
  }

  static let blockSize = 512

  /// Bits of R1.
  enum Response {
    static let idle: UInt8 = 0x01
    static let illegalCommand: UInt8 = 0x04
    static let badCRC: UInt8 = 0x08
    static let badAddress: UInt8 = 0x20
    static let badParameter: UInt8 = 0x40
  }

  /// Bits of the second byte of R2.
  private enum Status {
    static let writeProtected: UInt8 = 0x20
    static let outOfRange: UInt8 = 0x80
  }

  private enum Token {
    static let block: UInt8 = 0xFE
    static let blockOfMany: UInt8 = 0xFC
    static let stop: UInt8 = 0xFD
    static let outOfRange: UInt8 = 0x08
  }

  public let context: DeviceContext
  public var state = State()
  public let regions: [AddressRange] = []
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    if let size = context.medium?.memory.size, size % Medium.unit != 0 || size > SDRegisters.largest {
      throw .badProperty(device: context.node.name, property: "medium", reason: "\(size) bytes are no card's capacity")
    }
    self.context = context
  }

  /// The contents; they outlive resets.
  public func memory(region: Int) -> RAMRegion? { region == 0 ? context.medium?.memory : nil }

  private var capacity: Int { context.medium?.memory.size ?? 0 }
  private var isWritable: Bool { context.medium?.isReadOnly == false }

  // MARK: The bus

  public var isSelected: Bool { state.isSelected }

  /// A card that is deselected gives up what it was sending or being sent.
  public func select(_ isSelected: Bool) {
    state.isSelected = isSelected
    (state.command, state.output, state.block, state.activity) = ([], [], [], .none)
  }

  public func exchange(_ byte: UInt8) -> UInt8 {
    guard context.medium != nil else { return 0xFF }
    if state.output.isEmpty, state.activity == .readingMany { sendBlock(at: state.position, length: state.blockLength) }
    let answer = state.output.isEmpty ? 0xFF : state.output.removeFirst()
    take(byte)
    return answer
  }

  private func take(_ byte: UInt8) {
    switch state.activity {
    case .awaitingBlock where byte == Token.block: state.activity = .receivingBlock
    case .awaitingBlocks where byte == Token.blockOfMany: state.activity = .receivingBlocks
    case .awaitingBlocks where byte == Token.stop:
      state.activity = .none
      state.output = [0xFF, 0x00]
    case .receivingBlock, .receivingBlocks:
      state.block.append(byte)
      if state.block.count == Self.blockSize + 2 { storeBlock() }
    default:
      guard !state.command.isEmpty || byte & 0xC0 == 0x40 else { return }
      state.command.append(byte)
      guard state.command.count == 6 else { return }
      let command = state.command
      state.command = []
      carryOut(command)
    }
  }

  // MARK: Blocks

  private func memoryHolds(_ count: Int, at position: Int) -> Bool {
    position <= capacity && count <= capacity - position
  }

  private func sendBlock(at position: Int, length: Int) {
    guard let memory = context.medium?.memory, memoryHolds(length, at: position) else {
      state.output += [0xFF, Token.outOfRange]
      state.errors |= Status.outOfRange
      return state.activity = .none
    }
    send(memory.bytes(at: position, count: length))
    state.position = position + length
  }

  private func send(_ data: [UInt8]) {
    let crc = SDRegisters.crc16(data)
    state.output += [0xFF, Token.block] + data + [UInt8(crc >> 8), UInt8(truncatingIfNeeded: crc)]
  }

  /// The data response: xxx0 and 010 accepted, 101 wrong CRC, 110 not written; then a byte of being busy.
  private func storeBlock() {
    let crc = UInt16(state.block[Self.blockSize]) << 8 | UInt16(state.block[Self.blockSize + 1])
    let data = state.block.prefix(Self.blockSize)
    state.block = []
    let isLast = state.activity == .receivingBlock
    state.activity = isLast ? .none : .awaitingBlocks
    if state.checksCRC, crc != SDRegisters.crc16(data) { return state.output = [0xEB] }
    guard isWritable, let memory = context.medium?.memory, memoryHolds(Self.blockSize, at: state.position) else {
      state.errors |= isWritable ? Status.outOfRange : Status.writeProtected
      return state.output = [0xED, 0x00]
    }
    memory.write(data, at: state.position)
    state.position += Self.blockSize
    state.written &+= 1
    state.output = [0xE5, 0x00]
  }

  // MARK: Commands

  private func carryOut(_ bytes: [UInt8]) {
    let number = bytes[0] & 0x3F
    let argument = bytes[1...4].reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
    let isIntact = bytes[5] == SDRegisters.crc7(bytes.prefix(5)) << 1 | 1
    if number == 0, isIntact || state.isInSPIMode && !state.checksCRC {
      state = State(isSelected: state.isSelected, isInSPIMode: true)
      return respond()
    }
    // Until CMD0 the card listens to other lines.
    guard state.isInSPIMode else { return }
    state.output = []
    if state.activity == .readingMany { state.activity = .none }
    let isApplication = state.expectsApplication
    state.expectsApplication = false
    guard isIntact || !state.checksCRC && number != 8 else { return respond(Response.badCRC) }
    if isApplication, carryOutApplication(number) { return }
    if !carryOut(number, argument) { respond(Response.illegalCommand) }
  }

  private func respond(_ bits: UInt8 = 0, _ rest: [UInt8] = []) {
    state.output = [0xFF, bits | (state.isReady ? 0 : Response.idle)] + rest
  }

  /// - Returns: whether there is such a command now.
  private func carryOut(_ number: UInt8, _ argument: UInt32) -> Bool {
    switch number {
    case 1:
      state.isReady = true
      respond()
    case 8:
      // Of the voltages, only 2.7 to 3.6 V are accepted.
      let accepted: UInt8 = argument >> 8 & 15 == 1 ? 1 : 0
      respond(0, [0, 0, accepted, UInt8(truncatingIfNeeded: argument)])
    case 55:
      state.expectsApplication = true
      respond()
    case 58: respond(0, [state.isReady ? 0x80 : 0, 0xFF, 0x80, 0])
    case 59:
      state.checksCRC = argument & 1 != 0
      respond()
    case 13: respondStatus()
    default: return state.isReady && carryOutWhenReady(number, argument)
    }
    return true
  }

  private func respondStatus() {
    respond(0, [state.errors])
    state.errors = 0
  }

  private func carryOutWhenReady(_ number: UInt8, _ argument: UInt32) -> Bool {
    switch number {
    case 9:
      respond()
      send(SDRegisters.csd(capacity: capacity, isWriteProtected: !isWritable))
    case 10:
      respond()
      send(SDRegisters.cid)
    case 12: respond(0, [0x00])
    case 16:
      guard (1...UInt32(Self.blockSize)).contains(argument) else {
        respond(Response.badParameter)
        return true
      }
      state.blockLength = Int(argument)
      respond()
    case 17, 18: startRead(argument, many: number == 18)
    case 24, 25: startWrite(argument, many: number == 25)
    default:
      unimplemented.once("CMD\(number) is not implemented", context)
      return false
    }
    return true
  }

  /// A read must lie within the card, and within a block of 512 bytes.
  private func startRead(_ argument: UInt32, many: Bool) {
    let position = Int(argument)
    guard memoryHolds(state.blockLength, at: position) else { return respond(Response.badParameter) }
    guard position % Self.blockSize + state.blockLength <= Self.blockSize else { return respond(Response.badAddress) }
    respond()
    sendBlock(at: position, length: state.blockLength)
    if many { state.activity = .readingMany }
  }

  /// Blocks are written whole.
  private func startWrite(_ argument: UInt32, many: Bool) {
    let position = Int(argument)
    guard memoryHolds(Self.blockSize, at: position) else { return respond(Response.badParameter) }
    guard position % Self.blockSize == 0, state.blockLength == Self.blockSize else {
      return respond(Response.badAddress)
    }
    state.position = position
    if many { state.written = 0 }
    state.activity = many ? .awaitingBlocks : .awaitingBlock
    respond()
  }

  /// The commands that follow CMD55.
  private func carryOutApplication(_ number: UInt8) -> Bool {
    switch number {
    case 41:
      state.isReady = true
      respond()
    case 13 where state.isReady:
      respond(0, [0])
      send(SDRegisters.status)
    case 22 where state.isReady:
      respond()
      send((0..<4).map { UInt8(truncatingIfNeeded: state.written >> (24 - 8 * $0)) })
    // How many blocks to erase ahead of writing, and a resistor: neither changes what can be seen.
    case 23 where state.isReady, 42 where state.isReady: respond()
    case 51 where state.isReady:
      respond()
      send(SDRegisters.configuration)
    default: return false
    }
    return true
  }

  public var view: [String] {
    guard let medium = context.medium else { return ["the slot is empty"] }
    return ["card of \(medium.memory.size) bytes\(medium.isReadOnly ? ", read-only" : "")"]
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 { 0 }
  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {}
  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? { nil }

  /// The slot keeps its power: a card knows of no reset but CMD0.
  public func reset(_ cause: ResetCause) {}

  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    let restored = try decodeSnapshot(State.self, from: bytes)
    guard restored.command.count < 6, restored.block.count < Self.blockSize + 2, restored.position >= 0,
      (1...Self.blockSize).contains(restored.blockLength)
    else { throw .malformed(type: "SDCard.State", offset: 0) }
    state = restored
  }
}
