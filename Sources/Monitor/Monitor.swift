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
  private let announcers = Mutex<[@Sendable (Listing) -> Void]>([])

  /// The machine's thread may or may not have been started.
  public init(_ machine: Machine) {
    self.machine = machine
    let stops = StopWaiter()
    self.stops = stops
    machine.perform { machine in
      machine.stopObservers.append { [weak self, unowned machine] event in
        guard !stops.note(event), event != .requested, let self else { return }
        announce(describe(event, machine))
      }
    }
  }

  /// All commands by their names.
  public static var commandNames: [String] { CommandTable.commands.map(\.name) }

  /// Hands to `body`, on the machine's thread, each stop that no command waits for and nobody asked for, and what
  /// breakpoints log meanwhile.
  func announceStops(_ body: @escaping @Sendable (Listing) -> Void) { announcers.withLock { $0.append(body) } }

  func announce(_ listing: Listing) {
    for announcer in announcers.withLock({ $0 }) { announcer(listing) }
  }

  /// Carries out one line: a command, perhaps with `--json`. An empty line, or one that starts with `#`, does nothing.
  ///
  /// From any thread but the machine's own: commands that run the guest wait for it, until `run` is cancelled or another
  /// thread stops the machine.
  /// - Returns: what is left to show after what `run` has been given.
  public func execute(_ line: String, _ run: CommandRun) -> MonitorResult {
    let tokens: [String]
    do throws(MonitorError) {
      tokens = try Words.split(line)
    } catch { return MonitorResult(text: error.description, isError: true) }
    let words = tokens.filter { $0 != "--json" }
    let wantsJSON = words.count < tokens.count
    guard let first = words.first, !first.hasPrefix("#") else { return MonitorResult(text: "") }
    do throws(MonitorError) {
      return try carryOut(try CommandTable.resolve(words, wantsJSON: wantsJSON), run)
    } catch {
      let text = wantsJSON ? Value.object([NamedValue("error", .text(error.description))]).json : error.description
      return MonitorResult(text: text, isError: true)
    }
  }

  /// Carries out one line, and collects all that it shows.
  public func execute(_ line: String, style: ListingStyle = .plain, files: HostFiles = .none) -> MonitorResult {
    let shown = Mutex("")
    var result = execute(line, CommandRun(style: style, files: files) { text in shown.withLock { $0 += text } })
    result.text = shown.withLock { $0 } + result.text
    return result
  }

  private func carryOut(_ arguments: Arguments, _ run: CommandRun) throws(MonitorError) -> MonitorResult {
    let style = state.withLock { $0.columns }.map { ListingStyle(columns: $0, isColoured: run.style.isColoured) }
    let reply: CommandResult
    switch arguments.command.body {
    case .pages(let body): return MonitorResult(text: try page(arguments, run, style ?? run.style, body))
    case .look(let body):
      reply = CommandResult(
        listing: try perform { machine throws(MonitorError) in
          try body(try Context(machine, self, arguments, style ?? run.style, run.files))
        })
    case .control(let body):
      let evaluated = try perform { machine throws(MonitorError) in try Context(machine, self, arguments).arguments }
      reply = try body(self, evaluated, run)
    }
    return MonitorResult(text: reply.listing.text(asJSON: arguments.wantsJSON), wantsQuit: reply.wantsQuit)
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
  var chosenFrame: ChosenFrame?
  var points: [Breakpoint] = []
  /// The number of the breakpoint that stopped the guest last.
  var lastHit = 0
  var nextPoint = 1
  /// Characters a line that listings fit, where the user has said so.
  var columns: Int?
  /// Long listings at the terminal go through a pager.
  var usesPager = true
  /// Folders in which source files are looked for, those that were named last first.
  var sourceFolders: [String] = []
  /// Where `x` and `disassemble` go on.
  var nextAddress: UInt64?
}

/// Splits lines into words.
enum Words {
  /// Words between spaces; `"…"` holds spaces, `'…'` as well and is kept as it is.
  static func split(_ line: String) throws(MonitorError) -> [String] {
    var words: [String] = []
    var current = ""
    var quote: Character?
    var hasWord = false
    for character in line {
      if quote == nil ? character == "\"" || character == "'" : character == quote {
        quote = quote == nil ? character : nil
        if character == "'" { current.append(character) }
        hasWord = true
      } else if character.isWhitespace, quote == nil {
        if hasWord { words.append(current) }
        current = ""
        hasWord = false
      } else {
        current.append(character)
        hasWord = true
      }
    }
    guard quote == nil else { throw .refused("a quote is not closed") }
    if hasWord { words.append(current) }
    return words
  }
}
