// Owns the tests of lines, words, help, completion, expressions and errors.

import Foundation
import Monitor
import Testing

@Suite struct CommandTests {
  let bench: Bench

  init() throws { bench = try Bench(host: "interpreter") }

  @Test(arguments: [
    ("frobnicate", "no command 'frobnicate'; 'help' lists them"),
    (
      "info frobnicate",
      "'info' wants one of: status, cpus, registers, mtree, qtree, device, irq, tlb, symbols, breakpoints, jit, snapshots"
    ),
    ("bl", "'bl' may be blocks, block"),
    ("break", "usage: break ADDR"),
    ("break nowhere", "no symbol 'nowhere' (a register is written $nowhere)"),
    ("x/q _start", "'q' is no format: x d u o t c s i a, no size: b h w g"),
    ("x/2i 0x10", "nothing answers at physical address 0x10"),
    ("step/i", "'step' takes no format after '/'"),
    ("loadvm nothing", "no snapshot is called 'nothing'; there are: none"),
    ("print \"", "a quote is not closed"),
    ("blocks sort hot", "executions are not counted; switch that on with 'profile on' and let the guest run"),
    ("block twice", "0x80000030 <twice> is in no translated block: it has not run, or was flushed"),
    ("pass off Nothing", "no pass 'Nothing'; 'pass list' names them"),
    ("cpu 1", "'1' is no hart; there are 0 to 0"),
    ("delete 7", "no breakpoint '7'; 'info breakpoints' lists them"),
    ("set $a0", "usage: set $REG = EXPR"),
  ])
  func mistakesAreNamed(line: String, message: String) {
    let result = bench.monitor.execute(line)
    #expect(result.isError)
    #expect(result.text == message)
  }

  @Test func linesWithoutCommandsDoNothing() {
    for line in ["", "   ", "# a comment"] {
      #expect(bench.monitor.execute(line) == MonitorResult(text: ""))
    }
    #expect(bench.monitor.execute("q").wantsQuit)
  }

  @Test(arguments: [
    ("print 1+2*3", "0x7  7"),
    ("p (1+2)*3 << 4", "0x90  144"),
    ("p -1", "0xffffffffffffffff  -1"),
    ("p _start + 8", "0x80000008  2147483656  <loop>"),
    ("p $pc", "0x80000000  2147483648  <_start>"),
    ("p *_start & 0xffffffff", "0x10117  65815"),
    ("p 4k", "0x1000  4096"),
    ("p/d ~0", "-1"),
    ("p/t 'A'", "0b0000000000000000000000000000000000000000000000000000000001000001"),
  ])
  func expressions(line: String, value: String) { #expect(bench(line) == value) }

  @Test func helpIsDerivedFromTheTable() {
    let overview = bench("help")
    for name in ["step block", "info mtree", "x[/FMT] ADDR", "ir diff [ADDR|#BLOCK] PASS", "system_reset"] {
      #expect(overview.contains(name))
    }
    #expect(bench("help x").hasPrefix("usage  x[/FMT] ADDR [--json]\ndoes   Memory at a virtual address"))
    #expect(bench("help info").contains("info mtree"))
  }

  @Test func completion() {
    func complete(_ line: String) -> [String] {
      bench.monitor.completions(for: line, cursor: line.utf8.count).candidates
    }
    #expect(complete("info m") == ["mtree"])
    #expect(complete("unc") == ["unchain"])
    #expect(complete("break l") == ["loop"])
    #expect(complete("x/4i $s1") == ["$s1", "$s10", "$s11"])
    #expect(complete("info registers mst").contains("mstatus"))
    #expect(complete("ir diff loop Dead") == ["DeadCodeElimination", "DeadWriteElimination"])
    #expect(complete("info device pl") == ["plic@c000000"])
    #expect(complete("blocks sort h") == ["hot"])
    #expect(bench.monitor.completions(for: "info m", cursor: 6).start == 5)
  }

  @Test func everyListingIsAlsoJSON() throws {
    _ = bench("break done")
    _ = bench("until done")
    let commands = [
      "info status", "info cpus", "info registers", "info registers csr", "info mtree", "info qtree", "info irq",
      "info jit", "info tlb", "info symbols", "info device plic", "info breakpoints", "blocks", "block loop", "ir loop",
      "ir diff loop CopyPropagation", "x/4i _start", "x/2xg $sp", "xp/4b 0x80000000", "print $pc", "disassemble",
      "walk _start", "graph", "pass list", "help", "help step", "step", "step op", "step op finish", "stop",
      "profile on", "unchain", "flush",
    ]
    for command in commands {
      let text = bench(command + " --json")
      #expect(throws: Never.self, "\(command): \(text)") {
        try JSONSerialization.jsonObject(with: Data(text.utf8))
      }
    }
    let error = bench.monitor.execute("block nowhere --json")
    #expect(error.isError && error.text.hasPrefix("{\"error\":"))
  }
}
