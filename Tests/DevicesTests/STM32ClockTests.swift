// Tests of the clocks that STM32's RCC makes, and of what counts them (RM0008 7.2, RM0090 7.2, RM0385 5.2).
import Bus
import Devices
import Testing

@Suite struct STM32ClockTests {
  private func controller(_ series: Series) throws -> (Bench, STM32RCC) {
    let bench = Bench()
    let rcc = try STM32RCC(context: bench.context(.stm32(series, 0x4002_3800, name: "rcc")))
    bench.directory["/rcc"] = rcc
    return (bench, rcc)
  }

  private func frequencies(_ bench: Bench) -> [UInt64] {
    let named = ["apb1", "apb2", "timers1", "timers2"].map { bench.clocks.signal("/rcc:\($0)").frequency }
    return [bench.clocks.cpu.frequency, bench.clocks.reference.frequency] + named
  }

  private func configuration(_ series: Series) -> UInt64 { series == .f1 ? 0x04 : 0x08 }

  /// HCLK, HCLK / 8, PCLK1, PCLK2 and the clocks of their timers, at reset and at each chip's highest.
  @Test(arguments: Series.allCases) func bussesHaveTheirClocks(series: Series) throws {
    let (bench, rcc) = try controller(series)
    let reset: UInt64 = series == .f1 ? 8_000_000 : 16_000_000
    #expect(frequencies(bench) == [reset, reset / 8, reset, reset, reset, reset])
    rcc.write(0x00, 0x1_0083)
    let highest: UInt64
    switch series {
    case .f1:
      // 8 MHz times 9; APB1 at a half.
      rcc.write(0x04, 1 << 16 | 7 << 18 | 4 << 8)
      highest = 72_000_000
    case .f4:
      rcc.write(0x04, 8 | 336 << 6 | 1 << 22)
      highest = 168_000_000
    case .f7:
      rcc.write(0x04, 8 | 432 << 6 | 1 << 22)
      highest = 216_000_000
    }
    rcc.write(0x00, 0x101_0083)
    if series == .f1 {
      rcc.write(0x04, rcc.read(0x04) | 2)
      #expect(frequencies(bench) == [highest, highest / 8, highest / 2, highest, highest, highest])
    } else {
      rcc.write(0x08, 2 | 5 << 10 | 4 << 13)
      #expect(
        frequencies(bench) == [highest, highest / 8, highest / 4, highest / 2, highest / 2, highest])
    }
    if series == .f7 {
      // TIMPRE
      rcc.write(0x8C, 1 << 24)
      #expect(frequencies(bench).suffix(2) == [highest, highest])
    }
    // A sixteenth for the bus.
    rcc.write(configuration(series), rcc.read(configuration(series)) | 0xB0)
    #expect(frequencies(bench)[0] == highest / 16)
    rcc.reset(.software)
    #expect(frequencies(bench) == [reset, reset / 8, reset, reset, reset, reset])
  }

  /// The switch waits for its source; a source in use stays on; the PLL is set up while it is off.
  @Test(arguments: Series.allCases) func theSwitchWaits(series: Series) throws {
    let (bench, rcc) = try controller(series)
    let offset = configuration(series)
    rcc.write(offset, 1)
    #expect(rcc.read(offset) & 0xF == 1, "the crystal is off")
    rcc.write(0x00, 0x1_0083)
    #expect(rcc.read(offset) & 0xF == 5 && bench.clocks.cpu.frequency == 8_000_000)
    rcc.write(0x00, 0x83)
    #expect(rcc.read(0x00) & 0x3_0000 == 0x3_0000, "in use")
    let setup: UInt64 = series == .f1 ? 1 << 16 | 2 << 18 | 1 : 8 | 64 << 6 | 1 << 22
    rcc.write(0x04, setup)
    rcc.write(0x00, 0x101_0083)
    #expect(rcc.read(0x00) >> 24 & 3 == 3)
    rcc.write(0x04, series == .f1 ? 1 << 16 | 7 << 18 | 2 : 8 | 336 << 6 | 1 << 22)
    #expect(bench.messages.contains { $0.contains("PLL") })
    rcc.write(offset, rcc.read(offset) & ~3 | 2)
    #expect(bench.clocks.cpu.frequency == 32_000_000)
    rcc.write(0x00, 0)
    #expect(rcc.read(0x00) & 0x303_0000 == 0x303_0000)
  }

  /// RTCCLK: none at first, then the crystal for watches, the slow oscillator, a part of the fast crystal.
  @Test(arguments: Series.allCases) func theRealTimeClockHasASource(series: Series) throws {
    let (bench, rcc) = try controller(series)
    let isFirst = series == .f1
    let clock = bench.clocks.signal("/rcc:rtc")
    let (backup, status): (UInt64, UInt64) = isFirst ? (0x20, 0x24) : (0x70, 0x74)
    #expect(clock.frequency == 0)
    rcc.write(backup, 0x8101)
    #expect(clock.frequency == 32_768)
    bench.clock.now = 1_000_000_000
    #expect(clock.ticks == 32_768)
    rcc.write(backup, 0x8201)
    #expect(clock.frequency == 0)
    rcc.write(status, 1)
    #expect(clock.frequency == (isFirst ? 40_000 : 32_000))
    rcc.write(backup, 0x8301)
    rcc.write(0x00, 0x1_0083)
    if !isFirst { rcc.write(0x08, 8 << 16) }
    #expect(clock.frequency == (isFirst ? 62_500 : 1_000_000))
    rcc.write(backup, 0x0301)
    let ticks = clock.ticks
    bench.clock.now = 9_000_000_000
    #expect(clock.ticks == ticks, "RTCEN is clear")
  }

  /// A calendar counts RTCCLK over its prescalers.
  @Test func theCalendarHasItsClock() throws {
    let (bench, rcc) = try controller(.f4)
    let rtc = try STM32RTC(context: bench.context(.stm32(.f4, 0x4000_2800, ["clocks": [1, 0x40, 1 << 28]])))
    bench.clock.now = 5_000_000_000
    #expect(rtc.read(0x00) == 0, "no clock yet")
    rcc.write(0x74, 1)
    rcc.write(0x70, 0x8200)
    rtc.write(0x24, 0xCA)
    rtc.write(0x24, 0x53)
    rtc.write(0x0C, 0x80)
    rtc.write(0x10, 249)
    rtc.write(0x10, 127 << 16 | 249)
    rtc.write(0x00, 0)
    rtc.write(0x0C, 0)
    bench.clock.now += 3_500_000_000
    #expect(rtc.read(0x00) == 3 && rtc.read(0x28) == 124)
  }

  /// The window watchdog counts PCLK1.
  @Test func theWatchdogFollows() throws {
    let (bench, rcc) = try controller(.f4)
    let watchdog = try STM32WindowWatchdog(
      context: bench.context(.stm32(.f4, 0x4000_2C00, ["clocks": [1, 0x40, 1 << 11]])))
    watchdog.write(0x00, 0xFF)
    bench.run(to: 32 * 256_000, watchdog)
    #expect(watchdog.read(0x00) & 0x7F == 0x7F - 32)
    rcc.write(0x08, 5 << 10)
    bench.run(to: 36 * 256_000, watchdog)
    #expect(watchdog.read(0x00) & 0x7F == 0x7F - 33, "at a quarter")
    bench.run(to: (32 + 4 * 31) * 256_000, watchdog)
    #expect(bench.resets.isEmpty)
    bench.run(to: (32 + 4 * 32) * 256_000, watchdog)
    #expect(bench.resets == [.windowWatchdog])
  }

  /// A snapshot holds how far the clocks have come.
  @Test func clocksAreRestored() throws {
    let (bench, rcc) = try controller(.f4)
    bench.clock.now = 1_000_000
    rcc.write(0x08, 9 << 4)
    bench.clock.now = 2_000_000
    let saved = try rcc.saveState()
    let ticks = bench.clocks.cpu.ticks
    rcc.write(0x08, 0)
    bench.clock.now = 2_000_000
    try rcc.restoreState(saved)
    #expect(bench.clocks.cpu.ticks == ticks && bench.clocks.cpu.frequency == 4_000_000)
  }
}
