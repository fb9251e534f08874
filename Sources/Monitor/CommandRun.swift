// Owns what a command under way shares with whoever started it: its output, and the wish that it end.

import Synchronization

/// One command that is carried out. From any thread.
public final class CommandRun: Sendable {
  private struct State {
    var isCancelled = false
    var observer: (@Sendable () -> Void)?
  }
  private let state = Mutex(State())
  private let output: @Sendable (String) -> Void
  private let pages: (@Sendable (String, CommandRun) -> Void)?
  /// Of where its output is shown.
  let style: ListingStyle
  /// What whoever gives the command may use.
  let files: HostFiles

  /// - Parameters:
  ///   - output: takes what the command shows before its end, line ends included. It may wait for a slow reader.
  ///   - pages: takes the pieces of a listing, all but the last, in its place.
  public init(
    style: ListingStyle = .plain, files: HostFiles = .none, output: @escaping @Sendable (String) -> Void = { _ in },
    pages: (@Sendable (String, CommandRun) -> Void)? = nil
  ) {
    self.style = style
    self.files = files
    self.output = output
    self.pages = pages
  }

  /// Asks the command to end; what it lets the guest do ends too.
  public func cancel() {
    let observer = state.withLock { state in
      state.isCancelled = true
      return state.observer
    }
    observer?()
  }

  public var isCancelled: Bool { state.withLock { $0.isCancelled } }

  /// Calls `body`, in place of any before, when the command is cancelled; at once if it is already.
  func whenCancelled(_ body: @escaping @Sendable () -> Void) {
    let isCancelled = state.withLock { state in
      state.observer = body
      return state.isCancelled
    }
    if isCancelled { body() }
  }

  func show(_ text: String) { output(text) }

  /// Shows a piece of a listing, of which more is to come.
  func showPage(_ text: String) { if let pages { pages(text, self) } else { output(text) } }

  func check() throws(MonitorError) {
    if isCancelled { throw .interrupted }
  }
}
