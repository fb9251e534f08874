// Owns one serial device's connection to the host.

import Bus
import Synchronization

/// Where a serial device's characters go. Written by the machine's thread, connected by the main thread.
final class SerialLine: CharacterBackend, Sendable {
  private struct State {
    var output: Output?
    var relay: (@Sendable ([UInt8]) -> Void)?
    var search: TextSearch?
  }
  private let state: Mutex<State>
  private let verdict: Verdict
  /// Whether the guest is what prints here.
  let isGuests: Bool

  /// - Parameter expected: ends the run once the device has printed it.
  init(expected: String?, isGuests: Bool = true, _ verdict: Verdict) {
    self.verdict = verdict
    self.isGuests = isGuests
    state = Mutex(State(search: expected.map { TextSearch($0) }))
  }

  /// Lets characters go to an output, or nowhere.
  func connect(_ output: Output?) { state.withLock { $0.output = output } }

  /// Hands characters to `relay` in place of the output; nil: to the output again.
  func divert(to relay: (@Sendable ([UInt8]) -> Void)?) { state.withLock { $0.relay = relay } }

  func write(_ bytes: [UInt8]) {
    let output = state.withLock { state in
      guard let relay = state.relay else { return state.output }
      relay(bytes)
      return nil
    }
    output?.write(bytes)
    let isFound = state.withLock { $0.search?.feed(bytes) ?? false }
    if isFound { verdict.reach(.expected) }
  }

  /// Writes text of Martlet's own, and waits for a slow reader; not on threads that others wait for.
  func writeInTime(_ bytes: [UInt8]) { state.withLock { $0.output }?.writeInTime(bytes) }
}

/// Looks for a text in a stream of bytes (Knuth, Morris, Pratt).
struct TextSearch {
  private let text: [UInt8]
  /// For each prefix of the text, the length of its longest proper suffix that is a prefix too.
  private let borders: [Int]
  private var matched = 0

  init(_ text: String) {
    let text = Array(text.utf8)
    var borders = [Int](repeating: 0, count: max(1, text.count))
    var length = 0
    for index in text.indices.dropFirst() {
      while length > 0, text[index] != text[length] { length = borders[length - 1] }
      if text[index] == text[length] { length += 1 }
      borders[index] = length
    }
    self.text = text
    self.borders = borders
  }

  /// Returns whether the text is complete with one of these bytes.
  mutating func feed(_ bytes: [UInt8]) -> Bool {
    for byte in bytes {
      if matched == text.count { return true }
      while matched > 0, byte != text[matched] { matched = borders[matched - 1] }
      if byte == text[matched] { matched += 1 }
      if matched == text.count { return true }
    }
    return false
  }
}
