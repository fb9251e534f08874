// Console and exit through tohost and fromhost.
import Bus
import Devices
import Testing

@Suite struct HTIFTests {
  let bench = Bench()
  let htif: HTIF

  init() throws { htif = try HTIF(context: bench.context(FakeNode())) }

  func command(_ device: UInt64, _ command: UInt64, _ payload: UInt64) {
    htif.write(8, device << 56 | command << 48 | payload, 8)
  }

  @Test func consoleWritesAndReads() {
    for byte in "ok".utf8 { command(1, 1, UInt64(byte)) }
    #expect(bench.text == "ok")
    #expect(htif.read(8, 8) == 0)
    command(1, 0, 0)
    #expect(htif.read(0, 8) == 0)
    htif.receive(Array("xy".utf8))
    #expect(htif.read(0, 8) == 1 << 56 | 0x178)
    command(1, 0, 0)
    #expect(htif.read(0, 8) == 1 << 56 | 0x178)
    htif.write(0, 0, 8)
    #expect(htif.read(0, 8) == 1 << 56 | 0x179)
  }

  @Test func oddPayloadsExit() {
    command(0, 0, 1)
    command(0, 0, 5 << 1 | 1)
    #expect(bench.exits == [0, 5])
  }

  @Test func halvesOf32BitGuestsWork() throws {
    let two = try HTIF(
      context: bench.context(FakeNode(regions: [.init(base: 0x9000, size: 8), .init(base: 0x9040, size: 8)])))
    two.write(0, 3, region: 1)
    two.write(4, 0, region: 1)
    #expect(bench.exits == [1])
    two.write(4, 0x0101_0000, region: 1)
    two.write(0, 0x21, region: 1)
    #expect(bench.text == "!")
  }

  @Test func proxiedWritePrints() throws {
    let ram = try RAMRegion(name: "ram", size: 0x1000)
    try bench.space.map("ram", at: 0x8000_0000, size: 0x1000, .ram(ram, offset: 0))
    ram.write(Array("hello".utf8), at: 0x100)
    for (index, word) in [64, 1, 0x8000_0100, 5].enumerated() { ram.store(UInt64(word), at: 8 * index, size: 8) }
    command(0, 0, 0x8000_0000)
    #expect(bench.text == "hello")
    #expect(ram.load(0, size: 8) == 5)
    #expect(htif.read(0, 8) == 1)
    ram.store(1234, at: 0, size: 8)
    command(0, 0, 0x8000_0000)
    #expect(bench.messages == ["device@1000: system call 1234 is not implemented"])
    command(0, 0, 0x10)
    ram.store(64, at: 0, size: 8)
    ram.store(.max, at: 24, size: 8)
    command(0, 0, 0x8000_0000)
    #expect(bench.messages.count == 3)
  }
}
