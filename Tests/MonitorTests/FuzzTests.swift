// Owns the tests that no line, however senseless, harms the monitor, and that logs of translations come.

import GuestKit
import Machine
import Monitor
import Synchronization
import TestSupport
import Testing

@Suite struct FuzzTests {
  @Test(arguments: UnharmedTests.hosts) func senselessLines(_ host: String) throws {
    let bench = try Bench(host: host, harts: 2)
    var generator = SplitMix(seed: 1)
    let words = [
      "info", "x", "x/3i", "x/2s", "x/9xg", "xp/4b", "print", "p/t", "peek", "poke", "phys", "disassemble", "walk",
      "break", "watch", "delete", "all", "blocks", "sort", "hot", "size", "block", "#1", "#0", "#99", "ir", "diff",
      "before", "after", "CopyPropagation", "DeadCodeElimination:9", "unchain", "chain", "forbid", "allow", "flush",
      "profile", "on", "off", "pass", "step", "op", "finish", "cpu", "0", "1", "8", "-1", "18446744073709551615",
      "0x80000008", "0xffffffffffffffff", "loop", "done", "$pc", "$sp", "$", "*", "(", ")", "'a'", "<<", "200", "set",
      "=", "registers", "csr", "mtree", "device", "plic", "tlb", "irq", "symbols", "graph", "help", "reset", "halt",
      "--json", "\"", "/", "é", "stop", "rw", "status", "cpus", "breakpoints", "jit", "qtree",
      "tbreak", "rbreak", "twatch", "enable", "disable", "ignore", "condition", "exception", "interrupt", "console",
      "time",
      "every", "instructions", "translation", "10ms", "@1s", "mstatus", "serial.LSR.DR", "if", "log", "do", "load*",
      "change",
    ]
    for round in 0..<Mutations.count(3000) {
      var line = (0..<Int.random(in: 1...4, using: &generator)).map { _ in words.randomElement(using: &generator)! }
        .joined(separator: " ")
      if round % 3 == 0 {
        var bytes = Array(line.utf8)
        Mutations.damage(&bytes, &generator)
        line = String(decoding: bytes, as: UTF8.self)
      }
      let result = bench.monitor.execute(line)
      #expect(!(result.isError && result.text.isEmpty), "\(line)")
      // Damage may make a word of the monitor's out of another.
      #expect(!result.wantsQuit || round % 3 == 0, "\(line)")
      for length in [0, line.utf8.count / 2, line.utf8.count] {
        _ = bench.monitor.completions(for: line, cursor: length)
      }
    }
    #expect(bench("info status").contains("guest         riscv64"))
  }

  private final class Lines: Sendable {
    let all = Mutex<[LogItem: [String]]>([:])
    func add(_ item: LogItem, _ line: String) { all.withLock { $0[item, default: []].append(line) } }
  }

  @Test func translationsAreLogged() throws {
    let bench = try Bench(host: "jit", tiers: .thorough)
    let lines = Lines()
    bench.machine.perform { machine in
      machine.engine.log.items = [.inAsm, .op, .opOpt, .outAsm]
      machine.engine.log.sink = { lines.add($0, $1) }
    }
    bench.finish()
    let all = lines.all.withLock { $0 }
    #expect(all[.inAsm]?.contains("  0x80000008:  addi    a3, a3, 3") == true)
    #expect(all[.op]?.first == "block 0x80000000, flags 0x10f, 35 ops")
    #expect(all[.op]?.contains("  %0 = get.i64 a3") == true)
    #expect(all[.opOpt]?.first == "block 0x80000000, flags 0x10f, 18 ops after the passes")
    #expect(all[.outAsm]?.first?.hasSuffix(" host bytes") == true)
    #expect((all[.outAsm]?.count ?? 0) > 30)
  }
}
