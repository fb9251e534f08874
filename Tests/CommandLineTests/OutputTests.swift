// Owns the tests of where output goes: full disks, readers that are slow or absent, closed descriptors.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct OutputTests {
  static let board = ["-M", "virt", "-m", "16M"]

  func image(_ words: [UInt32], timeout: Int = 50) throws -> [String] {
    Self.board + ["--timeout", "\(timeout)", "-bios", try Program.file(Guest.bytes(words))]
  }

  /// Prints `x` so many times, then ends.
  static func flood(_ count: UInt32) -> [UInt32] {
    Guest.load(5, 0x1000_0000) + Guest.load(7, count)
      + [
        0x0780_0313,  // li t1, 'x'
        0x0062_8023,  // sb t1, 0(t0)
        0xFFF3_8393,  // addi t2, t2, -1
        0xFE03_9CE3,  // bnez t2, -8
      ] + Guest.finish(0x5555)
  }

  // MARK: Full disks

  @Test(arguments: [
    ("exec \"$0\" \"$@\" >/dev/full", ["-nographic"], "standard output"),
    ("exec \"$0\" \"$@\"", ["-serial", "file:/dev/full"], "-serial: /dev/full"),
    ("exec \"$0\" \"$@\"", ["-nographic", "-d", "in_asm", "-D", "/dev/full"], "-D: /dev/full"),
    ("exec \"$0\" \"$@\"", ["-nographic", "--record", "/dev/full"], "--record: /dev/full"),
    ("exec \"$0\" \"$@\"", ["-nographic", "--export-svd", "/dev/full"], "--export-svd: /dev/full"),
    ("exec \"$0\" \"$@\" >/dev/full", ["-nographic", "--export-svd", "-"], "standard output"),
    ("exec \"$0\" \"$@\"", ["-nographic", "-pidfile", "/dev/full"], "-pidfile: /dev/full"),
    ("exec \"$0\" \"$@\" >/dev/full", ["-nographic", "--dry-run"], "standard output"),
    ("exec \"$0\" -M help >/dev/full", [], "standard output"),
    ("exec \"$0\" --help >/dev/full", [], "standard output"),
  ])
  func aFullDiskIsSaid(script: String, flags: [String], place: String) throws {
    let ended = try Program.shell(script, image(Guest.say("hello") + Guest.finish(0x5555)) + flags)
    #expect(ended.code == 6, "\(ended.errors)")
    #expect(ended.errors.contains(place + ": No space left on device"), "\(ended.errors)")
  }

  @Test func aReaderThatHasReadEnoughIsNoFailure() throws {
    let ended = try Program.shell("\"$0\" \"$@\" | head -c 5", image(Self.flood(100_000) + Guest.loop) + ["-nographic"])
    #expect(ended.output == "xxxxx" && ended.errors == "", "\(ended.errors)")
  }

  // MARK: Slow readers

  @Test(arguments: [["-serial", "stdio"], ["-nographic"], ["-nographic", "-d", "exec", "-D", "/dev/stdout"]])
  func aSlowReaderGetsEverything(flags: [String]) throws {
    let count: UInt32 = 0x2_5000
    let ended = try Program.shell("\"$0\" \"$@\" | (sleep 1; exec cat)", image(Self.flood(count)) + flags)
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output.utf8.count { $0 == UInt8(ascii: "x") } >= count)
  }

  /// A guest that prints without end into a pipe that nobody reads.
  private func stalled(
    _ flags: [String] = [], timeout: Int = 50, input: String = "", _ body: (Int32) throws -> Void
  ) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Program.path ?? "")
    process.arguments = try image(Self.flood(.max >> 1 & 0xFFFF_F000), timeout: timeout) + ["-nographic"] + flags
    let pipes = (input: Pipe(), output: Pipe())
    (process.standardInput, process.standardOutput, process.standardError) = (pipes.input, pipes.output, pipes.output)
    try process.run()
    let pid = process.processIdentifier
    let watchdog = DispatchWorkItem { kill(pid, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + 40, execute: watchdog)
    // Until the pipe is full, and so stays as it is.
    var (waiting, before): (Int32, Int32) = (0, -1)
    for _ in 0..<100 where waiting != before || waiting == 0 {
      before = waiting
      usleep(300_000)
      _ = unsafe ioctl(pipes.output.fileHandleForReading.fileDescriptor, UInt(FIONREAD), &waiting)
    }
    #expect(waiting > 0x4000 && waiting == before)
    try pipes.input.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try body(pid)
    process.waitUntilExit()
    watchdog.cancel()
    #expect(process.terminationReason == .exit || process.terminationStatus == SIGTERM)
    return process.terminationStatus
  }

  @Test func aStalledReaderDoesNotStopTheEnd() throws {
    #expect(try stalled(timeout: 2) { _ in } == 3)
    #expect(try stalled(input: "\u{1}x") { _ in } == 0)
    #expect(try stalled(input: "\u{1}cinfo registers\nquit\n") { _ in } == 0)
    #expect(try stalled { kill($0, SIGTERM) } == SIGTERM)
  }

  @Test func aStalledReaderDoesNotStopGDB() throws {
    let path = try Program.file([], "socket")
    try FileManager.default.removeItem(atPath: path)
    let code = try stalled(["-gdb", "unix:" + path]) { _ in
      var answer = ""
      for _ in 0..<300 where !answer.contains("T05") {
        answer = try Program.ask(path, "+$?#3f")
        usleep(100_000)
      }
      #expect(answer.contains("T05"), "\(answer)")
      _ = try Program.ask(path, "+$k#6b")
    }
    #expect(code == 0)
  }

  /// The reader comes late, is slow, and gets everything, to the last byte before the end.
  @Test func aPseudoTerminalHasFlowControl() throws {
    let count: UInt32 = 0x2_5000
    let wait: [UInt32] = [
      0x0052_C303,  // lbu t1, 5(t0)
      0x0013_7313,  // andi t1, t1, 1
      0xFE03_0CE3,  // beqz t1, -8
    ]
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Program.path ?? "")
    process.arguments =
      try image(Guest.say("early") + wait + Self.flood(count)) + ["-serial", "pty", "-monitor", "none"]
    let errors = Pipe()
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let said = String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self)
    let path = try #require(said.split(separator: " ").last.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) })
    let terminal = try #require(FileHandle(forUpdatingAtPath: path), "\(said)")
    try terminal.write(contentsOf: Data("g".utf8))
    var received = 0
    while received < count + 5 {
      var ready = pollfd(fd: terminal.fileDescriptor, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&ready, 1, 20_000) == 1 else { break }
      if received < 0x1_0000 || received > 0x2_0000 { usleep(5000) }
      let data = terminal.availableData
      if data.isEmpty { break }
      received += data.count
    }
    #expect(received == count + 5)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test(arguments: [
    ["-serial", "file:"], ["-d", "in_asm", "-D", ""], ["--itm", ""], ["--export-svd", ""], ["-pidfile", ""],
  ])
  func aNamedPipeWithoutReaderIsSaid(flags: [String]) throws {
    let path = try Program.file([], "x") + ".fifo"
    let status = unsafe mkfifo(path, 0o600)
    try #require(status == 0)
    let board = flags[0] == "--itm" ? ["-M", "mps2_an385", "-S", "--timeout", "20"] : try image(Guest.loop)
    let ended = try Program.run(board + flags.dropLast() + [flags[flags.count - 1] + path])
    #expect(ended.code == 2, "\(ended.errors)")
    #expect(ended.errors.contains("no reader"), "\(ended.errors)")
  }

  // MARK: Descriptors

  /// What is opened first must not become standard output or error: the memory of the guest did.
  @Test(arguments: ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-"])
  func closedDescriptorsStayUnused(redirection: String) throws {
    let script = try Program.file(Array("x/1xw 0x80000000\n".utf8), "script")
    let record = try Program.file([], "console")
    let words = Guest.say("hello") + Guest.finish(0x5555)
    let ended = try Program.shell(
      "exec \"$0\" \"$@\" \(redirection)",
      image(words) + ["-serial", "file:" + record, "-d", "in_asm,exec", "--end-script", script])
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(try String(contentsOfFile: record, encoding: .utf8) == "hello")
    if !redirection.contains(" >&-"), redirection != ">&-" {
      #expect(ended.output.contains(String(words[0], radix: 16)), "\(ended.output)")
    }
  }

  @Test(arguments: [4, 8, 16, 32, 63])
  func fewDescriptorsAreSaid(count: Int) throws {
    let ended = try Program.shell(
      "ulimit -n \(count); exec \"$0\" \"$@\"", image(Guest.finish(0x5555)) + ["-nographic", "-gdb", "tcp::0"])
    #expect(ended.code == 5, "\(ended.errors)")
    #expect(ended.errors.contains("ulimit -n"), "\(ended.errors)")
  }

  @Test func aFewMoreDescriptorsAreEnough() throws {
    // Descriptors above the limit, which a test may have been given, cannot be closed for `dtc`.
    let close = "for f in /proc/$$/fd/*; do n=${f##*/}; [ $n -gt 63 ] && eval \"exec $n>&-\"; done; "
    let script = close + "ulimit -n 64; exec \"$0\" \"$@\""
    let ended = try Program.shell(
      "exec bash -c '\(script)' \"$0\" \"$@\"", image(Guest.finish(0x5555)) + ["-nographic", "-gdb", "tcp::0"])
    #expect(ended.code == 0, "\(ended.errors)")
  }
}
