// Owns a monitor prompt on a plain stream of bytes: a pipe or a socket, whose other side edits lines itself.

import Monitor

/// A prompt: takes bytes in, gives text out. Ctrl-C ends the command that is under way.
final class MonitorConsole {
  private static let prompt = "(martlet) "
  /// Longer lines are not commands.
  private static let longestLine = 1 << 16
  private let prompts: @Sendable ([UInt8]) -> Void
  private let commands: CommandThread
  private var line: [UInt8] = []
  private var previous: UInt8 = 0

  /// - Parameters:
  ///   - prompts: takes the first prompt, and does not wait.
  ///   - output: takes what commands say, on a thread of their own.
  init(
    _ monitor: Monitor, prompts: @escaping @Sendable ([UInt8]) -> Void, output: @escaping @Sendable ([UInt8]) -> Void,
    quit: @escaping @Sendable () -> Void
  ) {
    self.prompts = prompts
    commands = CommandThread(
      monitor, files: .all, output: { output(Array($0.utf8)) },
      completed: { result in
        if !result.text.isEmpty { output(Array((result.text + "\n").utf8)) }
        if result.wantsQuit { quit() } else { output(Array(Self.prompt.utf8)) }
      })
  }

  func showPrompt() { prompts(Array(Self.prompt.utf8)) }

  func feed(_ bytes: [UInt8]) {
    for byte in bytes {
      defer { previous = byte }
      if byte == 3 {
        commands.cancel()
        line.removeAll()
      } else if byte == 0x0D || byte == 0x0A {
        // Telnet ends lines with both.
        if byte == 0x0D || previous != 0x0D { execute() }
      } else if line.count < Self.longestLine {
        line.append(byte)
      }
    }
  }

  private func execute() {
    commands.submit(String(decoding: line, as: UTF8.self))
    line.removeAll()
  }
}
