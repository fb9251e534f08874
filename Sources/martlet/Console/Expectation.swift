// Owns the texts of `--expect`: the consoles print them one after another, and the run is at its end.

import Synchronization

/// Looks for texts in what several consoles print. The next text is looked for once the one before it is there, on
/// whichever console.
final class Expectation: Sendable {
  private struct State {
    var texts: ArraySlice<String>
    /// For the first of `texts`, one a console.
    var searches: [TextSearch] = []
  }
  private let state: Mutex<State>
  private let verdict: Verdict

  init(_ texts: [String], _ verdict: Verdict) {
    state = Mutex(State(texts: texts[...]))
    self.verdict = verdict
  }

  /// The text that is still to come.
  var missing: String? { state.withLock { $0.texts.first } }

  /// A number for a further console.
  func addConsole() -> Int {
    state.withLock { state in
      state.searches.append(TextSearch(state.texts.first ?? ""))
      return state.searches.count - 1
    }
  }

  /// A console prints.
  func see(_ bytes: [UInt8], on console: Int) {
    let isOver = state.withLock { state in
      var rest = bytes[...]
      while !state.texts.isEmpty {
        guard let used = state.searches[console].feed(rest) else { return false }
        rest = rest.dropFirst(used)
        state.texts.removeFirst()
        let search = TextSearch(state.texts.first ?? "")
        for index in state.searches.indices { state.searches[index] = search }
        if state.texts.isEmpty { return true }
      }
      return false
    }
    if isOver { verdict.reach(.expected) }
  }
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

  /// Returns how many of these bytes there are up to the end of the text, if that is among them.
  mutating func feed(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard !text.isEmpty else { return nil }
    for (index, byte) in bytes.enumerated() {
      while matched > 0, byte != text[matched] { matched = borders[matched - 1] }
      if byte == text[matched] { matched += 1 }
      if matched == text.count { return index + 1 }
    }
    return nil
  }
}
