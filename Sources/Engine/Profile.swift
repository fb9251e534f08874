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
  /// Times the engine had running code come back here: for interrupts, the ends of time slices, samples, requests.
  public var stops: UInt64 = 0

  public init() {}

  /// A rough price in nanoseconds of the host, for the order in which places are listed: 25 to leave the code cache,
  /// 25 to look a block up and enter, 5 for a helper, 40 for a slow access, 100 for a walk of page tables, 2,000 for a fault.
  public var estimatedCost: UInt64 {
    (entries &+ unchained &+ leaves &+ stops) &* 25 &+ helperCalls &* 5 &+ slowAccesses &* 40 &+ tlbFills &* 100
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
    sum.stops &+= other.stops
  }
}

/// What generated code counts at a guest PC.
struct CounterKey: Hashable {
  enum Event: Hashable {
    /// The block that starts there was executed.
    case execution
    case helper(Int)
    case leave
    /// An exit to a PC was come to, of a block or label that starts at the key's PC; it was come to and not taken.
    case exit(UInt64), passed(UInt64)
  }
  var pc: UInt64
  /// Of the block, where it is that which is counted: code that was translated for several modes counts in each.
  var flags: TranslationFlags = 0
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
  /// How often each cause was met at each guest PC.
  private(set) var causes: [PlacedCause: UInt64] = [:]

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
      causes.removeAll()
    }
  }

  /// Gives a block counters of its execution from its top and from each label, of its helper calls, of its ways out that
  /// always leave, and of its exits to known places.
  func addCounters(_ block: inout Block, _ flags: TranslationFlags) {
    var ops: [Op] = []
    ops.reserveCapacity(block.ops.count + 8)
    func count(_ pc: UInt64, _ event: CounterKey.Event) {
      var key = CounterKey(pc: pc, event: event)
      switch event {
      case .execution, .exit, .passed: key.flags = flags
      case .helper, .leave: break
      }
      ops.append(Op(.count, imm: Int64(bitPattern: counters.address(key))))
    }
    var (pc, start) = (block.pc, block.pc)
    count(pc, .execution)
    for op in block.ops {
      let place = UInt64(bitPattern: op.imm)
      switch op.opcode {
      case .instruction: pc = place
      case .call: count(pc, .helper(Int(op.aux)))
      case .exitWith, .raise: count(pc, .leave)
      case .exit, .exitIf: count(start, .exit(place))
      default: break
      }
      ops.append(op)
      switch op.opcode {
      case .label:
        start = place
        count(start, .execution)
      case .exitIf: count(start, .passed(place))
      default: break
      }
    }
    block.ops = ops
  }

  /// How often the code of a block, or from an entry on, was executed; nil while that is not counted.
  func executions(of key: BlockKey) -> UInt64? { countsExecutions ? value(key, .execution) : nil }

  /// How often the exits to a PC were taken of that code; nil while that is not counted.
  func exits(of key: BlockKey, to target: UInt64) -> UInt64? {
    countsExecutions ? value(key, .exit(target)) &- value(key, .passed(target)) : nil
  }

  private func value(_ key: BlockKey, _ event: CounterKey.Event) -> UInt64 {
    counters.value(CounterKey(pc: key.pc, flags: key.flags, event: event)) ?? 0
  }

  /// Notes what kept code from running on at a guest PC, if that is counted.
  func note(_ cause: SlowCause, at pc: UInt64) {
    if countsExecutions { causes[PlacedCause(pc: pc, cause: cause), default: 0] &+= 1 }
  }

  /// Notes an event at a guest PC, if events are counted.
  @inline(__always)
  func note(_ event: WritableKeyPath<SlowEvents, UInt64>, at pc: UInt64) {
    if countsExecutions { slowEvents[pc, default: SlowEvents()][keyPath: event] &+= 1 }
  }

  /// - Returns: whether it came as a fault of the host's.
  func noteSlowAccess(_ state: VCPUState) -> Bool {
    let pc: UInt64 = state.load(StateOffset.currentPC)
    note(\.slowAccesses, at: pc)
    guard state.load(StateOffset.accessFaulted, as: UInt32.self) != 0 else { return false }
    state.store(UInt32(0), at: StateOffset.accessFaulted)
    note(\.faults, at: pc)
    return true
  }

  /// The events of each guest PC, from what was noted and the counters in generated code.
  var eventsByPC: [UInt64: SlowEvents] {
    var events = slowEvents
    counters.forEach { key, count in
      switch key.event {
      case .execution, .exit, .passed: break
      case .helper: events[key.pc, default: SlowEvents()].helperCalls &+= count
      case .leave: events[key.pc, default: SlowEvents()].leaves &+= count
      }
    }
    return events
  }
}
