// Owns the columns of a block's listing, and how they fit the width there is.
//
// With room for all there are three columns, and the bytes of host code. Less room takes the bytes first; then guest
// instructions stand above what they became, and two columns are left; what is wider than its column even so goes on below,
// indented.

import Bits
import HostKit

extension SideBySide {
  private struct Row {
    var ir = ""
    var host: HostLine?
  }

  /// Widths of the columns; no guest column if its instructions are headings.
  private struct Layout {
    var guest: Int?
    var ir: Int
    var host: Int
    var showsBytes: Bool
  }

  /// Without trailing spaces.
  func lines(_ style: ListingStyle) -> [String] {
    let groups = groups
    let layout = layout(groups, style.columns)
    var lines: [String] = []
    let titles = ["IR", "host"].map { style.paint($0, .heading) }
    if let guest = layout.guest {
      lines.append(
        style.paint(padded("guest", guest), .heading) + " | " + style.paint(padded("IR", layout.ir), .heading) + " | "
          + titles[1])
    } else {
      lines.append(style.paint(padded("IR", layout.ir), .heading) + " | " + titles[1])
    }
    for (heading, rows) in groups { lines += text(heading, rows, layout, style) }
    return lines + [""] + legend(style.columns)
  }

  private var groups: [(heading: String, rows: [Row])] {
    var groups = parts.map { part in
      (part.guest.map { $0.pc.hex() + "  " + $0.text } ?? "", rows(part))
    }
    if !cold.isEmpty { groups.append(("(out of line)", cold.map { Row(host: $0) })) }
    return groups
  }

  private func rows(_ part: Part) -> [Row] {
    var rows = (part.marker.map(host) ?? []).map { Row(host: $0) }
    for (index, text) in part.ops {
      let host = host(index)
      rows.append(Row(ir: text, host: host.first))
      rows += host.dropFirst().map { Row(host: $0) }
    }
    return rows.isEmpty ? [Row()] : rows
  }

  // MARK: Widths

  private func layout(_ groups: [(heading: String, rows: [Row])], _ columns: Int) -> Layout {
    let rows = groups.flatMap(\.rows)
    let guest = max(groups.map(\.heading.count).max() ?? 0, 5)
    let ir = max(rows.map(\.ir.count).max() ?? 0, 2)
    let host = max(rows.compactMap { $0.host.map { hostCell($0, bytes: false).count } }.max() ?? 0, 4)
    let withBytes = max(rows.compactMap { $0.host.map { hostCell($0, bytes: true).count } }.max() ?? 0, 4)
    if guest + ir + withBytes + 6 <= columns { return Layout(guest: guest, ir: ir, host: withBytes, showsBytes: true) }
    if guest + ir + host + 6 <= columns { return Layout(guest: guest, ir: ir, host: host, showsBytes: false) }
    let room = columns - 3
    if ir + host <= room { return Layout(guest: nil, ir: ir, host: host, showsBytes: false) }
    // The wider column gives way, down to half of the room.
    let half = room / 2
    let irWidth = host <= half ? room - host : ir <= half ? ir : half
    return Layout(guest: nil, ir: irWidth, host: room - irWidth, showsBytes: false)
  }

  private var offsetDigits: Int {
    let last = (parts.flatMap { part in part.ops.flatMap { host($0.index) } } + cold).map(\.address).max() ?? start
    return max((last - start).hex().count, 2)
  }

  /// Where it is in the block, perhaps its bytes, and the instruction.
  private func hostCell(_ line: HostLine, bytes: Bool) -> String {
    let place = "+" + (line.address - start).hex(digits: offsetDigits)
    let encoding = bytes ? padded(line.bytes.map { $0.hex(digits: 2) }.joined(), 20) + "  " : ""
    return place + " " + encoding + text(line)
  }

  // MARK: Text

  private func text(_ heading: String, _ rows: [Row], _ layout: Layout, _ style: ListingStyle) -> [String] {
    var lines: [String] = []
    guard let guest = layout.guest else {
      let rule = String(repeating: "-", count: max(layout.ir + 3 + layout.host - heading.count - 1, 0))
      lines.append(
        trimmed(
          style.paint(heading, .guest) + (heading.isEmpty ? "-" : " ") + style.paint(rule, .rule)))
      return lines + rows.flatMap { cells($0, layout, style) }
    }
    let rule = [guest, layout.ir, layout.host].map { String(repeating: "-", count: $0) }.joined(separator: "-+-")
    lines.append(style.paint(rule, .rule))
    for (index, row) in rows.enumerated() {
      let left = style.paint(padded(index == 0 ? heading : "", guest), .guest)
      lines += cells(row, layout, style).map { trimmed(left + " | " + $0) }
    }
    return lines
  }

  /// A row's cells of IR and host code, in several lines if one is too wide.
  private func cells(_ row: Row, _ layout: Layout, _ style: ListingStyle) -> [String] {
    let ir = ListingStyle.wrapped(row.ir, layout.ir)
    let host = ListingStyle.wrapped(
      row.host.map { hostCell($0, bytes: layout.showsBytes) } ?? "", layout.host, indent: offsetDigits + 4)
    return (0..<max(ir.count, host.count)).map { index in
      let left = padded(index < ir.count ? ir[index] : "", layout.ir)
      let right = index < host.count ? style.paint(host[index], .host) : ""
      return trimmed(left + " | " + right)
    }
  }
}
