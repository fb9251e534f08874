// Owns the forming of regions: blocks that loop through a hot place, translated as one block with an entry at each of
// theirs, so that jumps between them stay inside and the host may choose registers for the loop.

import GuestKit
import HostKit

/// What a region was made of, and why.
public struct CodeRegion: Sendable {
  /// What the front end was asked to translate.
  public var shape: RegionShape
  /// Where samples found the vCPU.
  public var hottest: UInt64
  /// Blocks, and regions formed before, that went into it.
  public var blockCount: Int
}

extension Translator {
  private static var blockLimit: Int { 32 }
  private static var instructionLimit: Int { 512 }

  /// Translates the hot block `id` again, thoroughly, together with those that lead back to it.
  func formRegion(_ vcpu: VCPU, around id: BlockID, at hottest: UInt64) {
    let parts = loop(through: id)
    // A range of code cannot end where addresses do.
    if parts.contains(where: { code.blocks[$0].lastPC == .max }) { return }
    let key = code.blocks[id].key
    let lowest = parts.map { code.blocks[$0].key.pc }.min() ?? key.pc
    let region = CodeRegion(shape: shape(of: parts), hottest: hottest, blockCount: parts.count)
    let top = BlockKey(
      pc: lowest, physicalPC: key.physicalPC &- (key.pc &- lowest), flags: key.flags, variant: .normal)
    let generation = profile.statistics.flushes
    guard let better = try? translate(vcpu, top, .thorough, single: false, region),
      profile.statistics.flushes == generation
    else { return }
    let incoming = parts.flatMap { code.blocks.incoming($0) }
    for part in parts {
      code.note(.dropped, part, because: .hotter)
      guardian.remove(part)
    }
    for exit in incoming where code.blocks[code.blocks.exit(exit).source].isValid {
      let entry = code.blocks.entry(better, at: code.blocks.exit(exit).target)
      if entry != 0 { code.chain(exit, to: entry) }
    }
  }

  /// The blocks of the page that are chained behind `id` and lead back to it, `id` among them.
  private func loop(through id: BlockID) -> [BlockID] {
    let page = code.blocks[id].key.physicalPC & ~0xFFF
    var reached = [id]
    var predecessors: [BlockID: [BlockID]] = [:]
    var instructions = Int(code.blocks[id].instructionCount)
    var next = 0
    while next < reached.count {
      let source = reached[next]
      next += 1
      for exit in code.blocks.outgoing(source) {
        let target = code.blocks.target(of: exit)
        guard target != 0, code.blocks[target].key.physicalPC & ~0xFFF == page, code.blocks[target].secondPage == .max,
          code.blocks[target].key.flags == code.blocks[id].key.flags
        else {
          continue
        }
        predecessors[target, default: []].append(source)
        let sum = instructions + Int(code.blocks[target].instructionCount)
        guard !reached.contains(target), reached.count < Self.blockLimit, sum <= Self.instructionLimit else { continue }
        reached.append(target)
        instructions = sum
      }
    }
    var found = [id]
    next = 0
    while next < found.count {
      for source in predecessors[found[next]] ?? [] where !found.contains(source) && reached.contains(source) {
        found.append(source)
      }
      next += 1
    }
    return found
  }

  /// The code of some blocks, with a label wherever one of them is entered or leads to another.
  private func shape(of blocks: [BlockID]) -> RegionShape {
    var ranges: [Range<UInt64>] = []
    var labels: Set<UInt64> = []
    for id in blocks {
      ranges +=
        code.regions[id]?.shape.ranges ?? [
          code.blocks[id].key.pc..<code.blocks[id].key.pc &+ UInt64(code.blocks[id].guestSize)
        ]
      for entry in code.blocks.parts(id) { labels.insert(code.blocks[entry].key.pc) }
      for exit in code.blocks.outgoing(id) { labels.insert(code.blocks.exit(exit).target) }
    }
    return RegionShape(ranges, labels: labels)
  }
}
