// Tests of what resets leave of the nRF51 and nRF52: the reason, the retained registers and the watchdog (nRF51 Series
// Reference Manual v3.0, chapter 12; nRF52840 Product Specification v1.7, section 5.3.7).
import Bus
import Devices
import Testing

@Suite struct NordicResetTests {
  private let bench = Bench()

  private func node(_ base: UInt64) -> FakeNode {
    var node = FakeNode(name: "part@\(base)")
    node.regions = [AddressRange(base: base, size: 0x1000)]
    return node
  }

  /// Reasons add up until they are cleared, by ones; those of the supply leave none.
  @Test func theReasonIsTold() throws {
    let power = try NordicClock(context: bench.context(node(0x4000_0000)))
    #expect(power.read(0x400) == 0)
    for (cause, expected) in [
      (.pin, 0b0001), (.software, 0b0101), (.watchdog, 0b0111), (.lockUp, 0b1111), (.brownOut, 0), (.debugger, 0b0001),
      (.powerOn, 0), (.watchdog, 0b0010),
    ] as [(ResetCause, UInt64)] {
      power.reset(cause)
      #expect(power.read(0x400) == expected, "\(cause)")
    }
    power.reset(.software)
    power.write(0x400, 0b0010)
    #expect(power.read(0x400) == 0b0100)
  }

  /// GPREGRET, GPREGRET2 and the nRF51's RESET outlive soft resets and those of a locked-up CPU; POFCON does not.
  @Test(arguments: ResetCause.ofMachines) func registersAreRetained(cause: ResetCause) throws {
    let power = try NordicClock(context: bench.context(node(0x4000_0000)))
    for (offset, value) in [(0x51C, 0xA5), (0x520, 0x5A), (0x544, 1), (0x510, 3)] as [(UInt64, UInt64)] {
      power.write(offset, value)
    }
    power.reset(cause)
    let isLeft = cause == .software || cause == .lockUp
    #expect(power.read(0x51C) == (isLeft ? 0xA5 : 0) && power.read(0x520) == (isLeft ? 0x5A : 0))
    #expect(power.read(0x544) == (isLeft ? 1 : 0) && power.read(0x510) == 0)
  }

  /// The machine clears its events at a reset: the watchdog goes on by itself, and bites when it would have.
  @Test(arguments: ResetCause.ofMachines) func theWatchdogRunsOn(cause: ResetCause) throws {
    let watchdog = try NordicWatchdog(context: bench.context(node(0x4001_0000)))
    watchdog.write(0x504, 32767)
    watchdog.write(0x50C, 9)
    watchdog.write(0x000, 1)
    bench.run(to: 600_000_000, watchdog)
    bench.events.restore(EventQueue.State())
    watchdog.reset(cause)
    let runs = cause == .software || cause == .lockUp
    #expect(watchdog.read(0x400) == (runs ? 1 : 0))
    #expect(watchdog.read(0x504) == (runs ? 32767 : 0xFFFF_FFFF) && watchdog.read(0x50C) == (runs ? 9 : 1))
    bench.run(to: 999_000_000, watchdog)
    #expect(bench.resets.isEmpty)
    bench.run(to: 1_001_000_000, watchdog)
    #expect(bench.resets == (runs ? [.watchdog] : []))
  }

  /// Between the timeout and the reset nothing helps: neither clearing the event, nor serving, nor a soft reset.
  @Test func theWatchdogCannotBeStopped() throws {
    let watchdog = try NordicWatchdog(context: bench.context(node(0x4001_0000)))
    watchdog.write(0x504, 32767)
    watchdog.write(0x000, 1)
    bench.run(to: 1_000_020_000, watchdog)
    #expect(watchdog.read(0x100) == 1)
    watchdog.write(0x100, 0)
    watchdog.write(0x600, 0x6E52_4635)
    bench.events.restore(EventQueue.State())
    watchdog.reset(.software)
    let state = try watchdog.saveState()
    try watchdog.restoreState(state)
    bench.run(to: 1_001_000_000, watchdog)
    #expect(bench.resets == [.watchdog])
  }
}
