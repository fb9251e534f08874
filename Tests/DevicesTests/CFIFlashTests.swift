// The flash as a driver uses it, through the address space.
import Bus
import Devices
import Testing

@Suite struct CFIFlashTests {
  let bench = Bench()
  let flash: CFIFlash
  let size: UInt64 = 32 << 20

  init() throws {
    let node = FakeNode(
      name: "flash@20000000",
      regions: [.init(base: 0x2000_0000, size: size), .init(base: 0x2200_0000, size: size)],
      values: ["bank-width": [4]])
    flash = try CFIFlash(context: bench.context(node, interrupts: []))
    for (index, range) in node.regions.enumerated() {
      let memory = try #require(flash.memory(region: index))
      try bench.space.map("bank\(index)", at: range.base, size: size, .romDevice(memory, flash, index: index))
    }
  }

  func put(_ offset: UInt64, _ value: UInt64) throws {
    try bench.space.write(0x2000_0000 + offset, size: 4, value | value << 16)
  }
  func get(_ offset: UInt64, _ size: Int = 4) throws -> UInt64 {
    try bench.space.read(0x2000_0000 + offset, size: size)
  }

  @Test func queryDescribesTheChips() throws {
    try put(0x55 * 4, 0x98)
    #expect(try get(0x10 * 4) == 0x0051_0051)
    let table = try (0..<0x40).map { try get(4 * $0, 1) }
    #expect(table[0x10..<0x15] == [0x51, 0x52, 0x59, 1, 0])
    #expect(table[0x27] == 24)
    #expect(table[0x2d] + table[0x2e] << 8 == 127)
    #expect(table[0x2f] + table[0x30] << 8 == 512)
    #expect(table[0x31..<0x34] == [0x50, 0x52, 0x49])
    #expect(try bench.space.read(0x2200_0040, size: 4) == 0)
    try put(0, 0x90)
    #expect(try get(0) == 0x0089_0089)
    try put(0, 0xff)
    #expect(try get(0x40) == 0)
  }

  @Test func eraseThenProgramWords() throws {
    #expect(flash.memory(region: 2) == nil)
    #expect(bench.space.directPage(at: 0x2000_0000)?.isWritable == false)
    try put(0x4_1234, 0x20)
    #expect(bench.space.directPage(at: 0x2000_0000) == nil)
    try put(0x4_1234, 0xd0)
    #expect(try get(0) == 0x0080_0080)
    try put(0x4_0008, 0x40)
    try bench.space.write(0x2004_0008, size: 4, 0x1234_5678)
    try put(0x4_0008, 0x40)
    try bench.space.write(0x2004_0008, size: 4, 0xffff_0000)
    try put(0, 0xff)
    #expect(try get(0x4_0008) == 0x1234_0000)
    #expect(try get(0x7_fffc) == 0xffff_ffff)
    #expect(try get(0x8_0000) == 0)
    #expect(try get(0x3_fffc) == 0)
    #expect(bench.space.directPage(at: 0x2000_0000) != nil)
  }

  @Test func bufferProgramsAfterConfirmation() throws {
    var changes = 0
    try put(0, 0x20)
    try put(0, 0xd0)
    bench.space.didWriteMemory = {
      changes += $1; _ = $0
    }
    try put(0x100, 0xe8)
    #expect(try get(0x100) == 0x0080_0080)
    try put(0x100, 2)
    for index in 0..<3 as Range<UInt64> { try bench.space.write(0x2000_0100 + 4 * index, size: 4, index + 1) }
    #expect(changes == 0)
    try put(0x100, 0xd0)
    try put(0, 0xff)
    #expect(try [0x100, 0x104, 0x108, 0x10c].map { try get($0) } == [1, 2, 3, 0xffff_ffff])
    #expect(changes == 12)
  }

  @Test func wrongSequencesSetErrorBits() throws {
    try put(0, 0x20)
    try put(0, 0x12)
    #expect(try get(0) == 0x00b0_00b0)
    try put(0, 0x50)
    #expect(try get(0) == 0x0080_0080)
    try put(0, 0xe8)
    try put(0, 0xffff)
    #expect(try get(0) == 0x00b0_00b0)
    try put(0, 0x77)
    #expect(bench.messages == ["flash@20000000: command 0x77 is not implemented"])
  }

  @Test func snapshotRemembersTheMode() throws {
    try put(0, 0x90)
    let saved = try flash.saveState()
    flash.reset(.pin)
    #expect(try get(0) == 0)
    try flash.restoreState(saved)
    #expect(try get(0) == 0x0089_0089)
    #expect(bench.space.directPage(at: 0x2000_0000) == nil)
  }
}
