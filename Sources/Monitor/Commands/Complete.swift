// Owns `complete`: completion for debuggers, which know none of the monitor's words.

extension Command {
  static let complete = Command(
    "complete", [.text("LINE").rest], .monitor,
    "What may stand at the end of a line of the monitor (in double quotes, where it ends in a space).",
    .control { monitor, arguments, _ throws(MonitorError) in
      let line = arguments["LINE"] ?? ""
      let found = monitor.completions(for: line, cursor: line.utf8.count).candidates
      return CommandResult(listing: .lines(found))
    })
}
