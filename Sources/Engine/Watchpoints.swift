// Owns watchpoints: the memory that is watched, and what an access that touches it comes to.

import GuestKit
import IR

/// `length` bytes at virtual `address`, watched for the given accesses.
public struct Watchpoint: Hashable, Sendable {
  public var address: UInt64
  public var length: UInt64
  public var onRead: Bool
  public var onWrite: Bool
  /// Whether the instruction is completed before the stop; else the stop is before it, with nothing of it done.
  public var stopsBehind: Bool
  /// The guest's own comparator that asks for it; nil for a debugger.
  var comparator: Int?

  public init(address: UInt64, length: UInt64, onRead: Bool, onWrite: Bool, stopsBehind: Bool = false) {
    self.address = address
    self.length = max(1, length)
    self.onRead = onRead
    self.onWrite = onWrite
    self.stopsBehind = stopsBehind
  }

  init(_ comparator: Comparator) {
    self.init(
      address: comparator.address, length: comparator.length, onRead: comparator.onRead, onWrite: comparator.onWrite,
      stopsBehind: true)
    self.comparator = comparator.number
  }

  /// The last byte.
  var last: UInt64 {
    let (last, wraps) = address.addingReportingOverflow(length &- 1)
    return wraps ? .max : last
  }
}

/// A data access that hit a watchpoint.
public struct WatchHit: Equatable, Sendable {
  public enum Timing: Sendable {
    /// Nothing of the instruction at PC has been done.
    case before
    /// The instruction is complete; PC is where it led to.
    case behind
    /// No instruction made it: a device did, or the CPU that stacked registers. It has been made.
    case event
  }
  public var address: UInt64
  public var size: Int
  public var isWrite: Bool
  public var watchpoint: Watchpoint
  public var timing = Timing.before
  /// What is watched, up to 8 bytes as a little-endian number, before and after an access that has been made; nil where
  /// it cannot be read without side effects.
  public var before: UInt64?
  public var after: UInt64?

  public init(address: UInt64, size: Int, isWrite: Bool, watchpoint: Watchpoint) {
    self.address = address
    self.size = size
    self.isWrite = isWrite
    self.watchpoint = watchpoint
  }
}

/// What accesses are compared with: a watchpoint without what only its report needs.
struct WatchedRange: BitwiseCopyable {
  var first: UInt64
  var last: UInt64
  var onRead: Bool
  var onWrite: Bool
}

extension VCPU {
  /// Before the instruction at PC is executed where the last run stopped before its access.
  func passWatchpoint() -> RunOutcome? {
    guard let held = progress.passedWatchpoint else { return nil }
    let pc = state.pc
    guard held == pc, !debug.isBreakpoint(pc) || passedBreakpoint == pc else { return nil }
    return executeWatched()
  }

  /// An access was held up by a watchpoint.
  /// - Returns: what ends the run, if anything.
  func atWatchpoint() -> RunOutcome? {
    guard let hit = watchHit, !hit.watchpoint.stopsBehind else { return executeWatched() }
    progress.passedWatchpoint = state.pc
    return .watchpoint
  }

  /// Executes the instruction at PC, watchpoints notwithstanding; then what its accesses hit counts, but for what would
  /// have stopped before it.
  func executeWatched() -> RunOutcome? {
    let (points, filters) = (debug.watchpoints, debug.watchFilters)
    let old = points.map { $0.stopsBehind && $0.comparator == nil ? watchedValue($0) : nil }
    watchHit = nil
    progress.passedWatchpoint = nil
    suppressesWatchpoints = true
    seenAccesses = []
    var outcome = executeOne()
    let accesses = seenAccesses ?? []
    seenAccesses = nil
    suppressesWatchpoints = false
    if outcome == nil { outcome = matchComparators(accesses) }
    for ((point, filter), old) in zip(zip(points, filters), old) where point.stopsBehind && point.comparator == nil {
      // Of an instruction that reads and writes, the write is what changes something.
      let hits = accesses.filter { $0.touches(point) }
      guard let access = hits.first(where: \.isWrite) ?? hits.first else { continue }
      var hit = WatchHit(address: access.address, size: access.size, isWrite: access.isWrite, watchpoint: point)
      hit.timing = .behind
      hit.before = old
      hit.after = watchedValue(point)
      let stops = filter?.stops(self, at: hit) ?? true
      if stops, watchHit == nil { watchHit = hit }
    }
    return outcome ?? (watchHit == nil ? nil : .watchpoint)
  }

  /// What a watchpoint of up to 8 bytes covers, as a number.
  private func watchedValue(_ point: Watchpoint) -> UInt64? {
    guard point.length <= 8 else { return nil }
    let size = Int(point.length)
    if size.nonzeroBitCount == 1, point.address & UInt64(size - 1) == 0 {
      return debugTranslate(point.address).flatMap { space.peek($0, size: size) }
    }
    var value: UInt64 = 0
    for byte in 0..<UInt64(size) {
      guard let place = debugTranslate(point.address &+ byte), let part = space.peek(place, size: 1) else { return nil }
      value |= part << (8 * byte)
    }
    return value
  }
}

// MARK: Accesses that no instruction makes

extension VCPU {
  /// A device is about to access memory, or a CPU's own stacking does: the first access that hits a watchpoint of a
  /// debugger stops the machine once it has been made.
  func noteTransfer(_ physical: UInt64, _ size: Int, isWrite: Bool) {
    guard size > 0 else { return }
    let last = physical &+ UInt64(size - 1)
    for (point, filter) in zip(debug.watchpoints, debug.watchFilters)
    where point.comparator == nil && (isWrite ? point.onWrite : point.onRead) {
      guard !debug.transferHits.contains(where: { $0.hit.watchpoint == point && $0.filter === filter }),
        let address = watchedAddress(point, between: physical, and: last)
      else { continue }
      var hit = WatchHit(address: address, size: size, isWrite: isWrite, watchpoint: point)
      hit.timing = .event
      hit.before = watchedValue(point)
      debug.transferHits.append((hit, filter))
      kick()
    }
  }

  /// The virtual address of the first byte of a watchpoint that lies in a physical stretch.
  private func watchedAddress(_ point: Watchpoint, between first: UInt64, and last: UInt64) -> UInt64? {
    var start = point.address
    while true {
      let end = min(point.last, start | 0xFFF)
      if let place = debugTranslate(start), place <= last,
        first <= place &+ (end &- start)
      {
        return start &+ (max(place, first) &- place)
      }
      if end == point.last { return nil }
      start = end &+ 1
    }
  }

  /// What a transfer has hit since this was asked last.
  func takeTransferHit() -> WatchHit? {
    guard !debug.transferHits.isEmpty else { return nil }
    let hits = debug.transferHits
    debug.transferHits.removeAll()
    var first: WatchHit?
    for (hit, filter) in hits {
      var hit = hit
      hit.after = watchedValue(hit.watchpoint)
      let stops = filter?.stops(self, at: hit) ?? true
      if stops { first = first ?? hit }
    }
    return first
  }

  /// The same as the end of a run.
  func transferOutcome() -> RunOutcome? {
    guard let hit = takeTransferHit() else { return nil }
    watchHit = hit
    return .watchpoint
  }
}
