// Owns what `-M help`, `-cpu help` and `-d help` print.

import Boards
import GuestKit
import Machine

enum Listings {
  static func boards() throws(Failure) -> String {
    let names = try Self.boardNames()
    let rows = names.map { ($0, Boards.description($0) ?? "") }
    return "Boards (or the path of a .dts or .dtb of your own):\n" + table(rows)
  }

  /// What `-device` takes, and the models that nodes of a devicetree select.
  static func devices(_ registry: Registry) -> String {
    let rows = registry.devices.map { ("\($0)", $0.compatible.joined(separator: ", ")) }.sorted { $0.0 < $1.0 }
    return """
      Devices that -device adds:
        loader,file=FILE[,addr=ADDRESS][,cpu-num=0][,force-raw=on]   a file in memory

      All others are nodes of the board's devicetree. Models, and the 'compatible' strings that select them (a node
      without a model answers as registers that keep what is written, and says so in the log):
      \(table(rows))
      """
  }

  /// Where a serial line may lead.
  static let ports = """
    Connections (-serial, -monitor; -gdb takes tcp: and unix:):
      stdio                              the terminal
      mon:stdio                          the terminal, with the monitor behind Ctrl-A c
      pty                                a pseudo-terminal, whose path is said
      tcp:HOST:PORT[,server[,nowait]]    a TCP connection, to or from there
      unix:PATH[,server[,nowait]]        a Unix socket
      pipe:PATH                          the named pipes PATH.in and PATH.out, or PATH both ways
      file:PATH                          a file for what is sent
      chardev:NAME                       what -chardev KIND,id=NAME,… describes (stdio, pty, null, pipe, file, socket)
      none                               nowhere
    """

  /// Two columns.
  private static func table(_ rows: [(String, String)]) -> String {
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { name, text in
      "  " + name + (text.isEmpty ? "" : String(repeating: " ", count: width - name.count + 2) + text)
    }.joined(separator: "\n")
  }

  /// - Throws: a failure if there are none: what was shipped with the program is not where it should be.
  static func boardNames() throws(Failure) -> [String] {
    guard Boards.names.isEmpty else { return Boards.names }
    throw Failure(
      code: .internalError,
      message: "no boards were found in \(Boards.places.joined(separator: " or ")); install Martlet with"
        + " '.ci/install-martlet PREFIX', or set MARTLET_BOARDS to the folder of boards")
  }

  static func models(_ registry: Registry) -> String {
    "CPU models:\n" + table(registry.guests.flatMap(\.models).map { ($0.name, $0.description) })
  }

  static var logItems: String {
    "Log items (-d ITEM,…):\n" + table(LogItem.allCases.map { ($0.rawValue, describe($0)) })
  }

  private static func describe(_ item: LogItem) -> String {
    switch item {
    case .inAsm: "guest code of each new block"
    case .op: "IR of each new block before the passes"
    case .opOpt: "IR of each new block after the passes"
    case .outAsm: "host code of each new block"
    case .exec: "each entry of translated code; with 'nochain', of each block"
    case .noChain: "do not chain blocks (slow)"
    case .int: "exceptions and interrupts"
    case .unimp: "what the guest uses and Martlet lacks (on by default)"
    case .guestErrors: "what no hardware defines"
    }
  }

  /// The items of `-d`.
  static func items(_ text: String) throws(Failure) -> Set<LogItem> {
    var items: Set<LogItem> = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let item = LogItem(rawValue: String(word)) else {
        let names = LogItem.allCases.map(\.rawValue)
        let hint = ArgumentVector.nearest(String(word), among: names).map { "; did you mean '\($0)'?" } ?? ";"
        throw .usage("-d: there is no log item '\(word)'\(hint) there are: \(names.joined(separator: ", "))")
      }
      items.insert(item)
    }
    return items
  }
}
