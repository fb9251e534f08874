// Virtual time, the event queue and interrupt lines.
import Bus
import Testing

@Suite struct TimeTests {
  @Test func clockCountsInstructions() {
    let clock = VirtualClock(nanosecondsPerInstruction: 10)
    clock.advance(instructions: 25)
    #expect(clock.now == 250)
    #expect(clock.instructions(until: 251) == 1)
    #expect(clock.instructions(until: 250) == 0)
    #expect(clock.instructions(until: .max) > 1 << 60)
    #expect(clock.ticks(frequency: 10_000_000) == 2)
  }

  @Test(arguments: [1, 2, 3, 32768, 10_000_000, 999_999_937] as [UInt64])
  func deadlineIsTheFirstTimeOfATick(frequency: UInt64) {
    for ticks in [0, 1, 2, 12345, 1 << 33] as [UInt64] {
      let clock = VirtualClock(now: VirtualClock.nanoseconds(ticks: ticks, frequency: frequency))
      #expect(clock.ticks(frequency: frequency) == ticks)
      guard ticks > 0 else { continue }
      clock.now -= 1
      #expect(clock.ticks(frequency: frequency) == ticks - 1)
    }
    #expect(VirtualClock.nanoseconds(ticks: .max, frequency: 1) == .max)
  }

  @Test func eventsComeByTimeThenByRequest() {
    let queue = EventQueue()
    var moved = 0
    queue.didMoveDeadline = { moved += 1 }
    for (token, time) in [50, 20, 50, 20, 70].enumerated() {
      queue.schedule(at: UInt64(time), device: 1, token: UInt64(token))
    }
    #expect(moved == 2)
    queue.cancel(device: 2, token: 0)
    queue.cancel(device: 1, token: 2)
    #expect(queue.nextDeadline == 20)
    let saved = queue.state
    var tokens: [UInt64] = []
    while let event = queue.popDue(at: 60) { tokens.append(event.token) }
    #expect(tokens == [1, 3, 0])
    #expect(queue.nextDeadline == 70)
    queue.restore(saved)
    #expect(queue.popDue(at: 60)?.token == 1)
  }

  @Test func linesTellSinksOfChangesOnly() {
    final class Sink: IRQSink {
      var seen: [String] = []
      func setLevel(_ line: Int, _ level: Bool) { seen.append("\(line)\(level ? "+" : "-")") }
    }
    let sink = Sink()
    let line = IRQLine(name: "uart")
    line.connect(sink, line: 10)
    line.connect(sink, line: 3)
    line.set(true)
    line.set(true)
    line.restore(level: false)
    line.set(false)
    line.set(true)
    line.set(false)
    #expect(sink.seen == ["10+", "3+", "10+", "3+", "10-", "3-"])
  }
}
