// Owns the views into the profile by block: how often blocks were executed, where something slow happened.

import GuestKit
import HostKit
import IR

/// A block, and what happened in it.
public struct SlowBlock: Sendable {
  public var id: BlockID
  public var pc: UInt64
  public var executions: UInt64
  public var events: SlowEvents
}

/// An instruction, and what happened at it.
public struct SlowInstruction: Sendable {
  public var pc: UInt64
  public var events: SlowEvents
  /// Helpers it called, most often called first.
  public var helpers: [(name: String, count: UInt64)]
}

extension Engine {
  /// How often a block was executed: from its top, or from an entry that was passed more often. Nil while that is not
  /// counted.
  public func executions(_ id: BlockID) -> UInt64? {
    store.parts(id).compactMap { profile.executions(of: store[$0].key) }.max()
  }

  /// Guest instructions executed in a block, as if no side exit had been taken; 0 while that is not counted.
  public func executedInstructions(_ id: BlockID) -> UInt64 {
    var rest = UInt64(store[id].instructionCount)
    var sum: UInt64 = 0
    for entry in store.entries(id) {
      rest &-= UInt64(store[entry].instructionCount)
      sum &+= (profile.executions(of: store[entry].key) ?? 0) &* UInt64(store[entry].instructionCount)
    }
    return sum &+ (profile.executions(of: store[id].key) ?? 0) &* rest
  }

  /// The ordinary blocks in which something slow happened, dearest first; empty while executions are not counted.
  public func slowBlocks() -> [SlowBlock] {
    guard profile.countsExecutions else { return [] }
    let ids = store.valid.filter { store[$0].key.variant == .normal }.sorted { store[$0].key.pc < store[$1].key.pc }
    var sums: [BlockID: SlowEvents] = [:]
    for (pc, events) in profile.eventsByPC {
      guard let id = block(containing: pc, among: ids) else { continue }
      sums[id, default: SlowEvents()] += events
    }
    return sums.map { id, events in
      let pc = store[id].key.pc
      return SlowBlock(id: id, pc: pc, executions: executions(id) ?? 0, events: events)
    }.sorted { ($0.events.estimatedCost, $1.pc) > ($1.events.estimatedCost, $0.pc) }
  }

  /// The last block, of those sorted by PC, that starts at or before `pc` and contains it.
  private func block(containing pc: UInt64, among ids: [BlockID]) -> BlockID? {
    var (low, high) = (0, ids.count)
    while low < high {
      let middle = (low + high) / 2
      if store[ids[middle]].key.pc <= pc { low = middle + 1 } else { high = middle }
    }
    for index in stride(from: low - 1, through: max(0, low - 64), by: -1) {
      if store[ids[index]].contains(pc) { return ids[index] }
    }
    return nil
  }

  /// The instructions of a block at which something slow happened, by PC; in whatever block they were executed.
  public func slowInstructions(in id: BlockID) -> [SlowInstruction] {
    let block = store[id]
    var helpers: [UInt64: [(name: String, count: UInt64)]] = [:]
    profile.counters.forEach { key, count in
      guard case .helper(let number) = key.event, count > 0, block.contains(key.pc) else { return }
      let name = guest.helpers.indices.contains(number) ? guest.helpers[number].name : "helper \(number)"
      helpers[key.pc, default: []].append((name, count))
    }
    return profile.eventsByPC.filter { block.contains($0.key) && $0.value != SlowEvents() }.sorted { $0.key < $1.key }
      .map { pc, events in
        SlowInstruction(pc: pc, events: events, helpers: (helpers[pc] ?? []).sorted { $0.count > $1.count })
      }
  }
}
