// Owns `info jit`: what the translator has done and what it cost.

import Engine
import HostKit
import Machine

extension Command {
  static let infoJIT = Command(
    "info jit", "", .blocks, "Statistics of the translator: cost by stage, code size, chains, invalidations.",
    .look { context throws(MonitorError) in
      let engine = context.machine.engine
      let statistics = engine.statistics
      let instructions = Double(max(1, statistics.instructionsTranslated))
      let each = { (total: UInt64) -> Value in .real(Double(total) / instructions, decimals: 1) }
      let chained = engine.store.exits.filter { $0.linked != 0 }.count
      let used = engine.host.codeBytesUsed
      let size = engine.options.codeCacheSize
      let total = statistics.decodeTime &+ statistics.optimizeTime &+ statistics.compileTime
      return .sections([
        (
          "translated (host \(engine.hostName))",
          .fields([
            Field("blocks", .count(statistics.blocksTranslated)),
            Field("guest instructions", .count(statistics.instructionsTranslated)),
            Field(
              "instructions per block",
              .real(instructions / Double(max(1, statistics.blocksTranslated)), decimals: 1)),
            Field("guest bytes", .count(statistics.guestBytes)),
            Field("host bytes", .count(statistics.hostBytes)),
            Field(
              "host bytes per guest byte",
              .real(Double(statistics.hostBytes) / Double(max(1, statistics.guestBytes)), decimals: 2)),
          ])
        ),
        (
          "per guest instruction",
          .fields([
            Field("IR ops decoded", each(statistics.opsBeforePasses)),
            Field("IR ops after passes", each(statistics.opsAfterPasses)),
            Field("ns to decode", each(statistics.decodeTime)),
            Field("ns in passes", each(statistics.optimizeTime)),
            Field("ns to compile", each(statistics.compileTime)),
            Field("ns in all", each(total)),
          ])
        ),
        (
          "code cache",
          .fields([
            Field("blocks now", .count(engine.store.valid.count)),
            Field("chains now", .count(chained)),
            Field("bytes used", .count(used)),
            Field("bytes in all", .count(size)),
            Field("percent used", .real(Double(used) / Double(max(1, size)) * 100, decimals: 1)),
            Field("flushes", .count(statistics.flushes)),
            Field("blocks invalidated", .count(statistics.invalidations)),
          ])
        ),
        (
          "running",
          .fields([
            Field("entries into translated code", .count(statistics.entries)),
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
