// Frames, `finish` and places in code, on a compiled program: its line numbers are those of Calls/calls.c.

import Foundation
import Machine
import Monitor
import TestSupport
import Testing

@Suite(.enabled(if: CallProgram.canBuild, "clang is not installed")) struct FrameTests {
  private let program: CallProgram
  private let bench: Bench

  init() throws {
    program = try CallProgram(.riscv64, ["-O1", "-g"])
    bench = try Bench(host: "jit", image: program.path)
  }

  /// The line of calls.c with a text.
  private func line(of text: String) throws -> Int {
    let source = try String(contentsOf: CallProgram.folder.appending(path: "calls.c"), encoding: .utf8)
    let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
    return try #require(lines.firstIndex { $0.contains(text) }) + 1
  }

  /// The functions of `backtrace`.
  private var functions: [String] {
    bench.lines("backtrace").filter { $0.hasPrefix("#") }.map { line in
      String(line.split(separator: " ")[2].prefix { $0 != "+" })
    }
  }

  @Test func backtraceShowsCallsWithLines() throws {
    _ = bench("until leaf")
    let lines = bench.lines("bt")
    #expect(lines[0].contains("  leaf"))
    #expect(lines[0].contains("at calls.c:\(try line(of: "int leaf("))"))
    #expect(functions.first == "leaf" && functions.contains("through"))
    #expect(lines.contains { $0.contains("  main+") && $0.hasSuffix("by CFI") })
    #expect(bench.lines("backtrace 2").count == 2)
    #expect(bench("bt 1 --json").contains("\"by\":\"pc\""))
    #expect(bench("where 1") == bench("bt 1"))
  }

  /// Out of a recursion by one call, not to where a deeper call returns to at the same place.
  @Test func finishLeavesOneCallOfARecursion() {
    _ = bench("until fib")
    for _ in 0..<6 where functions.count(where: { $0 == "fib" }) < 3 { _ = bench("until fib") }
    let depth = functions.count { $0 == "fib" }
    #expect(depth >= 2)
    let callers = Array(functions.dropFirst())
    _ = bench("finish")
    #expect(functions == callers)
    #expect(functions.count { $0 == "fib" } == depth - 1)
    // With an outer frame chosen, out of that.
    let number = functions.lastIndex(of: "fib") ?? 0
    let outer = Array(functions.dropFirst(number + 1))
    _ = bench("frame \(number)")
    _ = bench("finish")
    #expect(functions == outer)
  }

  @Test func chosenFramesShowTheirRegisters() {
    _ = bench("until leaf")
    let inner = bench("p $sp")
    let pc = bench("p $ra")
    #expect(bench("up").hasPrefix("#1 "))
    #expect(bench("p $pc") == pc)
    #expect(bench("down").hasPrefix("#0 "))
    #expect(bench("p $sp") == inner)
    #expect(bench("frame 2").hasPrefix("#2 "))
    #expect(bench("p $t3").hasPrefix("ERROR: what t3 held in frame 2 is lost"))
    #expect(bench("set $a0 = 1").hasPrefix("ERROR: only frame 0"))
    #expect(bench("frame 77").hasPrefix("ERROR: there is no frame 77"))
    #expect(bench("down 3") == "ERROR: frame 0 is the innermost")
    _ = bench("step")
    #expect(bench("frame").hasPrefix("#0 "))
  }

  @Test func placesAreLinesFunctionsAndAddresses() throws {
    let leaf = try line(of: "int leaf(")
    #expect(bench("until calls.c:\(leaf)").contains("<leaf"))
    #expect(bench("info line calls.c:\(leaf)").contains("symbol  leaf"))
    #expect(bench("info line *leaf").contains("line    \(leaf)"))
    #expect(bench("break calls.c:\(try line(of: "return leaf(sum) + 1"))").contains("<early"))
    #expect(bench("break calls.c:99999").hasPrefix("ERROR: calls.c has no code at line 99999"))
    #expect(bench("break other.c:1").hasPrefix("ERROR: no code comes from a file 'other.c'"))
    #expect(bench("info sources").hasSuffix("calls.c"))
    #expect(bench("info sources nothing").hasPrefix("ERROR: no source file's path"))
    let entry = bench("break *fib").split(separator: " ").last
    #expect(entry == "<fib>")
    #expect(bench("tbreak fib").contains("<fib+"))
    let listing = bench.lines("disassemble /s leaf 4")
    #expect(listing[0] == "calls.c:\(leaf):")
    #expect(!bench("disassemble leaf 4").contains("calls.c"))
    let text = "until cal"
    #expect(bench.monitor.completions(for: text, cursor: text.utf8.count).candidates == ["calls.c:"])
  }

  /// What has no debugging information says so.
  @Test func withoutLinesPlacesAreSymbols() throws {
    let bench = try Bench(host: "jit")
    #expect(bench("until twice").hasPrefix("0x0000000080000030 <twice>"))
    #expect(bench("info line").contains("no loaded ELF file has lines"))
    #expect(bench("break x.c:1").contains("no source lines are known"))
    #expect(bench.lines("bt")[1].contains("done+0x10"))
    #expect(bench("finish").hasPrefix("0x0000000080000028 <done+0x10>"))
    #expect(bench("finish").hasPrefix("ERROR: there is no caller to run to"))
  }
}
