// Owns a monitor prompt on a stream of bytes: the terminal or a socket.

import Monitor

/// A prompt: takes bytes in, gives text out.
final class MonitorConsole {
  static let prompt = "(martlet) "
  private let monitor: Monitor
  private let output: ([UInt8]) -> Void
  private let quit: () -> Void
  private var input: LineInput

  /// - Parameter echoes: show what is typed; for terminals in raw mode.
  init(_ monitor: Monitor, echoes: Bool, output: @escaping ([UInt8]) -> Void, quit: @escaping () -> Void) {
    self.monitor = monitor
    self.output = output
    self.quit = quit
    input = LineInput(echoes: echoes)
  }

  func showPrompt() { show(Self.prompt + input.current) }

  func feed(_ bytes: [UInt8]) {
    for event in input.feed(bytes) { handle(event) }
  }

  private func handle(_ event: LineInput.Event) {
    switch event {
    case .show(let bytes): output(bytes)
    case .end: quit()
    case .line(let line):
      let result = monitor.execute(line)
      if !result.text.isEmpty { show(result.text + "\n") }
      if result.wantsQuit { quit() } else { show(Self.prompt) }
    case .complete: break
    }
  }

  private func show(_ text: String) { output(Array(text.utf8)) }
}
