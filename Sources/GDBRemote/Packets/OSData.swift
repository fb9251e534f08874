// qXfer:osdata: what GDB's `info os` lists (GDB manual, appendix "Operating System Information").

extension Session {
  /// `qXfer:osdata:read:table:offset,length`. Also without an attached guest: it is how a user finds what to attach to.
  func readOSData(_ names: any ThreadNaming, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try transfer(&packet) { table in
      switch table {
      case "":
        return XML.osData(
          "types",
          [
            [("Type", "processes"), ("Description", "What there is to attach to"), ("Title", "Processes")],
            [("Type", "threads"), ("Description", "The threads of all processes"), ("Title", "Threads")],
          ])
      case "processes": return XML.osData(table, processes(names))
      case "threads": return XML.osData(table, target.threads.map { row(of: $0, names) })
      default: return nil
      }
    }
  }

  private func processes(_ names: any ThreadNaming) -> [[XML.Column]] {
    Dictionary(grouping: target.threads, by: \.process).sorted { $0.key < $1.key }.map { process, threads in
      let cores = Set(threads.compactMap { names.describe($0).core }).sorted()
      return [
        ("pid", String(process)), ("command", capabilities.executable?.executablePath(process: process) ?? ""),
        ("cores", cores.map(String.init).joined(separator: ",")),
      ]
    }
  }

  private func row(of thread: ThreadID, _ names: any ThreadNaming) -> [XML.Column] {
    let description = names.describe(thread)
    return [
      ("pid", String(thread.process)), ("tid", String(thread.thread)), ("name", description.name),
      ("state", description.state), ("core", description.core.map(String.init) ?? ""),
    ]
  }
}

extension XML {
  typealias Column = (name: String, value: String)

  static func osData(_ table: String, _ rows: [[Column]]) -> String {
    let items = rows.map { row in
      let columns = row.map { "<column name=\"\(escape($0.name))\">\(escape($0.value))</column>" }
      return "<item>\(columns.joined())</item>\n"
    }
    return """
      <?xml version="1.0"?>
      <!DOCTYPE target SYSTEM "osdata.dtd">
      <osdata type="\(escape(table))">
      \(items.joined())</osdata>

      """
  }
}
