// Owns the tests at a terminal: the monitor's prompt and the guest's console share it.

import Foundation
import Testing

/// The program at the other side of a pseudo-terminal.
private final class Session {
  private let process = Process()
  private let master: FileHandle
  private(set) var text = ""

  /// - Parameters:
  ///   - takesKeys: the program has the keys to itself once it runs.
  ///   - pager: what the environment says.
  init(_ arguments: [String], takesKeys: Bool = true, pager: String = "cat") throws {
    let descriptor = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY)
    // <asm-generic/ioctls.h>: TIOCSPTLCK unlocks the other side, TIOCGPTN tells its number.
    var lock: Int32 = 0
    var number: UInt32 = 0
    try #require(unsafe ioctl(descriptor, 0x4004_5431, &lock) == 0 && ioctl(descriptor, 0x8004_5430, &number) == 0)
    let slave = try #require(FileHandle(forUpdatingAtPath: "/dev/pts/\(number)"))
    master = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    process.executableURL = URL(fileURLWithPath: Program.path ?? "")
    process.arguments = arguments
    process.environment = [
      "TERM": "xterm", "HOME": FileManager.default.temporaryDirectory.path, "PAGER": pager,
      "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
    ]
    var size = winsize(ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0)
    try #require(unsafe ioctl(descriptor, UInt(TIOCSWINSZ), &size) == 0)
    (process.standardInput, process.standardOutput, process.standardError) = (slave, slave, slave)
    try process.run()
    // What is typed before the program has the keys to itself would wait for the end of the line.
    var mode = termios()
    for _ in 0..<300
    where unsafe takesKeys && (tcgetattr(descriptor, &mode) != 0 || mode.c_lflag & tcflag_t(ICANON) != 0) {
      usleep(100_000)
    }
  }

  deinit { if process.isRunning { process.terminate() } }

  func type(_ keys: String) throws { try master.write(contentsOf: Data(keys.utf8)) }

  /// Reads until the text from `start` on contains `wanted`, for at most so many seconds.
  /// - Returns: whether it does.
  func awaits(_ wanted: String, from start: Int = 0, within seconds: Double = 30) -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while !text.dropFirst(start).contains(wanted) {
      var ready = pollfd(fd: master.fileDescriptor, events: Int16(POLLIN), revents: 0)
      guard Date() < deadline, unsafe poll(&ready, 1, 1000) >= 0 else { return false }
      if ready.revents != 0 {
        let data = master.availableData
        if data.isEmpty { return false }
        text += String(decoding: data, as: UTF8.self)
      }
    }
    return true
  }

  /// Whether keys go to the program one by one, once that is as wanted or 10 seconds have passed.
  func isRaw(wanted: Bool) -> Bool {
    var mode = termios()
    for _ in 0..<100 {
      let isRaw = unsafe tcgetattr(master.fileDescriptor, &mode) == 0 && mode.c_lflag & tcflag_t(ICANON) == 0
      if isRaw == wanted { return isRaw }
      usleep(100_000)
    }
    return !wanted
  }

  func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// Waits for the end, for at most 90 seconds.
  /// - Parameter reads: what the program shows meanwhile is taken.
  func exitCode(reads: Bool = true) -> Int32 {
    let deadline = Date(timeIntervalSinceNow: 90)
    while process.isRunning, Date() < deadline {
      var ready = pollfd(fd: master.fileDescriptor, events: Int16(POLLIN), revents: 0)
      guard reads, unsafe poll(&ready, 1, 10) > 0, ready.revents & Int16(POLLIN) != 0 else {
        usleep(10_000)
        continue
      }
      text += String(decoding: master.availableData, as: UTF8.self)
    }
    if process.isRunning {
      Issue.record("the program does not end")
      kill(process.processIdentifier, SIGKILL)
    }
    process.waitUntilExit()
    return process.terminationStatus
  }
}

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct TerminalTests {
  /// A line of the guest goes above the prompt and what is typed there; the beginning of one waits for its end.
  @Test func guestPrintsAboveThePrompt() throws {
    let image = try Program.file(Guest.bytes(Guest.say("one\ntwo") + Guest.loop))
    let session = try Session(["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "-S", "--timeout", "50"])
    try session.type("\u{1}c")
    try #require(session.awaits("(martlet) "), "\(session.text)")
    try session.type("continue\n")
    try #require(session.awaits("one\r\n"), "\(session.text)")
    let line = session.text.components(separatedBy: "one\r\n")[0].count
    #expect(session.awaits("(martlet) ", from: line), "\(session.text)")
    #expect(!session.text.contains("two"))
    try session.type("\u{1}c")
    #expect(session.awaits("\r\ntwo"), "\(session.text)")
    try session.type("\u{1}x")
    #expect(session.exitCode() == 0)
  }

  /// Stopped, it leaves the terminal as it was; going on, it takes it again.
  @Test func theTerminalIsTakenAgainAfterAStop() throws {
    let image = try Program.file(Guest.bytes(Guest.say("up") + Guest.loop))
    let session = try Session(["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "--timeout", "50"])
    #expect(session.isRaw(wanted: true))
    for signal in [SIGTSTP, SIGSTOP, SIGTSTP] {
      session.send(signal)
      if signal == SIGTSTP { #expect(!session.isRaw(wanted: false)) }
      usleep(200_000)
      session.send(SIGCONT)
      #expect(session.isRaw(wanted: true))
    }
    try session.type("\u{1}x")
    #expect(session.exitCode() == 0)
  }

  /// At a terminal time is the user's, whoever else looks on; but not in a replay.
  @Test(arguments: [([], true), (["-s", "-S"], true), (["--record", "x"], true), (["--replay", "x"], false)])
  func timeAtATerminalIsTheUsers(flags: [String], isReal: Bool) throws {
    let session = try Session(
      ["-M", "virt", "-bios", "/bin/sh", "-nographic", "--dry-run"] + flags, takesKeys: false)
    #expect(session.awaits("log unimp"), "\(session.text)")
    #expect(session.exitCode() == 0)
    _ = session.awaits("realtime", within: 1)
    #expect(session.text.contains("realtime 1.0") == isReal, "\(session.text)")
  }

  /// Starts a monitor over a guest that does nothing, at a terminal.
  private func prompt(pager: String, seconds: Int = 60) throws -> Session {
    let image = try Program.file(Guest.bytes(Guest.loop))
    let session = try Session(
      ["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "-S", "--timeout", "\(seconds)"], pager: pager)
    try session.type("\u{1}c")
    try #require(session.awaits("(martlet) "), "\(session.text)")
    return session
  }

  /// Types a line, and returns what is shown up to the next prompt.
  private func answer(_ session: Session, _ line: String) throws -> String {
    let start = session.text.count
    try session.type(line + "\n")
    try #require(session.awaits("\n(martlet) ", from: start), "\(line): \(session.text.dropFirst(start))")
    return String(session.text.dropFirst(start))
  }

  /// Long listings go through the pager, short ones, errors and what is piecewise short do not; keys work afterwards.
  @Test func longListingsGoThroughThePager() throws {
    let session = try prompt(pager: "sed 's/^/: /'")
    let help = try answer(session, "help")
    #expect(help.contains(": Run control") && !help.contains("\nRun control"), "\(help)")
    #expect(try !answer(session, "print 1").contains(": "))
    #expect(try answer(session, "x/4000xb 0x80000000").contains("\n: "))
    #expect(try !answer(session, "x/40xb 0x80000000").contains("\n: "))
    #expect(try !answer(session, "pager off").contains("\n: "))
    #expect(try !answer(session, "help").contains("\n: "))
    #expect(try answer(session, "pager on").contains("sed"))
    #expect(session.isRaw(wanted: true))
    try session.type("\u{1}x")
    #expect(session.exitCode() == 0)
  }

  /// Leaving the pager ends a listing of any length.
  @Test func leavingThePagerEndsTheListing() throws {
    let session = try prompt(pager: "head -n 3")
    let listing = try answer(session, "x/10000000xb 0x80000000")
    #expect(listing.split(separator: "\n").count < 8, "\(listing.prefix(1000))")
    #expect(try answer(session, "print 1").contains("0x1  1"))
    for _ in 0..<2 { #expect(try answer(session, "help").contains("Run control")) }
    try session.type("\u{1}x")
    #expect(session.exitCode() == 0)
  }

  /// The end of the program does not wait for a pager that nobody leaves.
  @Test func theEndEndsThePager() throws {
    let session = try prompt(pager: "trap '' TERM; sed 's/^/: /'; sleep 1000")
    try session.type("help\n")
    #expect(session.awaits(": Run control"))
    session.send(SIGTERM)
    #expect(session.exitCode() != 0)
    #expect(!session.isRaw(wanted: false))
  }

  /// A terminal that stands still, as after Ctrl-S, holds up neither the time limit nor a signal.
  @Test(arguments: [nil, SIGTERM]) func aTerminalThatNobodyReadsHoldsUpNoEnd(signal: Int32?) throws {
    let session = try prompt(pager: "cat", seconds: signal == nil ? 10 : 60)
    for _ in 0..<10 { try session.type("help\n") }
    if let signal {
      sleep(2)
      session.send(signal)
    }
    #expect(session.exitCode(reads: false) == signal ?? 3)
    #expect(!session.isRaw(wanted: false))
  }
}
