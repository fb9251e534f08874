// Owns the short way through the slow path: plain loads and stores of devices' registers, of memory in pages with code, and
// beside watched bytes. What is not plain takes the exact way (`SlowAccess.swift`), which this one is a shortcut of.

import Bus
import GuestKit
import HostKit
import IR

extension VCPU {
  /// Makes a load or store that asks for nothing out of the ordinary.
  /// - Returns: the loaded value; nil if nothing was done, since the exact way may have to be taken.
  @inline(__always)
  func quickAccess(_ address: UInt64, _ value: UInt64, _ request: SlowAccess) -> UInt64? {
    let (access, isWrite) = (request.access, request.opcode == .store)
    let size = UInt64(access.size)
    guard isWrite || request.opcode == .load, access.space == .current, address & 0xFFF &+ size <= 0x1000,
      !access.aligned || address & (size &- 1) == 0
    else { return nil }
    var isWatched = false
    if debug.watchesMemory {
      guard !suppressesWatchpoints,
        !debug.watches(address, through: address &+ (size &- 1) &+ UInt64(4 &* request.following))
      else { return nil }
      isWatched = debug.watchesPage(address & ~0xFFF)
    }
    guard let physical = memoryMode == .window ? address : mode.knownAddress(address, isWrite: isWrite),
      let found = space.segment(at: physical), found.last &- physical >= size &- 1
    else { return nil }
    guard found.memory != 0, !isWrite || found.isWritable else {
      return device(found, physical, isWrite ? value : nil, request)
    }
    let isGuarded = isWrite && code.blocks.hasCode(inPage: physical & ~0xFFF)
    // Plain memory, which translated code could access by itself: only the exact way enters the page in its TLB.
    guard isGuarded || isWatched else { return nil }
    if isWrite {
      guard !found.isShared, !code.blocks.hasCode(physical, count: Int(size)), !code.mayStraddle(physical) else {
        return nil
      }
      if isGuarded, givesUpBlock(past: .code, physical) { return leaveToRunAlone() }
    }
    if isWatched {
      // Code that compares finds the page in its TLB then.
      if memoryMode == .tlb, !isGuarded, !mode.comparesIn(address, isWrite: isWrite) { return nil }
      if givesUpBlock(past: .watch, physical) { return leaveToRunAlone() }
    }
    guard let bytes = unsafe UnsafeMutableRawPointer(bitPattern: found.memory &+ UInt(physical &- found.first)) else {
      return nil
    }
    guard isWrite else { return extend(unsafe HostBytes.load(bytes, size: Int(size)), access, to: request.type) }
    unsafe HostBytes.store(ordered(value, access), bytes, size: Int(size))
    return 0
  }

  /// Reads a device's register, or writes `value`.
  private func device(
    _ found: Segment, _ physical: UInt64, _ value: UInt64?, _ request: SlowAccess
  ) -> UInt64? {
    let access = request.access
    if watched[0].devices { return nil }
    if value != nil, exceptionHardware?.storeDecidesInterrupts(physical) == true { return nil }
    clock.now = time
    guard let value else {
      guard let raw = space.readDevice(found, physical, size: access.size) else { return nil }
      state.accessOutcome = .completedOnDevice
      return extend(raw, access, to: request.type)
    }
    guard space.writeDevice(found, physical, size: access.size, ordered(value, access)) else { return nil }
    state.accessOutcome = .completedOnDevice
    return 0
  }

  /// Remembers where a page lies that the TLB will not hold, with the rights that an access like this one has been found to
  /// have.
  func noteKnownPage(_ address: UInt64, _ found: AddressTranslation, _ kind: AccessKind) {
    let page = found.physical & ~0xFFF
    guard kind != .execute else { return }
    if !found.wholePage {
      guard let stretch = found.stretch, stretch.contains(page), stretch.contains(page | 0xFFF) else { return }
    }
    mode.note(
      KnownPage(
        virtual: address & ~0xFFF, physical: page, readable: kind == .read, writable: kind == .write))
  }
}
