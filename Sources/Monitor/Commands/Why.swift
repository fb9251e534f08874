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
      try context.needsCounts()
      guard let word = context.arguments["ADDR|#BLOCK|COUNT"] else { return blocks(context, limit: 20) }
      if let count = Int(word) {
        guard count > 0 else { throw .refused("'\(word)' is no count (1 or more)") }
        return blocks(context, limit: count)
      }
      let listings = try context.blockIDs(word).map { id in
        let rows = instructions(context, id)
        let causes = causes(context, engine.slowCauses(in: engine.code(of: id)))
        let exits = context.exits(of: id).listing
        let lines =
          rows.textLines + (causes.map { [""] + $0.textLines } ?? [])
          + (exits.textLines.isEmpty ? [] : [""] + exits.textLines)
        return (title(context, id), Listing.custom(lines, rows.value))
      }
      return .sections(listings)
    })

  static let whyCauses = Command(
    "why causes", [.block("FUNCTION|ADDR|#BLOCK").optional], .blocks,
    "What translated code was left for, or waited for, in a function, a block, or all, dearest first, and what to do about it.",
    .look { context throws(MonitorError) in
      try context.needsCounts()
      let found = causes(
        context, context.machine.engine.slowCauses(in: try context.code(of: context.arguments["FUNCTION|ADDR|#BLOCK"])))
      return found ?? .none("nothing has kept translated code from running on")
    })

  static let whyChains = Command(
    "why chains", [.block().optional], .blocks,
    "Why exits of the block at ADDR, or at the PC, lead to the engine in place of other blocks, and what to do about it.",
    .look { context throws(MonitorError) in
      let ids = try context.blockIDs(context.arguments["ADDR|#BLOCK"])
      let found = ids.map { id in (title: title(context, id), exits: context.exits(of: id)) }
      return .custom(
        found.enumerated().flatMap { number, block in
          let lines = block.exits.listing.textLines
          return (number == 0 ? [] : [""]) + [block.title]
            + (lines.isEmpty ? ["no exit leads to a known place"] : lines).map { $0.isEmpty ? "" : "  " + $0 }
        }, .list(found.flatMap(\.exits.values)))
    })

  private static let eventColumns: [Column] = [
    .right("entries"), .right("unchained"), .right("jump misses"), .right("leaves"), .right("helpers"),
    .right("slow mem"), .right("faults"), .right("TLB fills"), .right("stops"), .right("about us"),
  ]

  private static func cells(_ events: SlowEvents) -> [Value] {
    [
      events.entries, events.unchained, events.jumpMisses, events.leaves, events.helperCalls, events.slowAccesses,
      events.faults, events.tlbFills, events.stops, events.estimatedCost / 1000,
    ].map { .number($0) }
  }

  private static func blocks(_ context: Context, limit: Int) -> Listing {
    let all = context.machine.engine.slowBlocks()
    let rows = all.prefix(limit).map { block -> [Value] in
      [.count(block.id), context.memory.address(block.pc), context.memory.symbol(block.pc), .number(block.executions)]
        + cells(block.events)
    }
    let listing = Listing.table([.right("block"), .left("pc"), .left("symbol"), .right("runs")] + eventColumns, rows)
    let rest = rows.count < all.count ? ["(\(rows.count) of \(all.count) blocks)"] : []
    let causes = causes(context, context.machine.engine.slowCauses(), limit: 5).map { [""] + $0.textLines } ?? []
    return .custom(listing.textLines + rest + causes, listing.value)
  }

  /// What a cause is, how often it was met, and what to do about it, in as many columns as there is room for. Nil if there is none.
  private static func causes(_ context: Context, _ all: [SlowCauseCount], limit: Int = .max) -> Listing? {
    guard !all.isEmpty else { return nil }
    let total = max(1, all.reduce(0) { $0 &+ $1.cost })
    let shown = all.prefix(limit)
    let advice = SlowAdvice(context.machine)
    let rows = shown.map { cause -> [Value] in
      [
        .number(cause.count), .number(cause.cost / 1000), .real(Double(cause.cost) / Double(total) * 100, decimals: 1),
        context.memory.address(cause.pc), context.memory.symbol(cause.pc), .text(advice.name(cause.cause)),
      ]
    }
    let columns: [Column] = [
      .right("times"), .right("about us"), .right("%"), .left("mostly at"), .left("symbol"), .left("cause"),
    ]
    let table = Listing.table(columns, rows).textLines
    let lines = zip(table.dropFirst(), shown).flatMap { line, cause in
      [line] + context.style.indentedLines(advice.whatToDo(cause.cause), by: 6)
    }
    let rest = shown.count < all.count ? ["(\(shown.count) of \(all.count) causes; 'why causes' lists all)"] : []
    let values = zip(rows, shown).map { row, cause in
      Value.object(
        zip(columns, row).map { NamedValue($0.title == "%" ? "share %" : $0.title, $1) } + [
          NamedValue("to do", .text(advice.whatToDo(cause.cause)))
        ])
    }
    return .custom([table[0]] + lines + rest, .list(values))
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

extension Context {
  fileprivate func needsCounts() throws(MonitorError) {
    guard machine.engine.profile.countsExecutions else {
      throw .refused("nothing is counted; switch that on with 'profile on' and let the guest run")
    }
  }

  /// The code of a function, or that of the blocks at a place.
  fileprivate func code(of text: String?) throws(MonitorError) -> ClosedRange<UInt64> {
    guard let text else { return 0...UInt64.max }
    if let function = machine.symbols.named(memory.unquoted(text)).first(where: { $0.size > 0 && !$0.isData }) {
      return function.address...(function.address &+ (function.size &- 1))
    }
    let ranges = try blockIDs(text).map { machine.engine.code(of: $0) }
    return (ranges.map(\.lowerBound).min() ?? 0)...(ranges.map(\.upperBound).max() ?? .max)
  }

  /// Where the exits of a block lead, and why those that are not chained are not.
  fileprivate func exits(of id: BlockID) -> (listing: Listing, values: [Value]) {
    let engine = machine.engine
    let advice = SlowAdvice(machine)
    var lines: [String] = []
    var values: [Value] = []
    for (number, chain) in engine.code.chains().outgoing(id).enumerated() {
      let obstacle = engine.obstacle(chain)
      let cause = obstacle.map { SlowCause.exit($0) }
      let taken = engine.exits(from: id, to: chain.targetPC)
      let state = cause.map { advice.name($0) } ?? "chained to #\(chain.target)"
      let times = taken.map { ", taken \($0) times" } ?? ""
      lines.append(
        "exit \(number) -> \(memory.addressText(chain.targetPC))\(memory.symbolSuffix(chain.targetPC))\(times): \(state)"
      )
      if let cause { lines += style.indentedLines(advice.whatToDo(cause), by: 6) }
      values.append(
        .object([
          NamedValue("block", .count(id)), NamedValue("exit", .count(number)),
          NamedValue("target", memory.address(chain.targetPC)), NamedValue("symbol", memory.symbol(chain.targetPC)),
          NamedValue("chained to", chain.isChained ? .count(chain.target) : .nothing),
          NamedValue("taken", taken.map { .number($0) } ?? .nothing),
          NamedValue("obstacle", obstacle.map { .text($0.rawValue) } ?? .nothing),
          NamedValue("cause", cause.map { .text(advice.name($0)) } ?? .nothing),
          NamedValue("to do", cause.map { .text(advice.whatToDo($0)) } ?? .nothing),
        ]))
    }
    return (.lines(lines), values)
  }
}

extension ListingStyle {
  /// A sentence, in lines that stand indented.
  fileprivate func indentedLines(_ text: String, by count: Int) -> [String] {
    Self.wrapped(text, columns - count - 2, indent: 0).map { String(repeating: " ", count: count) + $0 }
  }
}
