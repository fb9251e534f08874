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

  public var description: String {
    switch self {
    case .unknownCommand(let name): "no command '\(name)'; 'help' lists them"
    case .ambiguous(let name, let candidates): "'\(name)' may be \(candidates.joined(separator: ", "))"
    case .usage(let text): "usage: \(text)"
    case .refused(let text): text
    }
  }
}

/// What stands at an argument's place, for completion.
enum ArgumentKind: Sendable {
  case address, register, block, device, pass, command
  case words([String])
}

/// How a command is carried out.
enum CommandBody: Sendable {
  /// On the machine's thread, the guest paused.
  case look(@Sendable (Context) throws(MonitorError) -> Listing)
  /// On the caller's thread: run control, which waits for the guest.
  case control(@Sendable (Monitor, Arguments) throws(MonitorError) -> Reply)
}

/// What a control command comes to.
struct Reply: Sendable {
  var listing = Listing.empty
  var wantsQuit = false
}

/// A row of the command table.
struct Command: Sendable {
  /// One or more words.
  let name: String
  let aliases: [String]
  /// What follows the name, such as `ADDR [COUNT]`.
  let usage: String
  let group: Group
  /// One line.
  let summary: String
  let arguments: [ArgumentKind]
  /// Whether the name may carry a format: `x/4i`.
  let takesFormat: Bool
  let body: CommandBody

  enum Group: String, CaseIterable, Sendable {
    case run = "Run control"
    case look = "Look at the machine"
    case breaks = "Breakpoints and watchpoints"
    case blocks = "Translation blocks"
    case ir = "IR and passes"
    case monitor = "Monitor"
  }

  init(
    _ name: String, aliases: [String] = [], _ usage: String = "", _ group: Group, _ summary: String,
    arguments: [ArgumentKind] = [], takesFormat: Bool = false, _ body: CommandBody
  ) {
    self.name = name
    self.aliases = aliases
    self.usage = usage
    self.group = group
    self.summary = summary
    self.arguments = arguments
    self.takesFormat = takesFormat
    self.body = body
  }

  var words: [Substring] { name.split(separator: " ") }
  var synopsis: String { name + (takesFormat ? "[/FMT]" : "") + (usage.isEmpty ? "" : " " + usage) }
}

/// The words after a command's name.
struct Arguments: Sendable {
  let words: [String]
  /// After the `/` of the name.
  let format: String
  let command: Command

  var isEmpty: Bool { words.isEmpty }
  var count: Int { words.count }
  subscript(index: Int) -> String? { words.indices.contains(index) ? words[index] : nil }
  var usage: MonitorError { .usage(command.synopsis) }
  /// All words as one expression.
  var joined: String { words.joined(separator: " ") }
}

/// What a command sees on the machine's thread.
struct Context {
  let machine: Machine
  let monitor: Monitor
  let arguments: Arguments
}
