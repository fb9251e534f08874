// Owns the pager: at the terminal's prompt what does not fit the terminal goes through the program that PAGER names.

import CHost
import Glibc
import Machine
import Processes

/// The program that shows long texts, as the user's environment has it.
struct PagerProgram: Sendable, Equatable {
  /// For the shell.
  var command: String
  /// What `less` is to do where nobody says: quit if all fits, pass colours on, leave the screen as it is.
  static let lessOptions = "FRX"

  /// Nil if texts are to be written as they are: `PAGER` is empty or `cat`, or there is none and no `less`.
  static var ofUser: PagerProgram? {
    guard let name = unsafe getenv("PAGER").map({ unsafe String(cString: $0) }) else {
      return ProgramRun.find("less").map { _ in PagerProgram(command: "less -" + lessOptions) }
    }
    let isNone = name.allSatisfy { $0 == " " } || name == "cat"
    return isNone ? nil : PagerProgram(command: name)
  }
}

/// What a command shows at the prompt, page by page if it is long. On the thread of commands, but for ``end()``.
final class Pager: Sendable {
  private struct State {
    /// What is shown as soon as it is known to be short.
    var text = ""
    /// The pager, and the end of the pipe that it reads.
    var child: (process: Int32, input: Int32)?
    /// Its user has left it.
    var hasEnded = false
    /// There is to be no other.
    var isClosed = false
  }
  private let state = Guarded(State())
  private let monitor: Monitor
  private let terminal: TerminalLoan
  private let output: @Sendable ([UInt8]) -> Void

  /// - Parameter output: takes what goes through no pager.
  init(_ monitor: Monitor, _ terminal: TerminalLoan, output: @escaping @Sendable ([UInt8]) -> Void) {
    self.monitor = monitor
    self.terminal = terminal
    self.output = output
  }

  /// Takes a piece of a listing, of which more is to come.
  func add(_ piece: String, _ run: CommandRun) {
    let isBegun = state.change { state in
      if state.child == nil { state.text += piece }
      return state.child != nil
    }
    if isBegun { return feed(piece, run) }
    let text = state.withLock { $0.text }
    guard !fits(text) else { return }
    state.change { $0.text = "" }
    if begin() { feed(text, run) } else { output(Array(text.utf8)) }
  }

  /// Takes what a command came to; returns what of it is still to be shown.
  func finish(_ result: MonitorResult) -> MonitorResult {
    let (before, isBegun) = state.change { state in
      defer { state.text = "" }
      return (state.text, state.child != nil)
    }
    var rest = result
    rest.text = before + result.text
    guard isBegun || !result.isError && !fits(rest.text) && begin() else { return rest }
    if state.withLock({ !$0.hasEnded }) { feed(rest.text + "\n", nil) }
    close()
    return MonitorResult(text: "", wantsQuit: result.wantsQuit)
  }

  /// Ends the pager, and lets none begin; from any thread.
  func end() {
    let child = state.change { state in
      state.isClosed = true
      return state.child
    }
    guard let child else { return }
    for signal in [SIGTERM, SIGKILL] {
      chost_pager_stop(child.process, signal)
      if state.wait(nanoseconds: 500_000_000, until: { $0.child == nil ? () : nil }) != nil { return }
    }
  }

  /// Whether there are so few lines that they can be read at once, the prompt below.
  private func fits(_ text: String) -> Bool {
    let group = tcgetpgrp(STDOUT_FILENO)
    // A terminal that controls nobody has no foreground.
    guard let size = TerminalSize(of: STDOUT_FILENO), group < 0 || group == getpgrp() else { return true }
    return size.lines(of: text) < size.rows
  }

  /// Has the pager take the terminal.
  /// - Returns: whether it has.
  private func begin() -> Bool {
    guard monitor.state.withLock({ $0.usesPager }), let program = PagerProgram.ofUser, terminal.borrow() else {
      return false
    }
    let child = state.change { state -> (Int32, Int32)? in
      guard !state.isClosed else { return nil }
      var (process, input): (Int32, Int32) = (0, 0)
      let failure = unsafe chost_pager_start(program.command, PagerProgram.lessOptions, &process, &input)
      guard failure == 0 else { return nil }
      (state.child, state.hasEnded) = ((process, input), false)
      return state.child
    }
    if child == nil { terminal.giveBack() }
    return child != nil
  }

  /// - Parameter run: ended when nobody reads on.
  private func feed(_ text: String, _ run: CommandRun?) {
    guard let input = state.withLock({ $0.child?.input }) else { return }
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = unsafe bytes.withUnsafeBytes { unsafe write(input, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        state.change { $0.hasEnded = true }
        run?.cancel()
        return
      }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Waits until its user leaves the pager.
  private func close() {
    guard let child = state.withLock({ $0.child }) else { return }
    Glibc.close(child.input)
    chost_pager_end(child.process)
    state.change { $0.child = nil }
    terminal.giveBack()
  }
}

/// How much a terminal shows.
struct TerminalSize {
  var rows: Int
  var columns: Int

  /// Nil if the descriptor is no terminal, or does not know.
  init?(of descriptor: Int32) {
    var size = winsize()
    guard isatty(descriptor) != 0, unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0,
      size.ws_col > 0
    else { return nil }
    (rows, columns) = (Int(size.ws_row), Int(size.ws_col))
  }

  init(rows: Int, columns: Int) { (self.rows, self.columns) = (rows, columns) }

  /// Lines that a text takes there, without the sequences that colour it.
  func lines(of text: String) -> Int {
    text.split(separator: "\n", omittingEmptySubsequences: false).reduce(0) { sum, line in
      var width = 0
      var isSequence = false
      for scalar in line.unicodeScalars {
        if isSequence {
          isSequence = scalar != "m"
        } else if scalar == "\u{1B}" {
          isSequence = true
        } else {
          width += 1
        }
      }
      return sum + max(1, (width + columns - 1) / columns)
    }
  }
}

/// The terminal, which the thread that reads it lends to another program.
final class TerminalLoan: Sendable {
  private enum State: Sendable {
    case kept, wanted, lent, returned
    /// Never again.
    case closed
  }
  private let state = Guarded(State.kept)
  private let wake: @Sendable () -> Void

  /// - Parameter wake: has ``answer(_:lend:takeBack:)`` called on the thread that reads the terminal.
  init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

  /// Waits until the terminal is lent; false if it is not to be had.
  func borrow() -> Bool {
    let isOpen = state.change { state in
      guard case .kept = state else { return false }
      state = .wanted
      return true
    }
    guard isOpen else { return false }
    wake()
    return state.wait { state in
      switch state {
      case .wanted: nil
      case .lent: true
      case .kept, .returned, .closed: false
      }
    }
  }

  func giveBack() {
    state.change { if case .lent = $0 { $0 = .returned } }
    wake()
  }

  var isLent: Bool { state.withLock { if case .lent = $0 { true } else { false } } }

  /// On the thread that reads the terminal: lends it, or takes it back, if that is wanted.
  func answer(mayLend: Bool, lend: () -> Void, takeBack: () -> Void) {
    switch state.withLock({ $0 }) {
    case .wanted:
      if mayLend { lend() }
      state.change { if case .wanted = $0 { $0 = mayLend ? .lent : .kept } }
    case .returned:
      takeBack()
      state.change { if case .returned = $0 { $0 = .kept } }
    case .kept, .lent, .closed: break
    }
  }

  func close() { state.change { $0 = .closed } }
}

extension Command {
  static let pager = Command(
    "pager", [.words("STATE", "on", "off").optional], .monitor,
    "Whether long listings at the terminal go through $PAGER, 'less -FRX' where none is set; PAGER=cat never.",
    .look { context throws(MonitorError) in
      let monitor = context.monitor
      if let state = context.arguments["STATE"] { monitor.state.withLock { $0.usesPager = state == "on" } }
      return .fields([
        NamedValue("pager", .truth(monitor.state.withLock { $0.usesPager })),
        NamedValue("program", PagerProgram.ofUser.map { .text($0.command) } ?? .nothing),
      ])
    })
}
