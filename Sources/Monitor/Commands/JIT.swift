// Owns `info jit`: what the translator has done and what it cost.

import Engine
import HostKit
import Machine

extension Command {
  static let infoJIT = Command(
    "info jit", [], .blocks, "Statistics of the translator: cost by stage, code size, chains, invalidations.",
    .look { context throws(MonitorError) in
      let engine = context.machine.engine
      let statistics = engine.statistics
      let used = engine.host.codeBytesUsed
      let interpreted = engine.interpretedBytesUsed
      let size = engine.options.codeCacheSize
      let tiers = Tier.allCases.filter { statistics[$0].blocks > 0 }
      return .sections(
        tiers.map { ("\($0) tier, host \(engine.hostName(of: $0))", .fields(cost(statistics[$0]))) } + [
          (
            "code cache",
            .fields([
              NamedValue("blocks now", .count(engine.store.valid.count)),
              NamedValue("chains now", .count(engine.code.chainCount)),
              NamedValue("bytes used", .count(used)),
              NamedValue("bytes in all", .count(size)),
              NamedValue("bytes interpreted", .count(interpreted)),
              NamedValue("percent used", .real(Double(used) / Double(max(1, size)) * 100, decimals: 1)),
              NamedValue("flushes", .count(statistics.flushes)),
              NamedValue("blocks invalidated", .count(statistics.invalidations)),
            ])
          ),
          (
            "running",
            .fields([
              NamedValue("entries into translated code", .count(statistics.entries)),
              NamedValue("samples for hot code", .count(statistics.samples)),
              NamedValue("chains made", .count(statistics.chainsMade)),
              NamedValue("jump-cache misses", .count(statistics.indirectMisses)),
              NamedValue("exceptions", .count(statistics.exceptions)),
              NamedValue("interrupts", .count(statistics.interrupts)),
              NamedValue("slow memory accesses", .count(statistics.slowAccesses)),
              NamedValue("TLB fills", .count(statistics.tlbFills)),
            ])
          ),
        ])
    })
}

private func cost(_ cost: TranslationCost) -> [NamedValue] {
  let each = { (total: UInt64) -> Value in
    .real(Double(total) / Double(max(1, cost.instructions)), decimals: 1)
  }
  let timed = { (total: UInt64) -> Value in
    .real(Double(total) / Double(max(1, cost.timedInstructions)), decimals: 1)
  }
  return [
    NamedValue("blocks", .count(cost.blocks)),
    NamedValue("guest instructions", .count(cost.instructions)),
    NamedValue("instructions per block", .real(Double(cost.instructions) / Double(max(1, cost.blocks)), decimals: 1)),
    NamedValue("guest bytes", .count(cost.guestBytes)),
    NamedValue("host bytes", .count(cost.hostBytes)),
    NamedValue(
      "host bytes per guest byte", .real(Double(cost.hostBytes) / Double(max(1, cost.guestBytes)), decimals: 2)),
    NamedValue("IR ops decoded per instruction", each(cost.opsBeforePasses)),
    NamedValue("IR ops compiled per instruction", each(cost.opsAfterPasses)),
    NamedValue("ns to decode an instruction", timed(cost.decodeTime)),
    NamedValue("ns in passes", timed(cost.optimizeTime)),
    NamedValue("ns to compile", timed(cost.compileTime)),
    NamedValue("ns in all", timed(cost.decodeTime &+ cost.optimizeTime &+ cost.compileTime)),
  ]
}
