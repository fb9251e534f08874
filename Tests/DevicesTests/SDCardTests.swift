// Tests of the SD card in SPI mode, command by command as the Physical Layer Specification has them.
import Bus
import Devices
import TestSupport
import Testing

/// A card on an SPI bus whose chip select is pin 0.
private final class CardRig {
  let rig: SPIRig
  let card: SDCard
  let memory: RAMRegion?

  init(size: Int? = 1 << 20, isReadOnly: Bool = false) throws {
    rig = try SPIRig([7, 0, 1])
    memory = try size.map { try RAMRegion(name: "card", size: $0) }
    let bench = rig.bench
    let context = DeviceContext(
      id: 3, node: rig.node("card", ["reg": [0]]), clock: bench.clock, events: bench.events, space: bench.space,
      control: bench, medium: memory.map { Medium($0, isReadOnly: isReadOnly) }, directory: bench.directory)
    card = try SDCard(context: context)
    bench.directory["/spi/card"] = card
    rig.pins.write(0x400, 1)
  }

  /// Sends a command with its CRC (or a wrong one) and returns what follows the gap before the answer.
  func command(_ number: UInt8, _ argument: UInt32 = 0, crc: Bool = true, answer count: Int = 1) -> [UInt8] {
    let body = [0x40 | number] + (0..<4).map { UInt8(truncatingIfNeeded: argument >> (24 - 8 * $0)) }
    let check = SDRegisters.crc7(body) << 1 | 1
    rig.exchange(body + [crc ? check : check ^ 2])
    #expect(rig.exchange([0xFF]) == [0xFF])
    return receive(count)
  }

  func receive(_ count: Int) -> [UInt8] { rig.exchange([UInt8](repeating: 0xFF, count: count)) }

  /// A block of data behind its token, its CRC checked.
  func block(_ count: Int) -> [UInt8] {
    let start = receive(2)
    #expect(start == [0xFF, 0xFE])
    let data = receive(count)
    let crc = receive(2)
    #expect(UInt16(crc[0]) << 8 | UInt16(crc[1]) == SDRegisters.crc16(data))
    return data
  }

  func select(_ isSelected: Bool = true) { rig.set(pin: 0, !isSelected) }

  /// As drivers do it.
  func initialise() {
    select()
    #expect(command(0) == [1])
    #expect(command(8, 0x1AA, answer: 5) == [1, 0, 0, 1, 0xAA])
    #expect(command(55) == [1] && command(41, 0x4000_0000) == [0])
    #expect(command(58, answer: 5) == [0, 0x80, 0xFF, 0x80, 0])
  }
}

@Suite struct SDCardTests {
  /// The specification's examples of checksums (section 4.5).
  @Test func checksumsAreTheSpecifications() {
    #expect(SDRegisters.crc7([0x40, 0, 0, 0, 0]) == 0b100_1010)
    #expect(SDRegisters.crc7([0x51, 0, 0, 0, 0]) == 0b010_1010)
    #expect(SDRegisters.crc7([0x11, 0, 0, 0x09, 0]) == 0b011_0011)
    #expect(SDRegisters.crc16([UInt8](repeating: 0xFF, count: 512)) == 0x7FA1)
  }

  @Test func anEmptySlotReadsAsOnes() throws {
    let rig = try CardRig(size: nil)
    rig.select()
    #expect(rig.command(0, answer: 16) == [UInt8](repeating: 0xFF, count: 16))
    #expect(rig.card.view == ["the slot is empty"])
  }

  @Test func theCardIsInitialised() throws {
    let rig = try CardRig()
    rig.select()
    #expect(rig.command(8, 0x1AA, answer: 5) == [255, 255, 255, 255, 255], "not in SPI mode yet")
    #expect(rig.command(0, crc: false) == [0xFF])
    #expect(rig.command(0) == [1])
    #expect(rig.command(8, 0x2AA, answer: 5) == [1, 0, 0, 0, 0xAA], "another voltage")
    #expect(rig.command(8, 0x1AA, crc: false) == [1 | 8], "its CRC is always checked")
    #expect(rig.command(17) == [1 | 4], "not before it is initialised")
    #expect(rig.command(41) == [1 | 4], "not without CMD55")
    rig.initialise()
    #expect(rig.command(60) == [4])
    #expect(rig.command(13, answer: 2) == [0, 0])
    #expect(rig.command(0) == [1] && rig.command(1) == [0])
  }

  @Test(arguments: [(512 << 10, 1), (1 << 20, 3), (1 << 30, 4095), (2 << 30, 4095)])
  func registersTellItsSize(capacity: Int, size: UInt64) throws {
    let rig = try CardRig(size: capacity)
    rig.initialise()
    #expect(rig.command(9) == [0])
    let csd = rig.block(16)
    let exponent = UInt64(csd[5] & 15)
    #expect(csd[0] == 0 && csd[15] == SDRegisters.crc7(csd.prefix(15)) << 1 | 1)
    let field = UInt64(csd[6] & 3) << 10 | UInt64(csd[7]) << 2 | UInt64(csd[8] >> 6)
    let multiplier = UInt64(csd[9] & 3) << 1 | UInt64(csd[10] >> 7)
    #expect(field == size && multiplier == 7 && (field + 1) << (multiplier + 2 + exponent) == capacity)
    #expect(UInt64(csd[12] & 3) << 2 | UInt64(csd[13] >> 6) == exponent, "blocks are written as they are read")
    #expect(rig.command(10) == [0])
    let cid = rig.block(16)
    #expect(cid[1...7].elementsEqual("MLCARD0".utf8) && cid[15] == SDRegisters.crc7(cid.prefix(15)) << 1 | 1)
    #expect(rig.command(55) == [0] && rig.command(51) == [0] && rig.block(8)[1] == 5)
    #expect(rig.command(55) == [0] && rig.command(13, answer: 2) == [0, 0] && rig.block(64).count == 64)
  }

  @Test func blocksAreRead() throws {
    let rig = try CardRig()
    let memory = try #require(rig.memory)
    memory.write((0..<1024).map { UInt8(truncatingIfNeeded: $0 * 7) }, at: (1 << 20) - 1024)
    rig.initialise()
    let last = UInt32(1 << 20) - 512
    #expect(rig.command(17, last) == [0] && rig.block(512) == memory.bytes(at: Int(last), count: 512))
    #expect(rig.receive(3) == [0xFF, 0xFF, 0xFF])
    #expect(rig.command(17, last + 1) == [0x40] && rig.command(17, .max) == [0x40], "beyond the end")
    #expect(rig.command(17, 1) == [0x20], "across a block")
    #expect(rig.command(16, 0) == [0x40] && rig.command(16, 513) == [0x40] && rig.command(16, 16) == [0])
    #expect(rig.command(17, last + 3) == [0] && rig.block(16) == memory.bytes(at: Int(last) + 3, count: 16))
    #expect(rig.command(16, 512) == [0] && rig.command(18, last - 512) == [0])
    #expect(rig.block(512) == memory.bytes(at: Int(last) - 512, count: 512))
    #expect(rig.block(512) == memory.bytes(at: Int(last), count: 512))
    #expect(rig.receive(3) == [0xFF, 0x08, 0xFF], "out of range")
    #expect(rig.command(13, answer: 2) == [0, 0x80] && rig.command(13, answer: 2) == [0, 0])
    #expect(rig.command(18, 0) == [0] && rig.block(512).count == 512)
    #expect(rig.command(12, answer: 3) == [0, 0, 0xFF] && rig.receive(2) == [0xFF, 0xFF])
    // What is deselected says nothing more.
    #expect(rig.command(17, 0) == [0])
    rig.select(false)
    #expect(rig.receive(4) == [0xFF, 0xFF, 0xFF, 0xFF])
    rig.select()
    #expect(rig.receive(2) == [0xFF, 0xFF] && rig.command(13, answer: 2) == [0, 0])
  }

  @Test func blocksAreWritten() throws {
    let rig = try CardRig()
    let memory = try #require(rig.memory)
    let data = (0..<512).map { UInt8(truncatingIfNeeded: $0 * 5 + 1) }
    let crc = SDRegisters.crc16(data)
    let checked = data + [UInt8(crc >> 8), UInt8(truncatingIfNeeded: crc)]
    rig.initialise()
    #expect(rig.command(24, 1024) == [0])
    rig.rig.exchange([0xFF, 0xFE] + data + [0, 0])
    #expect(rig.receive(3) == [0xE5, 0, 0xFF] && memory.bytes(at: 1024, count: 512) == data, "its CRC does not matter")
    #expect(rig.command(24, 100) == [0x20] && rig.command(24, 1 << 20) == [0x40])
    #expect(rig.command(59, 1) == [0] && rig.command(13, crc: false) == [8])
    #expect(rig.command(24, 2048) == [0])
    rig.rig.exchange([0xFE] + data + [0, 0])
    #expect(rig.receive(2) == [0xEB, 0xFF] && memory.bytes(at: 2048, count: 512) == [UInt8](repeating: 0, count: 512))
    #expect(rig.command(55) == [0] && rig.command(23, 2) == [0] && rig.command(25, (1 << 20) - 1024) == [0])
    for _ in 0..<2 {
      rig.rig.exchange([0xFC] + checked)
      #expect(rig.receive(3) == [0xE5, 0, 0xFF])
    }
    rig.rig.exchange([0xFC] + checked)
    #expect(rig.receive(3) == [0xED, 0, 0xFF], "the card is full")
    rig.rig.exchange([0xFD])
    #expect(rig.receive(3) == [0xFF, 0, 0xFF])
    #expect(memory.bytes(at: (1 << 20) - 512, count: 512) == data)
    #expect(rig.command(55) == [0] && rig.command(22) == [0] && rig.block(4) == [0, 0, 0, 2])
  }

  @Test func aProtectedCardIsNotWritten() throws {
    let rig = try CardRig(isReadOnly: true)
    rig.initialise()
    #expect(rig.command(9) == [0] && rig.block(16)[14] & 0x10 != 0)
    #expect(rig.command(24, 0) == [0])
    rig.rig.exchange([0xFE] + [UInt8](repeating: 1, count: 514))
    #expect(rig.receive(3) == [0xED, 0, 0xFF])
    #expect(rig.command(13, answer: 2) == [0, 0x20] && rig.memory?.bytes(at: 0, count: 1) == [0])
  }

  /// In the middle of a block that is read, and of one that is written.
  @Test func snapshotsHoldWhatIsUnderWay() throws {
    let rig = try CardRig()
    rig.memory?.write((0..<512).map { UInt8(truncatingIfNeeded: $0) }, at: 0)
    rig.initialise()
    #expect(rig.command(17) == [0])
    _ = rig.receive(100)
    let reading = try rig.card.saveState()
    let rest = rig.receive(420)
    try rig.card.restoreState(reading)
    #expect(rig.receive(420) == rest)
    #expect(rig.command(24, 512) == [0])
    rig.rig.exchange([0xFE] + [UInt8](repeating: 3, count: 500))
    let writing = try rig.card.saveState()
    for _ in 0..<2 {
      try rig.card.restoreState(writing)
      rig.rig.exchange([UInt8](repeating: 4, count: 14))
      #expect(rig.receive(2) == [0xE5, 0])
    }
    #expect(rig.memory?.bytes(at: 1022, count: 3) == [4, 4, 0] && rig.memory?.bytes(at: 1011, count: 1) == [3])
    #expect(throws: SnapshotError.self) { try rig.card.restoreState(Array(writing.dropLast())) }
  }

  /// Commands, data and tokens by chance: the card answers, and from a snapshot answers the same again.
  @Test func noConversationConfusesTheCard() throws {
    let rig = try CardRig()
    let memory = try #require(rig.memory)
    for seed: UInt64 in 0..<60 {
      var random = SplitMix(seed: seed)
      func piece() -> [UInt8] {
        switch random.next() % 6 {
        case 0, 1:
          let number = [0, 1, 8, 9, 10, 12, 13, 16, 17, 18, 24, 25, 41, 55, 58, 59].randomElement(using: &random) ?? 0
          let body =
            [0x40 | UInt8(number)] + (0..<4).map { _ in UInt8(truncatingIfNeeded: random.next() & random.next()) }
          return body + [SDRegisters.crc7(body) << 1 | 1]
        case 2: return [[0xFE, 0xFC, 0xFD].randomElement(using: &random) ?? 0]
        case 3: return [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: 514)
        default: return [UInt8](repeating: 0xFF, count: Int(random.next() % 40))
        }
      }
      rig.select(false)
      if seed % 2 == 0 { rig.initialise() } else { rig.select(random.next() % 8 != 0) }
      for _ in 0..<Int(random.next() % 20) { rig.rig.exchange(piece()) }
      let (state, contents) = (try rig.card.saveState(), memory.bytes(at: 0, count: memory.size))
      let rest = (0..<10).flatMap { _ in piece() }
      let answer = rig.rig.exchange(rest)
      let after = memory.digest()
      try rig.card.restoreState(state)
      memory.write(contents, at: 0)
      #expect(rig.rig.exchange(rest) == answer && memory.digest() == after, "\(seed)")
    }
  }
}
