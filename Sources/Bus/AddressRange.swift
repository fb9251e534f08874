// Stretches of the physical address space, and questions about them that no number can break.

/// `size` bytes of the guest's physical address space from `base`; of those that would lie beyond the last address, none.
///
/// Both numbers may come from anywhere: everything here is exact up to the last address, 2⁶⁴ − 1.
public struct AddressRange: Sendable, Equatable, Codable {
  public let base: UInt64
  public let size: UInt64

  @inlinable
  public init(base: UInt64, size: UInt64) {
    self.base = base
    self.size = size
  }

  public var isEmpty: Bool { size == 0 }

  /// Whether some of the bytes would lie beyond the last address.
  public var isCut: Bool { size > 0 && base > .max - (size - 1) }

  /// The last address; of an empty range, its base.
  public var last: UInt64 { isEmpty ? base : isCut ? .max : base + (size - 1) }

  public func contains(_ address: UInt64) -> Bool { address >= base && address - base < size }

  /// Whether all of another range is in this one; an empty one is if its base is.
  public func contains(_ other: AddressRange) -> Bool {
    contains(other.base) && other.last <= last && !other.isCut
  }

  public func overlaps(_ other: AddressRange) -> Bool {
    !isEmpty && !other.isEmpty && base <= other.last && other.base <= last
  }

  /// The part from an address of the range to its end.
  public func from(_ address: UInt64) -> AddressRange {
    AddressRange(base: address, size: contains(address) ? size - (address - base) : 0)
  }
}
