// Finisher, real-time clock, and the stand-in for unknown devices.
import Bus
import Devices
import Testing

@Suite struct SmallDeviceTests {
  let bench = Bench()

  @Test func finisherEndsOrRestarts() throws {
    let test = try SiFiveTest(context: bench.context(FakeNode()))
    test.write(0, 0x5555)
    test.write(0, 0x0007_3333)
    test.write(0, 0x3333)
    test.write(0, 0x7777)
    test.write(0, 0x1234)
    #expect(bench.exits == [0, 7, 1])
    #expect(bench.resets == [.software])
    #expect(bench.messages == ["device@1000: unknown finisher status 0x1234"])
    #expect(test.read(0) == 0x1234)
  }

  @Test func dateStartsAtTheEpochAndFollowsTheClock() throws {
    let rtc = try GoldfishRTC(context: bench.context(FakeNode(values: ["martlet,epoch": [1_000_000_000]])))
    bench.clock.now = 5
    let low = rtc.read(0)
    bench.clock.now = 1 << 40
    #expect(rtc.read(4) << 32 | low == 1_000_000_000_000_000_005)
    rtc.write(4, 0)
    rtc.write(0, 77)
    bench.clock.now += 3
    #expect(rtc.read(0) == 80)
    #expect(rtc.read(4) == 0)
  }

  @Test func alarmInterruptsWhenEnabled() throws {
    let rtc = try GoldfishRTC(context: bench.context(FakeNode(values: ["martlet,epoch": [0]])))
    rtc.write(0x10, 1)
    rtc.write(0xc, 0)
    rtc.write(8, 500)
    #expect(rtc.read(0x18) == 1)
    bench.run(to: 499, rtc)
    #expect(bench.levels == "0")
    bench.run(to: 500, rtc)
    #expect(bench.levels == "1")
    #expect(rtc.read(0x18) == 0)
    rtc.write(0x1c, 1)
    #expect(bench.levels == "0")
    rtc.write(8, 900)
    rtc.write(0x14, 1)
    #expect(bench.events.nextDeadline == .max)
  }

  @Test func unknownDevicesRememberAndNameThemselvesOnce() throws {
    let file = try LoggedRegisterFile(context: bench.context(FakeNode(values: ["martlet,ready": [0x14, 0x8000_0100]])))
    file.write(0x10, 0x1122_3344)
    file.write(0x12, 0xaa, 1)
    file.write(0x10, 0x1122_3344)
    #expect(file.read(0x10) == 0x1122_3344)
    #expect(file.read(0x0e, 8) == 0x0100_1122_3344_0000)
    #expect(file.read(0x14) == 0x8000_0100)
    #expect(file.read(0x10, region: 1) == 0)
    _ = file.read(0x10)
    #expect(
      bench.messages == [
        "device@1000: no model: write of 0x11223344 to offset 0x10",
        "device@1000: no model: write of 0xaa to offset 0x12",
        "device@1000: no model: read of offset 0x10",
        "device@1000: no model: read of offset 0xe",
        "device@1000: no model: read of offset 0x14",
        "device@1000: no model: read of region 1 offset 0x10",
      ])
    let saved = try file.saveState()
    let before = file.state
    file.write(0x800, 1)
    try file.restoreState(saved)
    #expect(file.state == before)
  }

  @Test func everyModelNamesWhatItServes() {
    var seen: Set<String> = []
    for model in standardDevices {
      #expect(!model.compatible.isEmpty)
      for text in model.compatible { #expect(seen.insert(text).inserted, "\(text) is served twice") }
    }
  }
}

@Suite struct BitBandTests {
  /// Word 0x21 of the alias is bit 1 of the second word.
  @Test func wordsAreBits() throws {
    let bench = Bench()
    let memory = try RAMRegion(name: "memory", size: 0x1000)
    try bench.space.map("memory", at: 0x2000_0000, size: 0x1000, .ram(memory, offset: 0))
    let alias = try BitBand(context: bench.context(FakeNode(values: ["martlet,target": [0x2000_0000]])))
    memory.store(0xF0F0_F0F0, at: 4, size: 4)
    #expect(alias.read(4 * 0x21) == 0 && alias.read(4 * 0x24) == 1)
    alias.write(4 * 0x21, 1)
    alias.write(4 * 0x24, 0xFE)
    #expect(memory.load(4, size: 4) == 0xF0F0_F0E2)
    #expect(alias.peek(region: 0, offset: 4 * 0x21, size: 4) == 1)
  }
}
