// The tables printed at the end, one for each suite.

import Foundation

extension Report {
  var tables: String {
    var blocks: [String] = []
    for suite in [Suite?.none] + Suite.allCases.map({ $0 }) {
      let rows = rows.filter { $0.suite == suite }
      guard !rows.isEmpty else { continue }
      var lines = suite.map { [$0.title] } ?? []
      for row in rows { if let failure = row.failure { lines.append("  \(row.name) FAILED on \(failure)") } }
      let whole = rows.filter { $0.failure == nil }
      switch suite {
      case nil, .kernels, .paged4k, .pagedLarge, .arm: lines += Self.kernels(whole)
      case .flat: lines += Self.flat(whole)
      case .boot: lines += Self.boot(whole)
      case .samepage: lines += Self.samepage(whole)
      case .debug: lines += Self.debug(whole)
      case .rsp: lines += Self.debuggers(whole)
      case .modes, .atomics, .linux: lines += Self.besideQEMU(whole)
      case .interrupts: lines += Self.interrupts(whole)
      }
      blocks.append(lines.joined(separator: "\n"))
    }
    for (suite, reason) in skipped { blocks.append("\(suite.title)\n  left out: \(reason)") }
    blocks.append("User CPU seconds and their ratios; means are geometric. qemu/martlet above 1: Martlet is faster.")
    return blocks.joined(separator: "\n\n")
  }

  // MARK: Kernels

  private static let columns = ["native s", "martlet s", "qemu s", "martlet/native", "qemu/native", "qemu/martlet"]

  private static func kernels(_ rows: [Row]) -> [String] {
    var table = Table(first: "kernel", columns: columns)
    for row in rows {
      let times = ["native", "martlet", "qemu"].map { number(row.user($0), 3) }
      let shown = ratios.map { row.group == .baseline ? "-" : number(row.ratio($0, to: $1), 2) }
      table.add(row.name, times + shown)
    }
    for group in Group.averaged where rows.contains(where: { $0.group == group }) {
      let means = ratios.map { number(mean(rows, group, $0, to: $1), 2) }
      table.add("mean, \(group.rawValue)", ["", "", ""] + means)
    }
    return table.lines
  }

  // MARK: Flat code

  /// The time over that of the program that does not call the generated code, by guest instruction.
  private static func flat(_ rows: [Row]) -> [String] {
    guard rows.count == 2, let instructions = rows[1].figures["distinct instructions"], instructions > 0 else {
      return []
    }
    var table = Table(first: "machine", columns: ["without s", "with s", "ns/instruction", "own count ns"])
    for machine in ["martlet", "qemu"] {
      guard let before = rows[0].user(machine), let after = rows[1].user(machine) else { continue }
      let own = machine == "martlet" ? rows[1].figures["martlet ns in all"] : nil
      table.add(
        machine,
        [number(before, 3), number(after, 3), number((after - before) / instructions * 1e9, 0), number(own, 0)])
    }
    var lines = table.lines
    lines.append(
      "\(Int(rows[1].figures["blocks"] ?? 0)) blocks of \(Int(instructions)) different instructions,"
        + " \(Workshop.flatPasses) times each; ns/instruction: the difference, running included.")
    if let translated = rows[1].figures["martlet guest instructions"] {
      lines.append(
        "Martlet translated \(Int(translated)) instructions, those in several blocks counted for each; its own count is"
          + " of these; \(number(rows[1].figures["martlet host bytes per guest byte"], 2)) host bytes per guest byte.")
    }
    return lines
  }

  // MARK: Boot

  private static func boot(_ rows: [Row]) -> [String] {
    var table = Table(
      first: "", columns: ["martlet s", "qemu s", "martlet/qemu", "instructions", "host B/guest B", "ns/instruction"])
    for row in rows {
      let figures = ["guest instructions", "host bytes per guest byte", "ns in all"].map {
        row.figures["martlet " + $0]
      }
      table.add(
        row.name,
        [
          number(row.user("martlet"), 3), number(row.user("qemu"), 3), number(row.ratio("martlet", to: "qemu"), 2),
          number(figures[0], 0), number(figures[1], 2), number(figures[2], 0),
        ])
    }
    return table.lines
  }

  // MARK: Changes of mode, Linux

  private static func besideQEMU(_ rows: [Row]) -> [String] {
    var table = Table(first: "", columns: ["martlet s", "qemu s", "martlet/qemu"])
    for row in rows {
      table.add(
        row.name,
        [number(row.user("martlet"), 3), number(row.user("qemu"), 3), number(row.ratio("martlet", to: "qemu"), 2)])
    }
    return table.lines
  }

  // MARK: Code and data in one page

  /// Ratios of what the program takes longer than an empty one.
  private static func samepage(_ rows: [Row]) -> [String] {
    guard rows.count == 3 else { return [] }
    var table = Table(first: "machine", columns: ["empty s", "apart s", "shared s", "shared/apart"])
    for machine in ["martlet", "qemu"] {
      let times = rows.map { $0.user(machine) }
      guard let empty = times[0], let apart = times[1], let shared = times[2] else { continue }
      table.add(machine, times.map { number($0, 3) } + [number((shared - empty) / (apart - empty), 2)])
    }
    return table.lines
  }

  // MARK: Debugging

  /// Times over that of the program that does nothing, and what they are to the loop's without a point; accesses a second.
  private static func debug(_ rows: [Row]) -> [String] {
    guard let empty = rows.first, let plain = rows.first(where: { $0.name == "no point" }) else { return [] }
    var table = Table(
      first: "program",
      columns: ["martlet s", "qemu s", "martlet ratio", "qemu ratio", "martlet M/s", "qemu M/s"])
    for row in rows.dropFirst() {
      func net(_ row: Row, _ machine: String) -> Double? {
        row.user(machine).flatMap { time in empty.user(machine).map { max(1e-6, time - $0) } }
      }
      let machines = ["martlet", "qemu"]
      let accesses = row.figures["accesses"]
      let ratios = machines.map { machine -> Double? in
        guard accesses == nil, let time = net(row, machine), let base = net(plain, machine) else { return nil }
        return time / base
      }
      let speeds = machines.map { machine in net(row, machine).flatMap { time in accesses.map { $0 / time / 1e6 } } }
      table.add(
        row.name,
        machines.map { number(row.user($0), 3) } + ratios.map { number($0, 2) } + speeds.map { number($0, 1) })
    }
    return table.lines
  }

  private static func debuggers(_ rows: [Row]) -> [String] {
    let machines = ["martlet", "qemu", "wanted"]
    var table = Table(first: "", width: 50, columns: machines.map { "   " + $0 })
    for row in rows {
      table.add(row.name, machines.map { number(row.figures[$0], (row.figures["martlet"] ?? 0) < 1000 ? 2 : 0) })
    }
    return table.lines
  }

  // MARK: Interrupt strategies

  private static func interrupts(_ rows: [Row]) -> [String] {
    let strategies = Contender.strategies
    let reference = strategies[strategies.count - 1]
    var table = Table(
      first: "kernel", columns: strategies.map { $0 + " s" } + strategies.dropLast().map { $0 + "/" + reference })
    let kernels = rows.filter { $0.group == .integer }
    for row in kernels {
      table.add(
        row.name,
        strategies.map { number(row.user($0), 3) }
          + strategies.dropLast().map { number(row.ratio($0, to: reference), 2) })
    }
    table.add(
      "mean",
      strategies.map { _ in "" } + strategies.dropLast().map { number(mean(kernels, .integer, $0, to: reference), 2) })
    var lines = table.lines
    for row in rows where row.group == .variant {
      var table = Table(
        first: row.name,
        columns: ["median ns", "99th percentile ns", "longest ns", "chains", "turned back", "retained %"])
      for strategy in strategies {
        let names = [
          "median ns", "99th percentile ns", "longest ns", "chains", "chains a stop turns back",
          "chains retained percent",
        ]
        table.add(strategy, names.map { number(row.figures["\(strategy) " + $0], 0) })
      }
      lines += [""] + table.lines
    }
    return lines
  }

  static func number(_ value: Double?, _ decimals: Int) -> String {
    value.map { String(format: "%.\(decimals)f", $0) } ?? "-"
  }
}

/// Lines of right-aligned cells behind a left-aligned first one.
struct Table {
  private let columns: [String]
  private let width: Int
  private(set) var lines: [String] = []

  /// - Parameter width: of the first cell of a line.
  init(first: String, width: Int = 22, columns: [String]) {
    self.columns = columns
    self.width = width
    add(first, columns)
  }

  mutating func add(_ name: String, _ cells: [String]) {
    let padded = name.padding(toLength: max(width, name.count), withPad: " ", startingAt: 0)
    lines.append(
      zip(cells, columns).reduce(into: "  " + padded) { line, cell in
        line += String(repeating: " ", count: max(1, cell.1.count + 2 - cell.0.count)) + cell.0
      })
  }
}
