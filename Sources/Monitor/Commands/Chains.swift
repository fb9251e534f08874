// Owns the commands that cut and forbid chains, and drop blocks: unchain, chain, flush, profile.

import Bits
import Engine
import Machine

extension Command {
  static let unchain = Command(
    "unchain", "[FROM [TO]]", .blocks, "Cut all chains, those of a block, or one edge; they form again as code runs.",
    arguments: [.block, .block],
    .look { context throws(MonitorError) in
      let engine = context.machine.engine
      guard let from = context.arguments[0] else { return .text("\(engine.unchainAll()) chains cut") }
      let target = try context.arguments[1].map { word throws(MonitorError) in try context.address(word) }
      let chains = engine.chains()
      var count = 0
      for id in try context.blockIDs(from) {
        let affected = target.map { pc in chains.outgoing(id).filter { $0.targetPC == pc } }
        for chain in affected ?? chains.outgoing(id) + chains.incoming(id) where engine.cut(chain) { count += 1 }
      }
      return .text("\(count) \(count == 1 ? "chain" : "chains") cut")
    })

  static let chainForbid = Command(
    "chain forbid", "FROM TO", .blocks, "Never chain the block at FROM to TO, and cut the chain there is.",
    arguments: [.block, .block], .look { context throws(MonitorError) in try setForbidden(context, true) })

  static let chainAllow = Command(
    "chain allow", "FROM TO", .blocks, "Undo 'chain forbid'.", arguments: [.block, .block],
    .look { context throws(MonitorError) in try setForbidden(context, false) })

  private static func setForbidden(_ context: Context, _ isForbidden: Bool) throws(MonitorError) -> Listing {
    guard let from = context.arguments[0], let to = context.arguments[1] else { throw context.arguments.usage }
    let edge = ChainEdge(source: try context.address(from), target: try context.address(to))
    let engine = context.machine.engine
    guard isForbidden || engine.forbiddenChains.contains(edge) else {
      throw .refused("that chain is not forbidden")
    }
    engine.setForbidden(edge, isForbidden)
    return .table(
      [.left("forbidden from"), .left("to")],
      engine.forbiddenChains.sorted { ($0.source, $0.target) < ($1.source, $1.target) }.map { edge in
        [context.memory.address(edge.source), context.memory.address(edge.target)]
      })
  }

  static let flush = Command(
    "flush", "[ADDR [LENGTH]]", .blocks, "Drop all translated code, or the blocks that touch an address range.",
    arguments: [.address],
    .look { context throws(MonitorError) in
      let engine = context.machine.engine
      guard let word = context.arguments[0] else {
        let count = engine.store.valid.count
        engine.flush()
        return .text("\(count) blocks dropped")
      }
      let start = try context.address(word)
      let length = try context.arguments[1].map { word throws(MonitorError) in try context.evaluate(word) } ?? 1
      let (last, overflow) = start.addingReportingOverflow(max(1, length) - 1)
      let count = engine.flush(start...(overflow ? .max : last))
      return .text("\(count) \(count == 1 ? "block" : "blocks") dropped")
    })

  static let profile = Command(
    "profile", "on|off", .blocks,
    "Count the executions of each block, and what slows it, from now on (drops translated code).",
    arguments: [.words(["on", "off"])],
    .look { context throws(MonitorError) in
      let engine = context.machine.engine
      switch context.arguments[0] {
      case "on": engine.setCountsExecutions(true)
      case "off": engine.setCountsExecutions(false)
      case nil: break
      default: throw context.arguments.usage
      }
      return .fields([Field("executions are counted", .truth(engine.options.countsExecutions))])
    })
}
