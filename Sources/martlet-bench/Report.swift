// The table of ratios, the JSON file, and the lines of progress.

import Foundation

/// Progress goes to standard error, the table alone to standard output.
enum Log {
  static func line(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}

struct Report {
  let title: String
  var rows: [Row] = []

  var failed: Bool { rows.contains { $0.failure != nil } }

  /// The geometric mean over the rows of a group that have the ratio.
  func mean(_ group: Group, _ machine: String, to reference: String) -> Double? {
    let ratios = rows.filter { $0.group == group }.compactMap { $0.ratio(machine, to: reference) }
    guard !ratios.isEmpty else { return nil }
    return exp(ratios.map { log($0) }.reduce(0, +) / Double(ratios.count))
  }

  private static let columns = ["native s", "martlet s", "qemu s", "martlet/native", "qemu/native", "qemu/martlet"]

  var table: String {
    var lines = [line("kernel", Self.columns)]
    for row in rows {
      lines.append(row.failure.map { "\(pad(row.name)) FAILED on \($0)" } ?? line(row))
    }
    for group in [Group.integer, .floatingPoint, .folder] where rows.contains(where: { $0.group == group }) {
      let ratios = Self.ratios.map { ratio(mean(group, $0, to: $1)) }
      lines.append(line("mean, \(group.rawValue)", ["", "", ""] + ratios))
    }
    lines.append("Ratios of user CPU time; means are geometric. qemu/martlet above 1: Martlet is faster.")
    return lines.joined(separator: "\n")
  }

  private static let ratios = [("martlet", "native"), ("qemu", "native"), ("qemu", "martlet")]

  private func line(_ row: Row) -> String {
    let times = ["native", "martlet", "qemu"].map { row.user($0).map { String(format: "%.3f", $0) } ?? "-" }
    let shown = row.group == .baseline ? [nil, nil, nil] : Self.ratios.map { row.ratio($0, to: $1) }
    return line(row.name, times + shown.map(ratio))
  }

  private func ratio(_ value: Double?) -> String { value.map { String(format: "%.2f", $0) } ?? "-" }

  private func line(_ name: String, _ cells: [String]) -> String {
    zip(cells, Self.columns).reduce(into: pad(name)) { line, cell in
      line += String(repeating: " ", count: max(1, cell.1.count + 2 - cell.0.count)) + cell.0
    }
  }

  private func pad(_ name: String) -> String {
    name.padding(toLength: max(22, name.count), withPad: " ", startingAt: 0)
  }

  private struct Document: Encodable {
    let title: String
    let geometricMeans: [String: [String: Double]]
    let rows: [Row]
  }

  /// Everything measured: title, geometric means by group, and each row's samples in CPU seconds.
  func writeJSON(to path: String) throws {
    var means: [String: [String: Double]] = [:]
    for group in [Group.integer, .floatingPoint, .folder] {
      for (machine, reference) in Self.ratios {
        means[group.rawValue, default: [:]]["\(machine)/\(reference)"] = mean(group, machine, to: reference)
      }
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let document = Document(title: title, geometricMeans: means.filter { !$0.value.isEmpty }, rows: rows)
    try encoder.encode(document).write(to: URL(fileURLWithPath: path))
  }
}

extension Row {
  var progress: String {
    if let failure { return "  \(name): FAILED on \(failure)" }
    let times = ["native", "martlet", "qemu"].compactMap { machine in
      user(machine).map { "\(machine) \(String(format: "%.3f", $0))" }
    }
    return "  \(name): \(times.joined(separator: ", "))"
  }
}
