// Owns what a row of the command table is.

import GuestKit
import Machine

/// Why a command did nothing, in words for the user.
public enum MonitorError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknownCommand(String)
  case ambiguous(String, [String])
  case usage(String)
  /// What is wrong with an argument, or why the machine cannot do it.
  case refused(String)
  /// The user ended it.
  case interrupted

  public var description: String {
    switch self {
    case .unknownCommand(let name): "no command '\(name)'; 'help' lists them"
    case .ambiguous(let name, let candidates): "'\(name)' may be \(candidates.joined(separator: ", "))"
    case .usage(let text): "usage: \(text)"
    case .refused(let text): text
    case .interrupted: "interrupted"
    }
  }
}

/// How a command is carried out.
enum CommandBody: Sendable {
  /// On the machine's thread, the guest paused.
  case look(@Sendable (Context) throws(MonitorError) -> Listing)
  /// As `look`, piece by piece; the first one is made without a cursor.
  case pages(@Sendable (Context, Cursor?) throws(MonitorError) -> Page)
  /// On the caller's thread: run control, which waits for the guest.
  case control(@Sendable (Monitor, Arguments, CommandRun) throws(MonitorError) -> CommandResult)
}

/// What a control command comes to.
struct CommandResult: Sendable {
  var listing = Listing.empty
  var wantsQuit = false
}

/// A row of the command table.
struct Command: Sendable {
  /// One or more words.
  let name: String
  /// Other names, each of one or more words.
  let aliases: [String]
  let parameters: [Parameter]
  let group: Group
  /// One line.
  let summary: String
  /// Whether the name may carry a format: `x/4i`.
  let takesFormat: Bool
  /// The command whose arguments it takes.
  let standsFor: String?
  let body: CommandBody

  enum Group: String, CaseIterable, Sendable {
    case run = "Run control"
    case look = "Look at the machine"
    case breaks = "Breakpoints and watchpoints"
    case blocks = "Translation blocks"
    case ir = "IR and passes"
    case files = "Files and flash memory"
    case monitor = "Monitor"
  }

  init(
    _ name: String, aliases: [String] = [], _ parameters: [Parameter] = [], _ group: Group, _ summary: String,
    takesFormat: Bool = false, standsFor: String? = nil, _ body: CommandBody
  ) {
    self.name = name
    self.aliases = aliases
    self.parameters = parameters
    self.group = group
    self.summary = summary
    self.takesFormat = takesFormat
    self.standsFor = standsFor
    self.body = body
  }

  var words: [Substring] { name.split(separator: " ") }
  var synopsis: String { ([name + (takesFormat ? "[/FMT]" : "")] + parameters.map(\.usage)).joined(separator: " ") }
}

/// What a command sees on the machine's thread.
struct Context {
  let machine: Machine
  let monitor: Monitor
  let arguments: Arguments
  let style: ListingStyle
  let files: HostFiles
  /// A breakpoint that the command sets goes with its first stop.
  var isTemporary = false

  /// Evaluates the arguments.
  init(
    _ machine: Machine, _ monitor: Monitor, _ arguments: Arguments, _ style: ListingStyle = .plain,
    _ files: HostFiles = .none
  ) throws(MonitorError) {
    self.machine = machine
    self.monitor = monitor
    self.style = style
    self.files = files
    let vcpu = machine.engine.vcpus[monitor.hart(machine)]
    self.arguments = try arguments.evaluated(
      DebugMemory(machine: machine, vcpu: vcpu, frame: monitor.chosenFrame(of: vcpu)))
  }
}
