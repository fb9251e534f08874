// Owns `help`, derived from the table.

import Machine

extension Command {
  static let help = Command(
    "help", aliases: ["?"], [Parameter("COMMAND", .command).many.optional], .monitor, "This list, or one command.",
    .control { _, arguments, _ throws(MonitorError) in
      let words = arguments.all("COMMAND")
      let name = words.joined(separator: " ")
      guard !words.isEmpty else { return CommandResult(listing: overview) }
      let rows = CommandTable.commands.filter { row in
        row.aliases.contains(name)
          || zip(row.words, words).allSatisfy { $0.hasPrefix($1) } && words.count <= row.words.count
      }
      let exact = rows.filter { $0.name == name || $0.aliases.contains(name) }
      guard let first = exact.first ?? rows.first else { throw .unknownCommand(name) }
      guard exact.count == 1 || rows.count == 1 else { return CommandResult(listing: table(rows)) }
      var fields = [NamedValue("usage", .text(first.synopsis + " [--json]")), NamedValue("does", .text(first.summary))]
      if !first.aliases.isEmpty { fields.append(NamedValue("also", .text(first.aliases.joined(separator: ", ")))) }
      return CommandResult(listing: .fields(fields))
    })

  private static var overview: Listing {
    .sections(
      Group.allCases.map { group in
        (group.rawValue, table(CommandTable.commands.filter { $0.group == group }))
      })
  }

  private static func table(_ rows: [Command]) -> Listing {
    .fields(
      rows.map { row in
        let aliases = row.aliases.isEmpty ? "" : " (\(row.aliases.joined(separator: ", ")))"
        return NamedValue(row.synopsis, .text(row.summary + aliases))
      })
  }
}
