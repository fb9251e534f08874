// Owns virtual memory (Privileged Architecture, 4.3–4.5): Sv32, Sv39 and Sv48, with A and D set by the walker.

import GuestKit
import IR

/// A page-table format.
struct PagingScheme: Sendable {
  /// `satp.MODE`
  let mode: UInt64
  let levels: Int
  /// Bits of virtual page number a level consumes, and bytes an entry takes.
  let indexBits: UInt64
  let entrySize: Int
  /// Bits an implementation without Svnapot and Svpbmt must find zero.
  let reserved: UInt64

  var addressBits: UInt64 { 12 + UInt64(levels) * indexBits }

  static let sv32 = PagingScheme(mode: 1, levels: 2, indexBits: 10, entrySize: 4, reserved: 0)
  static let sv39 = PagingScheme(mode: 8, levels: 3, indexBits: 9, entrySize: 8, reserved: 0x3FF << 54)
  static let sv48 = PagingScheme(mode: 9, levels: 4, indexBits: 9, entrySize: 8, reserved: 0x3FF << 54)
}

/// A page-table entry.
struct PageTableEntry: OptionSet, Sendable {
  var rawValue: UInt64
  static var valid: Self { .init(rawValue: 1) }
  static var readable: Self { .init(rawValue: 2) }
  static var writable: Self { .init(rawValue: 4) }
  static var executable: Self { .init(rawValue: 8) }
  static var user: Self { .init(rawValue: 16) }
  static var accessed: Self { .init(rawValue: 64) }
  static var dirty: Self { .init(rawValue: 128) }
  var isLeaf: Bool { rawValue & 0xA != 0 }
  var frame: UInt64 { rawValue >> 10 & ((1 << 44) - 1) }
}

/// Why a walk found no translation.
enum WalkFailure: Error { case page, access }

/// Where a walk ended.
struct PageWalk {
  var entry: PageTableEntry
  /// Physical address of the entry.
  var entryAddress: UInt64
  var physical: UInt64
  /// Bytes the entry stands for.
  var size: UInt64
}

extension Hart {
  /// Whether `satp` selects page tables; they apply below machine mode.
  var isPaged: Bool { features.contains(.supervisor) && self[.satp] >> (xlen == 64 ? 60 : 31) != 0 }

  private var scheme: PagingScheme {
    guard xlen == 64 else { return .sv32 }
    return self[.satp] >> 60 == 9 ? .sv48 : .sv39
  }

  /// Writes `satp` unless the mode is not implemented, which leaves it as it was (4.1.11). Translations are kept for each
  /// value, as caches with address-space numbers may: only `SFENCE.VMA` ends them (4.2.1).
  func writeTranslationBase(_ value: UInt64) {
    if xlen == 64, ![0, 8, 9].contains(value >> 60) { return }
    self[.satp] = value
  }

  /// Follows the page tables to the leaf of `address`, without regard to the rights the leaf gives.
  /// - Parameter readEntry: the entry at a physical address; nil is an access fault.
  func walk(
    _ address: UInt64, _ memory: any PhysicalMemoryPort, checked: Bool
  ) throws(WalkFailure) -> PageWalk {
    let scheme = self.scheme
    if xlen == 64 {
      let unused = 64 - Int64(scheme.addressBits)
      let extended = (Int64(bitPattern: address) << unused) >> unused
      guard UInt64(bitPattern: extended) == address else { throw .page }
    }
    var table = (xlen == 64 ? self[.satp] & ((1 << 44) - 1) : self[.satp] & ((1 << 22) - 1)) << 12
    for level in stride(from: scheme.levels - 1, through: 0, by: -1) {
      let shift = 12 + UInt64(level) * scheme.indexBits
      let index = address >> shift & ((1 << scheme.indexBits) - 1)
      let place = table + index * UInt64(scheme.entrySize)
      if checked, !pmpRights(place...(place + UInt64(scheme.entrySize) - 1), .supervisor).contains(.read) {
        throw .access
      }
      guard let raw = memory.readPhysical(place, size: scheme.entrySize) else { throw .access }
      let entry = PageTableEntry(rawValue: raw)
      guard entry.contains(.valid), raw & scheme.reserved == 0 else { throw .page }
      if entry.contains(.writable), !entry.contains(.readable) { throw .page }
      guard entry.isLeaf else {
        guard entry.isDisjoint(with: [.user, .accessed, .dirty]) else { throw .page }
        table = entry.frame << 12
        continue
      }
      let offsetMask = UInt64(1) << shift - 1
      guard entry.frame << 12 & offsetMask & ~0xFFF == 0 else { throw .page }
      return PageWalk(
        entry: entry, entryAddress: place, physical: entry.frame << 12 | address & offsetMask, size: offsetMask + 1)
    }
    throw .page
  }

  /// Translates through the page tables for an access of `kind` by `privilege`.
  /// - Returns: the physical address and the rights the page gives; no right to write while its D bit is clear.
  func translatePaged(
    _ address: UInt64, _ kind: AccessKind, _ privilege: Privilege, _ memory: any PhysicalMemoryPort
  ) throws(WalkFailure) -> (physical: UInt64, rights: PMPRights, size: UInt64) {
    let found = try walk(address, memory, checked: true)
    var entry = found.entry
    let status = self.status
    var rights: PMPRights = []
    if entry.contains(.readable) { rights.insert(.read) }
    if entry.contains(.writable) { rights.insert(.write) }
    if entry.contains(.executable) {
      rights.insert(.execute)
      if status.contains(.mxr) { rights.insert(.read) }
    }
    if entry.contains(.user) {
      if privilege == .supervisor { rights = status.contains(.sum) ? rights.subtracting(.execute) : [] }
    } else if privilege == .user {
      rights = []
    }
    guard rights.contains(PMPRights(kind)) else { throw .page }

    let needed: PageTableEntry = kind == .write ? [.accessed, .dirty] : .accessed
    if !entry.isSuperset(of: needed) {
      entry.formUnion(needed)
      let size = scheme.entrySize
      let place = found.entryAddress
      guard pmpRights(place...(place + UInt64(size) - 1), .supervisor).contains(.write),
        memory.writePhysical(place, size: size, entry.rawValue)
      else { throw .access }
    }
    if !entry.contains(.dirty) { rights.remove(.write) }
    return (found.physical, rights, found.size)
  }
}

extension RISCVGuest: Paging {
  public func translationSpace(_ cpu: VCPUState) -> TranslationSpace {
    let hart = Hart(cpu)
    guard hart.isPaged, hart.privilege != .machine || hart.dataPrivilege != .machine else { return TranslationSpace() }
    let base = hart[.satp]
    return TranslationSpace(number: hart.xlen == 64 ? base >> 44 & 0xFFFF : base >> 22 & 0x1FF, root: base)
  }

  public func translateAddress(
    _ cpu: VCPUState, _ address: UInt64, _ kind: AccessKind, size: Int, space: AccessSpace,
    memory: any PhysicalMemoryPort
  ) throws(GuestException) -> AddressTranslation {
    let hart = Hart(cpu)
    let address = address & hart.mask
    let privilege = space == .user ? .user : kind == .execute ? hart.privilege : hart.dataPrivilege
    var physical = address
    var rights: PMPRights = .all
    var leafSize: UInt64 = 0x1000
    if privilege != .machine, hart.isPaged {
      do throws(WalkFailure) {
        (physical, rights, leafSize) = try hart.translatePaged(address, kind, privilege, memory)
      } catch {
        throw error == .access ? accessFault(kind, address) : pageFault(kind, address)
      }
    }
    let last = min(physical &+ UInt64(max(size, 1)) &- 1, physical | 0xFFF)
    let allowed = hart.pmpRights(physical...last, privilege)
    guard allowed.contains(PMPRights(kind)) else { throw accessFault(kind, address) }
    rights.formIntersection(allowed)
    return AddressTranslation(
      physical: physical, readable: rights.contains(.read), writable: rights.contains(.write),
      executable: rights.contains(.execute), wholePage: hart.pmpIsUniform(pageOf: physical, privilege),
      leafSize: leafSize)
  }

  public func debugTranslate(_ cpu: VCPUState, _ address: UInt64, memory: any PhysicalMemoryPort) -> UInt64? {
    let hart = Hart(cpu)
    let address = address & hart.mask
    guard hart.isPaged, hart.dataPrivilege != .machine else { return address }
    return try? hart.walk(address, memory, checked: false).physical
  }

  /// The page fault of an access (exceptions 12, 13 and 15).
  func pageFault(_ kind: AccessKind, _ address: UInt64) -> GuestException {
    switch kind {
    case .execute: GuestException(cause: Cause.instructionPageFault, value: address)
    case .read: GuestException(cause: Cause.loadPageFault, value: address)
    case .write: GuestException(cause: Cause.storePageFault, value: address)
    }
  }

  public func accessFault(_ kind: AccessKind, _ address: UInt64) -> GuestException {
    switch kind {
    case .execute: GuestException(cause: Cause.instructionFault, value: address)
    case .read: GuestException(cause: Cause.loadFault, value: address)
    case .write: GuestException(cause: Cause.storeFault, value: address)
    }
  }

  public func misalignedFault(_ kind: AccessKind, _ address: UInt64) -> GuestException {
    switch kind {
    case .execute: GuestException(cause: Cause.instructionMisaligned, value: address)
    case .read: GuestException(cause: Cause.loadMisaligned, value: address)
    case .write: GuestException(cause: Cause.storeMisaligned, value: address)
    }
  }
}
