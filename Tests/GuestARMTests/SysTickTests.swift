// Owns the tests of SysTick's clocks and of its arithmetic (ARMv7-M manual, B3.3).

import Bus
import GuestARM
import Testing

@Suite(.enabled(if: canAssemble)) struct SysTickTests {
  private static let (control, reload, value, calibration): (UInt64, UInt64, UInt64, UInt64) =
    (0xE010, 0xE014, 0xE018, 0xE01C)

  private func bench(reference: UInt64 = 12_500_000) throws -> Bench {
    let bench = try Bench("b end")
    bench.clocks.reference.drive(reference)
    bench.clocks.calibration = 0x4000_2328
    return bench
  }

  private func write(_ bench: Bench, _ offset: UInt64, _ value: UInt64) {
    bench.system.write(region: 0, offset: offset, size: 4, value: value)
  }

  private func read(_ bench: Bench, _ offset: UInt64) -> UInt64 {
    bench.system.read(region: 0, offset: offset, size: 4)
  }

  /// CLKSOURCE 1 is the CPU's clock, of 100 MHz here, 0 the reference clock.
  @Test(arguments: [(5, 1000), (1, 125)] as [(UInt64, UInt64)]) func thereAreTwoClocks(control: UInt64, counts: UInt64)
    throws
  {
    let bench = try bench()
    write(bench, Self.reload, 0xFF_FFFF)
    write(bench, Self.value, 0)
    write(bench, Self.control, control)
    bench.clock.now += 10_000
    let passed = 0xFF_FFFF - read(bench, Self.value)
    #expect((counts - 2...counts).contains(passed))
    #expect(read(bench, Self.control) == control)
    #expect(read(bench, Self.calibration) == 0x4000_2328)
  }

  /// Without a reference clock CLKSOURCE reads as 1, and SYST_CALIB says so.
  @Test func thereMayBeOneClock() throws {
    let bench = try bench(reference: 0)
    #expect(read(bench, Self.calibration) == 0x8000_0000 && read(bench, Self.control) == 4)
    write(bench, Self.reload, 0xFF_FFFF)
    write(bench, Self.control, 1)
    #expect(read(bench, Self.control) == 5)
    bench.clock.now += 10_000
    #expect(0xFF_FFFF - read(bench, Self.value) > 990)
  }

  /// The count goes on from where it is when the clock changes, by CLKSOURCE or by the clock controller; the exception
  /// comes when the new clock makes it 0.
  @Test(arguments: [true, false]) func theClockMayChange(bySource: Bool) throws {
    let bench = try bench()
    write(bench, Self.reload, 1000)
    write(bench, Self.value, 0)
    write(bench, Self.control, 7)
    bench.clock.now += 4010
    #expect(read(bench, Self.value) == 600)
    if bySource { write(bench, Self.control, 3) } else { bench.clocks.cpu.drive(12_500_000) }
    #expect(read(bench, Self.value) == 600)
    bench.clock.now += 8000
    #expect((499...500).contains(read(bench, Self.value)))
    #expect((47_900...48_200).contains(bench.events.nextDeadline - (bench.clock.now - 8000)))
  }

  /// After a sleep of a year a counter of two clocks is where it should be, at once, and one exception is pending.
  @Test func aLongSleepIsNoLoop() throws {
    let bench = try bench()
    write(bench, Self.reload, 1)
    write(bench, Self.value, 0)
    write(bench, Self.control, 7)
    bench.clock.now += 31_536_000 * 1_000_000_000
    #expect(read(bench, Self.value) <= 1)
    #expect(read(bench, Self.control) == 0x1_0007 && read(bench, 0xED04) >> 26 & 1 == 1)
    #expect(read(bench, Self.control) == 7, "reading clears COUNTFLAG")
    // While it is pending nothing more has to come.
    #expect(bench.events.nextDeadline <= bench.clock.now || bench.events.nextDeadline == .max)
    write(bench, 0xED04, 1 << 25)
    #expect(read(bench, 0xED04) >> 26 & 1 == 0 && bench.events.nextDeadline != .max)
  }

  /// Counts in steps and in a leap come to the same.
  @Test(arguments: 1...12 as ClosedRange<UInt64>) func leapsAreSumsOfSteps(reload: UInt64) throws {
    let (leaping, stepping) = (try bench(), try bench())
    for bench in [leaping, stepping] {
      write(bench, Self.reload, reload)
      write(bench, Self.value, 0)
      write(bench, Self.control, 5)
    }
    for leap: UInt64 in 1...40 {
      leaping.clock.now += 10 * leap
      for _ in 0..<leap {
        stepping.clock.now += 10
        _ = read(stepping, Self.value)
      }
      #expect(read(leaping, Self.value) == read(stepping, Self.value))
      #expect(read(leaping, Self.control) == read(stepping, Self.control))
    }
  }
}
