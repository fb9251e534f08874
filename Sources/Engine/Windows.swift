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
    guard vcpu.mode.memoryMode == .restrictedWindow else { return window }
    let restrictions = guest.memoryRestrictions(vcpu.state)
    if let known = restrictedWindows.first(where: { $0.restrictions == restrictions }) { return known.window }
    do throws(MemoryError) {
      let made = try RestrictedWindow(restrictions, of: space)
      if restrictedWindows.count == Self.restrictedWindowLimit {
        restrictedWindows.removeFirst()
        windowGeneration &+= 1
      }
      restrictedWindows.append(made)
      try restrict(made, 0, made.window.size - 1)
      for page in protectedPages { protect(page) }
      return made.window
    } catch {
      log.write(.guestErrors, "memory window: \(error)")
      return emptyWindow
    }
  }

  private static var restrictedWindowLimit: Int { 8 }

  /// Takes from a window what its restrictions forbid in a stretch of pages.
  private func restrict(_ view: RestrictedWindow, _ first: UInt64, _ last: UInt64) throws(MemoryError) {
    for restriction in view.restrictions {
      for (start, end, _) in space.layout {
        let low = max(first, restriction.first, (start &+ 0xFFF) & ~0xFFF)
        let high = min(last, restriction.last, end)
        guard low < high, high - low >= 0xFFF, space.directPage(at: low) != nil else { continue }
        let count = Int((high &+ 1 &- low) & ~0xFFF)
        try view.window.protect(low, count: count, restriction.readable ? .readOnly : .none)
      }
    }
  }

  /// Pages whose protection in windows is not simply that of their memory.
  private var protectedPages: [UInt64] {
    var pages = store.codePages + Array(straddlers.keys)
    for watchpoint in debug.watchpoints {
      pages += stride(
        from: watchpoint.address & ~0xFFF, through: watchpoint.address &+ watchpoint.length &- 1, by: 0x1000)
    }
    return pages
  }

  func layoutChanged(_ region: Region) {
    do throws(MemoryError) {
      try window.remap(region, of: space)
      for view in restrictedWindows {
        try view.window.remap(region, of: space)
        try restrict(view, region.base, region.last)
      }
    } catch { log.write(.guestErrors, "memory window: \(error)") }
    for page in store.codePages where page <= region.last && page &+ 0xFFF >= region.base { protect(page) }
    for vcpu in vcpus { vcpu.flushTLB(address: nil, addressSpace: nil) }
  }

  /// Sets the windows' protection of a page from what is known of it: watched, code, ROM, RAM.
  func protect(_ page: UInt64) {
    guard window.covers(page, count: 0x1000), let direct = space.directPage(at: page) else { return }
    let access: PageAccess =
      debug.watchesPage(page) ? .none : direct.isWritable && !isCodeGuarded(page) ? .readWrite : .readOnly
    do throws(MemoryError) {
      try window.protect(page, count: 0x1000, access)
      for view in restrictedWindows {
        try view.window.protect(page, count: 0x1000, min(access, view.limit(page)))
      }
    } catch { log.write(.guestErrors, "memory window: \(error)") }
  }

  /// Whether stores to a page are caught because of the code in it.
  func isCodeGuarded(_ page: UInt64) -> Bool {
    store.hasCode(inPage: page) && !openPages.contains(page) || straddlers[page] != nil
  }
}
