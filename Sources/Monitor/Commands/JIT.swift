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
              Field("blocks now", .count(engine.store.valid.count)),
              Field("chains now", .count(engine.chainCount)),
              Field("bytes used", .count(used)),
              Field("bytes in all", .count(size)),
              Field("bytes interpreted", .count(interpreted)),
              Field("percent used", .real(Double(used) / Double(max(1, size)) * 100, decimals: 1)),
              Field("flushes", .count(statistics.flushes)),
              Field("blocks invalidated", .count(statistics.invalidations)),
            ])
          ),
          (
            "running",
            .fields([
              Field("entries into translated code", .count(statistics.entries)),
              Field("samples for hot code", .count(statistics.samples)),
              Field("chains made", .count(statistics.chainsMade)),
              Field("jump-cache misses", .count(statistics.indirectMisses)),
              Field("exceptions", .count(statistics.exceptions)),
              Field("interrupts", .count(statistics.interrupts)),
              Field("slow memory accesses", .count(statistics.slowAccesses)),
              Field("TLB fills", .count(statistics.tlbFills)),
            ])
          ),
        ])
    })
}

private func cost(_ cost: TranslationCost) -> [Field] {
  let each = { (total: UInt64) -> Value in
    .real(Double(total) / Double(max(1, cost.instructions)), decimals: 1)
  }
  let timed = { (total: UInt64) -> Value in
    .real(Double(total) / Double(max(1, cost.timedInstructions)), decimals: 1)
  }
  return [
    Field("blocks", .count(cost.blocks)),
    Field("guest instructions", .count(cost.instructions)),
    Field("instructions per block", .real(Double(cost.instructions) / Double(max(1, cost.blocks)), decimals: 1)),
    Field("guest bytes", .count(cost.guestBytes)),
    Field("host bytes", .count(cost.hostBytes)),
    Field("host bytes per guest byte", .real(Double(cost.hostBytes) / Double(max(1, cost.guestBytes)), decimals: 2)),
    Field("IR ops decoded per instruction", each(cost.opsBeforePasses)),
    Field("IR ops compiled per instruction", each(cost.opsAfterPasses)),
    Field("ns to decode an instruction", timed(cost.decodeTime)),
    Field("ns in passes", timed(cost.optimizeTime)),
    Field("ns to compile", timed(cost.compileTime)),
    Field("ns in all", timed(cost.decodeTime &+ cost.optimizeTime &+ cost.compileTime)),
  ]
}
