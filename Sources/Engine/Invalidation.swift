// Owns the ways a block ends: its code was written, a debugger wants its PC, the cache is full.

import GuestKit
import HostKit

extension Engine {
  /// Guest memory changed: throws away exactly the blocks whose code it was.
  func codeMayHaveChanged(_ address: UInt64, _ count: Int) {
    var start = address
    let end = address &+ UInt64(count)
    while start < end {
      let stop = min(end, (start & ~0xFFF) &+ 0x1000)
      if store.hasCode(inPage: start & ~0xFFF) {
        for id in store.overlapping(start..<stop) { invalidate(id) }
        if !store.hasCode(inPage: start & ~0xFFF) { protect(start & ~0xFFF) }
      }
      if !straddlers.isEmpty, start & 0xFFF < 16, let list = straddlers[start & ~0xFFF] {
        for id in list where store[id].isValid { invalidate(id) }
        straddlers[start & ~0xFFF] = nil
        protect(start & ~0xFFF)
      }
      start = stop
    }
  }

  /// Throws one block away: nothing jumps to it any more. Its host code stays until the next flush, so that a block
  /// may invalidate itself.
  func invalidate(_ id: BlockID) {
    let id = store.container(of: id)
    guard store[id].isValid else { return }
    store.noteInvalidation(of: id)
    remove(id)
    statistics.invalidations &+= 1
  }

  /// Takes a block out of use.
  func remove(_ id: BlockID) {
    unchain(id)
    for entry in store.parts(id) {
      let pc = store[entry].key.pc
      for vcpu in vcpus { for mode in vcpu.modes { mode.forgetJump(to: pc) } }
    }
    store.remove(id)
    guide(store[id].key.physicalPC & ~0xFFF)
    if !regions.isEmpty { regions[id] = nil }
  }

  /// Drops all translated code. Not while translated code runs.
  public func flush() {
    let pages = store.codePages + Array(straddlers.keys)
    host.reset()
    interpreter?.reset()
    store.clear()
    regions.removeAll()
    straddlers.removeAll()
    besideCode.removeAll()
    watchedAccesses.removeAll()
    for page in pages { protect(page) }
    for vcpu in vcpus { for mode in vcpu.modes { mode.clearJumpCache() } }
    statistics.flushes &+= 1
    for observer in observers { observer.didFlush() }
  }

  /// Drops the blocks whose guest PCs touch the range; returns how many.
  @discardableResult
  public func flush(_ range: ClosedRange<UInt64>) -> Int {
    let matching = store.valid.filter { store.code($0).overlaps(range) }
    for id in matching { invalidate(id) }
    return matching.count
  }

  /// Drops everything and gives blocks execution counters, at 0, from now on, or no more.
  public func setCountsExecutions(_ counts: Bool) {
    guard options.countsExecutions != counts else { return }
    options.countsExecutions = counts
    counters.resetAll()
    slowEvents.removeAll()
    flush()
  }

  /// - Parameter filter: decides whether the breakpoint stops a hart that comes to it; nil: it does.
  public func insertBreakpoint(_ pc: UInt64, filter: (any BreakpointFilter)? = nil) {
    if debug.insertBreakpoint(pc, filter) { dropBlocks(containing: pc) }
  }

  /// - Parameter filter: the one that the breakpoint was inserted with.
  public func removeBreakpoint(_ pc: UInt64, filter: (any BreakpointFilter)? = nil) {
    if debug.removeBreakpoint(pc, filter) { dropBlocks(containing: pc) }
  }

  /// Whether a hart that has come to where it stands stops at a breakpoint there; if not, it passes it.
  public func stopsAtBreakpoint(_ vcpu: VCPU) -> Bool {
    guard debug.isBreakpoint(vcpu.state.pc) else { return false }
    if debug.stops(vcpu, at: vcpu.state.pc) { return true }
    passBreakpoint(vcpu)
    return false
  }

  /// The blocks that a breakpoint at `pc` splits, or that end before it for its sake.
  private func dropBlocks(containing pc: UInt64) {
    for id in store.valid {
      if store[id].contains(pc) || pc == store[id].lastPC &+ 1 { invalidate(id) }
    }
  }

  public func insert(_ watchpoint: Watchpoint) {
    debug.insert(watchpoint)
    watchedPagesChanged(watchpoint)
  }

  public func remove(_ watchpoint: Watchpoint) {
    if debug.remove(watchpoint) { watchedPagesChanged(watchpoint) }
  }

  private func watchedPagesChanged(_ watchpoint: Watchpoint) {
    watchedRangesChanged()
    for page in watchedPages(watchpoint) { protect(page) }
    for vcpu in vcpus { for mode in vcpu.modes { mode.clearTLB() } }
    // Comparators do not see what devices do.
    let isWatching = debug.watchpoints.contains { $0.comparator == nil }
    space.willTransfer = isWatching ? { [unowned self] in noteTransfer($0, $1, isWrite: $2) } : nil
  }

  /// The pages in windows that hold what an instruction may access first that hits a watchpoint.
  func watchedPages(_ watchpoint: Watchpoint) -> [UInt64] {
    let (start, end) = (watchpoint.address &- min(watchpoint.address, debug.reach), watchpoint.last)
    var pages: [UInt64] = []
    for (first, last, region) in space.layout where first <= end && start <= last {
      if case .device = region.backing { continue }
      pages += stride(from: max(first, start) & ~0xFFF, through: min(last, end, window.size), by: 0x1000)
    }
    return pages
  }
}
