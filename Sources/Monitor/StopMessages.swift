// Owns the machine's stops in words, from its thread to the prompt's.

import Glibc
import Synchronization

/// Lines that wait for a prompt to show them, with a pipe to wake it. Closed while there is none.
final class StopMessages: Sendable {
  private let texts = Mutex<[String]?>(nil)
  private let reader: Int32
  private let writer: Int32

  init() {
    var ends: [Int32] = [-1, -1]
    unsafe pipe(&ends)
    for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    (reader, writer) = (ends[0], ends[1])
  }

  deinit {
    Glibc.close(reader)
    Glibc.close(writer)
  }

  /// Readable when something waits.
  var descriptor: Int32 { reader }

  func open() { texts.withLock { $0 = [] } }
  func close() { texts.withLock { $0 = nil } }

  func post(_ text: @autoclosure () -> String) {
    guard texts.withLock({ $0 != nil }) else { return }
    let text = text()
    texts.withLock { $0?.append(text) }
    _ = unsafe write(writer, "!", 1)
  }

  func take() -> [String] {
    var byte: UInt8 = 0
    while unsafe read(reader, &byte, 1) == 1 {}
    return texts.withLock { texts in
      defer { if texts != nil { texts = [] } }
      return texts ?? []
    }
  }
}
