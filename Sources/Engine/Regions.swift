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

extension Engine {
  private static var blockLimit: Int { 32 }
  private static var instructionLimit: Int { 512 }

  /// Translates the hot block `id` again, thoroughly, together with those that lead back to it.
  func formRegion(_ vcpu: VCPU, around id: BlockID, at hottest: UInt64) {
    let parts = loop(through: id)
    // A range of code cannot end where addresses do.
    if parts.contains(where: { store[$0].lastPC == .max }) { return }
    let key = store[id].key
    let lowest = parts.map { store[$0].key.pc }.min() ?? key.pc
    let region = CodeRegion(shape: shape(of: parts), hottest: hottest, blockCount: parts.count)
    let top = BlockKey(
      pc: lowest, physicalPC: key.physicalPC &- (key.pc &- lowest), flags: key.flags, variant: .normal)
    let generation = statistics.flushes
    guard let better = try? translate(vcpu, top, .thorough, single: false, region),
      statistics.flushes == generation
    else { return }
    let incoming = parts.flatMap { store.incoming($0) }
    for part in parts { remove(part) }
    for exit in incoming where store[store.exit(exit).source].isValid {
      let entry = store.entry(better, at: store.exit(exit).target)
      if entry != 0 { chain(exit, to: entry) }
    }
  }

  /// The blocks of the page that are chained behind `id` and lead back to it, `id` among them.
  private func loop(through id: BlockID) -> [BlockID] {
    let page = store[id].key.physicalPC & ~0xFFF
    var reached = [id]
    var predecessors: [BlockID: [BlockID]] = [:]
    var instructions = Int(store[id].instructionCount)
    var next = 0
    while next < reached.count {
      let source = reached[next]
      next += 1
      for exit in store.outgoing(source) {
        let target = store.target(of: exit)
        guard target != 0, store[target].key.physicalPC & ~0xFFF == page, store[target].secondPage == .max,
          store[target].key.flags == store[id].key.flags
        else {
          continue
        }
        predecessors[target, default: []].append(source)
        let sum = instructions + Int(store[target].instructionCount)
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
      ranges += regions[id]?.shape.ranges ?? [store[id].key.pc..<store[id].key.pc &+ UInt64(store[id].guestSize)]
      for entry in store.parts(id) { labels.insert(store[entry].key.pc) }
      for exit in store.outgoing(id) { labels.insert(store.exit(exit).target) }
    }
    return RegionShape(ranges, labels: labels)
  }
}
