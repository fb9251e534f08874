// Owns the differential tests of watchpoints: random instructions under random watchpoints stop at the same places in every
// setup, with nothing of the instruction done (or all of it, where the stop is behind it), and leave what they leave
// unwatched.

import Engine
import GuestRISCV
import TestSupport
import Testing

/// A stop, and all that the guest can see there.
private struct Stop: Equatable {
  var pc: UInt64
  var address: UInt64
  var size: Int
  var isWrite: Bool
  var timing: WatchHit.Timing
  var retired: UInt64
  var state: [UInt64]

  init(_ runner: EngineRunner, _ hit: WatchHit) {
    (pc, retired) = (runner.cpu.state.pc, runner.cpu.retiredInstructions)
    (address, size, isWrite, timing) = (hit.address, hit.size, hit.isWrite, hit.timing)
    state = runner.visibleState
  }
}

extension EngineRunner {
  /// Registers and the memory that cases work on.
  fileprivate var visibleState: [UInt64] {
    (0..<32).map { guest.readRegister(cpu.state, RISCVRegisters.x($0)) }
      + (0..<32).map { guest.readRegister(cpu.state, RISCVRegisters.f($0)) }
      + wordsOf(scratch.bytes(at: Int(Place.scratch & 0xFFF), count: Place.scratchSize))
  }

  fileprivate func stops(_ one: RandomCase, at pc: UInt64, memory: [UInt8], _ points: [Watchpoint]) -> ([Stop], Outcome)
  {
    var stops: [Stop] = []
    for point in points { engine.insert(point) }
    defer { for point in points { engine.remove(point) } }
    let outcome = run(one, at: pc, memory: memory) { engine, cpu in
      while stops.count < 1000 {
        let outcome = cpu.run(until: Self.deadline)
        guard outcome == .watchpoint, let hit = cpu.watchHit else { return outcome }
        stops.append(Stop(self, hit))
      }
      return .failed("it stops for ever")
    }
    return (stops, outcome)
  }

  /// By instructions retired: what is visible before the next one.
  fileprivate func steps(_ one: RandomCase, at pc: UInt64, memory: [UInt8]) -> [UInt64: [UInt64]] {
    var states: [UInt64: [UInt64]] = [:]
    _ = run(one, at: pc, memory: memory) { engine, cpu in
      for _ in 0..<200 where cpu.state.pc != Place.handler {
        states[cpu.retiredInstructions] = visibleState
        _ = cpu.step(until: Self.deadline)
      }
      states[cpu.retiredInstructions] = visibleState
      return .breakpoint
    }
    return states
  }
}

@Suite(.serialized) struct WatchedRunTests {
  private static func points(_ random: inout SplitMix) -> [Watchpoint] {
    (0...1 + random.below(4)).map { _ in
      let (reads, writes) = [(true, false), (false, true), (true, true)][random.below(3)]
      return Watchpoint(
        address: Place.pointer - 300 + UInt64(random.below(700)), length: UInt64(1 + random.below(64)), onRead: reads,
        onWrite: writes, stopsBehind: random.once(in: 3))
    }
  }

  @Test(arguments: [32, 64], [TestedExtension.i, .a, .d, .c])
  func stopsAgreeAndChangeNothing(xlen: Int, tested: TestedExtension) throws {
    let guest = try RISCVGuest(model: "rv\(xlen)")
    let reference = try EngineRunner(guest, .reference)
    let others = try EngineSetup.others.map { try EngineRunner(guest, $0) }
    var generator = CaseGenerator(guest, tested, seed: DifferentialTests.seed, machineOnly: false)
    // No case writes to memory that the next run would not find as it was.
    let cases = (0..<max(30, DifferentialTests.count / 30)).map { _ in generator.next() }
    let batch = Batch(cases, seed: DifferentialTests.seed, xlen: xlen)
    var random = SplitMix(seed: DifferentialTests.seed)
    for runner in [reference] + others { try runner.load(batch) }
    var found = 0
    for (one, span) in zip(batch.cases, batch.spans) {
      let points = Self.points(&random)
      let pc = span.lowerBound
      let text = "\(points)\n\(one.text(guest, at: pc))"
      let unwatched = reference.run(one, at: pc, memory: batch.memory)
      let steps = reference.steps(one, at: pc, memory: batch.memory)
      let (stops, outcome) = reference.stops(one, at: pc, memory: batch.memory, points)
      try #require(outcome == unwatched, "\(unwatched.differences(from: outcome)) \(text)")
      for stop in stops {
        let expected = try #require(steps[stop.retired], "stopped after \(stop.retired) instructions: \(text)")
        try #require(stop.state == expected, "at \(hex(stop.pc)): \(text)")
      }
      found += stops.count
      for other in others {
        let (theirs, end) = other.stops(one, at: pc, memory: batch.memory, points)
        try #require(end == unwatched, "\(other.setup): \(unwatched.differences(from: end)) \(text)")
        let (ours, others) = (stops.map(\.pc).map { hex($0) }, theirs.map(\.pc).map { hex($0) })
        try #require(theirs == stops, "\(other.setup): \(ours) against \(others) \(text)")
      }
    }
    #expect(found > 10, "the test is to hit watchpoints")
  }
}
