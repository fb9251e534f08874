// Owns the memory windows: one with all of guest memory, and one for every set of restrictions (PMP, MPU) in force.
//
// A window costs a mapping, so memory protection that leaves addresses as they are costs translated code nothing: it
// runs with the base of another window.

import Bus
import GuestKit
import HostKit
import IR

/// A window in which some memory cannot be reached, or only be read.
final class RestrictedWindow {
  let restrictions: [MemoryRestriction]
  let window: MemoryWindow

  init(_ restrictions: [MemoryRestriction], of space: AddressSpace) throws(MemoryError) {
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

extension Engine {
  /// The window for a vCPU's current mode.
  func window(for vcpu: VCPU) -> MemoryWindow {
    guard vcpu.mode.memoryMode == .restrictedWindow, let protection else { return window }
    // What is not in windows anyway needs no window without it.
    let restrictions = protection.memoryRestrictions(vcpu.state).filter(touchesMemory)
    if restrictions.isEmpty { return window }
    if let index = restrictedWindows.firstIndex(where: { $0.restrictions == restrictions }) {
      // The one used longest ago stands first.
      let known = restrictedWindows.remove(at: index)
      restrictedWindows.append(known)
      return known.window
    }
    do throws(MemoryError) {
      let made = try RestrictedWindow(restrictions, of: space)
      if restrictedWindows.count == Self.restrictedWindowLimit {
        let ended = base(of: restrictedWindows.removeFirst().window)
        twins.removeAll { $0.base == ended }
        windowGeneration &+= 1
      }
      restrictedWindows.append(made)
      try restrict(made.window, restrictions, 0, made.window.size - 1)
      activate(base(of: made.window))
      for page in protectedPages { protect(page) }
      return made.window
    } catch {
      log.write(.guestErrors, "memory window: \(error)")
      return emptyWindow
    }
  }

  private static var restrictedWindowLimit: Int { 16 }

  private func touchesMemory(_ restriction: MemoryRestriction) -> Bool {
    space.layout.contains { first, last, region in
      guard first <= restriction.last, restriction.first <= last else { return false }
      if case .device = region.backing { return false }
      return true
    }
  }

  /// Takes from a window what restrictions forbid in a stretch of pages.
  func restrict(
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

  /// Pages whose protection in windows is not simply that of their memory.
  var protectedPages: [UInt64] {
    store.codePages + Array(straddlers.keys) + debug.watchpoints.flatMap(watchedPages)
  }

  func layoutChanged(_ region: Region) {
    codeSource.value = CodeSource()
    do throws(MemoryError) {
      try window.remap(region, of: space)
      try besideCode.guide?.remap(region, of: space)
      for view in restrictedWindows {
        try view.window.remap(region, of: space)
        try restrict(view.window, view.restrictions, region.base, region.last)
      }
      // Made anew when they are needed.
      twins.removeAll()
      for vcpu in vcpus { publishWatchGuide(vcpu) }
    } catch { log.write(.guestErrors, "memory window: \(error)") }
    for page in protectedPages where page <= region.last && page &+ 0xFFF >= region.base { protect(page) }
    for vcpu in vcpus { vcpu.flushTLB(address: nil, addressSpace: nil) }
  }

  /// Sets a page's protection from what is known of it, and that of the pages that show the same memory.
  func protect(_ page: UInt64) {
    guide(page)
    setProtection(page)
    for alias in space.aliases(of: page, count: 0x1000) where alias.count == 0x1000 { setProtection(alias.address) }
  }

  /// In the window that code runs in at once, in the others when they are activated.
  private func setProtection(_ page: UInt64) {
    guard let access = access(to: page) else { return }
    for vcpu in vcpus { for mode in vcpu.modes { mode.forgetProtection(of: page) } }
    staleProtections.insert(page)
    forEachWindow { window, base, limit in
      if base == activeWindow { protect(page, in: window, min(access, limit(page))) }
    }
    // Twins are few, and only there while something is watched.
    guard !twins.isEmpty, let access = self.access(to: page, seesWatchpoints: false) else { return }
    for twin in twins { protect(page, in: twin.window, min(access, limit(page, at: twin.base))) }
  }

  /// Makes the window at `base` the one that code runs in, once all windows know what has changed: a change of
  /// protection takes microseconds, so none is made in a window that may never be used again.
  func activate(_ base: UInt) {
    for page in staleProtections {
      guard let access = access(to: page) else { continue }
      forEachWindow { window, base, limit in
        if base != activeWindow { protect(page, in: window, min(access, limit(page))) }
      }
    }
    staleProtections.removeAll()
    activeWindow = base
  }

  /// What a page's being watched, code, ROM or RAM allows; nil for pages that no window shows.
  func access(to page: UInt64, seesWatchpoints: Bool = true) -> PageAccess? {
    guard window.covers(page, count: 0x1000), let direct = unsafe space.hostMemory(at: page, count: 0x1000) else {
      return nil
    }
    return seesWatchpoints && debug.watchesPage(page)
      ? PageAccess.none : unsafe direct.isWritable && !isCodeGuarded(page) ? .readWrite : .readOnly
  }

  /// All windows, each with its base and the most it allows of a page.
  private func forEachWindow(_ body: (MemoryWindow, _ base: UInt, _ limit: (UInt64) -> PageAccess) -> Void) {
    body(window, base(of: window)) { _ in .readWrite }
    for view in restrictedWindows { body(view.window, base(of: view.window), view.limit) }
  }

  /// The most that the window at `base` allows of a page.
  private func limit(_ page: UInt64, at base: UInt) -> PageAccess {
    restrictedWindows.first { self.base(of: $0.window) == base }?.limit(page) ?? .readWrite
  }

  func base(of window: MemoryWindow) -> UInt { unsafe UInt(bitPattern: window.base) }

  private func protect(_ page: UInt64, in window: MemoryWindow, _ access: PageAccess) {
    do { try window.protect(page, count: 0x1000, access) } catch { log.write(.guestErrors, "memory window: \(error)") }
  }

  /// Whether translated code can make an access to a page of memory itself, as far as windows go.
  func isOpen(_ page: UInt64, _ vcpu: VCPU, isWrite: Bool) -> Bool {
    guard vcpu.mode.memoryMode != .tlb, let access = access(to: page) else { return false }
    let view = restrictedWindows.last { base(of: $0.window) == vcpu.mode.windowBase }
    return min(access, view?.limit(page) ?? .readWrite) >= (isWrite ? .readWrite : .readOnly)
  }

  /// Whether stores to a page are caught because of the code in it, wherever it was translated.
  func isCodeGuarded(_ page: UInt64) -> Bool {
    if guardsCode(page) { return true }
    return space.aliases(of: page, count: 0x1000).contains { guardsCode($0.address & ~0xFFF) }
  }

  private func guardsCode(_ page: UInt64) -> Bool {
    store.hasCode(inPage: page) || !straddlers.isEmpty && straddlers[page] != nil
  }
}
