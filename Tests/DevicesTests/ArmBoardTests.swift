// Tests of the peripherals of Arm's MPS2 boards and of the Stellaris.
import Bus
import Devices
import Testing

@Suite struct ArmBoardTests {
  private let bench = Bench()

  /// 25 MHz, load 2500: an interrupt after 100 µs; unserved, a reset after another.
  @Test func theWatchdogWarnsAndBites() throws {
    let watchdog = try SP805(context: bench.context(FakeNode()))
    watchdog.write(0x000, 2500)
    watchdog.write(0x008, 3)
    watchdog.write(0xC00, 0)
    watchdog.write(0x000, 7)
    #expect(watchdog.read(0x000) == 2500, "locked")
    watchdog.write(0xC00, 0x1ACC_E551)
    bench.run(to: 99_000, watchdog)
    #expect(bench.levels == "0")
    bench.run(to: 101_000, watchdog)
    #expect(bench.levels == "1")
    watchdog.write(0x00C, 1)
    #expect(bench.levels == "0")
    bench.run(to: 250_000, watchdog)
    #expect(bench.levels == "1" && bench.resets.isEmpty)
    bench.run(to: 302_000, watchdog)
    #expect(bench.resets == [.watchdog])
  }

  /// The first half once in 16 bits behind a prescaler of 16, the second periodically in 32 bits.
  @Test func theDualTimerCounts() throws {
    let timer = try CMSDKDualTimer(context: bench.context(FakeNode()))
    timer.write(0x00, 1000)
    timer.write(0x08, 0x80 | 0x20 | 0x04 | 0x01)
    timer.write(0x20, 25_000)
    timer.write(0x28, 0x80 | 0x40 | 0x20 | 0x02)
    bench.run(to: 641_000, timer)
    #expect(timer.read(0x10) == 1 && timer.read(0x30) == 0 && timer.read(0x04) == 0)
    timer.write(0x0C, 1)
    #expect(bench.levels == "0")
    bench.run(to: 1_001_000, timer)
    #expect(timer.read(0x34) == 1 && bench.levels == "1")
    timer.write(0x2C, 1)
    bench.run(to: 2_002_000, timer)
    #expect(bench.levels == "1" && timer.read(0x10) == 0)
  }

  @Test func cmsdkPinsInterrupt() throws {
    let pins = try CMSDKGPIO(context: bench.context(FakeNode()))
    pins.write(0x010, 0x3)
    pins.write(0x028, 0x1)
    pins.write(0x030, 0x1)
    pins.write(0x020, 0x1)
    pins.write(0x400 + 4 * 2, 0xFF)
    #expect(pins.read(0x000) == 2 && bench.levels == "0")
    pins.write(0x004, 0x1)
    #expect(pins.read(0x000) == 1 && bench.levels == "1")
    pins.write(0x038, 1)
    #expect(bench.levels == "0")
    pins.write(0x800 + 4 * 0x80, 0xFFFF)
    #expect(pins.read(0x004) == 0x8001)
    pins.write(0x014, 0x1)
    #expect(pins.read(0x010) == 2 && pins.read(0x000) == 0)
  }

  @Test func stellarisPinsAreMaskedByTheirAddress() throws {
    let pins = try PL061(context: bench.context(FakeNode()))
    pins.write(0x400, 0x0F)
    pins.write(0x40C, 0x01)
    pins.write(0x410, 0x01)
    pins.write(0x00C, 0xFF)
    #expect(pins.read(0x3FC) == 3 && bench.levels == "1" && pins.read(0x418) == 1)
    pins.write(0x41C, 1)
    #expect(bench.levels == "0")
    #expect(pins.read(0x004) == 1 && pins.read(0x030) == 0)
  }

  @Test func theFPGACounts() throws {
    let unit = try MPS2FPGAIO(context: bench.context(FakeNode()))
    unit.write(0x1C, 24)
    unit.write(0x18, 0)
    bench.clock.now = 2_500_000
    #expect(unit.read(0x18) == 2500 && unit.read(0x14) == 0)
    bench.clock.now = 1_010_000_000
    #expect(unit.read(0x14) == 101 && unit.read(0x10) == 1)
  }

  /// 16-bit mode: half A once with prescaler 25, half B periodically.
  @Test func stellarisTimersHaveTwoHalves() throws {
    let timer = try StellarisTimer(context: bench.context(FakeNode(), interrupts: [("/nvic", 19), ("/nvic", 20)]))
    timer.write(0x00, 4)
    timer.write(0x04, 1)
    timer.write(0x08, 2)
    timer.write(0x38, 24)
    timer.write(0x28, 100)
    timer.write(0x2C, 2500)
    timer.write(0x18, 0x101)
    timer.write(0x0C, 0x101)
    bench.run(to: 99_000, timer)
    #expect(bench.levels == "00")
    bench.run(to: 101_000, timer)
    #expect(bench.levels == "11" && timer.read(0x0C) == 0x100)
    timer.write(0x24, 0x101)
    bench.run(to: 202_000, timer)
    #expect(bench.levels == "01")
  }

  /// The Stellaris' system clock by RCC and RCC2 (data sheet, 5.2.4), and what counts it.
  @Test func theSystemClockFollows() throws {
    let bench = Bench()
    var node = FakeNode(name: "timer@40030000", values: ["clocks": [1]])
    node.others = ["/system-clock": ["clock-frequency": [12_000_000]]]
    node.phandles = [1: "/system-clock"]
    let timer = try StellarisTimer(context: bench.context(node, interrupts: [("/nvic", 19), ("/nvic", 20)]))
    let system = try StellarisSystemControl(context: bench.context(FakeNode(name: "sysctl@400fe000")))
    #expect(bench.clocks.cpu.frequency == 12_000_000)
    timer.write(0x28, 0xFFFF_FFFF)
    timer.write(0x0C, 1)
    bench.clock.now = 1_000_000
    #expect(timer.read(0x48) == 0xFFFF_FFFF - 12_000)
    // The PLL over 4, a crystal of 8 MHz.
    system.write(0x060, 3 << 23 | 1 << 22 | 0xE << 6)
    #expect(bench.clocks.cpu.frequency == 50_000_000)
    bench.clock.now = 2_000_000
    #expect(timer.read(0x48) == 0xFFFF_FFFF - 62_000)
    let cases: [(rcc: UInt64, second: UInt64, frequency: UInt64)] = [
      (1 << 11 | 0xE << 6, 0, 8_000_000), (1 << 11 | 1 << 22 | 1 << 23 | 0xE << 6, 0, 4_000_000),
      (1 << 11 | 2 << 4, 0, 3_000_000), (1 << 11 | 3 << 4, 0, 30_000), (0, 1 << 31 | 9 << 23, 20_000_000),
      (1 << 22, 1 << 31 | 1 << 11 | 7 << 4, 32_768),
    ]
    for (rcc, second, frequency) in cases {
      system.write(0x060, rcc)
      system.write(0x070, second)
      #expect(bench.clocks.cpu.frequency == frequency)
    }
    system.reset(.pin)
    #expect(bench.clocks.cpu.frequency == 12_000_000)
  }

  /// From the crystal that RCC names, the PLL makes 400 MHz.
  @Test(arguments: [(0x0, 400, 0), (0x4, 112, 0), (0x6, 100, 0), (0xB, 200, 2), (0xE, 50, 0), (0xF, 49, 0)])
  func theStellarisTellsHowItsPLLIsSet(crystal: UInt64, factor: UInt64, divisor: UInt64) throws {
    let control = try StellarisSystemControl(context: bench.context(FakeNode()))
    #expect(control.read(0x060) == 0x078E_3AD1 && control.read(0x070) == 0x0780_2810)
    #expect(control.read(0x064) == 200 << 5 | 2, "6 MHz after reset")
    control.write(0x060, crystal << 6)
    #expect(control.read(0x064) == factor << 5 | divisor)
    #expect(control.read(0x050) == 0x40 && control.read(0x058) == 0)
    control.write(0x054, 0x40)
    #expect(control.read(0x058) == 0x40)
  }

  /// Power-on and the pin stand alone in RESC, other causes are added until software clears them.
  @Test func theStellarisTellsWhyItWasReset() throws {
    let control = try StellarisSystemControl(context: bench.context(FakeNode()))
    #expect(control.read(0x05C) == 0b00010)
    for (cause, expected) in [
      (.software, 0b10010), (.watchdog, 0b11010), (.brownOut, 0b11110), (.pin, 0b00001), (.watchdog, 0b01001),
      (.debugger, 0b00001), (.software, 0b10001), (.powerOn, 0b00010),
    ] as [(ResetCause, UInt64)] {
      control.write(0x060, 0x0780_0380)
      control.reset(cause)
      #expect(control.read(0x05C) == expected && control.read(0x060) == 0x078E_3AD1, "\(cause)")
    }
    control.write(0x05C, 0)
    control.reset(.software)
    #expect(control.read(0x05C) == 0b10000)
  }

  /// SRCR1 bit 4 is the SSI's; a bit that stays set resets once.
  @Test func theStellarisResetsPeripherals() throws {
    let control = try StellarisSystemControl(context: bench.context(FakeNode()))
    var node = FakeNode(compatible: ["ti,stellaris-ssi"])
    node.regions = [AddressRange(base: 0x4000_8000, size: 0x1000)]
    let port = try PL022(context: bench.context(node))
    try bench.space.map("spi", at: 0x4000_8000, size: 0x1000, .device(port, index: 0))
    port.write(0x10, 12)
    control.write(0x044, 1 << 3)
    #expect(port.read(0x10) == 12)
    control.write(0x044, 1 << 4)
    #expect(port.read(0x10) == 0)
    port.write(0x10, 12)
    control.write(0x044, 1 << 4)
    #expect(port.read(0x10) == 12)
    control.write(0x044, 0)
    control.write(0x044, 1 << 4)
    #expect(port.read(0x10) == 0)
  }
}
