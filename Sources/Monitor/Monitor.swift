// Owns the monitor: one line in, text out, from any thread; the same words for the prompt, GDB and scripts.

import Machine
import Synchronization

/// What a line came to.
public struct MonitorResult: Sendable, Equatable {
  /// Lines without a newline at the end; empty if there is nothing to show.
  public var text: String
  public var isError: Bool
  /// The user wants Martlet to end.
  public var wantsQuit: Bool

  public init(text: String, isError: Bool = false, wantsQuit: Bool = false) {
    self.text = text
    self.isError = isError
    self.wantsQuit = wantsQuit
  }
}

/// The commands over a machine.
public final class Monitor: Sendable {
  public let machine: Machine
  let state = Mutex(MonitorState())
  let stops: StopWaiter

  /// The machine's thread may or may not have been started.
  public init(_ machine: Machine) {
    self.machine = machine
    let stops = StopWaiter()
    self.stops = stops
    machine.perform { $0.stopObservers.append { stops.note($0) } }
  }

  /// Carries out one line: a command, perhaps with `--json`. An empty line, or one that starts with `#`, does nothing.
  ///
  /// From any thread but the machine's own: commands that run the guest wait for it (for 5 seconds at most, or until
  /// another thread stops the machine).
  public func execute(_ line: String) -> MonitorResult {
    let tokens: [String]
    do throws(MonitorError) {
      tokens = try Words.split(line)
    } catch { return MonitorResult(text: error.description, isError: true) }
    let words = tokens.filter { $0 != "--json" }
    let wantsJSON = words.count < tokens.count
    guard let first = words.first, !first.hasPrefix("#") else { return MonitorResult(text: "") }
    do throws(MonitorError) {
      let arguments = try CommandTable.resolve(words)
      let reply = try run(arguments)
      let text = wantsJSON ? reply.listing.json : reply.listing.textLines.joined(separator: "\n")
      return MonitorResult(text: text, wantsQuit: reply.wantsQuit)
    } catch {
      let text = wantsJSON ? Value.object([Field("error", .text(error.description))]).json : error.description
      return MonitorResult(text: text, isError: true)
    }
  }

  private func run(_ arguments: Arguments) throws(MonitorError) -> Reply {
    switch arguments.command.body {
    case .control(let body): return try body(self, arguments)
    case .look(let body):
      return Reply(
        listing: try perform { machine throws(MonitorError) in
          try body(Context(machine: machine, monitor: self, arguments: arguments))
        })
    }
  }

  /// Runs `body` on the machine's thread.
  func perform<T: Sendable>(
    _ body: @escaping @Sendable (Machine) throws(MonitorError) -> T
  ) throws(MonitorError) -> T {
    let result: Result<T, MonitorError> = machine.perform { machine in
      do throws(MonitorError) { return .success(try body(machine)) } catch { return .failure(error) }
    }
    return try result.get()
  }
}

/// What the monitor remembers between commands.
struct MonitorState: Sendable {
  /// The hart that commands mean.
  var hart = 0
  var points: [DebugPoint] = []
  var nextPoint = 1
  /// Where `x` and `disassemble` go on.
  var nextAddress: UInt64?
}

/// Splits lines into words.
enum Words {
  /// Words between spaces; `"…"` holds spaces.
  static func split(_ line: String) throws(MonitorError) -> [String] {
    var words: [String] = []
    var current = ""
    var isQuoted = false
    var hasWord = false
    for character in line {
      if character == "\"" {
        isQuoted.toggle()
        hasWord = true
      } else if character.isWhitespace, !isQuoted {
        if hasWord { words.append(current) }
        current = ""
        hasWord = false
      } else {
        current.append(character)
        hasWord = true
      }
    }
    guard !isQuoted else { throw .refused("a quote is not closed") }
    if hasWord { words.append(current) }
    return words
  }
}
