// Owns the facet of a guest that says where addresses lead: translation, protection, address spaces.

import IR

/// Where a guest's addresses lead, and what may be done there.
public protocol MemoryModel: AnyObject {
  /// Address width in bits: 32 or 64.
  var addressBits: Int { get }
  func memoryMode(_ flags: TranslationFlags) -> MemoryMode
  /// Walks page tables and protection tables for an access of `size` bytes at `address`.
  /// - Throws: the exception the access raises.
  func translateAddress(
    _ cpu: VCPUState, _ address: UInt64, _ kind: AccessKind, size: Int, space: AccessSpace,
    memory: any PhysicalMemoryPort
  ) throws(GuestException) -> AddressTranslation
  /// As ``translateAddress(_:_:_:size:space:memory:)`` for a debugger: no side effects, privileges ignored. Nil: unmapped.
  func debugTranslate(_ cpu: VCPUState, _ address: UInt64, memory: any PhysicalMemoryPort) -> UInt64?
  /// The exception for a physical access that nothing answers.
  func accessFault(_ kind: AccessKind, _ address: UInt64) -> GuestException
  /// The exception for a misaligned access that must be aligned.
  func misalignedFault(_ kind: AccessKind, _ address: UInt64) -> GuestException
}

/// A guest with page tables.
public protocol Paging: AnyObject {
  /// The page tables in force; all modes without have the same.
  func translationSpace(_ cpu: VCPUState) -> TranslationSpace
}

/// A guest that protects physical memory (RISC-V's PMP, Arm's MPU).
public protocol MemoryProtection: AnyObject {
  /// What the current mode's loads and stores may not reach, ascending, in `MemoryMode.restrictedWindow`. Where rights
  /// differ within a page, none of it may be reached. Accesses that are denied so come to
  /// ``MemoryModel/translateAddress(_:_:_:size:space:memory:)``, which has the last word.
  func memoryRestrictions(_ cpu: VCPUState) -> [MemoryRestriction]
  /// What decides about memory protection beside the flags: chains are good for vCPUs with equal values.
  func protectionState(_ cpu: VCPUState) -> [UInt64]
}

public enum AccessKind: UInt8, Sendable { case read, write, execute }

/// How translated code reaches data memory under given translation flags.
public enum MemoryMode: UInt8, Sendable {
  /// Guest addresses are physical and unrestricted: through the memory window.
  case window
  /// Guest addresses are physical, but memory protection denies some: through a window that lacks them, see
  /// ``Guest/memoryRestrictions(_:)``.
  case restrictedWindow
  /// Addresses are translated or restricted page by page: through the inline TLB.
  case tlb
}

/// Memory below 4 GiB that loads and stores may not reach freely: whole pages, `first` to `last` byte.
public struct MemoryRestriction: Sendable, Equatable {
  public var first: UInt64
  public var last: UInt64
  /// Loads are allowed all the same.
  public var readable: Bool

  public init(first: UInt64, last: UInt64, readable: Bool) {
    self.first = first
    self.last = last
    self.readable = readable
  }
}

/// Where a virtual address leads, and what may be done there.
public struct AddressTranslation: Sendable {
  public var physical: UInt64
  public var readable: Bool
  public var writable: Bool
  public var executable: Bool
  /// Whether the answer holds for the whole 4 KiB page, so that a TLB may keep it.
  public var wholePage: Bool
  /// Bytes that the page-table entry it comes from stands for: 4 KiB or more.
  public var leafSize: UInt64
  /// Where it does not: the addresses within the page for which the answer about this kind of access holds; nil if
  /// unknown.
  public var stretch: Range<UInt64>?

  @inlinable public init(
    physical: UInt64, readable: Bool, writable: Bool, executable: Bool, wholePage: Bool, leafSize: UInt64 = 0x1000
  ) {
    self.leafSize = leafSize
    self.physical = physical
    self.readable = readable
    self.writable = writable
    self.executable = executable
    self.wholePage = wholePage
  }
}

/// The page tables a vCPU's addresses are translated by. Translations are kept for each, so that changing over and back
/// loses none: what software must fence, only its fences end.
public struct TranslationSpace: Equatable, Sendable {
  /// What fences call it (RISC-V: the ASID).
  public var number: UInt64
  /// The virtual machine it is of, as fences call that (Arm and RISC-V: the VMID).
  public var machine: UInt64
  /// Tells it from others that have had the same number (RISC-V: `satp`).
  public var root: UInt64
  /// Likewise, where two tables are in force: for two halves of the address space, or for two stages.
  public var secondRoot: UInt64

  public init(number: UInt64 = 0, machine: UInt64 = 0, root: UInt64 = 0, secondRoot: UInt64 = 0) {
    self.number = number
    self.machine = machine
    self.root = root
    self.secondRoot = secondRoot
  }
}

/// Physical memory as a page-table walker sees it. Nil is a bus error.
public protocol PhysicalMemoryPort: AnyObject {
  func readPhysical(_ address: UInt64, size: Int) -> UInt64?
  /// - Returns: false on a bus error.
  func writePhysical(_ address: UInt64, size: Int, _ value: UInt64) -> Bool
}
