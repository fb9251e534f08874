// `why`: each cause is met, named, and comes with what to do about it, under each way to interrupt.

import Engine
import Foundation
import HostKit
import Machine
import Monitor
import TestSupport
import Testing

@Suite struct WhyTests {
  private struct Cause: Decodable {
    var times: UInt64
    var cause: String
    var symbol: String?
    var to_do: String
  }
  private struct Exit: Decodable {
    var target: String
    var obstacle: String?
    var chained_to: UInt64?
    var taken: UInt64?
    var to_do: String?
  }

  private static func causes(_ bench: Bench) throws -> [Cause] {
    try JSONDecoder().decode([Cause].self, from: Data(bench("why causes --json").utf8))
  }

  private static func exits(_ bench: Bench, _ place: String) throws -> [Exit] {
    try JSONDecoder().decode([Exit].self, from: Data(bench("why chains \(place) --json").utf8))
  }

  // MARK: Causes

  /// How often a cause is met at a function of slow.c, and a part of its name.
  static let slow: [(function: String, name: String, atLeast: UInt64)] = [
    ("touch_device", "a device's register", 90), ("store_beside", "a page that holds translated code", 10),
    ("cross_pages", "the border of two pages", 100), ("read_counter", "the helper '", 100),
    ("raise", "an exception was raised", 90), ("fence_code", "code was written, and fenced", 90),
    ("watched", "a page with a watchpoint", 1),
  ]

  @Test(
    .enabled(if: CallProgram.canBuild, "clang is not installed"),
    arguments: [InterruptStrategy.budget, .unchain, .flag, .page])
  func eachCauseIsMetAndNamed(_ strategy: InterruptStrategy) throws {
    let program = try CallProgram(.riscv64, ["-O1", "-g"], source: "slow")
    let bench = try Bench(host: "jit", image: program.path) { $0.engine.interrupts = strategy }
    _ = bench("profile on")
    _ = bench("until watched")
    #expect(bench("watch &sink+8 8 rw").contains("watch") || bench("watch sink+8 8 rw").contains("watch"))
    #expect(bench("until rest").contains("<rest"))
    let causes = try Self.causes(bench)
    for (function, name, atLeast) in Self.slow {
      let rows = try JSONDecoder().decode(
        [Cause].self, from: Data(bench("why causes \(function) --json").utf8))
      let row = rows.first { $0.cause.contains(name) }
      #expect((row?.times ?? 0) >= atLeast, "\(function): \(rows)")
      #expect(causes.contains { $0.cause.contains(name) }, "\(name)")
    }
    #expect(causes.allSatisfy { $0.to_do.count > 8 && $0.times > 0 })
    // Dearest first, in words and in JSON alike.
    let text = bench("why")
    #expect(text.contains(causes[0].cause) && text.contains("causes; 'why causes' lists all)"), "\(text)")
    // Behind page tables an exit into another page is looked up by the code itself.
    #expect(bench("why near").contains("exit 0 -> "))
    let exits = try Self.exits(bench, "near")
    #expect(exits.first?.obstacle == "mayMove" && exits.first?.to_do?.contains("align") == true)
  }

  /// What has running code come back, and what to do about it, is another thing under each strategy.
  @Test(arguments: InterruptStrategy.allCases)
  func stopsAreNamed(_ strategy: InterruptStrategy) throws {
    let bench = try Bench(host: "jit") { $0.engine.interrupts = strategy }
    bench.machine.perform { $0.engine.removeBreakpoint(LoopProgram.base + 44) }
    _ = bench("profile on")
    _ = bench("cont")
    for _ in 0..<50 { _ = bench("info status") }
    _ = bench("stop")
    let causes = try Self.causes(bench)
    let stops = causes.filter { cause in
      ["a time slice", "a sample", "wanted in", "a kick came"].contains { cause.cause.contains($0) }
    }
    #expect(!stops.isEmpty, "\(causes)")
    let row = try #require(bench.lines("why").first { $0.contains("  spin  ") }, "\(bench("why"))")
    let titles = bench.lines("why")[0].split(separator: " ")
    #expect(titles.contains("stops") && row.split(separator: " ").count > 8)
    // A jump that a kick turned back is none that was not chained.
    let exits = causes.filter { $0.cause.hasPrefix("exit") && $0.symbol == "spin" }
    #expect(exits.allSatisfy { $0.times <= 2 }, "\(causes)")
  }

  // MARK: Chains

  @Test func whyIsItNotChained() throws {
    let bench = try GoldenTests.atDone("jit")
    var exits = try Self.exits(bench, "loop")
    #expect(exits.map(\.obstacle) == [nil, "breakpoint"])
    #expect(exits[0].chained_to == 2 && exits[1].to_do?.contains("'delete'") == true)
    #expect(exits.map(\.taken) == [3, 1])
    _ = bench("delete all")
    _ = bench("reset halt")
    bench.finish()
    exits = try Self.exits(bench, "loop")
    #expect(exits.map(\.obstacle) == [nil, nil])
    _ = bench("flush twice")
    #expect(try Self.exits(bench, "loop").map(\.obstacle) == [nil, "untranslated"])
    _ = bench("chain forbid loop loop")
    exits = try Self.exits(bench, "loop")
    #expect(exits[0].obstacle == "forbidden" && exits[0].to_do?.contains("'chain allow") == true)
    #expect(bench("why chains loop").contains("keeps unchained"))
    _ = bench("chain allow loop loop")
    #expect(try Self.exits(bench, "loop")[0].obstacle == "notTaken")
    _ = bench("log nochain")
    _ = bench("reset halt")
    bench.finish()
    #expect(try Self.exits(bench, "loop").allSatisfy { $0.obstacle == "switchedOff" })
    #expect(bench("why chains nowhere").hasPrefix("ERROR: no symbol 'nowhere'"))
    #expect(bench("why chains 0x80001000").hasPrefix("ERROR: 0x80001000 is in no translated block"))
  }

  @Test func withoutCountsItSaysHowToGetThem() throws {
    let bench = try Bench(host: "jit")
    for line in ["why", "why causes", "why loop"] {
      #expect(bench(line).hasPrefix("ERROR: nothing is counted; switch that on with 'profile on'"))
    }
    _ = bench("profile on")
    #expect(bench("why causes") == "nothing has kept translated code from running on")
  }
}
