// Owns `help`, derived from the table.

import Machine

extension Command {
  static let help = Command(
    "help", aliases: ["?"], "[COMMAND]", .monitor, "This list, or one command.", arguments: [.command],
    .control { _, arguments throws(MonitorError) in
      guard !arguments.isEmpty else { return Reply(listing: overview) }
      let words = arguments.words
      let rows = CommandTable.commands.filter { row in
        row.aliases.contains(words[0])
          || zip(row.words, words).allSatisfy { $0.hasPrefix($1) } && words.count <= row.words.count
      }
      let exact = rows.filter { $0.name == arguments.joined || $0.aliases.contains(words[0]) }
      guard let first = exact.first ?? rows.first else { throw .unknownCommand(arguments.joined) }
      guard exact.count == 1 || rows.count == 1 else { return Reply(listing: table(rows)) }
      var fields = [Field("usage", .text(first.synopsis + " [--json]")), Field("does", .text(first.summary))]
      if !first.aliases.isEmpty { fields.append(Field("also", .text(first.aliases.joined(separator: ", ")))) }
      return Reply(listing: .fields(fields))
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
        return Field(row.synopsis, .text(row.summary + aliases))
      })
  }
}
