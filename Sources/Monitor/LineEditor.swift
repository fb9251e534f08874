// Owns the prompt: GNU readline in its callback form, so that the machine's messages can come between keys.

@unsafe @preconcurrency import CReadline
import Glibc
import Synchronization

/// A line being typed at the terminal. There is one terminal, so there is one editor at a time.
final class LineEditor {
  /// What typing came to.
  enum Event: Equatable {
    case line(String)
    case endOfInput
    /// A key sequence bound to leaving: Ctrl-A c.
    case toggle
    /// Ctrl-A x.
    case quit
    case interrupted
  }

  /// What the C callbacks, which carry no context, need; used on the thread that edits.
  private final class Shared: Sendable {
    struct State: Sendable {
      var event: Event?
      var complete: (@Sendable (String, Int) -> Completions)?
    }
    let state = Mutex(State())
  }
  private static let shared = Shared()

  private let prompt: String
  private let historyPath: String?

  /// - Parameter historyPath: where lines are kept between runs; nil keeps none.
  init(prompt: String, historyPath: String?, complete: @escaping @Sendable (String, Int) -> Completions) {
    self.prompt = prompt
    self.historyPath = historyPath
    Self.shared.state.withLock { $0.complete = complete }
    unsafe rl_attempted_completion_function = { _, start, end in unsafe LineEditor.matches(Int(start), Int(end)) }
    unsafe rl_basic_word_break_characters = unsafe UnsafePointer(strdup(" "))
    rl_catch_signals = 0
    unsafe rl_bind_keyseq("\\C-ac") { _, _ in LineEditor.end(.toggle) }
    unsafe rl_bind_keyseq("\\C-ax") { _, _ in LineEditor.end(.quit) }
    using_history()
    if let historyPath { unsafe read_history(historyPath) }
  }

  private static func end(_ event: Event) -> CInt {
    shared.state.withLock { $0.event = event }
    return 0
  }

  /// Shows the prompt.
  func begin() {
    Self.shared.state.withLock { $0.event = nil }
    unsafe rl_callback_handler_install(prompt) { line in
      guard let line = unsafe line else {
        _ = LineEditor.end(.endOfInput)
        return
      }
      let text = unsafe String(cString: line)
      unsafe free(line)
      if !text.isEmpty { unsafe add_history(text) }
      _ = LineEditor.end(.line(text))
    }
  }

  /// Takes the keys that are there.
  func readKey() -> Event? {
    rl_callback_read_char()
    return Self.shared.state.withLock { state in
      defer { state.event = nil }
      return state.event
    }
  }

  /// Drops what has been typed and shows a fresh prompt.
  func cancelLine() {
    unsafe rl_replace_line("", 0)
    rl_crlf()
    rl_on_new_line()
    rl_redisplay()
  }

  /// Takes the prompt away and gives the terminal back.
  func end() {
    rl_callback_handler_remove()
    if let historyPath { unsafe write_history(historyPath) }
  }

  /// Writes lines above the prompt and what has been typed.
  func show(_ text: String) {
    rl_clear_visible_line()
    writeOut(text + "\n")
    rl_on_new_line()
    rl_redisplay()
  }

  /// Readline's form of the candidates: the common prefix, then each, then NULL; all from malloc.
  private static func matches(_ start: Int, _ end: Int) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
    rl_attempted_completion_over = 1
    let line = unsafe String(cString: rl_line_buffer)
    guard let complete = shared.state.withLock({ $0.complete }) else { return nil }
    let found = complete(line, end).candidates
    guard let first = found.first else { return nil }
    let common = found.dropFirst().reduce(first) { $0.commonPrefix(with: $1) }
    let list = found.count == 1 ? found : [common] + found
    let array = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: list.count + 1)
    for (index, word) in list.enumerated() { unsafe array[index] = unsafe strdup(word) }
    unsafe array[list.count] = nil
    return unsafe array
  }
}

extension String {
  fileprivate func commonPrefix(with other: String) -> String {
    String(zip(self, other).prefix { $0 == $1 }.map(\.0))
  }
}

/// Writes all of `text` to standard output.
func writeOut(_ text: String) {
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let count = unsafe bytes.withUnsafeBytes { unsafe write(STDOUT_FILENO, $0.baseAddress!, $0.count) }
    if count > 0 { bytes = bytes.dropFirst(count) } else if errno != EINTR && errno != EAGAIN { return }
  }
}
