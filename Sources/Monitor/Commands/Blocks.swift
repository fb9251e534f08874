// Owns `blocks`: the translation blocks of the code cache, sorted.

import Bits
import Engine
import Machine

extension Command {
  static let blocks = Command(
    "blocks",
    [
      .words("SORT", "sort").then(.words("ORDER", "pc", "hot", "size", "retranslated")).optional, .count.optional,
    ], .blocks, "Translation blocks in the code cache.",
    .look { context throws(MonitorError) in
      let engine = context.machine.engine
      let limit = context.arguments.count(else: 40)
      var ids = engine.store.valid.filter { engine.store[$0].key.variant == .normal }
      let total = ids.count
      switch context.arguments["ORDER"] {
      case "size": ids.sort { (engine.store[$0].compiled.size, $1) > (engine.store[$1].compiled.size, $0) }
      case "retranslated": ids.sort { (engine.store.retranslations($0), $1) > (engine.store.retranslations($1), $0) }
      case "hot":
        guard engine.profile.countsExecutions else {
          throw .refused("executions are not counted; switch that on with 'profile on' and let the guest run")
        }
        ids.sort { (engine.executedInstructions($0), $1) > (engine.executedInstructions($1), $0) }
      default: ids.sort { (engine.store[$0].key.pc, $0) < (engine.store[$1].key.pc, $1) }
      }
      let executed = ids.reduce(UInt64(0)) { $0 &+ engine.executedInstructions($1) }
      return table(context, Array(ids.prefix(limit)), total: total, executed: executed)
    })

  /// - Parameter executed: guest instructions that all blocks have executed, as far as it is counted.
  private static func table(_ context: Context, _ ids: [BlockID], total: Int, executed: UInt64) -> Listing {
    let engine = context.machine.engine
    let memory = context.memory
    var columns: [Column] = [
      .right("block"), .left("pc"), .left("symbol"), .right("instrs"), .right("guest B"), .right("IR ops"),
      .right("host B"), .right("B/B"), .left("chains"), .right("retrans"),
    ]
    if engine.profile.countsExecutions { columns += [.right("runs"), .right("share %")] }
    let chains = engine.code.chains()
    let rows = ids.map { id -> [Value] in
      let block = engine.store[id]
      let exits = chains.outgoing(id)
      let counts = "\(chains.incoming(id).count) in, \(exits.count(where: \.isChained))/\(exits.count) out"
      var row: [Value] = [
        .count(id), memory.address(block.key.pc), memory.symbol(block.key.pc), .count(block.instructionCount),
        .count(block.guestSize), .count(block.irOpCount), .count(block.compiled.size),
        .real(Double(block.compiled.size) / Double(max(1, block.guestSize)), decimals: 1), .text(counts),
        .count(engine.store.retranslations(id)),
      ]
      if let runs = engine.executions(id) {
        let share = Double(engine.executedInstructions(id)) / Double(max(1, executed)) * 100
        row += [.count(runs), .real(share, decimals: 1)]
      }
      return row
    }
    let listing = Listing.table(columns, rows)
    guard ids.count < total else { return listing }
    return .custom(listing.textLines + ["(\(ids.count) of \(total) blocks)"], listing.value)
  }
}
