// Owns the tests of whole runs: exit codes, consoles, the monitor behind Ctrl-A, records.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct RunTests {
  func run(_ words: [UInt32], _ flags: String..., input: String = "", memory: String = "16M") throws -> Run {
    let image = try Program.file(Guest.bytes(words))
    return try Program.run(["-M", "virt", "-m", memory, "-bios", image, "-nographic"] + flags, input: input)
  }

  @Test func successIsZero() throws { #expect(try run(Guest.finish(0x5555)).code == 0) }

  @Test func guestFailureIsOne() throws {
    let ended = try run(Guest.finish(0x7_3333))
    #expect(ended.code == 1)
    #expect(ended.errors.contains("code 7"), "\(ended.errors)")
    #expect(try run(Guest.finish(0x7_3333), "--exit-code-from-guest").code == 7)
    #expect(try run(Guest.finish(0x5555), "--exit-code-from-guest").code == 0)
  }

  @Test func timeoutIsThree() throws {
    let ended = try run(Guest.loop, "--timeout", "0.5")
    #expect(ended.code == 3)
    #expect(ended.errors.contains("0.5 s"), "\(ended.errors)")
  }

  @Test(arguments: ["jit", "interpreter"])
  func lockUpIsFour(host: String) throws {
    let ended = try run([0], "--host", host, "--timeout", "20")
    #expect(ended.code == 4, "\(ended.errors)")
    #expect(ended.errors.contains("locked up"), "\(ended.errors)")
  }

  @Test(arguments: ["jit", "interpreter"])
  func consoleTextIsPrintedAndExpected(host: String) throws {
    let ended = try run(Guest.say("hello") + Guest.loop, "--host", host, "--expect", "ello", "--timeout", "20")
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output.contains("hello"))
  }

  @Test func missingTextIsFailure() throws {
    let ended = try run(Guest.say("hello") + Guest.finish(0x5555), "--expect", "goodbye", "--timeout", "20")
    #expect(ended.code == 1)
    #expect(ended.errors.contains("never printed 'goodbye'"), "\(ended.errors)")
  }

  @Test func instructionLimitIsSeven() throws {
    let ended = try run(Guest.loop, "--max-instructions", "100000", "--timeout", "20")
    #expect(ended.code == 7)
    #expect(ended.errors.contains("100000 instructions of --max-instructions"), "\(ended.errors)")
    let missing = try run(Guest.loop, "--max-instructions", "100000", "--expect", "x", "--timeout", "20")
    #expect(missing.code == 7 && missing.errors.contains("never printed 'x'"), "\(missing.errors)")
  }

  @Test func controlAXQuits() throws {
    #expect(try run(Guest.loop, "--timeout", "20", input: "\u{1}x").code == 0)
  }

  @Test func controlAReachesTheMonitor() throws {
    let ended = try run(Guest.loop, "--timeout", "20", input: "\u{1}hx\u{1}cinfo registers\nquit\n")
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output.contains("Ctrl-A x"))
    #expect(ended.output.contains("t6"), "\(ended.output)")
  }

  @Test func monitorScriptsRunFirst() throws {
    let script = try Program.file(Array("info registers\nquit\n".utf8), "script")
    let ended = try run(Guest.say("started") + Guest.loop, "--monitor-script", script, "--timeout", "20")
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output.contains("t6"))
    #expect(!ended.output.contains("started"))
    let wrong = try Program.file(Array("frobnicate\n".utf8), "script")
    let refused = try run(Guest.loop, "--monitor-script", wrong, "--timeout", "20")
    #expect(refused.code == 2)
    #expect(refused.errors.contains("line 1"), "\(refused.errors)")
  }

  @Test func endScriptsRunLast() throws {
    let script = try Program.file(Array("info jit --json\n".utf8), "script")
    let ended = try run(Guest.say("started") + Guest.finish(0x5555), "--end-script", script, "--timeout", "20")
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output.hasPrefix("started{") && ended.output.contains("guest_instructions"), "\(ended.output)")
  }

  @Test(arguments: ["budget", "unchain", "flag", "page"])
  func interruptStrategiesRunTheGuest(strategy: String) throws {
    let ended = try run(Self.echo, "--interrupts", strategy, "--timeout", "20", input: "abcq")
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output == "abcq")
    let script = try Program.file(Array("stops 50 --json\nquit\n".utf8), "script")
    let stopped = try run(Guest.loop, "--interrupts", strategy, "--monitor-script", script, "--timeout", "20")
    #expect(stopped.code == 0, "\(stopped.errors)")
    #expect(stopped.output.contains("\"strategy\":\"\(strategy)\""), "\(stopped.output)")
  }

  @Test func perfFilesAreWritten() throws {
    let folder = (try Program.file([], "x") as NSString).deletingLastPathComponent
    let words = Guest.say("hello") + Guest.finish(0x5555)
    #expect(try run(words, "--perf-map", "--jitdump", folder, "--timeout", "20").code == 0)
    let dumps = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".dump") }
    let name = try #require(dumps.first)
    let map = P_tmpdir + "/perf-" + name.dropFirst("jit-".count).dropLast(".dump".count) + ".map"
    #expect(try String(contentsOfFile: map, encoding: .utf8).contains(" guest 0x80000000\n"))
    try FileManager.default.removeItem(atPath: map)
    let refused = try run(words, "--perf-map", "--host", "interpreter")
    #expect(refused.code == 2)
    #expect(refused.errors.contains("no machine code"), "\(refused.errors)")
  }

  @Test func consoleCanBeAFile() throws {
    let file = try Program.file([], "console")
    #expect(try run(Guest.say("to file") + Guest.finish(0x5555), "-serial", "file:" + file).code == 0)
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "to file")
  }

  /// Prints each character that arrives; `q` ends it.
  static let echo: [UInt32] =
    Guest.load(5, 0x1000_0000)
    + [
      0x0052_C303,  // lbu t1, 5(t0)
      0x0013_7313,  // andi t1, t1, 1
      0xFE03_0CE3,  // beqz t1, -8
      0x0002_C383,  // lbu t2, 0(t0)
      0x0072_8023,  // sb t2, 0(t0)
      0x0710_0E13,  // li t3, 'q'
      0xFFC3_94E3,  // bne t2, t3, -24
    ] + Guest.finish(0x5555)

  @Test(arguments: ["jit", "interpreter"])
  func semihostingPrintsAndExits(host: String) throws {
    let exit: [UInt32] = [0x20026, 0, 42, 0]
    let tail = Guest.call(0x20, Guest.address(8 + 12 + 4)) + Guest.loop + exit
    let text = Guest.call(0x04, Guest.address(8 + 12 + 4 * UInt32(tail.count))) + tail + Guest.words("semihosted\n")
    let ended = try run(text, "-semihosting", "--exit-code-from-guest", "--host", host, "--timeout", "20")
    #expect(ended.code == 42, "\(ended.errors)")
    #expect(ended.output.contains("semihosted\n"))
  }

  @Test func wildSemihostingParametersDoNoHarm() throws {
    var program: [UInt32] = []
    for operation: UInt32 in 0...0x32 where ![0x18, 0x20].contains(operation) {
      program += Guest.call(operation, [0xFFF0_0593]) + Guest.call(operation, Guest.load(11, 0x1000_0000))
    }
    let ended = try run(program + Guest.finish(0x5555), "-semihosting", "--timeout", "20")
    #expect(ended.code == 0, "\(ended.errors)")
  }

  @Test func aTakenPortIsNamed() throws {
    let ended = try Program.run(["-M", "virt", "-S", "-gdb", "tcp:203.0.113.1:9", "-nographic"])
    #expect(ended.code == 2)
    #expect(ended.errors.contains("203.0.113.1"), "\(ended.errors)")
  }

  @Test func theDemoRuns() throws {
    let ended = try Program.run(["demo", "--timeout", "50", "--expect", "second 1"])
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output.contains("gdb-multiarch -ex"))
  }
}
