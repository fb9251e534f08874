// Owns the commands that cut and forbid chains, and drop blocks: unchain, chain, flush, profile.

import Bits
import Engine
import Machine

extension Command {
  static let unchain = Command(
    "unchain", [.block("FROM").then(.code("TO").optional).optional], .blocks,
    "Cut all chains, those of a block, or one edge; they form again as code runs.",
    .look { context throws(MonitorError) in
      let engine = context.machine.engine
      guard let from = context.arguments["FROM"] else { return counted(engine.code.unchainAll(), "chain", "cut") }
      let target = context.arguments.number("TO")
      let chains = engine.code.chains()
      var count = 0
      for id in try context.blockIDs(from) {
        let affected = target.map { pc in chains.outgoing(id).filter { $0.targetPC == pc } }
        for chain in affected ?? chains.outgoing(id) + chains.incoming(id) where engine.code.cut(chain) { count += 1 }
      }
      return counted(count, "chain", "cut")
    })

  static let chainForbid = Command(
    "chain forbid", [.code("FROM"), .code("TO")], .blocks,
    "Never chain the block at FROM to TO, and cut the chain there is.",
    .look { context throws(MonitorError) in try setForbidden(context, true) })

  static let chainAllow = Command(
    "chain allow", [.code("FROM"), .code("TO")], .blocks, "Undo 'chain forbid'.",
    .look { context throws(MonitorError) in try setForbidden(context, false) })

  private static func setForbidden(_ context: Context, _ isForbidden: Bool) throws(MonitorError) -> Listing {
    guard let from = context.arguments.number("FROM"), let to = context.arguments.number("TO") else {
      throw context.arguments.usage
    }
    let edge = ChainEdge(source: from, target: to)
    let engine = context.machine.engine
    if isForbidden { try context.checkExists(edge) }
    guard isForbidden || engine.code.forbiddenChains.contains(edge) else {
      throw .refused("that chain is not forbidden")
    }
    engine.code.setForbidden(edge, isForbidden)
    return .table(
      [.left("forbidden from"), .left("to")],
      engine.code.forbiddenChains.sorted { ($0.source, $0.target) < ($1.source, $1.target) }.map { edge in
        [context.memory.address(edge.source), context.memory.address(edge.target)]
      })
  }

  static let flush = Command(
    "flush", [.address.then(.number("LENGTH").optional).optional], .blocks,
    "Drop all translated code, or the blocks that touch an address range.",
    .look { context throws(MonitorError) in
      let engine = context.machine.engine
      guard let range = try context.codeRange() else {
        let count = engine.store.valid.count
        engine.flush()
        return counted(count, "block", "dropped")
      }
      let count = engine.flush(range)
      return counted(count, "block", "dropped")
    })

  static let profile = Command(
    "profile", [.words("STATE", "on", "off").optional], .blocks,
    "Count the executions of each block, and what slows it, from now on (drops translated code).",
    .look { context throws(MonitorError) in
      let engine = context.machine.engine
      if let state = context.arguments["STATE"] { engine.setCountsExecutions(state == "on") }
      return .fields([NamedValue("executions are counted", .truth(engine.profile.countsExecutions))])
    })
}

/// `3 blocks dropped`
private func counted(_ count: Int, _ what: String, _ done: String) -> Listing {
  .said("\(count) \(what)\(count == 1 ? "" : "s") \(done)", NamedValue(done, .count(count)))
}

extension Context {
  /// - Throws: unless a block at the edge's source, translated or not, may lead on to its target by itself.
  fileprivate func checkExists(_ edge: ChainEdge) throws(MonitorError) {
    let engine = machine.engine
    let translated = engine.store.valid.filter {
      engine.store[$0].key.variant == .normal && engine.store[$0].key.pc == edge.source
    }
    let chains = translated.isEmpty ? nil : engine.code.chains()
    let targets =
      chains.map { chains in translated.flatMap(chains.outgoing).map(\.targetPC) }
      ?? (try? engine.preview(vcpu, at: edge.source))?.compiled.ops
      .filter { $0.opcode == .exit || $0.opcode == .exitIf }.map { UInt64(bitPattern: $0.imm) } ?? []
    guard !targets.contains(edge.target) else { return }
    let places = Set(targets).sorted().map { $0.hex0x() + memory.symbolSuffix($0) }
    throw .refused(
      "the block at \(edge.source.hex0x()) has no exit to \(edge.target.hex0x()) that could be chained; "
        + (places.isEmpty ? "it has none at all" : "it has: \(places.joined(separator: ", "))"))
  }
}
