// Owns breakpoints and watchpoints as the engine sees them: addresses it must stop at.

import GuestKit
import IR

/// Decides for its breakpoint, each time it is come to, whether the hart stops there. Asked between two instructions of the
/// hart, as a debugger on the machine's thread.
public protocol BreakpointFilter: AnyObject {
  func stops(_ vcpu: VCPU) -> Bool
}

/// The addresses a debugger wants to stop at. With none set, translated code is what it would be without a debugger.
public final class DebugPoints {
  /// Sorted virtual PCs, each with how many users asked for it.
  public private(set) var breakpoints: [UInt64] = [] { didSet { hasBreakpoints.value = !breakpoints.isEmpty } }
  /// For the loop from block to block.
  let hasBreakpoints = RawCell(false)
  private var references: [UInt64: Int] = [:]
  private var filters: [UInt64: [any BreakpointFilter]] = [:]
  public private(set) var watchpoints: [Watchpoint] = [] { didSet { fillRanges() } }
  /// The same in the same order, for memory accesses.
  private let ranges = RawCell(RawList<WatchedRange>(reserving: 16))
  /// Bytes before a watched one that an instruction which touches it may begin to access memory at, over and above the
  /// bytes of one access.
  let reach: UInt64

  init(reach: UInt64) { self.reach = reach }

  deinit { ranges.value.deallocate() }

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
  /// The first access by no load or store that hit a watchpoint, until it is reported.
  var transferHit: WatchHit?
  /// Whether single steps leave interrupts pending.
  public var masksInterruptsInSteps = false

  /// - Returns: whether the PC was not a breakpoint before.
  func insertBreakpoint(_ pc: UInt64, _ filter: (any BreakpointFilter)?) -> Bool {
    if let filter { filters[pc, default: []].append(filter) }
    references[pc, default: 0] += 1
    guard references[pc] == 1 else { return false }
    let position = breakpoints.firstIndex { $0 > pc } ?? breakpoints.count
    breakpoints.insert(pc, at: position)
    return true
  }

  /// - Returns: whether the PC is no breakpoint any more.
  func removeBreakpoint(_ pc: UInt64, _ filter: (any BreakpointFilter)?) -> Bool {
    guard let count = references[pc] else { return false }
    if let filter { filters[pc]?.removeAll { $0 === filter } }
    references[pc] = count > 1 ? count - 1 : nil
    guard count == 1 else { return false }
    breakpoints.removeAll { $0 == pc }
    return true
  }

  func insert(_ watchpoint: Watchpoint) { watchpoints.append(watchpoint) }

  func remove(_ watchpoint: Watchpoint) -> Bool {
    guard let index = watchpoints.firstIndex(of: watchpoint) else { return false }
    watchpoints.remove(at: index)
    return true
  }

  func isBreakpoint(_ pc: UInt64) -> Bool {
    !breakpoints.isEmpty && references[pc] != nil
  }

  /// Whether a debugger wants `vcpu` stopped at the breakpoint at `pc`, where it stands. All filters there are asked.
  func stops(_ vcpu: VCPU, at pc: UInt64) -> Bool {
    let filters = filters[pc] ?? []
    let others = comparators.count { $0.isInstruction && $0.address == pc } + filters.count
    var stops = references[pc, default: 0] > others
    for filter in filters where filter.stops(vcpu) { stops = true }
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
