// Owns the tests that listings of code fit the width there is, and name what they can.

import Monitor
import Testing

@Suite struct WidthTests {
  @Test(arguments: [60, 80, 100, 120, 200]) func noLineIsWider(_ columns: Int) throws {
    for host in ["jit", "interpreter"] {
      let bench = try GoldenTests.atDone(host)
      for command in ["block _start", "block loop", "block #1"] {
        for line in bench.lines(command, columns: columns) { #expect(line.count <= columns, "\(line)") }
      }
    }
  }

  /// Bytes of host code go first, then the column of guest instructions.
  @Test func columnsGiveWayInOrder() throws {
    let bench = try GoldenTests.atDone("jit")
    func headings(_ columns: Int) -> [String] {
      bench.lines("block loop", columns: columns).filter { $0.contains("IR") && $0.contains("host") }
        .flatMap { $0.split(separator: "|").map { String($0.drop { $0 == " " }.prefix { $0 != " " }) } }
    }
    #expect(headings(200).contains("guest") && !headings(80).contains("guest"))
    // `add rax, 3` and the like: an instruction of four bytes, behind its place.
    let bytes = #/\+[0-9a-f]+ [0-9a-f]{4,} +[a-z]/#
    #expect(bench.lines("block loop", columns: 200).contains { $0.contains(bytes) })
    #expect(!bench.lines("block loop", columns: 100).contains { $0.contains(bytes) })
    #expect(bench.lines("block loop", columns: 80).contains { $0.contains("80000008  addi    a3, a3, 3 ---") })
  }

  @Test func placesGoByTheirNames() throws {
    let bench = try GoldenTests.atDone("jit")
    let text = bench.lines("block loop", columns: 80).joined(separator: "\n")
    #expect(text.contains("[$windowLimit]") && text.contains("exit-stub") && !text.contains("[rbp + 0x"))
    let stubs = bench("host stubs")
    for name in ["enter", "leave", "exit-stub", "look-up", "slow-path"] { #expect(stubs.contains("\(name)  ; ")) }
    #expect(bench("host stubs look").contains("cmp rax, [rcx]"))
    #expect(bench("host stubs nonsense").contains("no stub called 'nonsense'; there are: constants, enter"))
    #expect(try GoldenTests.atDone("interpreter")("host stubs").contains("makes no machine code"))
  }

  @Test func coloursAreForTerminals() throws {
    let bench = try GoldenTests.atDone("jit")
    let escape = "\u{1B}["
    #expect(bench.lines("block loop", columns: 100, isColoured: true).contains { $0.contains(escape) })
    #expect(!bench("block loop").contains(escape))
  }

  @Test func columnsCanBeSaid() throws {
    let bench = try GoldenTests.atDone("jit")
    _ = bench("columns 70")
    #expect(bench("columns") == "columns  70")
    #expect(bench.lines("block loop").allSatisfy { $0.count <= 70 })
    _ = bench("columns 0")
    #expect(bench("columns") == "columns  100")
    #expect(bench("columns 20") == "ERROR: listings fit 60 to 1000 columns")
  }

  /// Translations, chains and cuts in order, with their causes.
  @Test func eventsAreKept() throws {
    let bench = try GoldenTests.atDone("jit")
    _ = bench("unchain loop")
    _ = bench("break loop+4")
    _ = bench("flush")
    let events = bench.lines("events 100")
    func index(_ words: String...) -> Int? {
      events.firstIndex { line in words.allSatisfy(line.contains) }
    }
    let made = try #require(index("translated (thorough)", "loop"))
    let chained = try #require(index("chained", "loop", "#2"))
    let cut = try #require(index("cut", "loop", "by command"))
    let dropped = try #require(index("dropped", "loop", "a breakpoint there came or went"))
    let all = try #require(index("all dropped", "by command"))
    #expect([made, chained, cut, dropped, all] == [made, chained, cut, dropped, all].sorted())
  }

  /// The guest spins by the time it is told, so a program of two blocks that loop is wanted.
  @Test func chainingIsTold() throws {
    let bench = try Bench(host: "jit", tiers: .thorough)
    let story = bench("story chaining")
    for words in ["leaves through its stub", "exit-stub", "before  +", "after   +", "strategy 'budget'", "unchain 0x"] {
      #expect(story.contains(words), "\(story)")
    }
  }
}
