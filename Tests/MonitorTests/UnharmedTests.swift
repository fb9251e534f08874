// Owns the tests that whatever the monitor does to look at the guest, the guest's run is the same.

import Machine
import Monitor
import TestSupport
import Testing

@Suite struct UnharmedTests {
  static let hosts = ["interpreter", "jit"]

  /// The run nobody looks at.
  func undisturbed(_ host: String) throws -> Bench.Outcome {
    let bench = try Bench(host: host)
    bench.finish()
    let outcome = bench.outcome
    #expect(bench.hasEnded)
    #expect(outcome.registers[13] == 30)
    #expect(outcome.stored == [15, 0x5555])
    #expect(outcome.instructions == 2 + 5 * 4 + 4 + 2 + 1)
    return outcome
  }

  @Test(arguments: hosts) func steppingByOp(_ host: String) throws {
    let expected = try undisturbed(host)
    let bench = try Bench(host: host)
    var steps = 0
    while !bench.hasEnded, steps < 500 {
      #expect(!bench("step op").hasPrefix("ERROR"))
      steps += 1
    }
    #expect(bench.outcome == expected)
  }

  @Test(arguments: hosts) func steppingByInstruction(_ host: String) throws {
    let expected = try undisturbed(host)
    let bench = try Bench(host: host)
    #expect(bench("step 100").hasSuffix("<spin>  j       0x8000002c"))
    #expect(bench.outcome == expected)
  }

  @Test(arguments: hosts) func steppingByBlock(_ host: String) throws {
    let expected = try undisturbed(host)
    let bench = try Bench(host: host)
    var places: [String] = []
    while !bench.hasEnded, places.count < 50 { places.append(bench("step block")) }
    #expect(places.first?.hasPrefix("0x0000000080000008 <loop>") == true)
    #expect(bench.outcome == expected)
  }

  /// Leaves blocks half done, and lets something else run the guest on.
  @Test(arguments: hosts) func goingOnInTheMiddleOfABlock(_ host: String) throws {
    let expected = try undisturbed(host)
    for opsBefore in 1...12 {
      for way in ["cont", "step", "until done", "step block"] {
        let bench = try Bench(host: host)
        for _ in 0..<opsBefore { _ = bench("step op") }
        _ = bench(way)
        bench.finish()
        #expect(bench.outcome == expected, "\(opsBefore) ops, then \(way)")
      }
    }
  }

  @Test(arguments: hosts) func everythingAtEveryStep(_ host: String) throws {
    let expected = try undisturbed(host)
    let bench = try Bench(host: host)
    let interference = [
      "blocks", "block $pc", "ir $pc", "unchain", "flush loop 16", "flush", "profile on", "info jit", "info irq",
      "info qtree", "pass off all", "x/8i $pc", "break loop", "delete all", "watch $sp", "delete all", "walk $pc",
      "chain forbid loop loop", "pass on all", "profile off", "chain allow loop loop", "graph",
    ]
    var step = 0
    while !bench.hasEnded, step < 200 {
      _ = bench(interference[step % interference.count])
      _ = bench(step % 3 == 0 ? "step op 2" : "step")
      step += 1
    }
    #expect(bench.outcome == expected)
  }

  /// A timer interrupt in a loop without memory accesses comes at the same instruction however the guest is stepped.
  @Test(arguments: hosts) func interruptsComeToASteppedGuest(_ host: String) throws {
    func bench() throws -> Bench {
      let bench = try Bench(host: host)
      bench.machine.perform { $0.engine.removeBreakpoint(LoopProgram.base + 44) }
      for line in [
        "poke 8 0x2004000 5", "set $mtvec = twice", "set $mie = 0x80", "set $mstatus = 8", "set $pc = spin",
        "break twice",
      ] {
        #expect(!bench(line).hasPrefix("ERROR"), "\(line)")
      }
      return bench
    }
    let running = try bench()
    _ = running("cont")
    running.waitForStop()
    #expect(running("print $pc").hasSuffix("<twice>"))
    #expect(running("p $mcause & 0xff") == "0x7  7")
    let instructions = running.outcome.instructions
    #expect(instructions >= 40 && instructions < 60)
    let stepping = try bench()
    #expect(stepping("step 1000").hasPrefix("hart 0: breakpoint 1"))
    #expect(stepping.outcome == running.outcome)
    let walking = try bench()
    for _ in 0..<1000 where !walking("print $pc").hasSuffix("<twice>") { _ = walking("step op") }
    #expect(walking.outcome == running.outcome)
  }

  @Test(arguments: hosts) func movingThePCInTheMiddleOfABlock(_ host: String) throws {
    let bench = try Bench(host: host)
    for _ in 0..<4 { _ = bench("step op") }
    #expect(bench("set $pc = done") == "pc  0x0000000080000018")
    #expect(bench("step") == "0x000000008000001c <done+0x4>  lui     t0, 0x5")
  }

  @Test(arguments: hosts) func breakpointsAndWatchpointsStop(_ host: String) throws {
    let bench = try Bench(host: host)
    #expect(bench("break twice") == "1: break at 0x0000000080000030 <twice>")
    #expect(bench("until twice") == "hart 0: breakpoint 1\n0x0000000080000030 <twice>  add     a3, a3, a3")
    #expect(bench("print $a3") == "0xf  15")
    #expect(bench("reset halt").hasSuffix("<_start>  auipc   sp, 0x10"))
    #expect(bench("watch $sp 8") == "2: watch w at 0x0000000000000000, 8 bytes")
    #expect(bench("delete 2 1") == "")
    #expect(bench("watch 0x80010000 8") == "3: watch w at 0x0000000080010000, 8 bytes")
    #expect(
      bench("until spin")
        == "hart 0: watchpoint 3: wrote 8 bytes at 0x80010000: 0xf -> 0x3\n0x0000000080000010 <loop+0x8>  addi    a0, a0, -1"
    )
    #expect(bench("delete all") == "")
    #expect(bench("info breakpoints").split(separator: "\n").count == 2)
  }
}
