// Owns the prompt at the terminal: lines to the monitor, and above it the machine's stops and what the guest prints.

import Glibc
import Machine
import Synchronization

/// The monitor's readline prompt, for whoever owns the terminal: one at a time, used on one thread.
///
/// The terminal must pass each key at once and unechoed (no ICANON, no ECHO). While the prompt is hidden nothing is
/// written.
public final class MonitorPrompt {
  private let monitor: Monitor
  private let prompt: String
  private let quit: () -> Void
  private let messages = Messages()
  private let commands: CommandThread
  private let pager: Pager
  private let loan: TerminalLoan
  /// Lets another program have the terminal for a while, and takes it back, on the prompt's thread: nothing is fed to the
  /// prompt in between. Without both no listing goes through a pager.
  public var lending: (lend: () -> Void, takeBack: () -> Void)?
  /// A line is being carried out: until then there is no prompt.
  private var isBusy = false
  /// The terminal is somebody else's.
  private var isHidden = true

  /// - Parameters:
  ///   - show: takes what the prompt shows; it waits for nobody.
  ///   - output: takes what a command shows before its end. It may wait for a slow reader, for a while.
  ///   - quit: called for `quit` and at the end of input.
  public init(
    _ monitor: Monitor, prompt: String = "(martlet) ", show: @escaping @Sendable ([UInt8]) -> Void,
    output: @escaping @Sendable ([UInt8]) -> Void, quit: @escaping () -> Void
  ) {
    self.monitor = monitor
    self.prompt = prompt
    self.quit = quit
    let loan = TerminalLoan(wake: { [messages] in messages.wake() })
    let pager = Pager(monitor, loan, output: output)
    (self.loan, self.pager) = (loan, pager)
    commands = CommandThread(
      monitor, files: .all, style: { .terminal(1) }, pages: { pager.add($0, $1) },
      output: { output(Array($0.utf8)) },
      completed: { [messages] in messages.complete(pager.finish($0)) })
    LineEditor.setUp(output: show) { line, cursor in monitor.completions(for: line, cursor: cursor) }
    monitor.announceStops { [messages] listing in
      messages.post(Array(listing.textLines.joined(separator: "\n").utf8))
    }
  }

  /// Shows the prompt; stops of the time before are forgotten.
  public func show() {
    let (_, result) = messages.take()
    isHidden = false
    if let result { finish(result) } else if !isBusy { LineEditor.show(prompt: prompt) }
  }

  /// Takes the prompt away, and shows all that was relayed.
  public func hide() {
    showMessages()
    isHidden = true
    if LineEditor.isShown {
      LineEditor.hide()
      LineEditor.write([0x0A])
    }
    LineEditor.write(messages.takeUnfinished())
  }

  /// Takes what the guest prints, on any thread: each line is shown above the prompt when it is complete.
  public var relay: @Sendable ([UInt8]) -> Void { { [messages] in messages.relay($0) } }

  /// Takes what was typed. Ctrl-C ends the command that is under way; other keys are kept for the next prompt.
  public func feed(_ bytes: [UInt8]) {
    var bytes = bytes[...]
    if isBusy, let interrupt = bytes.lastIndex(of: 3) {
      commands.cancel()
      LineEditor.discardInput()
      bytes = bytes[(interrupt + 1)...]
    }
    LineEditor.feed(Array(bytes))
    work()
  }

  /// Works on typed bytes, up to the end of a line that is carried out.
  private func work() {
    guard !isBusy, let event = LineEditor.next() else { return }
    switch event {
    case .endOfInput: quit()
    case .line(let line):
      isBusy = true
      commands.submit(line)
    }
  }

  private func finish(_ result: MonitorResult) {
    isBusy = false
    if !result.text.isEmpty { LineEditor.write(Array((result.text + "\n").utf8)) }
    guard !result.wantsQuit else { return quit() }
    guard !isHidden else { return }
    LineEditor.show(prompt: prompt)
    work()
  }

  /// Ends the command that is under way; no other follows.
  public func close() {
    commands.close()
    loan.close()
    pager.end()
  }

  /// Becomes readable when there is something for ``showMessages()``.
  public var messageDescriptor: Int32 { messages.descriptor }

  /// Shows what has come while the prompt waits.
  public func showMessages() {
    loan.answer(
      mayLend: !isHidden && lending != nil, lend: { lending?.lend() }, takeBack: { lending?.takeBack() })
    guard !loan.isLent else { return messages.calm() }
    let (lines, result) = messages.take()
    if !lines.isEmpty { LineEditor.interject(lines) }
    if let result { finish(result) }
  }
}

/// Lines from other threads, with a pipe to wake the prompt's.
private final class Messages: Sendable {
  private struct State {
    var lines: [[UInt8]] = []
    /// Lines that came while too many others waited.
    var lost = 0
    /// What the command under way has come to.
    var result: MonitorResult?
    /// The beginning of a line that is being relayed.
    var unfinished: [UInt8] = []

    /// A pager may keep the terminal for long.
    mutating func append(_ line: [UInt8]) {
      if lines.count < 10_000 { lines.append(line) } else { lost += 1 }
    }
  }
  private let state = Mutex(State())
  private let reader: Int32
  private let writer: Int32

  init() {
    var ends: [Int32] = [-1, -1]
    unsafe Glibc.pipe(&ends)
    for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    (reader, writer) = (ends[0], ends[1])
  }

  deinit {
    close(reader)
    close(writer)
  }

  var descriptor: Int32 { reader }

  func post(_ line: [UInt8]) {
    state.withLock { $0.append(line) }
    wake()
  }

  func relay(_ bytes: [UInt8]) {
    let isComplete = state.withLock { state in
      for byte in bytes {
        if byte == 0x0A {
          state.append(state.unfinished)
          state.unfinished.removeAll(keepingCapacity: true)
        } else {
          state.unfinished.append(byte)
        }
      }
      return bytes.contains(0x0A)
    }
    if isComplete { wake() }
  }

  func wake() { _ = unsafe write(writer, "!", 1) }

  func complete(_ result: MonitorResult) {
    state.withLock { $0.result = result }
    wake()
  }

  func take() -> (lines: [[UInt8]], result: MonitorResult?) {
    calm()
    return state.withLock { state in
      if state.lost > 0 { state.lines.append(Array("[\(state.lost) more lines came, and are lost]".utf8)) }
      defer { (state.lines, state.lost, state.result) = ([], 0, nil) }
      return (state.lines, state.result)
    }
  }

  /// Has the descriptor wait for what comes next.
  func calm() {
    var byte: UInt8 = 0
    while unsafe read(reader, &byte, 1) == 1 {}
  }

  func takeUnfinished() -> [UInt8] {
    state.withLock { state in
      defer { state.unfinished.removeAll() }
      return state.unfinished
    }
  }
}
