// Owns the tests of lines, words, help, completion, expressions and errors.

import Foundation
import Machine
import Monitor
import Synchronization
import TestSupport
import Testing

@Suite struct CommandTests {
  let bench: Bench

  init() throws { bench = try Bench(host: "interpreter") }

  @Test(arguments: [
    ("frobnicate", "no command 'frobnicate'; 'help' lists them"),
    (
      "info frobnicate",
      "'info' wants one of: status, cpus, registers, mtree, qtree, devicetree, device, irq, tlb, symbols, line, sources, tasks, breakpoints, jit, snapshots"
    ),
    ("bl", "'bl' may be blocks, block"),
    ("break", "usage: break PLACE [if CONDITION] [log FORMAT] [do COMMAND]"),
    ("break _start 4", "'_start 4': nothing is known of '4' here"),
    ("break _start+1", "no instruction is at 0x80000001: they are aligned to 2 bytes"),
    ("step block 2", "'2' is a word too many for 'step block'; usage: step block"),
    ("s block 2", "'2' is a word too many for 'step block'; usage: step block"),
    ("flush _start 4 junk", "'junk' is a word too many for 'flush'; usage: flush [ADDR [LENGTH]]"),
    ("flush _start 0", "no 0 bytes are at 0x80000000"),
    (
      "pass off DeadCodeElimination _start",
      "'_start' is a word too many for 'pass off'; usage: pass off NAME|all [in ADDR [LENGTH]]"
    ),
    ("stop now", "'now' is a word too many for 'stop'; usage: stop"),
    (
      "reset now",
      "'now' is a word too many for 'reset'; usage: reset [halt|run|init]"
        + " [power-on|brown-out|pin|software|watchdog|window-watchdog|lock-up|debugger]"
    ),
    (
      "system_reset now",
      "'now' is a word too many for 'system_reset'; usage: system_reset"
        + " [power-on|brown-out|pin|software|watchdog|window-watchdog|lock-up|debugger]"
    ),
    ("profile maybe", "'maybe' is a word too many for 'profile'; usage: profile [on|off]"),
    (
      "blocks sort age",
      "'age' is none of pc, hot, size, retranslated; usage: blocks [sort pc|hot|size|retranslated] [COUNT]"
    ),
    ("blocks 0", "'0' is no count (1 or more)"),
    ("disassemble _start -1", "'-1' is no count (1 or more)"),
    ("step -1", "'-1' is no count (1 or more)"),
    ("why -1", "nothing is counted; switch that on with 'profile on' and let the guest run"),
    (
      "watch _start 4 x",
      "'x' is a word too many for 'watch'; usage: watch ADDR|DEVICE.REGISTER[.FIELD] [LENGTH] [r|w|rw|change]"
        + " [if CONDITION] [log FORMAT] [do COMMAND]"
    ),
    ("watch _start 0", "a watchpoint covers 1 to 1048576 bytes"),
    ("poke 1 0x80010000 256", "0x100 does not fit into 1 bytes"),
    ("peek 3 0x80010000", "'3' is none of 1, 2, 4, 8; usage: peek [phys] 1|2|4|8 ADDR"),
    (
      "ir _start before CopyPropagation more",
      "'more' is a word too many for 'ir'; usage: ir [ADDR|#BLOCK] [before|after [PASS]]"
    ),
    (
      "chain forbid loop _start",
      "the block at 0x80000008 has no exit to 0x80000000 that could be chained; it has: 0x80000008 <loop>, "
        + "0x80000030 <twice>"
    ),
    ("savevm a b", "'b' is a word too many for 'savevm'; usage: savevm NAME"),
    ("info status x", "'x' is a word too many for 'info status'; usage: info status"),
    ("x/0x _start", "'0' is no count (1 or more)"),
    ("p '_start", "a quote is not closed"),
    ("p 'nothing'", "'nothing' is neither a character nor a symbol"),
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
    ("print &5", "'&' stands before the name of a symbol, not before '5'"),
    ("print &$a0", "'&' stands before the name of a symbol, not before '$a0'"),
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
    ("p '_start' + 8", "0x80000008  2147483656  <loop>"),
    ("p ' '", "0x20  32"),
    ("p &loop - & _start", "0x8  8"),
    ("p 1 < 2 && 2 <= 2 || 1/0", "0x1  1"),
    ("p -1 < 1", "0x1  1"),
    ("p 3 | 4 == 4", "0x3  3"),
    ("p !5 + (2 != 2)", "0x0  0"),
    ("p u8(_start + 1)", "0x1  1"),
    ("p s32(loop + 8)", "0xfffffffffff50513  -719597"),
    ("p/t 'A'", "0b0000000000000000000000000000000000000000000000000000000001000001"),
  ])
  func expressions(line: String, value: String) { #expect(bench(line) == value) }

  /// GDB's spelling of an address where it wants a place in the program.
  @Test func aStarIsNoMemoryAccessWhereCodeIsMeant() {
    #expect(bench("break *twice") == "1: break at 0x0000000080000030 <twice>")
    #expect(bench("disassemble *twice 1").contains("<twice>"))
    #expect(bench("until *twice").hasSuffix("<twice>  add     a3, a3, a3"))
    #expect(bench("print *twice & 0xff") == "0xb3  179")
  }

  /// No stack is deep enough for what a line can nest.
  @Test(arguments: ["(", "-", "~", "*", "(-", "(~("])
  func nestingIsLimited(text: String) {
    let line = "print " + String(repeating: text, count: 20_000) + "1"
    #expect(bench.monitor.execute(line).text == "the expression is nested more than 200 deep")
  }

  /// Nor for the sums of a line.
  @Test func lengthIsLimited() {
    let line = "print 1" + String(repeating: "+1", count: 50_000)
    #expect(bench.monitor.execute(line).text == "the expression has more than 1000 operators")
  }

  @Test func longListingsComeInPieces() {
    let pieces = Mutex<[String]>([])
    let run = CommandRun { text in pieces.withLock { $0.append(text) } }
    let result = bench.monitor.execute("x/10000xw _start", run)
    let all = pieces.withLock { $0 }
    #expect(all.count > 5)
    #expect(all.allSatisfy { $0.hasSuffix("\n") && $0.split(separator: "\n").count <= 256 })
    #expect((all.joined() + result.text).split(separator: "\n").count == 2500)
    #expect(bench("x/1i").hasPrefix("   0x0000000080009c40"))
    let json = bench("disassemble _start 1000 --json")
    #expect(json.hasPrefix("[{") && json.hasSuffix("}]") && json.split(separator: "{").count == 1001)
  }

  @Test(arguments: [
    "disassemble _start 100000000", "x/100000000xb _start", "x/100000000s _start", "step 1000000000000",
    "step 100000000 trace", "stops 1000000000", "until 0x80004000",
  ])
  func whatTakesLongCanBeEnded(line: String) throws {
    _ = bench("info breakpoints")
    bench.machine.perform { $0.engine.removeBreakpoint(LoopProgram.base + 44) }
    let monitor = bench.monitor
    let run = CommandRun()
    let result = Mutex<MonitorResult?>(nil)
    let thread = Thread {
      let ended = monitor.execute(line, run)
      result.withLock { $0 = ended }
    }
    thread.start()
    usleep(50_000)
    // Listings end where memory ends.
    if line.hasPrefix("step") || line.hasPrefix("until") || line.hasPrefix("stops") {
      #expect(result.withLock { $0 == nil })
    }
    run.cancel()
    for _ in 0..<3000 where result.withLock({ $0 == nil }) { usleep(10_000) }
    #expect(result.withLock { $0 != nil })
    if line.hasPrefix("stops") { _ = bench("stop") }
    #expect(bench("info status").contains("stopped"))
    #expect(bench("print 1") == "0x1  1")
  }

  @Test func helpIsDerivedFromTheTable() {
    let overview = bench("help")
    for name in ["step block", "info mtree", "x[/FMT] [ADDR]", "ir diff [ADDR|#BLOCK] PASS", "system_reset"] {
      #expect(overview.contains(name))
    }
    #expect(bench("help x").hasPrefix("usage  x[/FMT] [ADDR] [--json]\ndoes   Memory at a virtual address"))
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
    #expect(bench("complete blocks sort h") == "hot")
    #expect(bench("complete \"info device p\" --json") == "[\"plic@c000000\"]")
    #expect(bench("complete \"pass \"") == "list\noff\non")
    #expect(bench("complete nothing").isEmpty)
    #expect(bench.monitor.completions(for: "info m", cursor: 6).start == 5)
  }

  @Test func everyListingIsAlsoJSON() throws {
    _ = bench("break done")
    _ = bench("until done")
    let commands = [
      "info status", "info cpus", "info registers", "info registers csr", "info mtree", "info qtree", "info irq",
      "info jit", "info tlb", "info symbols", "info device plic", "info breakpoints", "blocks", "block loop", "ir loop",
      "ir diff loop CopyPropagation", "x/4i _start", "x/2xg $sp", "xp/4b 0x80000000", "print $pc", "disassemble",
      "walk _start", "graph", "pass list", "svd", "svd plic", "svd plic.priority[1]", "complete info", "help",
      "help step", "step", "step 2", "step op", "step op finish", "stop",
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
