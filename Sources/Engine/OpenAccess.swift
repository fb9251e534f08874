// Owns the accesses to the open parts of pages that the window denies: next to what memory protection forbids.

import Bus
import GuestKit
import HostKit
import IR

extension VCPU {
  /// Makes a plain load or store in a page that the window denies, where an access like it was allowed before: next to what
  /// memory protection forbids.
  func openAccess(_ address: UInt64, _ value: UInt64, _ request: SlowAccess) -> UInt64? {
    let (access, isWrite) = (request.access, request.opcode == .store)
    guard isWrite || request.opcode == .load, access.space == .current,
      !access.aligned || address & UInt64(access.size - 1) == 0, !suppressesWatchpoints,
      let place = unsafe mode.openAddress(address, access.size, isWrite: isWrite)
    else { return nil }
    guard isWrite else { return extend(unsafe HostBytes.load(place, size: access.size), access, to: request.type) }
    unsafe HostBytes.store(ordered(value, access), place, size: access.size)
    return 0
  }

  /// Remembers, after an access in a page that the window denies, what of the page such accesses may reach.
  func noteOpenStretch(_ address: UInt64, _ found: AddressTranslation, _ kind: AccessKind) {
    let page = address & ~0xFFF
    let isWrite = kind == .write
    guard mode.memoryMode == .restrictedWindow, let stretch = found.stretch, found.physical == address,
      let direct = space.directPage(at: page), !isWrite || direct.isWritable && !code.isGuarded(page),
      !debug.watchesPage(page), !isOpen(page, isWrite: isWrite)
    else { return }
    let host = unsafe UInt64(UInt(bitPattern: direct.memory.alias + direct.offset))
    mode.add(
      OpenStretch(
        first: max(stretch.lowerBound, page), last: min(stretch.upperBound, page + 0x1000) - 1, isWrite: isWrite,
        addend: host &- page))
  }
}
