// Tests of STM32's peripherals against the reference manuals RM0008 (F1), RM0090 (F4) and RM0385 (F7).
import Bus
import Devices
import Testing

/// The three register layouts.
enum Series: String, CaseIterable, CustomTestStringConvertible {
  case f1, f4, f7
  var testDescription: String { rawValue }
}

extension FakeNode {
  /// A node on a chip of a series; `clocks` leads to `/rcc`.
  static func stm32(
    _ series: Series, _ base: UInt64 = 0x4000_4400, _ values: [String: [UInt32]] = [:], name: String? = nil
  ) -> FakeNode {
    FakeNode(
      name: name ?? "device@\(String(base, radix: 16))", regions: [AddressRange(base: base, size: 0x400)],
      values: values,
      others: ["/clocks/clk-hse": ["clock-frequency": [8_000_000]]], names: ["/soc": ["st,stm32\(series.rawValue)"]],
      phandles: [1: "/rcc"])
  }
}

@Suite struct STM32Tests {
  /// A bench with an RCC.
  private func bench(_ series: Series) throws -> (Bench, STM32RCC) {
    let bench = Bench()
    let rcc = try STM32RCC(context: bench.context(.stm32(series, 0x4002_3800, name: "rcc")))
    bench.directory["/rcc"] = rcc
    return (bench, rcc)
  }

  @Test(arguments: Series.allCases) func theUSARTSendsAndReceives(series: Series) throws {
    let bench = Bench()
    let uart = try STM32USART(context: bench.context(.stm32(series)))
    let (status, receive, transmit, control): (UInt64, UInt64, UInt64, UInt64) =
      series == .f7 ? (0x1C, 0x24, 0x28, 0x00) : (0x00, 0x04, 0x04, 0x0C)
    let enable: UInt64 = series == .f7 ? 1 : 1 << 13
    #expect(uart.read(status) & 0xC0 == 0xC0)
    uart.write(transmit, 0x41)
    #expect(bench.text == "", "it is not enabled yet")
    uart.write(control, enable | 0xC | 0x20)
    uart.write(transmit, 0x42, 1)
    #expect(bench.text == "B" && bench.levels == "0")
    uart.receive([0x61, 0x62])
    #expect(bench.levels == "1" && uart.read(status) & 0x20 != 0)
    #expect(uart.peek(region: 0, offset: receive, size: 4) == nil || uart.read(status) & 0x20 != 0)
    #expect(uart.read(receive) == 0x61 && bench.levels == "1")
    #expect(uart.read(receive) == 0x62 && bench.levels == "0")
    // An enabled transmitter that is empty interrupts.
    uart.write(control, enable | 0xC | 0x80)
    #expect(bench.levels == "1")
  }

  /// IDLE comes a frame after the last character, RTOF of F7 when RTOR says, at the baud rate that BRR makes of the bus's
  /// clock.
  @Test(arguments: Series.allCases) func silenceIsTimed(series: Series) throws {
    let (bench, _) = try bench(series)
    let isSecond = series == .f7
    let node = FakeNode.stm32(series, 0x4000_4400, ["clocks": [1, series == .f1 ? 0x1C : 0x40, 1 << 17]])
    let uart = try STM32USART(context: bench.context(node))
    // 8 or 16 MHz: 9600 baud.
    let divider: UInt64 = series == .f1 ? 833 : 1667
    let bit = divider * (series == .f1 ? 125 : 62)
    uart.write(isSecond ? 0x0C : 0x08, divider)
    if isSecond {
      uart.write(0x14, 20)
      uart.write(0x04, 1 << 23)
    }
    uart.write(isSecond ? 0x00 : 0x0C, (isSecond ? 1 | 1 << 26 : 1 << 13) | 0xC | 0x10)
    uart.receive([0x61])
    let (status, data): (UInt64, UInt64) = isSecond ? (0x1C, 0x24) : (0x00, 0x04)
    #expect(uart.read(data) == 0x61)
    bench.run(to: 9 * bit, uart)
    #expect(uart.read(status) & 0x10 == 0 && bench.levels == "0")
    bench.run(to: 11 * bit, uart)
    #expect(uart.read(status) & 0x10 != 0 && bench.levels == "1")
    guard isSecond else { return }
    uart.write(0x20, 0x10)
    #expect(bench.levels == "0")
    bench.run(to: 19 * bit, uart)
    #expect(uart.read(status) & 0x800 == 0)
    bench.run(to: 21 * bit, uart)
    #expect(uart.read(status) & 0x800 != 0 && bench.levels == "1")
    uart.write(0x20, 0x800)
    #expect(uart.read(status) & 0x810 == 0 && bench.levels == "0")
  }

  /// Each oscillator is ready once it is on, and the clock switch reports what was asked for.
  @Test(arguments: Series.allCases) func clocksGetReady(series: Series) throws {
    let (_, rcc) = try bench(series)
    #expect(rcc.read(0x00) & 0x0303_0003 == 0x3)
    rcc.write(0x00, 0x0101_0001)
    #expect(rcc.read(0x00) & 0x0303_0003 == 0x0303_0003)
    let configuration: UInt64 = series == .f1 ? 4 : 8
    rcc.write(configuration, 2)
    #expect(rcc.read(configuration) & 0xF == 0xA)
    let status: UInt64 = series == .f1 ? 0x24 : 0x74
    #expect(rcc.read(status) >> 26 & 3 == 3, "a power-on reset")
    rcc.write(status, 1 << 24 | 1)
    #expect(rcc.read(status) == 3)
  }

  /// Reset bits of a bus reset the peripherals whose `clocks` name the same bits of its enable register.
  @Test func resetBitsResetPeripherals() throws {
    let (bench, rcc) = try bench(.f4)
    let uart = try STM32USART(context: bench.context(.stm32(.f4, 0x4000_4400, ["clocks": [1, 0x40, 1 << 17]])))
    bench.directory["/uart"] = uart
    uart.write(0x08, 0x123)
    rcc.write(0x20, 1 << 18)
    #expect(uart.read(0x08) == 0x123)
    rcc.write(0x20, 1 << 17)
    #expect(uart.read(0x08) == 0)
  }

  /// With the crystal's 8 MHz times 336 / 8 / 2 and APB1 at a quarter, the timers of APB1 run at 84 MHz.
  @Test func timersRunAtTheirBusClock() throws {
    let (bench, rcc) = try bench(.f4)
    rcc.write(0x04, 8 | 336 << 6 | 1 << 22)
    rcc.write(0x00, 0x0101_0083)
    rcc.write(0x08, 2 | 5 << 10 | 4 << 13)
    let timer = try STM32Timer(context: bench.context(.stm32(.f4, 0x4000_0400, ["clocks": [1, 0x40, 2]])))
    timer.write(0x28, 83)
    timer.write(0x2C, 999)
    timer.write(0x14, 1)
    timer.write(0x10, 0)
    timer.write(0x0C, 1)
    timer.write(0x00, 1)
    bench.run(to: 999_000, timer)
    #expect(bench.levels == "0" && timer.read(0x24) == 999)
    bench.run(to: 1_000_000, timer)
    #expect(bench.levels == "1" && timer.read(0x24) == 0 && timer.read(0x10) & 1 == 1)
    timer.write(0x10, 0)
    #expect(bench.levels == "0")
    bench.run(to: 2_000_000, timer)
    #expect(bench.levels == "1")
  }

  /// Compare flags come at their counts, updates and compares at separate wires of an advanced timer; OPM stops it.
  @Test func advancedTimersCompare() throws {
    let (bench, _) = try bench(.f4)
    let node = FakeNode.stm32(.f4, 0x4001_0000, ["clocks": [1, 0x44, 1]])
    let timer = try STM32Timer(context: bench.context(node, interrupts: (24...27).map { ("/nvic", $0) }))
    // HSI: 16 MHz.
    timer.write(0x28, 15)
    timer.write(0x2C, 99)
    timer.write(0x34, 40)
    timer.write(0x14, 1)
    timer.write(0x10, 0)
    timer.write(0x0C, 0x3)
    timer.write(0x00, 0x9)
    bench.run(to: 39_900, timer)
    #expect(bench.levels == "0000")
    bench.run(to: 40_100, timer)
    #expect(bench.levels == "0001")
    timer.write(0x10, ~2)
    bench.run(to: 100_100, timer)
    #expect(bench.levels == "0100" && timer.read(0x00) & 1 == 0)
    bench.run(to: 500_000, timer)
    #expect(timer.read(0x24) == 0)
  }

  /// TIM2 of an F4 has 32 bits and counts down as well.
  @Test func wideTimersCountDown() throws {
    let (bench, _) = try bench(.f4)
    let timer = try STM32Timer(context: bench.context(.stm32(.f4, 0x4000_0000, ["clocks": [1, 0x40, 1]])))
    timer.write(0x2C, 0x1_0000)
    timer.write(0x00, 0x10)
    timer.write(0x14, 1)
    #expect(timer.read(0x24) == 0x1_0000)
    timer.write(0x10, 0)
    timer.write(0x00, 0x11)
    // 65,536 counts of 62.5 ns.
    bench.run(to: 4_095_938, timer)
    #expect(timer.read(0x24) == 1 && timer.read(0x10) & 1 == 0)
    bench.run(to: 4_096_100, timer)
    #expect(timer.read(0x10) & 1 == 1)
  }

  /// A flash memory below its controller, at 0x0800_0000 and at 0.
  private func flash(_ series: Series, _ values: [String: [UInt32]]) throws -> (
    Bench, STM32FlashController, FlashMemory
  ) {
    let bench = Bench()
    let controller = try STM32FlashController(context: bench.context(.stm32(series, 0x4002_3C00)))
    bench.directory["/controller"] = controller
    var node = FakeNode(name: "controller/flash@8000000", regions: [AddressRange(base: 0x800_0000, size: 0x20000)])
    node.values = values.merging(["martlet,aliases": [0]]) { $1 }
    let flash = try FlashMemory(context: bench.context(node, interrupts: []))
    bench.directory["/controller/flash@8000000"] = flash
    for (index, region) in flash.regions.enumerated() {
      let memory = try #require(flash.memory(region: index))
      try bench.space.map("flash\(index)", at: region.base, size: region.size, .romDevice(memory, flash, index: index))
    }
    return (bench, controller, flash)
  }

  /// F4: keys unlock; PG lets stores clear bits; sectors of unequal sizes are erased by number; both views change.
  @Test func flashOfF4IsProgrammed() throws {
    let (bench, controller, _) = try flash(.f4, ["martlet,sectors": [4, 0x4000, 1, 0x10000]])
    var told: [UInt64] = []
    bench.space.didWriteMemory = { address, _ in told.append(address) }
    controller.write(0x10, 1)
    try bench.space.write(0x800_4000, size: 4, 0x1234_5678)
    #expect(try bench.space.read(0x800_4000, size: 4) == 0xFFFF_FFFF)
    #expect(controller.read(0x0C) & 0x80 != 0, "a sequence error")
    controller.write(0x0C, 0xF3)
    controller.write(0x04, 0x4567_0123)
    controller.write(0x04, 0xCDEF_89AB)
    #expect(controller.read(0x10) >> 31 == 0)
    controller.write(0x10, 0x201)
    try bench.space.write(0x800_4000, size: 4, 0x1234_5678)
    #expect(try bench.space.read(0x800_4000, size: 4) == 0x1234_5678)
    #expect(try bench.space.read(0x4000, size: 4) == 0x1234_5678)
    #expect(told == [0x800_4000, 0x4000])
    controller.write(0x10, 2 | 2 << 3 | 1 << 16)
    #expect(try bench.space.read(0x4000, size: 4) == 0x1234_5678, "another sector")
    controller.write(0x10, 2 | 1 << 3 | 1 << 16)
    #expect(try bench.space.read(0x4000, size: 4) == 0xFFFF_FFFF)
    controller.write(0x10, 1 << 31)
    controller.write(0x04, 1)
    controller.write(0x04, 0x4567_0123)
    controller.write(0x04, 0xCDEF_89AB)
    #expect(controller.read(0x10) >> 31 == 1, "locked after a wrong key")
  }

  /// F1: half-words onto erased flash only; pages are erased by address.
  @Test func flashOfF1IsProgrammed() throws {
    let (bench, controller, _) = try flash(.f1, ["erase-block-size": [1024]])
    controller.write(0x04, 0x4567_0123)
    controller.write(0x04, 0xCDEF_89AB)
    controller.write(0x10, 1)
    try bench.space.write(0x800_0400, size: 2, 0x1234)
    #expect(try bench.space.read(0x400, size: 2) == 0x1234 && controller.read(0x0C) == 1 << 5)
    try bench.space.write(0x800_0400, size: 2, 0x1000)
    #expect(try bench.space.read(0x400, size: 2) == 0x1234 && controller.read(0x0C) & 4 != 0)
    controller.write(0x10, 2)
    controller.write(0x14, 0x800_0400)
    controller.write(0x10, 0x42)
    #expect(try bench.space.read(0x400, size: 2) == 0xFFFF)
  }

  @Test func sectorsMustFillTheFlash() {
    #expect(throws: DeviceError.self) { try flash(.f4, ["martlet,sectors": [3, 0x4000]]) }
    #expect(throws: DeviceError.self) { try flash(.f4, ["erase-block-size": [0x3000]]) }
  }

  /// Outputs drive their pins; a rising pin of the selected port raises its external interrupt.
  @Test(arguments: [Series.f1, .f4]) func pinsRaiseExternalInterrupts(series: Series) throws {
    let bench = Bench()
    let isFirst = series == .f1
    let port = try STM32GPIO(context: bench.context(.stm32(series, isFirst ? 0x4001_0C00 : 0x4002_0400)))
    let system = try STM32SYSCFG(context: bench.context(.stm32(series, 0x4001_3800)))
    let exti = try STM32EXTI(
      context: bench.context(.stm32(series, 0x4001_3C00), interrupts: [6, 7, 8, 9, 10, 23, 40].map { ("/nvic", $0) }))
    bench.directory["/gpiob"] = port
    bench.directory["/syscfg"] = system
    bench.directory["/exti"] = exti
    // Pin 6 of port B.
    port.write(isFirst ? 0x00 : 0x00, isFirst ? 0x0300_0000 : 1 << 12)
    let (setReset, input): (UInt64, UInt64) = isFirst ? (0x10, 0x08) : (0x18, 0x10)
    exti.write(0x00, 1 << 6)
    exti.write(0x08, 1 << 6)
    port.write(setReset, 1 << 6)
    #expect(port.read(input) & 0x40 != 0 && bench.levels == "0000000", "port A is selected")
    port.write(setReset, 1 << 22)
    system.write(0x0C, 1 << 8)
    port.write(setReset, 1 << 6)
    #expect(bench.levels == "0000010" && exti.read(0x14) == 1 << 6)
    exti.write(0x14, 1 << 6)
    #expect(bench.levels == "0000000")
    exti.write(0x10, 1 << 6)
    #expect(bench.levels == "0000010")
  }

  @Test func theIndependentWatchdogBites() throws {
    let (bench, rcc) = try bench(.f4)
    let watchdog = try STM32IndependentWatchdog(context: bench.context(.stm32(.f4, 0x4000_3000)))
    watchdog.write(0x08, 99)
    #expect(watchdog.read(0x08) == 0xFFF, "locked")
    watchdog.write(0x00, 0x5555)
    watchdog.write(0x08, 99)
    watchdog.write(0x00, 0xCCCC)
    // A hundred counts of 4 / 32 kHz.
    bench.run(to: 12_400_000, watchdog)
    watchdog.write(0x00, 0xAAAA)
    bench.run(to: 24_800_000, watchdog)
    #expect(bench.resets.isEmpty)
    bench.run(to: 25_000_000, watchdog)
    #expect(bench.resets == [.watchdog])
    rcc.reset(.watchdog)
    #expect(rcc.read(0x74) & 1 << 29 != 0)
  }

  @Test func theWindowWatchdogWarnsAndBites() throws {
    let (bench, _) = try bench(.f4)
    let watchdog = try STM32WindowWatchdog(
      context: bench.context(.stm32(.f4, 0x4000_2C00, ["clocks": [1, 0x40, 1 << 11]])))
    watchdog.write(0x04, 0x25F)
    watchdog.write(0x00, 0xFF)
    // Counts of 4096 / 16 MHz: the warning at 0x40.
    bench.run(to: 63 * 256_000, watchdog)
    #expect(bench.levels == "1" && bench.resets.isEmpty)
    watchdog.write(0x00, 0xFF)
    #expect(bench.resets.isEmpty)
    watchdog.write(0x00, 0xFF)
    #expect(bench.resets == [.windowWatchdog], "above the window")
  }

  @Test func randomNumbersRepeat() throws {
    func numbers() throws -> [UInt64] {
      let bench = Bench()
      let rng = try STM32RNG(context: bench.context(.stm32(.f4, 0x5006_0800)))
      #expect(rng.read(0x04) == 0)
      rng.write(0x00, 4)
      return (1...8).map { count in
        bench.run(to: UInt64(count) * 1000, rng)
        #expect(rng.read(0x04) == 1)
        return rng.read(0x08)
      }
    }
    let first = try numbers()
    #expect(try numbers() == first && Set(first).count == 8)
  }

  /// Set to 23:59:58 on 28 February 2024, a Wednesday, it goes on to the 29th, a Thursday.
  @Test func theCalendarRuns() throws {
    let bench = Bench()
    let rtc = try STM32RTC(context: bench.context(.stm32(.f4, 0x4000_2800)))
    rtc.write(0x0C, 0x80)
    #expect(rtc.read(0x0C) & 0x40 == 0, "locked")
    rtc.write(0x24, 0xCA)
    rtc.write(0x24, 0x53)
    rtc.write(0x0C, 0x80)
    #expect(rtc.read(0x0C) & 0x40 != 0)
    rtc.write(0x00, 0x23_5958)
    rtc.write(0x04, 0x24_6228)
    rtc.write(0x0C, 0)
    bench.clock.now += 1_500_000_000
    #expect(rtc.read(0x00) == 0x23_5959 && rtc.read(0x04) == 0x24_6228)
    bench.clock.now += 1_000_000_000
    #expect(rtc.read(0x00) == 0 && rtc.read(0x04) == 0x24_8229)
    rtc.write(0x50, 0x1234_5678)
    rtc.reset(.pin)
    #expect(rtc.read(0x50) == 0x1234_5678 && rtc.read(0x04) == 0x24_8229)
  }

  @Test func theFirstClockCountsAndAlarms() throws {
    let bench = Bench()
    let rtc = try STM32RTCFirst(context: bench.context(.stm32(.f1, 0x4000_2800)))
    rtc.write(0x0C, 0x7FFF)
    rtc.write(0x20, 0)
    rtc.write(0x24, 3)
    rtc.write(0x00, 2)
    bench.run(to: 2_990_000_000, rtc)
    #expect(rtc.read(0x1C) == 2 && bench.levels == "0")
    bench.run(to: 3_010_000_000, rtc)
    #expect(rtc.read(0x1C) == 3 && bench.levels == "1")
    rtc.write(0x04, 0)
    #expect(bench.levels == "0")
  }

  @Test(arguments: Series.allCases) func spiReturnsWhatItSends(series: Series) throws {
    let bench = Bench()
    let spi = try STM32SPI(context: bench.context(.stm32(series, 0x4001_3000)))
    spi.write(0x00, 0x344)
    if series == .f7 { spi.write(0x04, 0x1700) }
    #expect(spi.read(0x08) & 3 == 2)
    spi.write(0x0C, 0xA5, 1)
    #expect(spi.read(0x08) & 3 == 3)
    #expect(spi.read(0x0C, 1) == 0xA5 && spi.read(0x08) & 3 == 2)
  }

  /// An EEPROM below a controller.
  private func eeprom(_ bench: Bench) throws {
    let memory = try EEPROM24(
      context: bench.context(FakeNode(name: "i2c/eeprom@50", regions: [], values: ["reg": [0x50]]), interrupts: []))
    bench.directory["/i2c/eeprom@50"] = memory
  }

  /// F4: two bytes are written at 0x0123 and read back by a repeated start; address 0x51 is refused.
  @Test func i2cReachesAnEEPROM() throws {
    let bench = Bench()
    try eeprom(bench)
    let i2c = try STM32I2C(
      context: bench.context(.stm32(.f4, 0x4000_5400), interrupts: [("/nvic", 31), ("/nvic", 32)]))
    bench.directory["/i2c"] = i2c
    func start(_ address: UInt64, control: UInt64 = 0x401) {
      i2c.write(0x00, control | 0x100)
      #expect(i2c.read(0x14) & 1 == 1)
      i2c.write(0x10, address)
    }
    func clearAddress() { #expect(i2c.read(0x14) & 2 == 2 && i2c.read(0x18) & 3 == 3) }
    i2c.write(0x00, 1)
    start(0xA0)
    clearAddress()
    for byte: UInt64 in [0x01, 0x23, 0x5A, 0xC3] {
      #expect(i2c.read(0x14) & 0x80 != 0)
      i2c.write(0x10, byte)
    }
    i2c.write(0x00, 0x601)
    #expect(i2c.read(0x18) & 2 == 0, "the bus is free")
    start(0xA0)
    clearAddress()
    i2c.write(0x10, 0x01)
    i2c.write(0x10, 0x23)
    start(0xA1)
    clearAddress()
    #expect(i2c.read(0x14) & 0x44 == 0x44, "two bytes wait")
    i2c.write(0x00, 0x201)
    #expect(i2c.read(0x10) == 0x5A && i2c.read(0x10) == 0xC3)
    start(0xA2)
    i2c.write(0x04, 0x100)
    #expect(i2c.read(0x14) & 0x400 != 0 && bench.levels == "01")
  }

  @Test func i2cOfF7ReachesAnEEPROM() throws {
    let bench = Bench()
    try eeprom(bench)
    let i2c = try STM32I2CSecond(context: bench.context(.stm32(.f7, 0x4000_5400)))
    bench.directory["/i2c"] = i2c
    i2c.write(0x00, 1)
    // Four bytes with AUTOEND.
    i2c.write(0x04, 0xA0 | 4 << 16 | 1 << 25 | 1 << 13)
    for byte: UInt64 in [0x01, 0x23, 0x5A, 0xC3] {
      #expect(i2c.read(0x18) & 2 != 0)
      i2c.write(0x28, byte)
    }
    #expect(i2c.read(0x18) & 0x8020 == 0x20)
    i2c.write(0x1C, 0x20)
    i2c.write(0x04, 0xA0 | 2 << 16 | 1 << 13)
    i2c.write(0x28, 0x01)
    i2c.write(0x28, 0x23)
    #expect(i2c.read(0x18) & 0x40 != 0, "TC")
    i2c.write(0x04, 0xA0 | 1 << 10 | 2 << 16 | 1 << 25 | 1 << 13)
    #expect(i2c.read(0x24) == 0x5A && i2c.read(0x24) == 0xC3 && i2c.read(0x18) & 0x24 == 0x20)
    i2c.write(0x04, 0xA2 | 1 << 16 | 1 << 25 | 1 << 13)
    #expect(i2c.read(0x18) & 0x10 != 0, "NACKF")
  }
}
