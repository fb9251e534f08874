// Timer and software interrupts per hart.
import Bus
import Devices
import Testing

@Suite struct CLINTTests {
  let bench = Bench()
  let clint: CLINT

  init() throws {
    let node = FakeNode(others: ["/cpus": ["timebase-frequency": [10_000_000]]])
    clint = try CLINT(context: bench.context(node, interrupts: [("/a", 3), ("/a", 7), ("/b", 3), ("/b", 7)]))
  }

  @Test func timeFollowsTheVirtualClock() {
    bench.clock.now = 12_345
    #expect(clint.read(0xbff8, 8) == 123)
    #expect(clint.time == 123)
    clint.write(0xbff8, 0xffff_ffff_ffff_ff00, 8)
    bench.clock.now += 1000
    #expect(clint.read(0xbff8, 4) == 0xffff_ff0a)
    #expect(clint.read(0xbffc, 4) == 0xffff_ffff)
  }

  @Test func comparatorRaisesAtItsTickAndNotBefore() {
    clint.write(0x4008, 50, 8)
    #expect(bench.events.nextDeadline == 5000)
    bench.run(to: 4999, clint)
    #expect(bench.levels == "0000")
    bench.run(to: 5000, clint)
    #expect(bench.levels == "0001")
    clint.write(0x4008, 100, 4)
    #expect(bench.levels == "0000")
    clint.write(0x400c, 0, 4)
    bench.run(to: 20_000, clint)
    #expect(bench.levels == "0001")
    clint.write(0x4008, .max, 8)
    #expect(bench.levels == "0000")
    #expect(bench.events.nextDeadline == .max)
  }

  @Test func settingTimeMovesDeadlines() {
    clint.write(0x4000, 1000, 8)
    clint.write(0xbff8, 990, 8)
    #expect(bench.events.nextDeadline == 1000)
    clint.write(0xbff8, 1000, 8)
    #expect(bench.levels == "0100")
  }

  @Test func softwareInterruptsAreOneBitPerHart() {
    clint.write(4, 0xffff_ffff)
    #expect(bench.levels == "0010")
    #expect(clint.read(4) == 1)
    clint.write(4, 0)
    #expect(bench.levels == "0000")
    _ = clint.read(8)
    #expect(bench.messages == ["device@1000: read of offset 0x8, where there is no register"])
  }

  @Test func snapshotBringsBackTimers() throws {
    clint.write(0x4000, 77, 8)
    let saved = try clint.saveState()
    let queue = bench.events.state
    clint.reset(.pin)
    #expect(bench.events.nextDeadline == .max)
    try clint.restoreState(saved)
    bench.events.restore(queue)
    bench.run(to: 7700, clint)
    #expect(bench.levels == "0100")
  }

  @Test func boardErrorsAreNamed() {
    #expect(throws: DeviceError.missingProperty(device: "cpus", property: "timebase-frequency")) {
      try CLINT(context: bench.context(FakeNode()))
    }
  }
}
