// Owns `graph`: the blocks and their chains in Graphviz's dot language.

import Bits
import Engine
import Machine

extension Command {
  static let graph = Command(
    "graph", [.block().optional], .blocks,
    "The chain graph in Graphviz dot: of all blocks, or of those reached from ADDR.",
    .look { context throws(MonitorError) in
      let engine = context.machine.engine
      let chains = engine.code.chains()
      var ids = engine.store.valid.filter { engine.store[$0].key.variant == .normal }
      if let word = context.arguments["ADDR|#BLOCK"] {
        var reached: Set<BlockID> = []
        var open = try context.blockIDs(word)
        while let id = open.popLast() {
          guard reached.insert(id).inserted else { continue }
          open += chains.outgoing(id).filter(\.isChained).map(\.target)
        }
        ids = ids.filter(reached.contains)
      }
      guard !ids.isEmpty else { throw .refused("no translated blocks") }
      let shown = Set(ids)
      var lines = ["digraph chains {", "  node [shape=box fontname=monospace];"]
      let hottest = max(1, ids.compactMap { engine.executions($0) }.max() ?? 1)
      for id in ids {
        let block = engine.store[id]
        var label = block.key.pc.hex0x()
        if let name = context.machine.symbols.describe(block.key.pc) { label += "\\n\(name)" }
        label += "\\n\(block.instructionCount) instrs"
        var style = ""
        if let runs = engine.executions(id) {
          label += ", \(runs) runs"
          // Hotter blocks are redder.
          style = " style=filled fillcolor=\"0.0 \(fixedPoint(Double(runs) / Double(hottest), 2)) 1.0\""
        }
        lines.append("  b\(id) [label=\"\(label)\"\(style)];")
      }
      let byPC = Dictionary(ids.map { (engine.store[$0].key.pc, $0) }, uniquingKeysWith: { first, _ in first })
      for chain in ids.flatMap(chains.outgoing) {
        if chain.isChained, shown.contains(chain.target) {
          lines.append("  b\(chain.source) -> b\(chain.target);")
        } else if let target = byPC[chain.targetPC] {
          lines.append("  b\(chain.source) -> b\(target) [style=dashed];")
        }
      }
      lines.append("}")
      return .lines(lines)
    })
}
