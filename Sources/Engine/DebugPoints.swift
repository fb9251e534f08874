// Owns breakpoints and watchpoints as the engine sees them: addresses it must stop at.

import Bits
import GuestKit
import IR

/// Decides for its breakpoint, each time it is come to, whether the hart stops there. Asked between two instructions of the
/// hart, as a debugger on the machine's thread.
public protocol BreakpointFilter: AnyObject {
  func stops(_ vcpu: VCPU) -> Bool
}

/// The same for a watchpoint that stops behind what hits it.
public protocol WatchpointFilter: AnyObject {
  func stops(_ vcpu: VCPU, at hit: WatchHit) -> Bool
}

/// The addresses a debugger wants to stop at. With none set, translated code is what it would be without a debugger.
public final class DebugPoints {
  /// Sorted virtual PCs, each with how many users asked for it.
  public private(set) var breakpoints: [UInt64] = [] { didSet { fillAddresses() } }
  /// The same, for the loop from block to block.
  private let addresses = RawCell(RawList<UInt64>(reserving: 16))
  private struct Users {
    var count = 0
    /// Of those that have one.
    var filters: [any BreakpointFilter] = []
  }
  private var users: [UInt64: Users] = [:]
  public private(set) var watchpoints: [Watchpoint] = [] { didSet { fillRanges() } }
  /// Of each watchpoint, if it has one.
  private(set) var watchFilters: [(any WatchpointFilter)?] = []
  /// The same in the same order, for memory accesses.
  private let ranges = RawCell(RawList<WatchedRange>(reserving: 16))
  /// Bytes before a watched one that an instruction which touches it may begin to access memory at, over and above the
  /// bytes of one access.
  let reach: UInt64

  init(reach: UInt64) { self.reach = reach }

  deinit {
    addresses.value.deallocate()
    ranges.value.deallocate()
  }

  private func fillAddresses() {
    addresses.value.removeAll()
    for address in breakpoints { addresses.value.append(address) }
  }

  private func fillRanges() {
    ranges.value.removeAll()
    for point in watchpoints {
      ranges.value.append(
        WatchedRange(first: point.address, last: point.last, onRead: point.onRead, onWrite: point.onWrite))
    }
  }

  @inline(__always)
  var watchesMemory: Bool { !ranges.value.isEmpty }
  /// What the guest's own debug unit compares; of breakpoints and watchpoints they are a part.
  var comparators: [Comparator] = []
  /// Accesses by no load or store that hit watchpoints, the first of each, until they are reported.
  var transferHits: [(hit: WatchHit, filter: (any WatchpointFilter)?)] = []
  /// What debuggers watch beside addresses.
  public let events = DebugEvents()
  /// Whether single steps leave interrupts pending.
  public var masksInterruptsInSteps = false

  /// - Returns: whether the PC was not a breakpoint before.
  func insertBreakpoint(_ pc: UInt64, _ filter: (any BreakpointFilter)?) -> Bool {
    if let filter { users[pc, default: Users()].filters.append(filter) }
    users[pc, default: Users()].count += 1
    guard users[pc]?.count == 1 else { return false }
    let position = breakpoints.firstIndex { $0 > pc } ?? breakpoints.count
    breakpoints.insert(pc, at: position)
    return true
  }

  /// - Returns: whether the PC is no breakpoint any more.
  func removeBreakpoint(_ pc: UInt64, _ filter: (any BreakpointFilter)?) -> Bool {
    guard var left = users[pc] else { return false }
    left.count -= 1
    if let filter { left.filters.removeAll { $0 === filter } }
    users[pc] = left.count > 0 ? left : nil
    guard left.count == 0 else { return false }
    breakpoints.removeAll { $0 == pc }
    return true
  }

  func insert(_ watchpoint: Watchpoint, _ filter: (any WatchpointFilter)?) {
    watchpoints.append(watchpoint)
    watchFilters.append(filter)
  }

  func remove(_ watchpoint: Watchpoint, _ filter: (any WatchpointFilter)?) -> Bool {
    let found = watchpoints.indices.first { watchpoints[$0] == watchpoint && watchFilters[$0] === filter }
    guard let found else { return false }
    watchpoints.remove(at: found)
    watchFilters.remove(at: found)
    return true
  }

  @inline(__always)
  var hasBreakpoints: Bool { !addresses.value.isEmpty }

  func isBreakpoint(_ pc: UInt64) -> Bool {
    let addresses = addresses.value
    var (low, high) = (0, addresses.count)
    while low < high {
      let middle = (low &+ high) / 2
      if addresses[middle] < pc { low = middle &+ 1 } else { high = middle }
    }
    return low < addresses.count && addresses[low] == pc
  }

  /// Whether a debugger wants `vcpu` stopped at the breakpoint at `pc`, where it stands. All filters there are asked.
  func stops(_ vcpu: VCPU, at pc: UInt64) -> Bool {
    guard let users = users[pc] else { return false }
    let others = comparators.count { $0.isInstruction && $0.address == pc } + users.filters.count
    var stops = users.count > others
    for filter in users.filters where filter.stops(vcpu) { stops = true }
    return stops
  }

  /// Whether an instruction may hit a watchpoint by an access in the 4 KiB page at `page`.
  @inline(__always)
  func watchesPage(_ page: UInt64) -> Bool {
    let ranges = ranges.value
    for index in 0..<ranges.count {
      let range = ranges[index]
      if range.first &- min(range.first, reach) <= page | 0xFFF, page <= range.last { return true }
    }
    return false
  }

  /// Whether accesses to `first...last` may hit a watchpoint.
  @inline(__always)
  func watches(_ first: UInt64, through last: UInt64) -> Bool {
    let ranges = ranges.value
    for index in 0..<ranges.count {
      let range = ranges[index]
      if range.first <= last, first <= range.last { return true }
    }
    return false
  }

  /// The watchpoint that accesses to `first...last` hit: one that stops before it, if there is one, else the first of a
  /// debugger, else of the guest's comparators.
  func hit(_ first: UInt64, through last: UInt64, reads: Bool, writes: Bool) -> Watchpoint? {
    guard watches(first, through: last) else { return nil }
    let hits = watchpoints.filter {
      (writes && $0.onWrite || reads && $0.onRead) && $0.address <= last && first <= $0.last
    }
    return hits.first { !$0.stopsBehind } ?? hits.first { $0.comparator == nil } ?? hits.first
  }
}
