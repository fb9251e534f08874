// Tests of what STM32's timers do at their updates, and of their arithmetic against counting clock by clock (RM0090 chapters
// 17 and 18).
import Bus
import Devices
import TestSupport
import Testing

@Suite struct STM32TimerTests {
  private static let (control, control2, enables, status, generate): (UInt64, UInt64, UInt64, UInt64, UInt64) =
    (0x00, 0x04, 0x0C, 0x10, 0x14)
  private static let (modes, count, prescaler, period, repetition, compare, outputs):
    (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0x18, 0x24, 0x28, 0x2C, 0x30, 0x34, 0x44)

  /// TIM1 of a series at the internal oscillator's clock: 16 MHz, 8 on F1.
  private func advanced(_ series: Series) throws -> (Bench, STM32Timer) {
    let bench = Bench()
    _ = bench.clocks.signal("/rcc:timers2", series == .f1 ? 8_000_000 : 16_000_000)
    let node = FakeNode.stm32(
      series, series == .f1 ? 0x4001_2C00 : 0x4001_0000, ["clocks": [1, series == .f1 ? 0x18 : 0x44, 1]])
    return (bench, try STM32Timer(context: bench.context(node, interrupts: (24...27).map { ("/nvic", $0) })))
  }

  /// TIM3 likewise.
  private func general(_ series: Series, base: UInt64 = 0x4000_0400) throws -> (Bench, STM32Timer) {
    let bench = Bench()
    _ = bench.clocks.signal("/rcc:timers1", 16_000_000)
    let node = FakeNode.stm32(series, base, ["clocks": [1, series == .f1 ? 0x1C : 0x40, 2]])
    return (bench, try STM32Timer(context: bench.context(node)))
  }

  /// The time (ns) after `clocks` of 16 MHz.
  private func time(_ clocks: UInt64) -> UInt64 { (clocks * 125 + 1) / 2 }

  /// ARR is in use at once without ARPE, and with it from the next update on.
  @Test func thePeriodIsPreloaded() throws {
    let (bench, timer) = try general(.f4)
    timer.write(Self.period, 9)
    timer.write(Self.control, 0x81)
    bench.run(to: time(5), timer)
    timer.write(Self.period, 19)
    bench.run(to: time(9), timer)
    #expect(timer.read(Self.count) == 9)
    bench.run(to: time(10), timer)
    #expect(timer.read(Self.count) == 0, "the old period")
    bench.run(to: time(25), timer)
    #expect(timer.read(Self.count) == 15, "the new one")
    timer.write(Self.control, 1)
    timer.write(Self.period, 17)
    bench.run(to: time(28), timer)
    #expect(timer.read(Self.count) == 0)
    // Clearing ARPE lets what was written through.
    timer.write(Self.control, 0x81)
    timer.write(Self.period, 5)
    timer.write(Self.control, 1)
    bench.run(to: time(34), timer)
    #expect(timer.read(Self.count) == 0)
  }

  /// PSC is always preloaded, and UG takes it over.
  @Test func thePrescalerWaitsForAnUpdate() throws {
    let (bench, timer) = try general(.f4)
    timer.write(Self.period, 99)
    timer.write(Self.prescaler, 3)
    timer.write(Self.control, 1)
    bench.run(to: time(50), timer)
    #expect(timer.read(Self.count) == 50)
    bench.run(to: time(100 + 40), timer)
    #expect(timer.read(Self.count) == 10)
    timer.write(Self.prescaler, 0)
    timer.write(Self.generate, 1)
    #expect(timer.read(Self.count) == 0 && timer.read(Self.status) & 1 == 1)
    bench.run(to: time(170), timer)
    #expect(timer.read(Self.count) == 30)
  }

  /// A compare value with OCxPE matches from the next update on; without it at once. Channel 2 is in the upper byte.
  @Test(arguments: Series.allCases) func compareValuesArePreloaded(series: Series) throws {
    let (bench, timer) = try general(series)
    timer.write(Self.period, 99)
    timer.write(Self.modes, 0x0800 | 0x0000)
    timer.write(Self.compare + 4, 60)
    timer.write(Self.generate, 1)
    timer.write(Self.status, 0)
    timer.write(Self.control, 1)
    timer.write(Self.compare, 40)
    timer.write(Self.compare + 4, 20)
    #expect(timer.read(Self.compare + 4) == 20, "the register shows what was written")
    bench.run(to: time(39), timer)
    #expect(timer.read(Self.status) & 6 == 0)
    bench.run(to: time(41), timer)
    #expect(timer.read(Self.status) & 6 == 2)
    bench.run(to: time(61), timer)
    #expect(timer.read(Self.status) & 6 == 6, "channel 2 at 60 still")
    timer.write(Self.status, 0)
    bench.run(to: time(119), timer)
    #expect(timer.read(Self.status) & 7 == 1)
    bench.run(to: time(121), timer)
    #expect(timer.read(Self.status) & 7 == 5, "channel 2 at 20")
  }

  /// UDIS keeps all values; URS keeps UG from setting UIF; UG starts the count anew in any case.
  @Test func updatesCanBeHeldBack() throws {
    let (bench, timer) = try general(.f4)
    timer.write(Self.period, 9)
    timer.write(Self.prescaler, 7)
    timer.write(Self.control, 3)
    bench.run(to: time(25), timer)
    #expect(timer.read(Self.count) == 5 && timer.read(Self.status) & 1 == 0, "no update, no prescaler")
    timer.write(Self.generate, 1)
    #expect(timer.read(Self.count) == 0 && timer.read(Self.status) & 1 == 0)
    bench.run(to: time(30), timer)
    #expect(timer.read(Self.count) == 5)
    timer.write(Self.control, 5)
    timer.write(Self.generate, 1)
    #expect(timer.read(Self.status) & 1 == 0)
    bench.run(to: time(30 + 8 * 10), timer)
    #expect(timer.read(Self.count) == 0 && timer.read(Self.status) & 1 == 1, "an overflow sets it with URS, too")
  }

  /// RCR + 1 overflows make an update, and only of TIM1 and TIM8.
  @Test func repetitionsAreCounted() throws {
    let (bench, timer) = try advanced(.f4)
    timer.write(Self.period, 9)
    timer.write(Self.repetition, 2)
    timer.write(Self.generate, 1)
    timer.write(Self.status, 0)
    timer.write(Self.enables, 1)
    timer.write(Self.control, 1)
    for round: UInt64 in 1...3 {
      bench.run(to: time(round * 30 - 1), timer)
      #expect(bench.levels == "0000" && timer.read(Self.status) & 1 == 0)
      bench.run(to: time(round * 30), timer)
      #expect(bench.levels == "0100")
      timer.write(Self.status, 0)
    }
    let (_, other) = try general(.f4)
    other.write(Self.repetition, 5)
    #expect(other.read(Self.repetition) == 0)
  }

  /// After a sleep of a year a repetition counter is where it should be, at once.
  @Test func aLongSleepIsNoLoop() throws {
    let (bench, timer) = try advanced(.f4)
    timer.write(Self.period, 1)
    timer.write(Self.repetition, 1)
    timer.write(Self.generate, 1)
    timer.write(Self.control, 1)
    bench.clock.now = 31_536_000 * 1_000_000_000 + 188
    #expect(timer.read(Self.count) == 1 && timer.read(Self.status) & 1 == 1)
  }

  /// 0, 1, … up to ARR and down again: an update at either end, DIR shows the way.
  @Test func centreAlignedCountersTurn() throws {
    let (bench, timer) = try general(.f4)
    timer.write(Self.period, 4)
    timer.write(Self.control, 0x61)
    var seen: [UInt64] = []
    for clock: UInt64 in 1...9 {
      bench.run(to: time(clock), timer)
      seen.append(timer.read(Self.count) | timer.read(Self.control) & 0x10)
    }
    #expect(seen == [1, 2, 3, 0x14, 0x13, 0x12, 0x11, 0, 1])
    timer.write(Self.status, 0)
    bench.run(to: time(12), timer)
    #expect(timer.read(Self.status) & 1 == 1, "at the top")
    timer.write(Self.status, 0)
    bench.run(to: time(16), timer)
    #expect(timer.read(Self.status) & 1 == 1, "and at the bottom")
  }

  /// Mode 1 compares on the way down, 2 on the way up, 3 on both.
  @Test(arguments: [1, 2, 3] as [UInt64]) func centreAlignedModesCompareOneWay(mode: UInt64) throws {
    let (bench, timer) = try general(.f4)
    timer.write(Self.period, 10)
    timer.write(Self.compare, 4)
    timer.write(Self.control, mode << 5 | 1)
    bench.run(to: time(9), timer)
    #expect(timer.read(Self.status) >> 1 & 1 == (mode & 2) >> 1)
    timer.write(Self.status, 0)
    bench.run(to: time(19), timer)
    #expect(timer.read(Self.status) >> 1 & 1 == mode & 1)
  }

  /// F7: with UIFREMAP bit 31 of the count shows UIF. F1 and F4 have no such bit.
  @Test(arguments: Series.allCases) func theUpdateFlagIsCopied(series: Series) throws {
    let (bench, timer) = try general(series)
    let flag: UInt64 = series == .f7 ? 1 << 31 : 0
    timer.write(Self.period, 9)
    timer.write(Self.control, 0x801)
    #expect(timer.read(Self.control) >> 11 == flag >> 31)
    bench.run(to: time(5), timer)
    #expect(timer.read(Self.count) == 5)
    bench.run(to: time(15), timer)
    #expect(timer.read(Self.count) == 5 | flag)
    timer.write(Self.count, 0xFFFF_0003)
    #expect(timer.read(Self.count) == 3 | flag)
    timer.write(Self.status, 0)
    #expect(timer.read(Self.count) == 3)
  }

  /// EGR's events: capture and overcapture, commutation, trigger; a break switches MOE off, an update with AOE on again.
  @Test func eventsAreGenerated() throws {
    let (bench, timer) = try advanced(.f4)
    timer.write(Self.enables, 0xFF)
    timer.write(Self.modes, 1)
    timer.write(Self.count, 77)
    timer.write(Self.generate, 2)
    #expect(timer.read(Self.compare) == 77 && timer.read(Self.status) == 2 && bench.levels == "0001")
    timer.write(Self.generate, 2)
    #expect(timer.read(Self.status) == 0x202)
    timer.write(Self.status, 0)
    timer.write(Self.generate, 0x60)
    #expect(timer.read(Self.status) == 0x60 && bench.levels == "0010")
    timer.write(Self.outputs, 0xC000)
    timer.write(Self.generate, 0x80)
    #expect(timer.read(Self.outputs) == 0x4000 && bench.levels == "1010")
    timer.write(Self.generate, 1)
    #expect(timer.read(Self.outputs) == 0xC000 && bench.levels == "1110")
  }

  /// LOCK is written once; each level freezes more.
  @Test(arguments: 0...3 as ClosedRange<UInt64>) func outputsAreLocked(level: UInt64) throws {
    let (_, timer) = try advanced(.f4)
    timer.write(Self.outputs, level << 8 | 5)
    for offset in [Self.control2, Self.modes, 0x20] {
      timer.write(offset, 0xFFFF & ~(offset == Self.modes ? 0x303 : 0))
    }
    timer.write(Self.outputs, 0xFFFF)
    let frozen: UInt64 = [0, 0xF3FF, 0xFFFF, 0xFFFF][Int(level)] & 0x7FFF
    #expect(timer.read(Self.outputs) == (level << 8 | 5) & frozen | 0xFFFF & ~frozen | (level == 0 ? 0 : level << 8))
    #expect(timer.read(Self.control2) & 0xFF00 == (level >= 1 ? 0 : 0x7F00))
    #expect(timer.read(0x20) == (level >= 2 ? 0x5555 : 0xFFFF))
    #expect(timer.read(Self.modes) & 0x7878 == (level >= 3 ? 0 : 0x7878))
  }

  /// A counter goes on from where it is when its clock changes, and what it awaits comes at the new clock's time.
  @Test func theClockMayChange() throws {
    let (bench, timer) = try general(.f4)
    timer.write(Self.period, 99)
    timer.write(Self.enables, 1)
    timer.write(Self.control, 1)
    bench.run(to: time(40), timer)
    bench.clocks.signal("/rcc:timers1").drive(1_000_000)
    #expect(timer.read(Self.count) == 40)
    bench.run(to: time(40) + 59_000, timer)
    #expect(timer.read(Self.count) == 99 && bench.levels == "0")
    bench.run(to: time(40) + 60_000, timer)
    #expect(timer.read(Self.count) == 0 && bench.levels == "1")
  }

  /// What a timer lacks is said, once.
  @Test func whatIsMissingIsSaid() throws {
    let (bench, timer) = try general(.f4)
    for _ in 0..<2 {
      timer.write(0x08, 7)
      timer.write(Self.control2, 0x20)
      timer.write(Self.modes, 1)
      timer.write(0x48, 1)
    }
    for name in ["SMCR.SMS", "CR2.MMS", "CCxS", "DCR.DMA"] {
      #expect(bench.messages.count { $0.contains(name) } == 1, "\(name)")
    }
    let (other, basic) = try general(.f4, base: 0x4000_1000)
    basic.write(Self.modes, 1)
    #expect(other.messages.contains { $0.contains("where there is no register") })
  }

  // MARK: Against counting clock by clock

  /// Random settings and writes: a leap over many clocks comes to what the same clocks one by one come to.
  @Test(arguments: 0..<300) func leapsAreSumsOfSteps(seed: Int) throws {
    var random = SplitMix(seed: UInt64(seed))
    let (bench, leaping) = try advanced(.f7)
    let (slowBench, stepping) = try advanced(.f7)
    func both(_ offset: UInt64, _ value: UInt64) {
      leaping.write(offset, value)
      stepping.write(offset, value)
    }
    var now: UInt64 = 0
    for _ in 0..<12 {
      switch random.below(9) {
      case 0: both(Self.control, random.below(256) & ~8 | 1 | (random.below(8) == 0 ? 8 : 0))
      case 1: both(Self.period, random.below(12))
      case 2: both(Self.prescaler, random.below(3))
      case 3: both(Self.repetition, random.below(4))
      case 4: both(Self.generate, random.below(2))
      case 5: both(Self.count, random.below(14))
      case 6: both(Self.modes + 4 * random.below(2), random.below(4) << 2 | random.below(4) << 10)
      case 7: both(Self.compare + 4 * random.below(4), random.below(13))
      default: both(Self.status, random.below(32))
      }
      let clocks: UInt64 = random.below(200)
      for clock in 0...clocks {
        slowBench.clock.now = time(now + clock)
        _ = stepping.read(Self.count)
      }
      now += clocks
      bench.clock.now = time(now)
      for offset in [Self.count, Self.status, Self.control] {
        #expect(leaping.read(offset) == stepping.read(offset), "offset \(offset) after \(now) clocks")
      }
      #expect(leaping.state == stepping.state)
    }
  }

  /// An event comes at the very clock at which its flag does.
  @Test(arguments: 0..<100) func interruptsComeInTime(seed: Int) throws {
    var random = SplitMix(seed: UInt64(seed) &+ 1000)
    let (bench, timer) = try general(.f4)
    timer.write(Self.period, 1 + random.below(20))
    timer.write(Self.prescaler, random.below(3))
    for channel: UInt64 in 0..<4 { timer.write(Self.compare + 4 * channel, random.below(24)) }
    timer.write(Self.generate, 1)
    timer.write(Self.status, 0)
    timer.write(Self.enables, random.below(32) | 1)
    timer.write(Self.control, random.below(8) << 4 & 0x70 | 1)
    for clock: UInt64 in 0..<300 {
      bench.run(to: time(clock), timer)
      let wanted = timer.read(Self.status) & timer.read(Self.enables) != 0
      #expect((bench.levels == "1") == wanted, "at clock \(clock)")
      if random.below(7) == 0 { timer.write(Self.status, 0) }
    }
  }
}

extension SplitMix {
  mutating func below(_ limit: UInt64) -> UInt64 { next() % limit }
}
