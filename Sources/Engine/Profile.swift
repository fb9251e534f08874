// Owns what is known of why translated code is slow: events that leave the fast path, counted by the guest PC they belong
// to, while executions are counted.

import GuestKit
import HostKit
import IR

/// Events that keep guest code from running at full speed.
public struct SlowEvents: Sendable, Equatable {
  /// Times the engine entered translated code here, since nothing had jumped to it.
  public var entries: UInt64 = 0
  /// Direct exits that were not chained.
  public var unchained: UInt64 = 0
  /// Indirect jumps to here that the jump cache did not know.
  public var jumpMisses: UInt64 = 0
  /// Calls of helpers.
  public var helperCalls: UInt64 = 0
  /// Instructions that always leave to the engine (system instructions, exceptions).
  public var leaves: UInt64 = 0
  /// Memory accesses by the slow path, and those of them that came as a fault of the host's.
  public var slowAccesses: UInt64 = 0
  public var faults: UInt64 = 0
  /// Pages entered in the inline TLB.
  public var tlbFills: UInt64 = 0

  public init() {}

  /// A rough price in nanoseconds of the host, for the order in which places are listed: 25 to leave the code cache,
  /// 25 to look a block up and enter, 5 for a helper, 40 for a slow access, 100 for a walk of page tables, 2,000 for a fault.
  public var estimatedCost: UInt64 {
    (entries &+ unchained &+ leaves) &* 25 &+ helperCalls &* 5 &+ slowAccesses &* 40 &+ tlbFills &* 100
      &+ faults &* 2000
  }

  static func += (sum: inout SlowEvents, other: SlowEvents) {
    sum.entries &+= other.entries
    sum.unchained &+= other.unchained
    sum.jumpMisses &+= other.jumpMisses
    sum.helperCalls &+= other.helperCalls
    sum.leaves &+= other.leaves
    sum.slowAccesses &+= other.slowAccesses
    sum.faults &+= other.faults
    sum.tlbFills &+= other.tlbFills
  }
}

/// What generated code counts at a guest PC.
struct CounterKey: Hashable {
  enum Event: Hashable {
    /// The block that starts there was executed.
    case execution
    case helper(Int)
    case leave
  }
  var pc: UInt64
  var event: Event
}

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
  /// Gives a block counters of its execution from its top and from each label, of its helper calls and of its ways out that always leave.
  func addCounters(_ block: inout Block) {
    var ops: [Op] = []
    ops.reserveCapacity(block.ops.count + 8)
    func count(_ pc: UInt64, _ event: CounterKey.Event) {
      ops.append(Op(.count, imm: Int64(bitPattern: counters.address(CounterKey(pc: pc, event: event)))))
    }
    var pc = block.pc
    count(pc, .execution)
    for op in block.ops {
      switch op.opcode {
      case .instruction: pc = UInt64(bitPattern: op.imm)
      case .call: count(pc, .helper(Int(op.aux)))
      case .exitWith, .raise: count(pc, .leave)
      default: break
      }
      ops.append(op)
      if op.opcode == .label { count(UInt64(bitPattern: op.imm), .execution) }
    }
    block.ops = ops
  }

  /// How often code was executed from `pc` on, where a block starts or has an entry; nil while that is not counted.
  private func executions(from pc: UInt64) -> UInt64? {
    options.countsExecutions ? counters.value(CounterKey(pc: pc, event: .execution)) ?? 0 : nil
  }

  /// How often a block was executed: from its top, or from an entry that was passed more often. Nil while that is not
  /// counted.
  public func executions(_ id: BlockID) -> UInt64? {
    store.parts(id).compactMap { executions(from: store[$0].key.pc) }.max()
  }

  /// Guest instructions executed in a block, as if no side exit had been taken; 0 while that is not counted.
  public func executedInstructions(_ id: BlockID) -> UInt64 {
    var rest = UInt64(store[id].instructionCount)
    var sum: UInt64 = 0
    for entry in store.entries(id) {
      rest &-= UInt64(store[entry].instructionCount)
      sum &+= (executions(from: store[entry].key.pc) ?? 0) &* UInt64(store[entry].instructionCount)
    }
    return sum &+ (executions(from: store[id].key.pc) ?? 0) &* rest
  }

  /// Notes an event at a guest PC, if events are counted.
  @inline(__always)
  func note(_ event: WritableKeyPath<SlowEvents, UInt64>, at pc: UInt64) {
    if options.countsExecutions { slowEvents[pc, default: SlowEvents()][keyPath: event] &+= 1 }
  }

  func noteSlowAccess(_ vcpu: VCPU) {
    let pc: UInt64 = vcpu.state.load(StateOffset.currentPC)
    note(\.slowAccesses, at: pc)
    if vcpu.state.load(StateOffset.accessFaulted, as: UInt32.self) != 0 {
      vcpu.state.store(UInt32(0), at: StateOffset.accessFaulted)
      note(\.faults, at: pc)
    }
  }

  /// The events of each guest PC, from the engine's notes and the counters in generated code.
  private var eventsByPC: [UInt64: SlowEvents] {
    var events = slowEvents
    counters.forEach { key, count in
      switch key.event {
      case .execution: break
      case .helper: events[key.pc, default: SlowEvents()].helperCalls &+= count
      case .leave: events[key.pc, default: SlowEvents()].leaves &+= count
      }
    }
    return events
  }

  /// The ordinary blocks in which something slow happened, dearest first; empty while executions are not counted.
  public func slowBlocks() -> [SlowBlock] {
    guard options.countsExecutions else { return [] }
    let ids = store.valid.filter { store[$0].key.variant == .normal }.sorted { store[$0].key.pc < store[$1].key.pc }
    var sums: [BlockID: SlowEvents] = [:]
    for (pc, events) in eventsByPC {
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
    counters.forEach { key, count in
      guard case .helper(let number) = key.event, count > 0, block.contains(key.pc) else { return }
      let name = guest.helpers.indices.contains(number) ? guest.helpers[number].name : "helper \(number)"
      helpers[key.pc, default: []].append((name, count))
    }
    return eventsByPC.filter { block.contains($0.key) && $0.value != SlowEvents() }.sorted { $0.key < $1.key }
      .map { pc, events in
        SlowInstruction(pc: pc, events: events, helpers: (helpers[pc] ?? []).sorted { $0.count > $1.count })
      }
  }
}
