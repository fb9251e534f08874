// Owns what is counted: of translation, and of why translated code is slow: events that leave the fast path, by the guest PC
// they belong to.

import Bits
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

/// What the engine counts: always of its own work, and of slow events while executions are counted.
public final class Profile {
  private let statisticsCell = RawCell(EngineStatistics())
  private let countsCell: RawCell<Bool>
  /// What generated code counts while executions are counted; stable addresses.
  private(set) var counters = CounterTable()
  /// What is noted meanwhile, by guest PC.
  private var slowEvents: [UInt64: SlowEvents] = [:]

  init(countsExecutions: Bool) { countsCell = RawCell(countsExecutions) }

  public internal(set) var statistics: EngineStatistics {
    @inline(__always)
    _read { yield statisticsCell.value }
    @inline(__always)
    _modify { yield &statisticsCell.value }
  }

  /// Whether blocks have execution counters.
  public internal(set) var countsExecutions: Bool {
    @inline(__always)
    get { countsCell.value }
    set {
      countsCell.value = newValue
      counters.resetAll()
      slowEvents.removeAll()
    }
  }

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
  func executions(from pc: UInt64) -> UInt64? {
    countsExecutions ? counters.value(CounterKey(pc: pc, event: .execution)) ?? 0 : nil
  }

  /// Notes an event at a guest PC, if events are counted.
  @inline(__always)
  func note(_ event: WritableKeyPath<SlowEvents, UInt64>, at pc: UInt64) {
    if countsExecutions { slowEvents[pc, default: SlowEvents()][keyPath: event] &+= 1 }
  }

  func noteSlowAccess(_ state: VCPUState) {
    let pc: UInt64 = state.load(StateOffset.currentPC)
    note(\.slowAccesses, at: pc)
    if state.load(StateOffset.accessFaulted, as: UInt32.self) != 0 {
      state.store(UInt32(0), at: StateOffset.accessFaulted)
      note(\.faults, at: pc)
    }
  }

  /// The events of each guest PC, from what was noted and the counters in generated code.
  var eventsByPC: [UInt64: SlowEvents] {
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
}
