// `step line` and `next` on a compiled program: they end where GDB's `step` and `next` do.

import Foundation
import Monitor
import TestSupport
import Testing

@Suite(.enabled(if: CallProgram.canBuild, "clang is not installed")) struct LineStepTests {
  /// A program, and whether it is optimized.
  struct Variant: Sendable, CustomTestStringConvertible {
    var guest: CallProgram.Guest
    var flags: [String]
    var testDescription: String { "\(guest.rawValue) \(flags.joined(separator: " "))" }
  }
  static let plain = [
    Variant(guest: .riscv64, flags: ["-O0", "-g"]), Variant(guest: .riscv32, flags: ["-O0", "-g", "-gdwarf-4"]),
    Variant(guest: .arm, flags: ["-O0", "-g"]),
    Variant(guest: .arm, flags: ["-O0", "-g", "-fomit-frame-pointer"]),
  ]

  private static func bench(_ variant: Variant) throws -> Bench {
    let program = try CallProgram(variant.guest, variant.flags, source: "lines")
    let bench = try Bench(host: "jit", image: program.path) { configuration in
      switch variant.guest {
      case .arm:
        configuration.board = configuration.board.replacing("riscv/virt", with: "arm/mps2_an386")
        configuration.cpuModel = "cortex-m4f"
      case .riscv32: configuration.cpuModel = "rv32"
      case .riscv64: break
      }
    }
    #expect(bench("until main").contains("main"))
    return bench
  }

  /// Names of lines, by number.
  private static let names: [Int: String] = {
    let path = CallProgram.folder.appending(path: "lines.c")
    let lines = ((try? String(contentsOf: path, encoding: .utf8)) ?? "").split(
      separator: "\n", omittingEmptySubsequences: false)
    return Dictionary(
      lines.enumerated().compactMap { number, line in
        let parts = line.split(separator: "  // ")
        return parts.count == 2 && !line.hasPrefix("//") ? (number + 1, String(parts[1])) : nil
      }, uniquingKeysWith: { first, _ in first })
  }()

  /// The names of the lines that a command leads to, given again and again.
  private static func walk(_ bench: Bench, _ command: String, _ count: Int) -> [String] {
    (0..<count).map { _ in
      let text = bench(command)
      guard let place = text.firstRange(of: "lines.c:") else { return text }
      let number = Int(text[place.upperBound...].prefix { $0.isNumber }) ?? 0
      return names[number] ?? "line \(number)"
    }
  }

  @Test(arguments: plain) func nextGoesOverCalls(_ variant: Variant) throws {
    let bench = try Self.bench(variant)
    #expect(
      Self.walk(bench, "next", 10) == [
        "second", "unknown", "two", "while", "exception", "recursion", "ever", "count", "ever", "count",
      ])
  }

  @Test(arguments: plain) func stepGoesIntoFunctionsThatHaveLines(_ variant: Variant) throws {
    let bench = try Self.bench(variant)
    let turn = ["call", "leaf", "turn", "for"]
    let calls = ["sum", "for"] + turn + turn + ["store", "return"]
    let call = ["sum", "for"] + turn + ["store", "return"]
    let expected =
      calls + ["second"] + call + ["unknown", "two", "leaf", "leaf", "while", "leaf", "leaf", "leaf"]
      + ["exception", "recursion", "zero", "down", "zero", "down", "zero", "down", "zero", "end"]
    let found = Self.walk(bench, "step line", expected.count)
    #expect(found == expected)
  }

  @Test func countsAndJSON() throws {
    let bench = try Self.bench(Self.plain[0])
    #expect(Self.walk(bench, "next 4", 1) == ["while"])
    let json = bench("next --json")
    #expect(json.contains("\"symbol\":\"main+0x") && json.contains("\"file\":") && json.contains("\"line\":"))
    #expect(bench("n 2").split(separator: "\n").count == 1)
  }

  /// The end of a recursion's innermost call is not that of another.
  @Test func nextStaysInItsCallOfARecursion() throws {
    let bench = try Self.bench(Self.plain[0])
    _ = bench("until down")
    _ = bench("step line 2")
    let stack = bench("p $sp")
    #expect(Self.walk(bench, "next", 1) == ["down"])
    #expect(bench("p $sp") == stack)
    let depth = bench.lines("bt").count { $0.contains("  down") }
    #expect(Self.walk(bench, "next", 2).count == 2)
    #expect(bench.lines("bt").count { $0.contains("  down") } < depth)
  }

  @Test func breakpointsEndSteps() throws {
    let bench = try Self.bench(Self.plain[0])
    _ = bench("break leaf if $a0 == 1")
    let text = bench("next 2")
    #expect(text.hasPrefix("hart 0: breakpoint 1") && text.contains("<leaf+"))
    _ = bench("delete all")
    // One that goes on is no reason to stop, nor counted twice.
    _ = bench("reset halt")
    _ = bench("until main")
    _ = bench("break *leaf log \"n={$a0}\"")
    #expect(Self.walk(bench, "next", 1) == ["second"])
    #expect(bench.lines("info breakpoints")[1].contains("  2  "))
  }

  /// A line that never ends is left by Ctrl-C.
  @Test func endlessLinesAreInterrupted() throws {
    let bench = try Self.bench(Self.plain[0])
    _ = bench("next 6")
    let run = CommandRun()
    let monitor = bench.monitor
    Thread {
      usleep(100_000)
      run.cancel()
    }.start()
    let result = monitor.execute("next 1000000000", run)
    #expect(result.text.contains("stopped") || result.text == "interrupted")
    #expect(bench("info status").contains("stopped"))
  }

  @Test func withoutLinesItSaysSo() throws {
    let bench = try Bench(host: "jit")
    #expect(bench("next").hasPrefix("ERROR: no source lines are known"))
    #expect(bench("step line").hasPrefix("ERROR: no source lines are known"))
  }

  /// A function without lines is left, to its caller's next line.
  @Test(arguments: plain) func functionsWithoutLinesAreRunToTheirEnd(_ variant: Variant) throws {
    let bench = try Self.bench(variant)
    _ = bench("until *unknown")
    #expect(Self.walk(bench, "step line", 1) == ["two"])
  }

  /// A handler may go on at the instruction that raised the exception, or behind it, as that of an `ecall` does.
  @Test(arguments: plain) func finishLeavesHandlers(_ variant: Variant) throws {
    let bench = try Self.bench(variant)
    let handler = variant.guest == .arm ? "svc_handler" : "handler"
    #expect(bench("until *\(handler)").contains("<\(handler)>"))
    #expect(bench("finish").contains("<main+"))
    #expect(Self.walk(bench, "next", 1) == ["recursion"])
  }

  // MARK: Text of sources

  @Test func sourcesAreReadInFoldersThatUsersExpect() throws {
    let bench = try Self.bench(Self.plain[0])
    #expect(!bench.monitor.execute("next", files: .all).text.contains("unknown(a)"))
    #expect(bench("directory /nowhere").hasPrefix("ERROR: /nowhere"))
    let folder = CallProgram.folder.path()
    #expect(bench.monitor.execute("directory \(folder)").isError)
    let added = bench.monitor.execute("directory \(folder)", files: .all)
    #expect(added.text.hasPrefix(folder.dropLast()), "\(added.text)")
    #expect(bench.monitor.execute("next", files: .all).text.hasSuffix("int b = unknown(a);  // unknown"))
    // Who may use no files sees none.
    #expect(!bench("next").contains("leaf(a)"))
    let listing = bench.monitor.execute("disassemble /s $pc 2", files: .all).text
    #expect(listing.hasPrefix("lines.c:") && listing.contains(":  int c = leaf(a) + leaf(b);"), "\(listing)")
    #expect(bench.monitor.execute("disassemble /s $pc 2 --json", files: .all).text.contains("\"source\":\"int c"))
  }

  /// Links lead nowhere, and what a file holds moves no cursor.
  @Test func sourcesAreNotTrusted() throws {
    let bench = try Self.bench(Self.plain[0])
    let folder = FileManager.default.temporaryDirectory.appending(path: "martlet-sources-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "lines.c")
    try FileManager.default.createSymbolicLink(
      at: file, withDestinationURL: CallProgram.folder.appending(path: "lines.c"))
    _ = bench.monitor.execute("directory \(folder.path())", files: .all)
    #expect(!bench.monitor.execute("next", files: .all).text.contains("unknown(a)"))
    try FileManager.default.removeItem(at: file)
    try Data(String(repeating: "a\u{1B}[2J\u{202E}b\n", count: 100).utf8).write(to: file)
    #expect(bench.monitor.execute("next", files: .all).text.hasSuffix("  a [2J b"))
    try FileManager.default.removeItem(at: file)
    #expect(unsafe mkfifo(file.path(), 0o600) == 0)
    #expect(!bench.monitor.execute("next", files: .all).isError)
  }
}
