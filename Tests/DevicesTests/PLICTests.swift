// Priorities, thresholds, claim and complete.
import Bus
import Devices
import Testing

@Suite struct PLICTests {
  let bench = Bench()
  let plic: PLIC

  init() throws {
    plic = try PLIC(
      context: bench.context(FakeNode(values: ["riscv,ndev": [96]]), interrupts: [("/a", 11), ("/a", 9), ("/b", .max)]))
    for source in 1...96 as ClosedRange<UInt64> { plic.write(4 * source, 1) }
  }

  let claim0: UInt64 = 0x20_0004
  let claim1: UInt64 = 0x20_1004

  @Test func enabledSourcesReachTheirContext() {
    plic.setLevel(10, true)
    #expect(bench.levels == "000")
    #expect(plic.read(0x1000) == 1 << 10)
    plic.write(0x2080, 1 << 10)
    #expect(bench.levels == "010")
    plic.write(0x20_1000, 1)
    #expect(bench.levels == "000")
    // The threshold does not keep a claim from succeeding.
    #expect(plic.read(claim1) == 10)
    #expect(plic.read(claim1) == 0)
  }

  @Test func highestPriorityThenLowestNumberWins() {
    plic.write(0x2000, .max)
    plic.write(0x2008, .max)
    plic.write(4 * 70, 5)
    for source in [33, 70, 7, 64] { plic.setLevel(source, true) }
    plic.write(0x2004, .max)
    #expect((0..<5).map { _ in plic.read(claim0) } == [70, 7, 33, 64, 0])
    #expect(bench.levels == "000")
  }

  @Test func aSourceRepeatsOnlyAfterCompletion() {
    plic.write(0x2000, 1 << 3)
    plic.setLevel(3, true)
    #expect(plic.read(claim0) == 3)
    plic.setLevel(3, false)
    plic.setLevel(3, true)
    #expect(bench.levels == "000")
    // Completion by a context that has not enabled the source is ignored.
    plic.write(claim1, 3)
    #expect(bench.levels == "000")
    plic.write(claim0, 3)
    #expect(bench.levels == "100")
    #expect(plic.read(claim0) == 3)
    plic.setLevel(3, false)
    plic.write(claim0, 3)
    #expect(bench.levels == "000")
  }

  @Test func acceptedRequestsStayPending() {
    plic.write(0x2000, 1 << 5)
    plic.setLevel(5, true)
    plic.setLevel(5, false)
    #expect(plic.read(claim0) == 5)
  }

  @Test func limitsHold() {
    plic.write(0, 7)
    plic.write(4, 100)
    plic.write(0x2000, .max)
    plic.write(0x200c, 0xffff_ffff)
    #expect(plic.read(0) == 0)
    #expect(plic.read(4) == 7)
    #expect(plic.read(0x2000) == 0xffff_fffe)
    #expect(plic.read(0x200c) == 1)
    #expect(plic.read(0x2010) == 0)
    plic.setLevel(97, true)
    plic.setLevel(0, true)
    plic.write(claim0, 5000)
    #expect(bench.levels == "000")
    #expect(bench.messages.count == 3)
    #expect(throws: DeviceError.self) { try PLIC(context: bench.context(FakeNode(values: ["riscv,ndev": [1024]]))) }
  }

  @Test func snapshotsOfOtherShapesAreRefused() throws {
    let small = try PLIC(context: bench.context(FakeNode(values: ["riscv,ndev": [31]]), interrupts: [("/a", 11)]))
    let saved = try small.saveState()
    #expect(throws: SnapshotError.self) { try plic.restoreState(saved) }
  }

  @Test func peekClaimsNothing() throws {
    plic.write(0x2000, 2)
    plic.setLevel(1, true)
    #expect(plic.peek(region: 0, offset: claim0, size: 4) == nil)
    let saved = try plic.saveState()
    #expect(plic.read(claim0) == 1)
    try plic.restoreState(saved)
    #expect(plic.read(claim0) == 1)
  }
}
