// Owns `log`: what Martlet logs, chosen while the guest runs.

import Engine
import GuestKit
import Machine

extension Command {
  static let log = Command(
    "log", [.text("ITEM,…|none").optional], .monitor, "Log these items from now on, as -d does, or show which are on.",
    .look { context throws(MonitorError) in
      let log = context.machine.engine.log
      if let text = context.arguments["ITEM,…|none"] { log.items = try items(text) }
      return .table(
        [.left("item"), .left("state")],
        LogItem.allCases.map { [.text($0.rawValue), .text(log.isOn($0) ? "on" : "off")] })
    })

  static let logFilter = Command(
    "log filter",
    [.words("WHERE", "all").optional, Parameter("ADDR", .address).then(.number("LENGTH").optional).optional], .monitor,
    "Log of code only what is at an address, a symbol's whole code, or LENGTH bytes; 'all' ends that.",
    .look { context throws(MonitorError) in
      let log = context.machine.engine.log
      let memory = context.memory
      if context.arguments["WHERE"] != nil { log.ranges = [] }
      if let range = try context.codeRange() { log.ranges.append(range) }
      guard !log.ranges.isEmpty else { return .none("All code is logged.") }
      return .table(
        [.left("first"), .left("last"), .left("symbol")],
        log.ranges.map { [memory.address($0.lowerBound), memory.address($0.upperBound), memory.symbol($0.lowerBound)] })
    })

  private static func items(_ text: String) throws(MonitorError) -> [LogItem] {
    if text == "none" { return [] }
    var items: [LogItem] = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let item = LogItem(rawValue: String(word)) else {
        throw .refused(
          "no log item '\(word)'; there are: \(LogItem.allCases.map(\.rawValue).joined(separator: ", ")), none")
      }
      items.append(item)
    }
    return items
  }
}
