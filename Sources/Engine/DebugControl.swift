// Owns what of translated code changes as a debugger, or the guest's own debug unit, sets and clears its points, and the
// switches that have all code translated anew.

import Bus
import GuestKit
import Optimizer

extension Engine {
  /// - Parameter filter: decides whether the breakpoint stops a hart that comes to it; nil: it does.
  public func insertBreakpoint(_ pc: UInt64, filter: (any BreakpointFilter)? = nil) {
    if debug.insertBreakpoint(pc, filter) { guardian.invalidate(around: pc) }
  }

  /// - Parameter filter: the one that the breakpoint was inserted with.
  public func removeBreakpoint(_ pc: UInt64, filter: (any BreakpointFilter)? = nil) {
    if debug.removeBreakpoint(pc, filter) { guardian.invalidate(around: pc) }
  }

  /// - Parameter filter: decides whether a hit behind which the hart can stop does stop it; nil: it does.
  public func insert(_ watchpoint: Watchpoint, filter: (any WatchpointFilter)? = nil) {
    debug.insert(watchpoint, filter)
    watchesChanged(watchpoint)
  }

  /// - Parameter filter: the one that the watchpoint was inserted with.
  public func remove(_ watchpoint: Watchpoint, filter: (any WatchpointFilter)? = nil) {
    if debug.remove(watchpoint, filter) { watchesChanged(watchpoint) }
  }

  private func watchesChanged(_ watchpoint: Watchpoint) {
    guardian.watchesChanged(watchpoint)
    // The comparators of a guest's debug unit see the CPU's accesses alone, not those of devices.
    let isWatching = debug.watchpoints.contains { $0.comparator == nil }
    space.willTransfer = isWatching ? { [unowned self] in currentOrFirst.noteTransfer($0, $1, isWrite: $2) } : nil
  }

  /// The vCPU that accesses by devices are put down to: the first one while none runs.
  private var currentOrFirst: VCPU { runners.current ?? vcpus[0] }

  /// What a transfer has hit since this was asked last.
  public func takeTransferHit() -> WatchHit? { currentOrFirst.takeTransferHit() }

  /// Watches for the comparators of the guest's own debug unit, in place of those before.
  func setComparators(_ new: [Comparator]) {
    for old in debug.comparators {
      if old.isInstruction { removeBreakpoint(old.address) } else { remove(Watchpoint(old)) }
    }
    debug.comparators = new
    for comparator in new {
      if comparator.isInstruction {
        insertBreakpoint(comparator.address)
      } else {
        insert(Watchpoint(comparator))
      }
    }
  }

  /// Drops all translated code. Not while translated code runs.
  public func flush() { guardian.flush(because: .command) }

  /// Drops the blocks whose guest PCs touch the range; returns how many.
  @discardableResult
  public func flush(_ range: ClosedRange<UInt64>) -> Int {
    let matching = store.valid.filter { store.code($0).overlaps(range) }
    for id in matching { guardian.invalidate(id, because: .command) }
    return matching.count
  }

  /// Drops everything and gives blocks execution counters, at 0, from now on, or no more.
  public func setCountsExecutions(_ counts: Bool) {
    guard profile.countsExecutions != counts else { return }
    profile.countsExecutions = counts
    guardian.flush(because: .counted)
  }

  /// The passes by name, in the order of their first run, each with whether it is on.
  public var passes: [(name: String, isOn: Bool)] {
    translator.passes.names.map { ($0, !translator.passes.disabled.contains($0)) }
  }

  /// Passes that are off for ranges of code.
  public var localPasses: [LocalPasses] { translator.passes.local }

  /// Switches a pass off or on, for the code that touches a range or for all, and drops what it may have worked on. Not
  /// while translated code runs.
  /// - Returns: false if there is no pass of that name.
  public func setPass(_ name: String, isOn: Bool, in range: ClosedRange<UInt64>? = nil) -> Bool {
    guard translator.passes.names.contains(name) else { return false }
    translator.passes.set(name, isOn: isOn, in: range)
    if let range {
      for id in store.valid where store.code(id).overlaps(range) { guardian.invalidate(id, because: .pass) }
    } else {
      guardian.flush(because: .pass)
    }
    return true
  }

  /// Drops the blocks at `pc` and translates the code there again, for the mode that `vcpu` is in, at a tier that compiles.
  /// - Returns: the new block; nil if none can be made there.
  public func retranslate(_ vcpu: VCPU, at pc: UInt64, _ tier: Tier) -> BlockID? {
    for id in blocks(at: pc) { guardian.invalidate(id, because: .command) }
    vcpu.enterMode()
    guard let (physical, isWhole, _) = try? vcpu.physicalPC(pc), isWhole else { return nil }
    let key = BlockKey(pc: pc, physicalPC: physical, flags: vcpu.modes.flags, variant: .normal)
    return try? translator.translate(vcpu, key, tier, single: false)
  }
}
