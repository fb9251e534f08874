// What was measured: rows by suite, the JSON file, and the lines of progress.

import Foundation

/// Progress goes to standard error, the tables alone to standard output.
enum Log {
  static func line(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}

struct Report {
  let title: String
  var rows: [Row] = []
  /// Suites that could not run here, with the reasons.
  var skipped: [(suite: Suite, reason: String)] = []

  var failed: Bool { rows.contains { $0.failure != nil } }

  static let ratios = [("martlet", "native"), ("qemu", "native"), ("qemu", "martlet")]

  private struct Document: Encodable {
    let title: String
    let geometricMeans: [String: [String: Double]]
    let rows: [Row]
  }

  /// The geometric mean over the rows of a group that have the ratio.
  static func mean(_ rows: [Row], _ group: Group, _ machine: String, to reference: String) -> Double? {
    let ratios = rows.filter { $0.group == group }.compactMap { $0.ratio(machine, to: reference) }
    guard !ratios.isEmpty else { return nil }
    return exp(ratios.map { log($0) }.reduce(0, +) / Double(ratios.count))
  }

  /// Everything measured: title, geometric means by suite and group, and each row's samples in CPU seconds.
  func writeJSON(to path: String) throws {
    var means: [String: [String: Double]] = [:]
    for (suite, rows) in Dictionary(grouping: rows, by: \.suite) {
      for group in Group.averaged {
        let key = (suite.map { $0.rawValue + " " } ?? "") + group.rawValue
        for (machine, reference) in Self.ratios {
          means[key, default: [:]]["\(machine)/\(reference)"] = Self.mean(rows, group, machine, to: reference)
        }
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
    if suite == .rsp {
      let values = figures.sorted { $0.key < $1.key }.map { "\($0) \(Report.number($1, 2))" }
      return "  \(name): \(values.joined(separator: ", "))"
    }
    let times = samples.keys.sorted().compactMap { machine in
      user(machine).map { "\(machine) \(String(format: "%.3f", $0))" }
    }
    return "  \(name): \(times.joined(separator: ", "))"
  }
}
