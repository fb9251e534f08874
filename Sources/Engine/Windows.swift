// Owns the memory windows: one with all of guest memory, and one for every set of restrictions (PMP, MPU) in force.
//
// A window costs a mapping, so memory protection that leaves addresses as they are costs translated code nothing: it
// runs with the base of another window.

import Bus
import GuestKit
import HostKit
import IR

/// A window in which some memory cannot be reached, or only be read.
private final class RestrictedWindow {
  let restrictions: [MemoryRestriction]
  let window: MemoryWindow

  init(_ restrictions: [MemoryRestriction], of space: FlatMap) throws(MemoryError) {
    self.restrictions = restrictions
    window = try MemoryWindow()
    try window.mapAll(of: space)
  }

  /// The most that may be done with a page.
  func limit(_ page: UInt64) -> PageAccess {
    for restriction in restrictions where restriction.first <= page && page <= restriction.last {
      return restriction.readable ? .readOnly : .none
    }
    return .readWrite
  }
}

/// A window in which pages are not protected for being watched, for the code of the window at `base` that compares its
/// addresses itself.
private struct WindowTwin {
  var base: UInt
  var window: MemoryWindow
}

/// The windows of an engine. Bases are host addresses.
final class Windows {
  private let space: FlatMap
  private let code: CodeStore
  private let debug: DebugPoints
  private let runners: Runners
  private let log: EngineLog
  private let whole: MemoryWindow
  /// A window with nothing in it: every access takes the slow path.
  private let empty: MemoryWindow
  /// The one used longest ago stands first.
  private var restricted: [RestrictedWindow] = []
  /// Of the windows whose code has made accesses beside watched bytes.
  private var twins: [WindowTwin] = []
  /// Base of the window that code runs in, and the pages whose protection is up to date in no other.
  private var active: UInt
  private var stale: Set<UInt64> = []
  /// Counts the changes after which vCPUs must look for their windows anew.
  var generation: UInt64 = 1
  /// Of the window with all of memory: base and size.
  let base: UInt
  var size: UInt64 { whole.size }

  init(
    _ space: FlatMap, _ code: CodeStore, _ debug: DebugPoints, _ runners: Runners, _ log: EngineLog
  ) throws(MemoryError) {
    self.space = space
    self.code = code
    self.debug = debug
    self.runners = runners
    self.log = log
    whole = try MemoryWindow()
    empty = try MemoryWindow()
    try whole.mapAll(of: space)
    base = unsafe UInt(bitPattern: whole.base)
    active = base
  }

  // MARK: Which one a mode runs in

  /// Base of the window for a mode with these restrictions.
  func find(_ restrictions: [MemoryRestriction]) -> UInt {
    // Restrictions of addresses without memory change nothing: no window shows those.
    let restrictions = restrictions.filter(touchesMemory)
    if restrictions.isEmpty { return base }
    if let index = restricted.firstIndex(where: { $0.restrictions == restrictions }) {
      let known = restricted.remove(at: index)
      restricted.append(known)
      return base(of: known.window)
    }
    do throws(MemoryError) {
      let made = try RestrictedWindow(restrictions, of: space)
      if restricted.count == Self.limit {
        let ended = base(of: restricted.removeFirst().window)
        twins.removeAll { $0.base == ended }
        generation &+= 1
      }
      restricted.append(made)
      try restrict(made.window, restrictions, 0, made.window.size - 1)
      activate(base(of: made.window))
      for page in protectedPages { protect(page) }
      return base(of: made.window)
    } catch {
      log.write(.guestErrors, "memory window: \(error)")
      return base(of: empty)
    }
  }

  private static var limit: Int { 16 }

  private func base(of window: MemoryWindow) -> UInt { unsafe UInt(bitPattern: window.base) }

  private func touchesMemory(_ restriction: MemoryRestriction) -> Bool {
    space.layout.contains { first, last, region in
      guard first <= restriction.last, restriction.first <= last else { return false }
      if case .device = region.backing { return false }
      return true
    }
  }

  /// Takes from a window what restrictions forbid in a stretch of pages.
  private func restrict(
    _ window: MemoryWindow, _ restrictions: [MemoryRestriction], _ first: UInt64, _ last: UInt64
  ) throws(MemoryError) {
    for restriction in restrictions {
      for (start, end, _) in space.layout {
        let low = max(first, restriction.first, (start &+ 0xFFF) & ~0xFFF)
        let high = min(last, restriction.last, end)
        guard low < high, high - low >= 0xFFF, space.directPage(at: low) != nil else { continue }
        let count = Int((high &+ 1 &- low) & ~0xFFF)
        try window.protect(low, count: count, restriction.readable ? .readOnly : .none)
      }
    }
  }

  /// Makes the window at `base` the one that code runs in, once all windows know what has changed: a change of
  /// protection takes microseconds, so none is made in a window that may never be used again.
  @inline(__always)
  func activate(_ base: UInt) {
    if base != active { update(for: base) }
  }

  private func update(for base: UInt) {
    for page in stale {
      guard let access = access(to: page) else { continue }
      forEach { window, base, limit in
        if base != active { protect(page, in: window, min(access, limit(page))) }
      }
    }
    stale.removeAll()
    active = base
  }

  // MARK: Protection

  /// Pages whose protection in windows is not simply that of their memory.
  private var protectedPages: [UInt64] { code.guardedPages + debug.watchpoints.flatMap(watchedPages) }

  /// The pages in windows that hold what an instruction may access first that hits a watchpoint.
  func watchedPages(_ watchpoint: Watchpoint) -> [UInt64] {
    let (start, end) = (watchpoint.address &- min(watchpoint.address, debug.reach), watchpoint.last)
    var pages: [UInt64] = []
    for (first, last, region) in space.layout where first <= end && start <= last {
      if case .device = region.backing { continue }
      pages += stride(from: max(first, start) & ~0xFFF, through: min(last, end, size), by: 0x1000)
    }
    return pages
  }

  /// Sets a page's protection from what is known of it, and that of the pages that show the same memory: in the window that
  /// code runs in at once, in the others when they are activated.
  func protect(_ page: UInt64) {
    setProtection(page)
    for alias in space.aliases(of: page, count: 0x1000) where alias.count == 0x1000 { setProtection(alias.address) }
  }

  private func setProtection(_ page: UInt64) {
    guard let access = access(to: page) else { return }
    runners.forEachMode { $0.forgetProtection(of: page) }
    stale.insert(page)
    forEach { window, base, limit in
      if base == active { protect(page, in: window, min(access, limit(page))) }
    }
    // Twins are few, and only there while something is watched.
    guard !twins.isEmpty, let access = self.access(to: page, seesWatchpoints: false) else { return }
    for twin in twins { protect(page, in: twin.window, min(access, limit(page, at: twin.base))) }
  }

  private func protect(_ page: UInt64, in window: MemoryWindow, _ access: PageAccess) {
    do { try window.protect(page, count: 0x1000, access) } catch { log.write(.guestErrors, "memory window: \(error)") }
  }

  /// What a page's being watched, code, ROM or RAM allows; nil for pages that no window shows.
  private func access(to page: UInt64, seesWatchpoints: Bool = true) -> PageAccess? {
    guard whole.covers(page, count: 0x1000), let direct = unsafe space.hostMemory(at: page, count: 0x1000) else {
      return nil
    }
    return seesWatchpoints && debug.watchesPage(page)
      ? PageAccess.none : unsafe direct.isWritable && !code.isGuarded(page) ? .readWrite : .readOnly
  }

  /// All windows, each with its base and the most it allows of a page.
  private func forEach(_ body: (MemoryWindow, _ base: UInt, _ limit: (UInt64) -> PageAccess) -> Void) {
    body(whole, base) { _ in .readWrite }
    for view in restricted { body(view.window, base(of: view.window), view.limit) }
  }

  /// The most that the window at `base` allows of a page.
  private func limit(_ page: UInt64, at base: UInt) -> PageAccess {
    restricted.last { self.base(of: $0.window) == base }?.limit(page) ?? .readWrite
  }

  /// Whether translated code in the window at `base` can make an access to a page of memory itself.
  func isOpen(_ page: UInt64, at base: UInt, isWrite: Bool) -> Bool {
    guard let access = access(to: page) else { return false }
    return min(access, limit(page, at: base)) >= (isWrite ? .readWrite : .readOnly)
  }

  // MARK: Changes of the layout

  /// Shows a region that was added, removed or changed.
  func remap(_ region: Region) throws(MemoryError) {
    // Made anew when they are needed.
    twins.removeAll()
    try whole.remap(region, of: space)
    for view in restricted {
      try view.window.remap(region, of: space)
      try restrict(view.window, view.restrictions, region.base, region.last)
    }
  }

  /// Those that overlap a region.
  func protectedPages(in region: Region) -> [UInt64] {
    protectedPages.filter { $0 <= region.last && $0 &+ 0xFFF >= region.base }
  }

  // MARK: Twins

  /// Base of the twin of the window at `base`; that itself if it has none.
  func unwatchedBase(_ base: UInt) -> UInt {
    twins.first { $0.base == base }.map { self.base(of: $0.window) } ?? base
  }

  func makeTwin(of base: UInt) throws(MemoryError) {
    guard !twins.contains(where: { $0.base == base }) else { return }
    let window = try MemoryWindow()
    try window.mapAll(of: space)
    let view = restricted.first { self.base(of: $0.window) == base }
    if let view { try restrict(window, view.restrictions, 0, window.size - 1) }
    for page in protectedPages {
      guard let access = access(to: page, seesWatchpoints: false) else { continue }
      try window.protect(page, count: 0x1000, min(access, limit(page, at: base)))
    }
    twins.append(WindowTwin(base: base, window: window))
  }

  func removeTwins() { twins.removeAll() }
}
