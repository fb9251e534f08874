// Owns what Martlet itself says: notes and errors on standard error, the log of `-d` there or in a file.

import Glibc
import GuestKit

enum Log {
  static func note(_ text: String) { Descriptors.write(Array("martlet: \(text)\n".utf8), to: 2) }

  /// A function for the machine that writes lines of the chosen items to a file (`-D`) or standard error.
  static func sink(_ items: Set<LogItem>, file: String?) throws(Failure) -> (LogItem, String) -> Void {
    let descriptor = if let file { try Descriptors.open(file, of: "-D") } else { Int32(2) }
    return { item, text in
      if items.contains(item) { Descriptors.write(Array("\(text)\n".utf8), to: descriptor) }
    }
  }
}
