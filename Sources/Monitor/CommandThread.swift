// Owns the thread that carries out a prompt's commands, so that whoever reads the keys can end one.

import Machine
import Synchronization

/// Carries out lines one after the other on a thread of its own.
public final class CommandThread: Sendable {
  private struct State {
    var lines: [String] = []
    var run: CommandRun?
    var isClosed = false
  }
  private let state = Guarded(State())
  private let monitor: Monitor
  private let output: @Sendable (String) -> Void
  private let completed: @Sendable (MonitorResult) -> Void

  /// - Parameters:
  ///   - style: asked anew for each line.
  ///   - pages: takes the pieces of long listings in place of `output`.
  ///   - output: takes what a command shows before its end. On the thread of commands.
  ///   - completed: takes what a command came to, before the next one begins. On the thread of commands.
  public init(
    _ monitor: Monitor, files: HostFiles = .none, style: @escaping @Sendable () -> ListingStyle = { .plain },
    pages: (@Sendable (String, CommandRun) -> Void)? = nil, output: @escaping @Sendable (String) -> Void,
    completed: @escaping @Sendable (MonitorResult) -> Void
  ) {
    self.monitor = monitor
    self.output = output
    self.completed = completed
    HostThread.spawn { [state, monitor, files, style, pages, output, completed] in
      while let (line, run) = Self.next(
        state, { CommandRun(style: style(), files: files, output: output, pages: pages) })
      { completed(monitor.execute(line, run)) }
    }
  }

  deinit { close() }

  private static func next(
    _ state: Guarded<State>, _ makeRun: () -> CommandRun
  ) -> (String, CommandRun)? {
    state.change { $0.run = nil }
    return state.wait { state -> (String, CommandRun)?? in
      if state.isClosed { return .some(nil) }
      guard !state.lines.isEmpty else { return nil }
      let run = makeRun()
      state.run = run
      return (state.lines.removeFirst(), run)
    }
  }

  public func submit(_ line: String) { state.change { $0.lines.append(line) } }

  /// Whether nothing is under way.
  public var isIdle: Bool { state.withLock { $0.lines.isEmpty && $0.run == nil } }

  /// Ends the command that is under way, and forgets those that wait.
  public func cancel() {
    let run = state.withLock { state in
      state.lines.removeAll()
      return state.run
    }
    run?.cancel()
  }

  /// Cancels, and takes no more.
  public func close() {
    cancel()
    state.change { $0.isClosed = true }
  }

  /// Waits for all to be done.
  public func wait() { state.wait { $0.lines.isEmpty && $0.run == nil ? () : nil } }
}
