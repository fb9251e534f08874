// Owns `why`: what keeps guest code from running at full speed, by block or by instruction.

import Bits
import Engine
import Machine

extension Command {
  static let why = Command(
    "why", [.block("ADDR|#BLOCK|COUNT").optional], .blocks,
    "Why it is slow here: exits to the engine, helper calls, slow accesses, misses; the dearest blocks, or one's instructions.",
    .look { context throws(MonitorError) in
      let engine = context.machine.engine
      guard engine.profile.countsExecutions else {
        throw .refused("nothing is counted; switch that on with 'profile on' and let the guest run")
      }
      guard let word = context.arguments["ADDR|#BLOCK|COUNT"] else { return blocks(context, limit: 20) }
      if let count = Int(word) {
        guard count > 0 else { throw .refused("'\(word)' is no count (1 or more)") }
        return blocks(context, limit: count)
      }
      let ids = try context.blockIDs(word)
      return .sections(ids.map { (title(context, $0), instructions(context, $0)) })
    })

  private static let eventColumns: [Column] = [
    .right("entries"), .right("unchained"), .right("jump misses"), .right("leaves"), .right("helpers"),
    .right("slow mem"), .right("faults"), .right("TLB fills"), .right("about us"),
  ]

  private static func cells(_ events: SlowEvents) -> [Value] {
    [
      events.entries, events.unchained, events.jumpMisses, events.leaves, events.helperCalls, events.slowAccesses,
      events.faults, events.tlbFills, events.estimatedCost / 1000,
    ].map { .number($0) }
  }

  private static func blocks(_ context: Context, limit: Int) -> Listing {
    let all = context.machine.engine.slowBlocks()
    let rows = all.prefix(limit).map { block -> [Value] in
      [.count(block.id), context.memory.address(block.pc), context.memory.symbol(block.pc), .number(block.executions)]
        + cells(block.events)
    }
    let listing = Listing.table([.right("block"), .left("pc"), .left("symbol"), .right("runs")] + eventColumns, rows)
    guard rows.count < all.count else { return listing }
    return .custom(listing.textLines + ["(\(rows.count) of \(all.count) blocks)"], listing.value)
  }

  private static func title(_ context: Context, _ id: BlockID) -> String {
    let engine = context.machine.engine
    let pc = engine.store[id].key.pc
    let runs = engine.executions(id) ?? 0
    return "block \(id) at \(context.memory.addressText(pc))\(context.memory.symbolSuffix(pc)), run \(runs) times"
  }

  private static func instructions(_ context: Context, _ id: BlockID) -> Listing {
    let rows = context.machine.engine.slowInstructions(in: id).map { instruction -> [Value] in
      let text = context.memory.instruction(instruction.pc)?.text ?? ""
      let helpers = instruction.helpers.map { "\($0.name) \($0.count)" }.joined(separator: ", ")
      return [context.memory.address(instruction.pc), .text(text)] + cells(instruction.events)
        + [helpers.isEmpty ? .nothing : .text(helpers)]
    }
    return .table([.left("pc"), .left("instruction")] + eventColumns + [.left("helper calls")], rows)
  }
}
