// Owns `host stubs`: the code that blocks share.

import Bits
import HostKit

extension Command {
  static let hostStubs = Command(
    "host stubs", [.text("NAME").optional], .blocks,
    "The host code that all blocks share: ways in and out, look-up, slow paths, saving of pinned registers.",
    .look { context throws(MonitorError) in
      let host = context.machine.engine.host
      guard let code = host.sharedCode else { throw .refused("this host makes no machine code, so blocks share none") }
      let text = HostText(context.machine, block: nil)
      let lines = host.listing(code, of: nil, dataPath: .slow)
      let entries = host.sharedEntries
      let wanted = context.arguments["NAME"]
      let sections = entries.enumerated().filter { wanted == nil || $0.element.name.contains(wanted ?? "") }.map {
        index, entry in
        let end = index + 1 < entries.count ? entries[index + 1].address : .max
        let own = lines.filter { $0.address >= entry.address && $0.address < end }
        return (
          title: "\(entry.name)  ; \(entry.purpose)",
          listing: entry.isCode
            ? Self.code(own, entry, text, context.style)
            : .text("\(own.reduce(0) { $0 + $1.bytes.count }) bytes of data")
        )
      }
      guard !sections.isEmpty else {
        throw .refused("no stub called '\(wanted ?? "")'; there are: \(entries.map(\.name).joined(separator: ", "))")
      }
      return .sections(sections)
    })

  private static func code(
    _ lines: [HostLine], _ entry: SharedEntry, _ text: HostText, _ style: ListingStyle
  ) -> Listing {
    let digits = max((lines.last.map { $0.address - entry.address } ?? 0).hex().count, 2)
    return .custom(
      lines.map { line in
        "+" + (line.address - entry.address).hex(digits: digits) + "  " + style.paint(text.text(line), .host)
      },
      .list(
        lines.map {
          .object([
            NamedValue("address", .hex($0.address)), NamedValue("bytes", .text(DebugMemory.encoding($0.bytes))),
            NamedValue("text", .text($0.text)), NamedValue("shown", .text(text.text($0))),
          ])
        }))
  }
}
