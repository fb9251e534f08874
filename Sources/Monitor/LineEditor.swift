// Owns GNU readline: a line being typed, fed byte by byte by whoever owns the terminal.

import Bus
import CHost
import Glibc
import Synchronization

@unsafe @preconcurrency import CReadline

/// Readline in its callback form. There is one terminal, so there is one editor, used on one thread.
enum LineEditor {
  enum Event: Equatable, Sendable {
    case line(String)
    /// Ctrl-D on an empty line.
    case endOfInput
  }

  /// What the C callbacks, which carry no context, need.
  private struct Shared: Sendable {
    var input = ByteQueue()
    var events: [Event] = []
    var complete: (@Sendable (String, Int) -> Completions)?
    var output: (@Sendable ([UInt8]) -> Void)?
    var isShown = false
  }
  private static let shared = Mutex(Shared())

  /// To be called once. Readline leaves the terminal's mode and signals alone.
  /// - Parameter output: takes what is to be shown, without waiting for a terminal that stands still.
  static func setUp(
    output: @escaping @Sendable ([UInt8]) -> Void, complete: @escaping @Sendable (String, Int) -> Completions
  ) {
    shared.withLock { ($0.complete, $0.output) = (complete, output) }
    unsafe rl_outstream = unsafe chost_stream { bytes, count in
      unsafe LineEditor.write(Array(UnsafeRawBufferPointer(start: bytes, count: count)))
    }
    rl_prep_term_function = nil
    rl_deprep_term_function = nil
    unsafe rl_getc_function = { _ in LineEditor.nextByte() }
    unsafe rl_attempted_completion_function = { _, start, end in unsafe LineEditor.matches(Int(start), Int(end)) }
    unsafe rl_basic_word_break_characters = unsafe UnsafePointer(strdup(" "))
    rl_tty_set_echoing(1)
    unsafe rl_variable_bind("show-all-if-ambiguous", "on")
    rl_catch_signals = 0
    rl_catch_sigwinch = 0
    rl_bind_key(3) { _, _ in LineEditor.cancelLine() }
    using_history()
    if let path = historyPath { unsafe read_history(path) }
  }

  /// Shows the prompt, for one line.
  static func show(prompt: String) {
    shared.withLock { $0.isShown = true }
    unsafe rl_callback_handler_install(prompt) { line in
      LineEditor.hide()
      guard let line = unsafe line else { return LineEditor.note(.endOfInput) }
      let text = unsafe String(cString: line)
      unsafe free(line)
      if text.contains(where: { $0 != " " }) {
        unsafe add_history(text)
        if let path = LineEditor.historyPath { unsafe write_history(path) }
      }
      LineEditor.note(.line(text))
    }
  }

  static var isShown: Bool { shared.withLock { $0.isShown } }

  static func hide() {
    guard isShown else { return }
    shared.withLock { $0.isShown = false }
    rl_callback_handler_remove()
  }

  /// Takes typed bytes; ``next()`` works on them.
  static func feed(_ bytes: [UInt8]) { shared.withLock { $0.input += bytes } }

  /// Works on typed bytes up to the end of a line; nil when all are used up. Without a prompt they are kept.
  static func next() -> Event? {
    while shared.withLock({ $0.isShown && !$0.input.isEmpty && $0.events.isEmpty }) { rl_callback_read_char() }
    return shared.withLock { $0.events.isEmpty ? nil : $0.events.removeFirst() }
  }

  /// Forgets typed bytes.
  static func discardInput() { shared.withLock { $0.input.removeAll() } }

  /// Writes lines above the prompt and what has been typed.
  static func interject(_ lines: [[UInt8]]) {
    let isShown = isShown
    if isShown { rl_clear_visible_line() }
    write(lines.flatMap { $0 + [0x0A] })
    guard isShown else { return }
    rl_on_new_line()
    rl_redisplay()
  }

  static func write(_ bytes: [UInt8]) {
    let output = shared.withLock { $0.output }
    output?(bytes)
  }

  // MARK: Callbacks

  private static func note(_ event: Event) { shared.withLock { $0.events.append(event) } }

  private static func nextByte() -> CInt {
    let byte = shared.withLock { $0.input.popFirst() }
    if let byte { return CInt(byte) }
    // Readline wants more of a key sequence than has come: wait for it.
    var ready = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    var next: UInt8 = 0
    guard unsafe poll(&ready, 1, 1000) == 1, unsafe read(STDIN_FILENO, &next, 1) == 1 else { return EOF }
    return CInt(next)
  }

  private static func cancelLine() -> CInt {
    write(Array("^C\n".utf8))
    unsafe rl_replace_line("", 0)
    rl_on_new_line()
    rl_redisplay()
    return 0
  }

  /// Readline's form of the candidates: the common prefix, then each, then NULL; all from malloc.
  private static func matches(_ start: Int, _ end: Int) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
    rl_attempted_completion_over = 1
    let line = unsafe String(cString: rl_line_buffer)
    guard let complete = shared.withLock({ $0.complete }) else { return nil }
    let found = complete(line, end).candidates
    guard let first = found.first else { return nil }
    let common = found.dropFirst().reduce(first) { known, next in
      String(zip(known, next).prefix { $0 == $1 }.map(\.0))
    }
    let list = found.count == 1 ? found : [common] + found
    let size = unsafe (list.count + 1) * MemoryLayout<UnsafeMutablePointer<CChar>?>.stride
    guard let memory = unsafe malloc(size) else { return nil }
    let array = unsafe memory.bindMemory(to: UnsafeMutablePointer<CChar>?.self, capacity: list.count + 1)
    for (index, word) in list.enumerated() { unsafe array[index] = unsafe strdup(word) }
    unsafe array[list.count] = nil
    return unsafe array
  }

  /// `~/.martlet_history`, if it can be written; else nothing is kept.
  private static var historyPath: String? {
    guard let home = unsafe getenv("HOME") else { return nil }
    let path = unsafe String(cString: home) + "/.martlet_history"
    let file = unsafe open(path, O_WRONLY | O_CREAT, 0o600)
    guard file >= 0 else { return nil }
    close(file)
    return path
  }
}
