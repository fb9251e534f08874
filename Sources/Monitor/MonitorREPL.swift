// Owns the loop of the prompt: lines from the terminal to the monitor, and the machine's stops shown as they come.

import Glibc
import Machine

/// The monitor at standard input and output: a readline prompt at a terminal, plain lines from anything else.
///
/// One runs at a time, on a thread that is not the machine's.
public final class MonitorREPL {
  /// Why the loop ended.
  public enum End: Sendable, Equatable {
    /// `quit`, or Ctrl-A x.
    case quit
    /// Ctrl-A c: back to the serial console.
    case toggle
    /// Ctrl-D, or the end of a pipe.
    case endOfInput
  }

  private static let help = "Ctrl-A c  the serial console\nCtrl-A x  quit\nCtrl-A h  this help"
  private let monitor: Monitor
  private let prompt: String
  private var isPrefixed = false

  public init(_ monitor: Monitor, prompt: String = "(martlet) ") {
    self.monitor = monitor
    self.prompt = prompt
  }

  /// Reads and executes lines until something ends the loop.
  public func run() -> End { isatty(STDIN_FILENO) != 0 ? runTerminal() : runLines() }

  private func runLines() -> End {
    while let line = readLine() {
      let result = monitor.execute(line)
      if !result.text.isEmpty { LineEditor.write(result.text + "\n") }
      if result.wantsQuit { return .quit }
    }
    return .endOfInput
  }

  private func runTerminal() -> End {
    let mode = KeyMode()
    defer { mode.restore() }
    let monitor = monitor
    LineEditor.setUp { line, cursor in monitor.completions(for: line, cursor: cursor) }
    monitor.messages.open()
    LineEditor.show(prompt: prompt)
    defer {
      LineEditor.hide()
      monitor.messages.close()
    }
    while true {
      var ready = [
        pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
        pollfd(fd: monitor.messages.descriptor, events: Int16(POLLIN), revents: 0),
      ]
      guard unsafe poll(&ready, 2, -1) > 0 else {
        if errno == EINTR { continue }
        return .endOfInput
      }
      for text in monitor.messages.take() where !text.isEmpty { LineEditor.interject(text) }
      guard ready[0].revents != 0 else { continue }
      var byte: UInt8 = 0
      let count = unsafe read(STDIN_FILENO, &byte, 1)
      if count == 0 || count < 0 && errno != EINTR && errno != EAGAIN { return .endOfInput }
      if count == 1, let end = take(byte) { return end }
    }
  }

  private func take(_ byte: UInt8) -> End? {
    if isPrefixed {
      isPrefixed = false
      switch byte {
      case UInt8(ascii: "c"), UInt8(ascii: "C"): return .toggle
      case UInt8(ascii: "x"), UInt8(ascii: "X"): return .quit
      case 1: break
      default:
        LineEditor.interject(Self.help)
        return nil
      }
    } else if byte == 1 {
      isPrefixed = true
      return nil
    }
    LineEditor.feed([byte])
    while let event = LineEditor.next() {
      guard case .line(let line) = event else { return .endOfInput }
      let result = monitor.execute(line)
      if !result.text.isEmpty { LineEditor.write(result.text + "\n") }
      if result.wantsQuit { return .quit }
      LineEditor.show(prompt: prompt)
    }
    return nil
  }
}

/// A terminal that passes each key at once and unechoed, unless its owner has seen to that already.
private struct KeyMode {
  private var saved: termios?

  init() {
    var mode = termios()
    guard unsafe tcgetattr(STDIN_FILENO, &mode) == 0, mode.c_lflag & tcflag_t(ICANON) != 0 else { return }
    saved = mode
    mode.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
    unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &mode)
  }

  func restore() {
    if var saved { unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &saved) }
  }
}
