// Owns the graph of translation blocks: which blocks are shown, and the ways between them.

import Bits
import Engine
import Machine

/// Blocks, and the exits that lead, or may lead, from one to another.
struct ChainGraph: Sendable {
  struct Node: Sendable {
    var id: BlockID
    var pc: UInt64
    var symbol: String?
    /// The mode that it was translated for, in words, where another block shown has the same place.
    var mode: String?
    var instructions: Int
    var tier: Tier
    /// How often it was executed, and the share in percent of all instructions that blocks have executed; nil while that is
    /// not counted.
    var counts: (runs: UInt64, share: Double)?
  }

  struct Edge: Sendable {
    var source: BlockID
    /// 0: a place that is in no block shown.
    var target: BlockID
    var targetPC: UInt64
    var symbol: String?
    /// Why it is not chained; nil if it is.
    var obstacle: ChainObstacle?
    /// How often it was taken; nil while that is not counted.
    var taken: UInt64?
  }

  var nodes: [Node]
  var edges: [Edge]

  /// - Parameters:
  ///   - ids: the blocks to be shown, in this order.
  ///   - showsOutside: whether exits that lead to other places are shown too.
  init(_ ids: [BlockID], showsOutside: Bool, _ machine: Machine) {
    let engine = machine.engine
    let executed = Self.executed(engine)
    let counts = Dictionary(grouping: ids) { engine.store[$0].key.pc }.mapValues(\.count)
    nodes = ids.map { id in
      let block = engine.store[id]
      let share = Double(engine.executedInstructions(id)) / Double(max(1, executed)) * 100
      return Node(
        id: id, pc: block.key.pc, symbol: machine.symbols.describe(block.key.pc),
        mode: counts[block.key.pc, default: 1] > 1
          ? machine.guest.describe(block.key.flags).joined(separator: ", ") : nil,
        instructions: Int(block.instructionCount), tier: block.tier,
        counts: engine.executions(id).map { ($0, share) })
    }
    let shown = Set(ids)
    let containers = Dictionary(
      ids.flatMap { id in ([id] + engine.store.entries(id)).map { (engine.store[$0].key.pc, id) } },
      uniquingKeysWith: { first, _ in first })
    edges = []
    let chains = engine.code.chains()
    for id in ids {
      var seen: Set<UInt64> = []
      for chain in chains.outgoing(id) where seen.insert(chain.targetPC).inserted {
        let target = chain.isChained && shown.contains(chain.target) ? chain.target : containers[chain.targetPC] ?? 0
        guard target != 0 || showsOutside else { continue }
        let taken = engine.exits(from: id, to: chain.targetPC)
        let same = edges.lastIndex { $0.source == id && $0.target == id }
        if target == id, let same {
          edges[same].taken = taken.map { $0 &+ (edges[same].taken ?? 0) }
          continue
        }
        edges.append(
          Edge(
            source: id, target: target, targetPC: chain.targetPC,
            symbol: machine.symbols.describe(chain.targetPC), obstacle: engine.obstacle(chain), taken: taken))
      }
    }
  }

  private static func executed(_ engine: Engine) -> UInt64 {
    ordinary(engine).reduce(0) { $0 &+ engine.executedInstructions($1) }
  }

  /// All blocks that could be shown, by address.
  static func ordinary(_ engine: Engine) -> [BlockID] {
    engine.store.valid.filter { engine.store[$0].key.variant == .normal }
      .sorted { (engine.store[$0].key.pc, $0) < (engine.store[$1].key.pc, $1) }
  }

  /// How hot a block is beside the hottest, from 0 to 1; nil while that is not counted.
  func heat(_ node: Node) -> Double? {
    let most = nodes.compactMap(\.counts?.share).max() ?? 0
    return node.counts.map { most > 0 ? ($0.share / most).squareRoot() : 0 }
  }

  /// How often the exit that was taken most was.
  var mostTaken: UInt64 { edges.compactMap(\.taken).max() ?? 0 }

  var summary: String {
    func counted(_ count: Int, _ what: String) -> String { "\(count) \(what)\(count == 1 ? "" : "s")" }
    return counted(nodes.count, "block") + ", " + counted(edges.count, "exit")
  }

  // MARK: Text

  func lines(_ style: ListingStyle, _ memory: DebugMemory) -> [String] {
    let names = Dictionary(
      nodes.map { ($0.id, name($0.pc, $0.symbol, memory)) }, uniquingKeysWith: { first, _ in first })
    func target(_ edge: Edge) -> String {
      edge.target == 0 ? name(edge.targetPC, edge.symbol, memory) : "#\(edge.target) \(names[edge.target] ?? "")"
    }
    let width = min(edges.map { target($0).count }.max() ?? 0, 48)
    let times = edges.compactMap { $0.taken.map { String($0).count } }.max() ?? 0
    let outgoing = Dictionary(grouping: edges, by: \.source)
    return nodes.flatMap { node -> [String] in
      let counts =
        node.counts.map { ", run \($0.runs) time\($0.runs == 1 ? "" : "s"), \(fixedPoint($0.share, 1)) %" } ?? ""
      let plural = node.instructions == 1 ? "" : "s"
      let head =
        style.paint("#\(node.id) \(names[node.id] ?? "")", .heading)
        + "  \(node.instructions) instruction\(plural), \(node.tier)\(counts)"
        + (node.mode.map { " (\($0))" } ?? "")
      return [head]
        + (outgoing[node.id] ?? []).map { edge in
          let taken = edge.taken.map { padded(left: String($0), times) + ($0 == 1 ? " time   " : " times  ") } ?? ""
          return trimmed("  -> \(padded(target(edge), width))  \(taken)\(edge.words)")
        }
    }
  }

  private func name(_ pc: UInt64, _ symbol: String?, _ memory: DebugMemory) -> String {
    memory.addressText(pc) + (symbol.map { " <\($0)>" } ?? "")
  }

  func value(_ memory: DebugMemory) -> [NamedValue] {
    [
      NamedValue(
        "blocks",
        .list(
          nodes.map { node in
            .object([
              NamedValue("block", .count(node.id)), NamedValue("pc", memory.address(node.pc)),
              NamedValue("symbol", node.symbol.map { .text($0) } ?? .nothing),
              NamedValue("mode", node.mode.map { .text($0) } ?? .nothing),
              NamedValue("instructions", .count(node.instructions)), NamedValue("tier", .text("\(node.tier)")),
              NamedValue("runs", node.counts.map { .number($0.runs) } ?? .nothing),
              NamedValue("share %", node.counts.map { .real($0.share, decimals: 1) } ?? .nothing),
            ])
          })),
      NamedValue(
        "exits",
        .list(
          edges.map { edge in
            .object([
              NamedValue("from", .count(edge.source)),
              NamedValue("to", edge.target == 0 ? .nothing : .count(edge.target)),
              NamedValue("pc", memory.address(edge.targetPC)),
              NamedValue("symbol", edge.symbol.map { .text($0) } ?? .nothing),
              NamedValue("taken", edge.taken.map { .number($0) } ?? .nothing),
              NamedValue("obstacle", edge.obstacle.map { .text($0.rawValue) } ?? .nothing),
            ])
          })),
    ]
  }
}

extension ChainGraph.Edge {
  /// How it leads on.
  fileprivate var words: String {
    switch obstacle {
    case nil: target == 0 ? "chained, to a block not shown" : "chained"
    case .forbidden: "chaining forbidden"
    case .mayMove: "looked up each time"
    case .untranslated: "not translated"
    case .notTaken where taken ?? 0 > 0: "not chained now"
    case .notTaken: "not taken yet"
    default: "not chained"
    }
  }
}
