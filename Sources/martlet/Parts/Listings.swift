// Owns what `-M help`, `-cpu help` and `-d help` print.

import Boards
import GuestKit
import Machine

enum Listings {
  static func boards() throws(Failure) -> String {
    let names = try Self.boardNames().map { "  " + $0 }.joined(separator: "\n")
    return "Boards (or the path of a .dts or .dtb of your own):\n\(names)"
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
    let models = registry.guests.flatMap(\.models)
    let width = models.map(\.name.count).max() ?? 0
    return "CPU models:\n"
      + models.map { "  " + $0.name + String(repeating: " ", count: width - $0.name.count + 2) + $0.description }
      .joined(separator: "\n")
  }

  static var logItems: String {
    "Log items (-d ITEM,…):\n"
      + LogItem.allCases.map { item in
        "  " + item.rawValue + String(repeating: " ", count: 14 - item.rawValue.count) + describe(item)
      }.joined(separator: "\n")
  }

  private static func describe(_ item: LogItem) -> String {
    switch item {
    case .inAsm: "guest code of each new block"
    case .op: "IR of each new block before the passes"
    case .opOpt: "IR of each new block after the passes"
    case .outAsm: "host code of each new block"
    case .exec: "each entry of translated code"
    case .int: "exceptions and interrupts"
    case .unimp: "what the guest uses and Martlet lacks (on by default)"
    case .guestErrors: "what no hardware defines"
    }
  }

  /// The items of `-d`.
  static func items(_ text: String) throws(Failure) -> Set<LogItem> {
    var items: Set<LogItem> = []
    for word in text.split(separator: ",") {
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
