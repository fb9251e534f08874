// The monitor's breakpoints: conditions, counts, and what they do in place of a stop.

import Monitor
import Synchronization
import Testing

@Suite struct BreakpointTests {
  let bench: Bench
  init() throws { bench = try Bench(host: "jit") }

  /// What a command shows, with what it showed before its end.
  private func stop(_ line: String) -> String {
    bench.lines(line).joined(separator: " | ").replacing(/0x0+8/, with: "0x8")
  }

  @Test(arguments: UnharmedTests.hosts) func conditionsChooseTheHit(_ host: String) throws {
    let bench = try Bench(host: host)
    #expect(bench("break loop if $a0 == 2").hasSuffix("<loop>, if $a0 == 2"))
    #expect(bench("until done").contains("breakpoint 1"))
    #expect(bench("p $a0") == "0x2  2")
    _ = bench("condition 1 u32($sp) == 12")
    #expect(bench("until done").contains("breakpoint 1"))
    #expect(bench("p $a3") == "0xc  12")
    bench.finish()
    #expect(bench("p $a0") == "0x0  0")
  }

  /// A run with breakpoints that never stop is the run without them.
  @Test(arguments: UnharmedTests.hosts) func whatDoesNotStopDoesNotShow(_ host: String) throws {
    let plain = try Bench(host: host)
    plain.finish()
    let watched = try Bench(host: host)
    _ = watched("break loop if $a0 == 77")
    _ = watched("break twice log \"a3={$a3}\"")
    _ = watched("break done do info registers a3")
    watched.finish()
    #expect(watched.outcome == plain.outcome)
  }

  /// Steps heed conditions too, shown one by one or not.
  @Test(arguments: ["step 100", "step 100 trace"]) func stepsStopWhereTheConditionHolds(_ line: String) {
    _ = bench("break loop if $a0 == 2")
    #expect(stop(line).contains("breakpoint 1"))
    #expect(bench("p $a0") == "0x2  2")
  }

  @Test func hitsAreCountedAndIgnored() {
    _ = bench("break loop")
    _ = bench("ignore 1 3")
    #expect(bench("info breakpoints").contains("ignoring 3"))
    #expect(stop("until done").hasPrefix("hart 0: breakpoint 1 | 0x80000008 <loop>"))
    #expect(bench("p $a0") == "0x2  2")
    #expect(bench.lines("info breakpoints")[1].hasSuffix("<loop>     4  -"))
  }

  @Test func logsAndGoesOn() {
    _ = bench("break loop if $a0 < 3 log \"a0={$a0} a3={$a3:x} at {$pc:a} {{}\"")
    #expect(
      stop("until done")
        == "a0=2 a3=0x9 at 0x80000008 <loop> {} | a0=1 a3=0xc at 0x80000008 <loop> {} | 0x80000018 <done>  lui     a5, 0x100"
    )
    #expect(bench.lines("info breakpoints")[1].hasSuffix("if $a0 < 3, log \"a0={$a0} a3={$a3:x} at {$pc:a} {{}\""))
  }

  @Test func carriesOutCommands() {
    _ = bench("break twice do p $a3")
    #expect(stop("until spin") == "0xf  15 | 0x8000002c <spin>  j       0x8000002c")
    #expect(bench("break loop do cont").hasPrefix("ERROR: 'cont' runs or changes the machine"))
    #expect(bench("break loop do loadvm x").hasPrefix("ERROR: 'loadvm x' runs or changes the machine"))
    #expect(bench("break loop do nonsense").hasPrefix("ERROR: no command 'nonsense'"))
    #expect(bench("break loop log \"x\" do p 1") == "ERROR: a breakpoint either logs or carries out a command")
  }

  /// A breakpoint may send the hart elsewhere.
  @Test func aCommandMayMoveTheHart() {
    _ = bench("break loop do set $pc = done")
    #expect(bench("until twice").hasSuffix("<twice>  add     a3, a3, a3"))
    #expect(bench("p $a0") == "0x5  5")
  }

  @Test func temporaryOnesStopOnce() {
    #expect(bench("tbreak loop if $a0 == 4").hasSuffix("if $a0 == 4, once"))
    #expect(stop("until done").contains("breakpoint"))
    #expect(bench("p $a0") == "0x4  4")
    #expect(!bench("info breakpoints").contains("loop"))
    #expect(bench("until done").hasSuffix("lui     a5, 0x100"))
  }

  @Test func whatHasNoValueStopsAndSaysWhy() {
    _ = bench("break loop if 7 / ($a0 - 4)")
    #expect(stop("until done").contains("breakpoint 1"))
    #expect(bench("p $a0") == "0x5  5")
    #expect(stop("until done").hasPrefix("breakpoint 1: division by zero | hart 0: breakpoint 1"))
  }

  @Test func mistakesAreNamed() {
    #expect(bench("break loop if $a99 == 1").hasPrefix("ERROR: no register 'a99'"))
    #expect(bench("break loop if").hasPrefix("ERROR: usage: break PLACE"))
    #expect(bench("break loop log \"{$a0\"").hasSuffix("a '}' is missing"))
    #expect(bench("break loop log \"{$a0:q}\"").contains("a value is shown as"))
    #expect(bench("condition 9 1").contains("no breakpoint '9'"))
  }
}
