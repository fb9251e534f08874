// Tests of what STM32's resets leave: the flags of RCC_CSR and the backup domain (RM0008 7.3.10 and chapter 6, RM0090
// 7.3.21 and 5.1.2, RM0385 5.3.21).
import Bus
import Devices
import Testing

@Suite struct STM32ResetTests {
  private func controller(_ series: Series) throws -> (Bench, STM32RCC, STM32PWR) {
    let bench = Bench()
    let rcc = try STM32RCC(context: bench.context(.stm32(series, 0x4002_3800, name: "rcc")))
    let power = try STM32PWR(context: bench.context(.stm32(series, 0x4000_7000)))
    bench.directory["/rcc"] = rcc
    bench.directory["/pwr"] = power
    return (bench, rcc, power)
  }

  private func offsets(_ series: Series) -> (backup: UInt64, status: UInt64) {
    series == .f1 ? (0x20, 0x24) : (0x70, 0x74)
  }

  /// Bits 25 to 31: BOR (not on F1), PIN, POR, SFT, IWDG, WWDG, LPWR. They add up until RMVF clears them.
  @Test(arguments: Series.allCases) func eachCauseHasItsFlags(series: Series) throws {
    let (_, rcc, _) = try controller(series)
    let status = offsets(series).status
    let brownOut: UInt64 = series == .f1 ? 0b0000110 : 0b0000011
    let power: UInt64 = series == .f1 ? 0b0000110 : 0b0000111
    #expect(rcc.read(status) >> 25 == power)
    let flags: [(ResetCause, UInt64)] = [
      (.powerOn, power), (.brownOut, brownOut), (.pin, 0b0000010), (.software, 0b0001010), (.watchdog, 0b0010010),
      (.windowWatchdog, 0b0100010), (.debugger, 0b0000010),
    ]
    for (cause, expected) in flags {
      rcc.write(status, 1 << 24 | 1)
      #expect(rcc.read(status) == 3, "the flags are cleared, the slow oscillator runs")
      rcc.reset(cause)
      #expect(rcc.read(status) == expected << 25, "\(cause)")
    }
    rcc.reset(.software)
    rcc.reset(.watchdog)
    #expect(rcc.read(status) >> 25 == 0b0011010)
    rcc.reset(.powerOn)
    #expect(rcc.read(status) >> 25 == power)
  }

  /// BDCR outlives all resets but power-on and BDRST, and is written only while DBP is set.
  @Test(arguments: Series.allCases) func theBackupDomainIsKept(series: Series) throws {
    let (_, rcc, power) = try controller(series)
    let backup = offsets(series).backup
    rcc.write(backup, 0x8101)
    #expect(rcc.read(backup) == 0, "protected")
    power.write(0x00, 1 << 8)
    rcc.write(backup, 0x8101)
    for cause in ResetCause.ofMachines where cause != .powerOn {
      rcc.reset(cause)
      power.reset(cause)
      #expect(rcc.read(backup) == 0x8103 && power.read(0x00) >> 8 & 1 == 0, "\(cause)")
    }
    rcc.reset(.powerOn)
    #expect(rcc.read(backup) == 0)
  }

  /// The backup registers of each series, below the RTC or by themselves.
  @Test(arguments: Series.allCases) func backupRegistersAreKept(series: Series) throws {
    let (bench, rcc, power) = try controller(series)
    let isFirst = series == .f1
    let device: any Device =
      isFirst
      ? try STM32BackupRegisters(context: bench.context(.stm32(series, 0x4000_6C00)))
      : try STM32RTC(context: bench.context(.stm32(series, 0x4000_2800)))
    bench.directory["/backup"] = device
    let offset: UInt64 = isFirst ? 0x04 : 0x50
    device.write(region: 0, offset: offset, size: 4, value: 0x1234)
    #expect(device.read(region: 0, offset: offset, size: 4) == 0, "protected")
    power.write(0x00, 1 << 8)
    device.write(region: 0, offset: offset, size: 4, value: 0x1234)
    device.reset(.software)
    device.reset(.watchdog)
    device.reset(.controller)
    #expect(device.read(region: 0, offset: offset, size: 4) == 0x1234)
    rcc.write(offsets(series).backup, 1 << 16)
    #expect(device.read(region: 0, offset: offset, size: 4) == 0 && rcc.read(offsets(series).backup) == 1 << 16)
    rcc.write(offsets(series).backup, 0)
    device.write(region: 0, offset: offset, size: 4, value: 0x4321)
    device.reset(.powerOn)
    #expect(device.read(region: 0, offset: offset, size: 4) == 0)
  }

  /// Counters go on through resets; a calendar that was being set goes on from what was set.
  @Test func theClocksGoOn() throws {
    let bench = Bench()
    let first = try STM32RTCFirst(context: bench.context(.stm32(.f1, 0x4000_2800)))
    bench.run(to: 5_000_000_000, first)
    #expect(first.read(0x1C) == 4, "after 5 s over 0x8001 clocks")
    first.reset(.software)
    bench.run(to: 10_000_000_000, first)
    #expect(first.read(0x1C) == 9)
    first.reset(.powerOn)
    #expect(first.read(0x1C) == 0)
    let calendar = try STM32RTC(context: bench.context(.stm32(.f4, 0x4000_2800)))
    calendar.write(0x24, 0xCA)
    calendar.write(0x24, 0x53)
    calendar.write(0x0C, 0x80)
    calendar.write(0x00, 0x12_0000)
    calendar.reset(.pin)
    bench.run(to: 11_000_000_000, calendar)
    #expect(calendar.read(0x00) == 0x12_0001 && calendar.read(0x0C) & 0x40 == 0)
    calendar.write(0x08, 0x40)
    #expect(calendar.read(0x08) == 0, "locked again")
  }

  /// The independent watchdog stops with a reset.
  @Test(arguments: [ResetCause.software, .watchdog, .pin]) func theWatchdogStops(cause: ResetCause) throws {
    let bench = Bench()
    let watchdog = try STM32IndependentWatchdog(context: bench.context(.stm32(.f4, 0x4000_3000)))
    watchdog.write(0x00, 0xCCCC)
    watchdog.reset(cause)
    bench.run(to: 10_000_000_000, watchdog)
    #expect(bench.resets.isEmpty)
  }
}
