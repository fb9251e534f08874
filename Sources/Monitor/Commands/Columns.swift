// Owns `columns`: the width that listings fit.

extension Command {
  static let columns = Command(
    "columns", [.number("COUNT").optional], .monitor,
    "Characters a line that listings fit; 0: as wide as the terminal is, or 100 where there is none.",
    .look { context throws(MonitorError) in
      guard let count = context.arguments.number("COUNT") else {
        return .fields([NamedValue("columns", .count(context.style.columns))])
      }
      guard count == 0 || (UInt64(ListingStyle.narrowest)...1000).contains(count) else {
        throw .refused("listings fit \(ListingStyle.narrowest) to 1000 columns")
      }
      context.monitor.state.withLock { $0.columns = count == 0 ? nil : Int(count) }
      return .empty
    })
}
