// Owns what Martlet itself says: notes and errors on standard error, the log of `-d` there or in a file.

import Glibc
import GuestKit

enum Log {
  /// Milliseconds that a message may wait for the reader of standard error.
  private static let patience: Int32 = 500

  static func note(_ text: String) {
    var wait = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
    guard unsafe poll(&wait, 1, patience) == 1 else { return }
    _ = Descriptors.write(Array("martlet: \(text)\n".utf8), to: 2)
  }

  /// A function for the machine that writes the log's lines to a file (`-D`) or standard error.
  static func sink(file: String?, _ outputs: Outputs) throws(Failure) -> (LogItem, String) -> Void {
    let output = if let file { try outputs.file(file, of: "-D") } else { outputs.standardError }
    return { _, text in output.write(text + "\n") }
  }
}
