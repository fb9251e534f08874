// Owns the prompt at the terminal: lines to the monitor, and the machine's stops shown as they come.

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

  /// - Parameter quit: called for `quit` and at the end of input.
  public init(_ monitor: Monitor, prompt: String = "(martlet) ", quit: @escaping () -> Void) {
    self.monitor = monitor
    self.prompt = prompt
    self.quit = quit
    LineEditor.setUp { line, cursor in monitor.completions(for: line, cursor: cursor) }
    monitor.machine.perform { [messages] machine in
      machine.stopObservers.append { event in
        // A stop that a command waits for is that command's to show; so is the answer to 'stop'.
        guard !monitor.stops.isAwaited, event != .requested else { return }
        messages.post(monitor.describe(event, machine).textLines.joined(separator: "\n"))
      }
    }
  }

  /// Shows the prompt; stops of the time before are forgotten.
  public func show() {
    _ = messages.take()
    LineEditor.show(prompt: prompt)
  }

  public func hide() { LineEditor.hide() }

  /// Takes what was typed.
  public func feed(_ bytes: [UInt8]) {
    LineEditor.feed(bytes)
    while let event = LineEditor.next() {
      switch event {
      case .endOfInput: quit()
      case .line(let line):
        let result = monitor.execute(line)
        if !result.text.isEmpty { LineEditor.write(result.text + "\n") }
        if result.wantsQuit { quit() } else { LineEditor.show(prompt: prompt) }
      }
    }
  }

  /// Becomes readable when there is something for ``showMessages()``.
  public var messageDescriptor: Int32 { messages.descriptor }

  /// Shows stops that have come while the prompt waits.
  public func showMessages() {
    for text in messages.take() where !text.isEmpty { LineEditor.interject(text) }
  }
}

/// Lines from other threads, with a pipe to wake the prompt's.
private final class Messages: Sendable {
  private let texts = Mutex<[String]>([])
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

  func post(_ text: String) {
    texts.withLock { $0.append(text) }
    _ = unsafe write(writer, "!", 1)
  }

  func take() -> [String] {
    var byte: UInt8 = 0
    while unsafe read(reader, &byte, 1) == 1 {}
    return texts.withLock { texts in
      defer { texts.removeAll() }
      return texts
    }
  }
}
