// Owns a monitor prompt on a plain stream of bytes: a pipe or a socket, whose other side edits lines itself.

import Monitor

/// A prompt: takes bytes in, gives text out.
final class MonitorConsole {
  private static let prompt = "(martlet) "
  /// Longer lines are not commands.
  private static let longestLine = 1 << 16
  private let monitor: Monitor
  private let output: ([UInt8]) -> Void
  private let quit: () -> Void
  private var line: [UInt8] = []
  private var previous: UInt8 = 0

  init(_ monitor: Monitor, output: @escaping ([UInt8]) -> Void, quit: @escaping () -> Void) {
    self.monitor = monitor
    self.output = output
    self.quit = quit
  }

  func showPrompt() { show(Self.prompt) }

  func feed(_ bytes: [UInt8]) {
    for byte in bytes {
      defer { previous = byte }
      if byte == 0x0D || byte == 0x0A {
        // Telnet ends lines with both.
        if byte == 0x0D || previous != 0x0D { execute() }
      } else if line.count < Self.longestLine {
        line.append(byte)
      }
    }
  }

  private func execute() {
    let result = monitor.execute(String(decoding: line, as: UTF8.self))
    line.removeAll()
    if !result.text.isEmpty { show(result.text + "\n") }
    if result.wantsQuit { quit() } else { showPrompt() }
  }

  private func show(_ text: String) { output(Array(text.utf8)) }
}
