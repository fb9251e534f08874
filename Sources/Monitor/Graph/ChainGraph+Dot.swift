// Owns the graph of translation blocks in Graphviz's language dot, and as a picture.

import Bits
import Glibc
import Machine
import Processes

extension ChainGraph {
  /// Hot blocks are red, exits that were taken often thick; dashed ones lead to the engine, grey names to what is not shown.
  var dot: [String] {
    var lines = [
      "digraph chains {",
      "  graph [fontname=\"Helvetica\" ranksep=0.4 nodesep=0.3];",
      "  node [shape=box style=\"rounded,filled\" fillcolor=white color=gray40 fontname=\"Helvetica\" "
        + "fontsize=11 margin=\"0.12,0.06\"];",
      "  edge [color=gray25 fontname=\"Helvetica\" fontsize=10 arrowsize=0.7];",
    ]
    for node in nodes {
      var label = "\(Self.escaped(node.symbol ?? node.pc.hex0x()))\\n#\(node.id)"
      if node.symbol != nil { label += "  \(node.pc.hex0x())" }
      label += "\\n\(node.instructions) instruction\(node.instructions == 1 ? "" : "s"), \(node.tier)"
      if let mode = node.mode { label += "\\n(\(Self.escaped(mode)))" }
      if let counts = node.counts {
        label += "\\n\(Self.short(counts.runs)) run\(counts.runs == 1 ? "" : "s"), \(fixedPoint(counts.share, 1)) %"
      }
      lines.append("  b\(node.id) [label=\"\(label)\"\(colour(node))];")
    }
    let outside = Dictionary(grouping: edges.filter { $0.target == 0 }, by: \.targetPC).sorted { $0.key < $1.key }
    for (pc, edges) in outside {
      let label = Self.escaped(edges[0].symbol ?? pc.hex0x())
      lines.append(
        "  p\(pc.hex(digits: 1)) [label=\"\(label)\" shape=plaintext style=\"\" fontcolor=gray40 "
          + "fontsize=10];")
    }
    for edge in edges {
      let target = edge.target == 0 ? "p\(edge.targetPC.hex(digits: 1))" : "b\(edge.target)"
      lines.append("  b\(edge.source) -> \(target)\(attributes(edge));")
    }
    return lines + ["}"]
  }

  private func colour(_ node: Node) -> String {
    guard let heat = heat(node), heat > 0 else { return "" }
    return " fillcolor=\"\(fixedPoint(0.15 * (1 - heat), 3)) \(fixedPoint(0.08 + 0.62 * heat, 3)) 1.000\""
  }

  private func attributes(_ edge: Edge) -> String {
    var words: [String] = []
    if let taken = edge.taken {
      words.append("label=\" \(Self.short(taken))\"")
      let share = Double(taken) / Double(max(1, mostTaken))
      words.append("penwidth=\(fixedPoint(0.8 + 2.7 * share.squareRoot(), 1))")
    }
    switch edge.obstacle {
    case nil: break
    case .forbidden: words.append("style=dashed color=red3")
    default: words.append("style=dashed color=gray55")
    }
    return words.isEmpty ? "" : " [\(words.joined(separator: " "))]"
  }

  /// `1,234`, `5.6 M`.
  private static func short(_ count: UInt64) -> String {
    for (unit, size) in [("T", 1e12), ("G", 1e9), ("M", 1e6)] where Double(count) >= size * 10 {
      return fixedPoint(Double(count) / size, 1) + " " + unit
    }
    let digits = String(count)
    let groups = stride(from: digits.count, to: 0, by: -3).map { end in
      String(digits.dropLast(digits.count - end).suffix(3))
    }
    return groups.reversed().joined(separator: ",")
  }

  /// A name as it may stand between quotes, cut where it is very long.
  private static func escaped(_ name: String) -> String {
    let cut = name.count > 48 ? name.prefix(47) + "…" : name[...]
    return cut.unicodeScalars.reduce(into: "") { result, scalar in
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case _ where scalar.properties.generalCategory == .control: result += " "
      default: result.unicodeScalars.append(scalar)
      }
    }
  }

  /// The picture of a graph by Graphviz's program `dot`.
  /// - Parameter isCancelled: asked now and then.
  static func svg(_ dot: [String], isCancelled: () -> Bool) throws(MonitorError) -> [UInt8] {
    guard let program = ProgramRun.find("dot") else {
      throw .refused(
        "the program 'dot', which draws, is not installed: install the package graphviz; 'graph dot' and 'graph "
          + "text' need none")
    }
    guard let file = TemporaryFile(Array(dot.joined(separator: "\n").utf8)) else {
      throw .refused("the graph cannot be written to a temporary file: the folder TMPDIR, or /tmp, is full or missing")
    }
    let run = ProgramRun([program, "-Tsvg", file.path], mostOutput: 64 << 20, isCancelled: isCancelled)
    if isCancelled() { throw .interrupted }
    if let problem = run.problem {
      throw .refused("dot: \(problem); 'graph svg hot 50' and 'graph svg FUNCTION' have fewer blocks")
    }
    guard run.status == 0 else { throw .refused("dot fails: \(run.messages)") }
    return run.output
  }
}

/// A file that goes with its owner.
private final class TemporaryFile {
  let path: String

  init?(_ bytes: [UInt8]) {
    let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    // What mkstemp replaces.
    let unique = String(repeating: "X", count: 6)
    var name = Array("\(folder)/martlet-graph-\(unique)".utf8CString)
    let descriptor = unsafe mkstemp(&name)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var done = 0
    while done < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress! + done, bytes.count - done) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return nil }
      done += count
    }
  }

  deinit { unsafe unlink(path) }
}
