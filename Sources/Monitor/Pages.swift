// Owns listings that are made piece by piece, so that long ones can be read, and ended, as they come.

/// Where a listing goes on.
struct Cursor: Sendable {
  var address: UInt64
  /// How many elements are to come.
  var left: Int
}

/// A piece of a listing.
struct Page: Sendable {
  var lines: [String]
  /// The same for JSON, where the listing is an array.
  var values: [Value]
  /// Nil at the end.
  var next: Cursor?

  /// Elements of one piece: what the machine's thread makes at a time.
  static var size: Int { 256 }
}

extension Monitor {
  /// Shows all pages but the last, and returns that.
  func page(
    _ arguments: Arguments, _ run: CommandRun, _ style: ListingStyle,
    _ body: @escaping @Sendable (Context, Cursor?) throws(MonitorError) -> Page
  ) throws(MonitorError) -> String {
    let asJSON = arguments.wantsJSON
    var cursor: Cursor?
    while true {
      try run.check()
      let page = try perform { [cursor] machine throws(MonitorError) in
        try body(try Context(machine, self, arguments, style, run.files), cursor)
      }
      let items = page.values.map(\.json).joined(separator: ",")
      let text = asJSON ? (cursor == nil ? "[" : ",") + items : page.lines.joined(separator: "\n")
      guard let next = page.next else { return asJSON ? text + "]" : text }
      run.showPage(asJSON ? text : text + "\n")
      cursor = next
    }
  }
}
