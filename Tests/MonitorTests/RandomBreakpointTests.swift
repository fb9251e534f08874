// Breakpoints of all kinds come and go at random while a program runs: it always ends as it does without.

import Monitor
import TestSupport
import Testing

@Suite(.enabled(if: Setup.canAssemble)) struct RandomBreakpointTests {
  @Test(arguments: Setup.all) func nothingIsLost(_ setup: Setup) throws {
    let plain = try FirmwareBench(setup)
    _ = plain.run()
    var generator = SplitMix(seed: 7)
    let turn = setup.turnRegister
    for round in 0..<Mutations.count(6) {
      let bench = try FirmwareBench(setup)
      var made = 0
      for _ in 0..<60 {
        let kinds =
          TriggerTests.everyTurn(setup).map(\.line).filter { !$0.contains(" if ") } + [
            "break translation", "break chain", "break op turn 3", "break time 3us", "break time every 2us",
            "break instructions 40", "break instructions every 33", "watch \(setup.uart).\(setup.data) rw",
          ]
        var line = kinds.randomElement(using: &generator)!
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: line += " if \(turn) % 3 == 1"
        case 1: line += " log \"{\(turn)}\""
        case 2: line += " do print \(turn)"
        default: if !line.hasPrefix("rbreak") { line = "t" + line }
        }
        let answer = bench(line)
        #expect(!answer.hasPrefix("ERROR"), "\(line): \(answer)")
        made += 1
        if Bool.random(using: &generator) { _ = bench("delete \(Int.random(in: 1...made, using: &generator))") }
        if Bool.random(using: &generator) { _ = bench("disable \(Int.random(in: 1...made, using: &generator))") }
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: _ = bench("step \(Int.random(in: 1...9, using: &generator))")
        case 1: _ = bench("step op")
        default: _ = bench.run()
        }
        // Single steps are not to lead beyond the end.
        if bench.outcome.instructions + 20 > plain.outcome.instructions { break }
      }
      _ = bench("delete all")
      while bench.outcome.instructions < plain.outcome.instructions { _ = bench.run() }
      #expect(bench.outcome == plain.outcome, "round \(round)")
    }
  }
}
