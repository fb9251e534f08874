// Owns the loop of the prompt: lines to the monitor, and the machine's stops shown as they come.

import Glibc
import Machine
import Synchronization

/// The monitor at the terminal, or over a file of commands.
public final class MonitorREPL {
  /// Why the loop ended.
  public enum End: Sendable, Equatable {
    /// `quit`, or Ctrl-A x.
    case quit
    /// Ctrl-A c: back to the serial console.
    case toggle
    case endOfInput
  }

  private let monitor: Monitor
  private let isInteractive: Bool
  private let messages: Messages

  /// - Parameter prompt: shown at a terminal only.
  public init(_ monitor: Monitor, prompt: String = "(martlet) ") {
    self.monitor = monitor
    isInteractive = isatty(STDIN_FILENO) != 0
    self.prompt = prompt
    let messages = Messages()
    self.messages = messages
    let stops = monitor.stops
    monitor.machine.perform { machine in
      machine.stopObservers.append { event in
        // A stop that a command waits for is that command's to show.
        if !stops.isAwaited { messages.post(monitor.describe(event, machine).textLines.joined(separator: "\n")) }
      }
    }
  }
  private let prompt: String

  /// Reads and executes lines until something ends the loop. On a thread of its own, not the machine's.
  public func run() -> End { isInteractive ? runTerminal() : runLines() }

  /// Executes lines as if typed; stops at `quit`.
  /// - Returns: whether all succeeded, and whether one was `quit`.
  public static func runScript(_ lines: [String], _ monitor: Monitor, show: (String) -> Void) -> (
    isGood: Bool, wantsQuit: Bool
  ) {
    var isGood = true
    for line in lines {
      let result = monitor.execute(line)
      if !result.text.isEmpty { show(result.text) }
      if result.isError { isGood = false }
      if result.wantsQuit { return (isGood, true) }
    }
    return (isGood, false)
  }

  private func runLines() -> End {
    while let line = readLine() {
      let result = monitor.execute(line)
      if !result.text.isEmpty { writeOut(result.text + "\n") }
      if result.wantsQuit { return .quit }
    }
    return .endOfInput
  }

  private func runTerminal() -> End {
    let monitor = monitor
    let editor = LineEditor(prompt: prompt, historyPath: Self.historyPath) { line, cursor in
      monitor.completions(for: line, cursor: cursor)
    }
    messages.clear()
    editor.begin()
    defer { editor.end() }
    while true {
      var ready = [
        pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
        pollfd(fd: messages.descriptor, events: Int16(POLLIN), revents: 0),
      ]
      let count = unsafe poll(&ready, 2, -1)
      if count < 0, errno != EINTR { return .endOfInput }
      if count <= 0 { continue }
      for text in messages.take() where !text.isEmpty { editor.show(text) }
      guard ready[0].revents != 0, let event = editor.readKey() else { continue }
      switch event {
      case .line(let line):
        let result = monitor.execute(line)
        if !result.text.isEmpty { editor.show(result.text) }
        if result.wantsQuit { return .quit }
      case .interrupted: editor.cancelLine()
      case .toggle: return .toggle
      case .quit: return .quit
      case .endOfInput: return .endOfInput
      }
    }
  }

  /// `~/.martlet_history`, if it can be written.
  private static var historyPath: String? {
    guard let home = unsafe getenv("HOME") else { return nil }
    let path = unsafe String(cString: home) + "/.martlet_history"
    let file = unsafe open(path, O_WRONLY | O_CREAT, 0o600)
    guard file >= 0 else { return nil }
    close(file)
    return path
  }
}

/// Lines for the prompt from other threads, with a pipe to wake it.
private final class Messages: Sendable {
  private let texts = Mutex<[String]>([])
  private let pipe: (read: CInt, write: CInt)

  init() {
    var ends: [CInt] = [-1, -1]
    unsafe Glibc.pipe(&ends)
    for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    pipe = (ends[0], ends[1])
  }

  deinit {
    close(pipe.read)
    close(pipe.write)
  }

  var descriptor: CInt { pipe.read }

  func post(_ text: String) {
    texts.withLock { $0.append(text) }
    _ = unsafe write(pipe.write, "!", 1)
  }

  func take() -> [String] {
    var byte: UInt8 = 0
    while unsafe read(pipe.read, &byte, 1) == 1 {}
    return texts.withLock { texts in
      defer { texts.removeAll() }
      return texts
    }
  }

  func clear() { _ = take() }
}
