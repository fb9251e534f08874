// Tests of the nRF52's peripherals against the nRF52840 Product Specification.
import Bus
import Devices
import Testing

@Suite struct NordicDMATests {
  private let bench = Bench()
  private let ram: RAMRegion

  init() throws {
    ram = try RAMRegion(name: "ram", size: 0x1000)
    try bench.space.map("ram", at: 0x2000_0000, size: 0x1000, .ram(ram, offset: 0))
  }

  private func node(_ base: UInt64, name: String = "device", _ values: [String: [UInt32]] = [:]) -> FakeNode {
    FakeNode(name: name, regions: [AddressRange(base: base, size: 0x1000)], values: values)
  }

  @Test func uarteSendsFromMemory() throws {
    let uart = try NordicUART(context: bench.context(node(0x4000_2000)))
    ram.write(Array("hello".utf8), at: 0x10)
    uart.write(0x500, 8)
    uart.write(0x544, 0x2000_0010)
    uart.write(0x548, 5)
    uart.write(0x304, 1 << 8)
    uart.write(0x008, 1)
    #expect(bench.text == "hello" && bench.levels == "1" && uart.read(0x54C) == 5)
    uart.write(0x120, 0)
    uart.write(0x00C, 1)
    #expect(bench.levels == "0" && uart.read(0x158) == 1)
  }

  /// Characters come at 115,200 baud, the buffer's end makes ENDRX, STOPRX cuts a buffer short.
  @Test func uarteReceivesIntoMemory() throws {
    let uart = try NordicUART(context: bench.context(node(0x4000_2000)))
    uart.write(0x500, 8)
    uart.write(0x524, 0x01D6_0000)
    uart.write(0x534, 0x2000_0100)
    uart.write(0x538, 3)
    uart.write(0x000, 1)
    uart.receive(Array("abcd".utf8))
    bench.run(to: 200_000, uart)
    #expect(uart.read(0x108) == 1 && uart.read(0x110) == 0)
    bench.run(to: 300_000, uart)
    #expect(uart.read(0x110) == 1 && uart.read(0x53C) == 3)
    #expect(ram.bytes(at: 0x100, count: 4) == Array("abc\0".utf8))
    uart.write(0x110, 0)
    uart.write(0x000, 1)
    bench.run(to: 400_000, uart)
    uart.write(0x004, 1)
    #expect(uart.read(0x110) == 1 && uart.read(0x53C) == 1 && uart.read(0x144) == 1)
    #expect(ram.bytes(at: 0x100, count: 3) == Array("dbc".utf8))
  }

  @Test func spimReturnsWhatItSends() throws {
    let spi = try NordicSerialMaster(context: bench.context(node(0x4000_3000)))
    ram.write([1, 2, 3], at: 0)
    spi.write(0x500, 7)
    spi.write(0x5C0, 0xEE)
    for (offset, value) in [(0x544, 0x2000_0000), (0x548, 3), (0x534, 0x2000_0020), (0x538, 4)] as [(UInt64, UInt64)] {
      spi.write(offset, value)
    }
    spi.write(0x010, 1)
    #expect(spi.read(0x118) == 1 && ram.bytes(at: 0x20, count: 4) == [1, 2, 3, 0xEE])
  }

  /// A write and a read joined by a shortcut, as drivers do; an address without a target is refused.
  @Test func twimReachesAnEEPROM() throws {
    let twi = try NordicSerialMaster(context: bench.context(node(0x4000_3000, name: "i2c")))
    bench.directory["/i2c"] = twi
    bench.directory["/i2c/eeprom@50"] = try EEPROM24(
      context: bench.context(FakeNode(name: "i2c/eeprom@50", regions: [], values: ["reg": [0x50]]), interrupts: []))
    ram.write([0x01, 0x00, 0xAB, 0xCD, 0x01, 0x00], at: 0)
    twi.write(0x500, 6)
    twi.write(0x588, 0x50)
    twi.write(0x544, 0x2000_0000)
    twi.write(0x548, 4)
    twi.write(0x200, 1 << 9)
    twi.write(0x008, 1)
    #expect(twi.read(0x104) == 1 && twi.read(0x54C) == 4)
    for (offset, value) in [(0x544, 0x2000_0004), (0x548, 2), (0x534, 0x2000_0020), (0x538, 2)] as [(UInt64, UInt64)] {
      twi.write(offset, value)
    }
    twi.write(0x200, 1 << 7 | 1 << 12)
    twi.write(0x008, 1)
    bench.run(to: 1_000_000, twi)
    #expect(ram.bytes(at: 0x20, count: 2) == [0xAB, 0xCD])
    twi.write(0x588, 0x33)
    twi.write(0x008, 1)
    #expect(twi.read(0x124) == 1 && twi.read(0x4C4) == 2)
  }

  /// Two requests are enabled: both must be served. The reset comes two cycles after TIMEOUT.
  @Test func theWatchdogBites() throws {
    let watchdog = try NordicWatchdog(context: bench.context(node(0x4001_0000)))
    watchdog.write(0x504, 32767)
    watchdog.write(0x508, 3)
    watchdog.write(0x304, 1)
    watchdog.write(0x000, 1)
    #expect(watchdog.read(0x400) == 1)
    bench.run(to: 900_000_000, watchdog)
    watchdog.write(0x600, 0x6E52_4635)
    watchdog.write(0x604, 0x6E52_4635)
    bench.run(to: 1_800_000_000, watchdog)
    #expect(bench.resets.isEmpty)
    watchdog.write(0x600, 0x6E52_4635)
    #expect(watchdog.read(0x404) == 2)
    bench.run(to: 1_900_010_000, watchdog)
    #expect(bench.levels == "1" && bench.resets.isEmpty)
    bench.run(to: 1_900_100_000, watchdog)
    #expect(bench.resets == [.watchdog])
  }

  @Test func eventGeneratorsMakeEvents() throws {
    let unit = try NordicEGU(context: bench.context(node(0x4001_4000)))
    unit.write(0x304, 1 << 15)
    unit.write(0x03C, 1)
    #expect(unit.read(0x13C) == 1 && bench.levels == "1")
  }

  /// An output of the second port makes the event of a channel that watches it; a task toggles another pin.
  @Test func pinsMakeEvents() throws {
    let events = try NordicGPIOTE(context: bench.context(node(0x4000_6000)))
    let port = try NordicGPIO(context: bench.context(node(0x5000_0300), interrupts: []))
    bench.directory["/gpiote"] = events
    bench.directory["/gpio1"] = port
    #expect(port.regions == [AddressRange(base: 0x5000_0800, size: 0x300)])
    events.write(0x510, 1 | 5 << 8 | 1 << 13 | 1 << 16)
    port.write(0x18, 1 << 5 | 1 << 6)
    port.write(0x08, 1 << 5)
    #expect(events.read(0x100) == 1)
    events.write(0x100, 0)
    port.write(0x0C, 1 << 5)
    #expect(events.read(0x100) == 0, "falling")
    events.write(0x514, 3 | 6 << 8 | 1 << 13 | 3 << 16)
    events.write(0x004, 1)
    #expect(port.read(0x10) == 1 << 6)
    events.write(0x004, 1)
    #expect(port.read(0x10) == 0)
    // SENSE high on pin 5 makes PORT.
    port.write(0x200 + 20, 1 | 2 << 16)
    port.write(0x08, 1 << 5)
    #expect(events.read(0x17C) == 1 && port.read(0x20) == 1 << 5)
  }

  @Test func partialErasesAddUp() throws {
    let controller = try NordicFlashController(
      context: bench.context(node(0x4001_E000, name: "controller"), interrupts: []))
    bench.directory["/controller"] = controller
    var flashNode = FakeNode(name: "controller/flash@0", regions: [AddressRange(base: 0, size: 0x4000)])
    flashNode.values = ["erase-block-size": [4096]]
    let flash = try FlashMemory(context: bench.context(flashNode, interrupts: []))
    let memory = try #require(flash.memory(region: 0))
    try bench.space.map("flash", at: 0, size: 0x4000, .romDevice(memory, flash, index: 0))
    controller.write(0x504, 1)
    try bench.space.write(0x1000, size: 4, 0)
    controller.write(0x504, 2)
    controller.write(0x51C, 30)
    for _ in 0..<2 { controller.write(0x518, 0x1000) }
    #expect(try bench.space.read(0x1000, size: 4) == 0)
    controller.write(0x518, 0x1000)
    #expect(try bench.space.read(0x1000, size: 4) == 0xFFFF_FFFF)
  }
}
