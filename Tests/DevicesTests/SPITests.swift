// Tests of the PL022, of the chip selects of its bus, and of the display on it.
import Bus
import Devices
import Testing

/// A PL022 at 12 MHz with pins that its peripherals hang on.
final class SPIRig {
  let bench = Bench()
  let port: PL022
  let pins: PL061

  init(_ chipSelects: [UInt32]) throws {
    pins = try PL061(context: bench.context(FakeNode(name: "pins"), id: 1))
    var node = FakeNode(name: "spi", values: ["cs-gpios": chipSelects, "clocks": [8]])
    let oscillator = ["clock-frequency": [12_000_000 as UInt32]]
    node.others = ["/oscillator": oscillator, "/cpus/cpu@0": oscillator]
    node.phandles = [7: "/pins", 8: "/oscillator"]
    port = try PL022(context: bench.context(node, id: 2))
    bench.directory["/pins"] = pins
    bench.directory["/spi"] = port
    // 8 bits, 1 MHz: divided by 12.
    port.write(0x00, 7)
    port.write(0x10, 12)
    port.write(0x04, 2)
  }

  func node(_ name: String, _ values: [String: [UInt32]], flags: Set<String> = []) -> FakeNode {
    FakeNode(name: name, values: values, phandles: [7: "/pins"], flags: flags)
  }

  /// Sends bytes one by one; returns what comes back.
  @discardableResult func exchange(_ bytes: [UInt8]) -> [UInt8] {
    bytes.map { byte in
      port.write(0x08, UInt64(byte))
      bench.run(to: bench.clock.now + 8000, port)
      return UInt8(truncatingIfNeeded: port.read(0x08))
    }
  }

  func set(pin: UInt64, _ level: Bool) { pins.write(4 << pin, level ? 0xFF : 0) }
}

/// Answers each byte with its complement, and notes what becomes of its chip select.
private final class Echo: SPIPeripheral {
  struct State: Codable, Sendable, Equatable {
    var isSelected = false
    var selections = 0
    var bytes: [UInt8] = []
  }
  static var compatible: [String] { [] }
  let context: DeviceContext
  var state = State()

  init(context: DeviceContext) { self.context = context }
  var isSelected: Bool { state.isSelected }
  func select(_ isSelected: Bool) {
    state.isSelected = isSelected
    if isSelected { state.selections += 1 }
  }
  func exchange(_ byte: UInt8) -> UInt8 {
    state.bytes.append(byte)
    return ~byte
  }
  func read(region: Int, offset: UInt64, size: Int) -> UInt64 { 0 }
  func write(region: Int, offset: UInt64, size: Int, value: UInt64) {}
  func reset(_ cause: ResetCause) {}
}

@Suite struct SPITests {
  @Test func framesTakeTheirTime() throws {
    let rig = try SPIRig([])
    let (port, bench) = (rig.port, rig.bench)
    #expect(port.read(0x0C) == 0b0011)
    port.write(0x08, 0x55)
    #expect(port.read(0x0C) == 0b1_0011, "on the wires, and so out of the FIFO")
    bench.run(to: 7999, port)
    #expect(port.read(0x0C) == 0b1_0011)
    bench.run(to: 8000, port)
    #expect(port.read(0x0C) == 0b0_0111)
    #expect(port.read(0x08) == 0xFF, "what nothing drives")
    #expect(port.read(0x0C) == 0b0_0011)
  }

  @Test func theFIFOsHoldEight() throws {
    let rig = try SPIRig([])
    let (port, bench) = (rig.port, rig.bench)
    port.write(0x04, 1)
    for value: UInt64 in 1...9 { port.write(0x08, value) }
    #expect(port.read(0x0C) == 0b1_0000, "full, and waiting to be enabled")
    #expect(port.read(0x18) == 0)
    port.write(0x04, 3)
    #expect(port.read(0x0C) == 0b1_0010)
    bench.run(to: 8 * 8000, port)
    #expect(port.read(0x0C) == 0b0_1111)
    port.write(0x08, 10)
    bench.run(to: 9 * 8000, port)
    #expect(port.read(0x18) == 0b1101, "overrun, half full, half empty")
    #expect((1...8).allSatisfy { port.read(0x08) == $0 }, "looped back, without the ninth")
    #expect(port.read(0x18) == 0b1001)
    port.write(0x20, 1)
    #expect(port.read(0x18) == 0b1000)
  }

  @Test func interruptsFollowTheMask() throws {
    let rig = try SPIRig([])
    let (port, bench) = (rig.port, rig.bench)
    port.write(0x14, 0b0010)
    rig.port.write(0x08, 1)
    bench.run(to: 8000 + 31_999, port)
    #expect(bench.levels == "0")
    bench.run(to: 8000 + 32_000, port)
    #expect(bench.levels == "1" && port.read(0x1C) == 0b0010, "32 bits of silence")
    _ = port.read(0x08)
    #expect(bench.levels == "0")
    port.write(0x14, 0b1000)
    #expect(bench.levels == "1", "room to transmit")
  }

  @Test func identificationTellsWhoMadeIt() throws {
    let bench = Bench()
    let arm = try PL022(context: bench.context(FakeNode(compatible: ["arm,pl022"])))
    let stellaris = try PL022(context: bench.context(FakeNode(compatible: ["ti,stellaris-ssi", "arm,pl022"])))
    let offsets = stride(from: 0xFE0 as UInt64, to: 0x1000, by: 4)
    #expect(offsets.map { arm.read($0) } == [0x22, 0x10, 0x24, 0, 0x0D, 0xF0, 5, 0xB1])
    #expect(offsets.map { stellaris.read($0) } == [0x22, 0, 0x18, 1, 0x0D, 0xF0, 5, 0xB1])
  }

  /// The first peripheral hangs on the port's own chip select through pin 3, the second on pin 0.
  @Test func chipSelectsChoose() throws {
    let rig = try SPIRig([7, 3, 1, 7, 0, 1])
    let first = Echo(context: rig.bench.context(rig.node("first", ["reg": [0]]), id: 3))
    let second = Echo(context: rig.bench.context(rig.node("second", ["reg": [1]]), id: 4))
    rig.bench.directory["/spi/first"] = first
    rig.bench.directory["/spi/second"] = second
    rig.set(pin: 3, true)
    rig.set(pin: 0, true)
    rig.pins.write(0x400, 0x09)
    #expect(rig.exchange([1]) == [0xFF] && first.state.bytes == [] && second.state.bytes == [])
    rig.set(pin: 0, false)
    #expect(rig.exchange([2]) == [0xFD] && first.state.bytes == [] && second.state.bytes == [2])
    // A short pulse is seen, though no frame comes in it.
    rig.set(pin: 0, true)
    rig.set(pin: 0, false)
    #expect(second.state.selections == 2)
    rig.set(pin: 0, true)
    // The pin is given to the port.
    rig.pins.write(0x420, 0x08)
    #expect(!first.isSelected && rig.exchange([3, 4]) == [0xFC, 0xFB])
    #expect(first.state.bytes == [3, 4] && first.state.selections == 2 && second.state.bytes == [2])
    // With SPH the chip select lasts as long as there are frames.
    rig.port.write(0x00, 0x87)
    for value: UInt64 in 5...8 { rig.port.write(0x08, value) }
    rig.bench.run(to: rig.bench.clock.now + 4 * 8000, rig.port)
    #expect(first.state.bytes == [3, 4, 5, 6, 7, 8] && first.state.selections == 3 && !first.isSelected)
    // Wider frames go byte by byte.
    rig.port.write(0x00, 0x8F)
    for _ in 5...8 { _ = rig.port.read(0x08) }
    rig.port.write(0x08, 0x1234)
    rig.bench.run(to: rig.bench.clock.now + 16_000, rig.port)
    #expect(first.state.bytes.suffix(2) == [0x12, 0x34] && rig.port.read(0x08) == 0xEDCB)
  }

  /// The nRF's master with EasyDMA, its chip select a pin; and without peripherals, where it hears itself.
  @Test func transfersOfTheNRFReachPeripherals() throws {
    let bench = Bench()
    let ram = try RAMRegion(name: "ram", size: 0x1000)
    try bench.space.map("ram", at: 0x2000_0000, size: 0x1000, .ram(ram, offset: 0))
    let pins = try NordicGPIO(context: bench.context(FakeNode(name: "pins"), id: 1))
    let node = FakeNode(name: "spi", values: ["cs-gpios": [7, 5, 1]], phandles: [7: "/pins"])
    let master = try NordicSerialMaster(context: bench.context(node, id: 2))
    let echo = Echo(context: bench.context(FakeNode(name: "echo", values: ["reg": [0]]), id: 3))
    func transfer(_ master: NordicSerialMaster) -> [UInt8] {
      ram.write([1, 2, 3, 0, 0, 0, 0, 0], at: 0)
      for (offset, value) in [
        (0x500, 7), (0x534, 0x2000_0004), (0x538, 4), (0x544, 0x2000_0000), (0x548, 3), (0x5C0, 0x99), (0x010, 1),
      ] as [(UInt64, UInt64)] { master.write(offset, value) }
      return ram.bytes(at: 4, count: 4)
    }
    #expect(transfer(try NordicSerialMaster(context: bench.context(node, id: 4))) == [1, 2, 3, 0x99])
    bench.directory["/pins"] = pins
    bench.directory["/spi"] = master
    bench.directory["/spi/echo"] = echo
    pins.write(0x08, 1 << 5)
    pins.write(0x18, 1 << 5)
    #expect(transfer(master) == [0xFF, 0xFF, 0xFF, 0xFF] && echo.state.bytes.isEmpty)
    pins.write(0x0C, 1 << 5)
    #expect(transfer(master) == [0xFE, 0xFD, 0xFC, 0x66] && echo.state.bytes == [1, 2, 3, 0x99])
    #expect(master.read(0x53C) == 4 && master.read(0x54C) == 3)
  }

  /// A display of 4 rows whose pin 1 tells data from commands.
  @Test func theDisplayShowsWhatIsWritten() throws {
    let rig = try SPIRig([])
    let node = rig.node(
      "display", ["reg": [0], "dc-gpios": [7, 1, 0], "height": [4], "solomon,com-offset": [76]],
      flags: ["solomon,com-invdir"])
    let display = try SSD0323(context: rig.bench.context(node, id: 3))
    rig.bench.directory["/spi/display"] = display
    rig.pins.write(0x400, 0x02)
    func command(_ bytes: UInt8...) {
      rig.set(pin: 1, false)
      rig.exchange(bytes)
    }
    func data(_ bytes: UInt8...) {
      rig.set(pin: 1, true)
      rig.exchange(bytes)
    }
    /// The lit pixels of a row by their columns.
    func lit(_ row: Int) -> [Int: UInt8] {
      Dictionary(uniqueKeysWithValues: display.picture[row].enumerated().filter { $0.element > 0 }.map { ($0, $1) })
    }
    command(0xA0, 0x52, 0xA1, 0, 0xA2, 76)
    command(0x15, 2, 3, 0x75, 1, 2)
    data(0x12, 0x34, 0x56, 0x78)
    #expect(lit(1).isEmpty && display.view == ["display 128x4: off"])
    command(0xAF)
    #expect(lit(0).isEmpty && lit(1) == [4: 1, 5: 2, 6: 3, 7: 4] && lit(2) == [4: 5, 5: 6, 6: 7, 7: 8])
    let blank = String(repeating: " ", count: 128)
    #expect(display.view == [blank, "    ▀▀▀▀" + blank.dropLast(8)], "more than half as bright as the brightest")
    // Down the columns, and with the nibbles, columns and rows the other way round.
    command(0xA0, 0x56, 0x15, 0, 1, 0x75, 0, 1)
    data(0x0F, 0x00, 0xF0, 0x00)
    #expect(lit(0) == [1: 15, 2: 15])
    command(0xA0, 0x50)
    #expect(lit(0) == [0: 15, 3: 15])
    command(0xA0, 0x53)
    #expect(lit(0) == [127: 15, 124: 15])
    command(0xA0, 0x42)
    #expect(lit(3) == [1: 15, 2: 15])
    command(0xA0, 0x52, 0xA1, 79)
    #expect(lit(1) == [1: 15, 2: 15])
    command(0xA1, 0, 0xA7)
    #expect(lit(0).count == 126)
    command(0xA5)
    #expect(lit(3).count == 128 && lit(3)[0] == 15)
    command(0xA4, 0xAE)
    #expect(lit(0).isEmpty)
    command(0x99)
    #expect(rig.bench.messages == ["display: command 0x99 is not implemented"])
    let saved = try display.saveState()
    command(0xAF)
    try display.restoreState(saved)
    #expect(lit(0).isEmpty)
  }
}
