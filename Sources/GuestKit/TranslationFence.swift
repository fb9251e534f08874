// Owns the description of what a fence on address translations forgets.

/// Cached translations that software has declared void. What is nil is not looked at: by default, all of the vCPU's own.
public struct TranslationFence: Sendable, Equatable {
  /// Whose translations are forgotten.
  public enum Reach: Sendable {
    /// Those of the vCPU that asks (RISC-V `sfence.vma`).
    case own
    /// Those of all vCPUs (Arm's broadcast `TLBI …IS`, SPARC's demap by cross-call in hardware).
    case all
  }
  public var reach: Reach
  /// A virtual address in the first page.
  public var address: UInt64?
  /// Bytes from there on, in whole pages of 4 KiB: the page size, or a range of pages.
  public var size: UInt64
  /// See ``TranslationSpace/number``.
  public var space: UInt64?
  /// See ``TranslationSpace/machine``.
  public var machine: UInt64?

  public init(
    reach: Reach = .own, address: UInt64? = nil, size: UInt64 = 0x1000, space: UInt64? = nil, machine: UInt64? = nil
  ) {
    self.reach = reach
    self.address = address
    self.size = size
    self.space = space
    self.machine = machine
  }

  /// Whether translations by these page tables are meant.
  public func covers(_ other: TranslationSpace) -> Bool {
    (space == nil || space == other.number) && (machine == nil || machine == other.machine)
  }
}
