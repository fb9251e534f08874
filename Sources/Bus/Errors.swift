// Errors of the bus: accesses the guest gets wrong, and set-up the host or the board gets wrong.

import Bits

/// A guest access that no region completes.
public enum BusError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nothing is mapped at the address.
  case unmapped(UInt64)
  /// A store to memory that is read-only for the guest.
  case readOnly(UInt64)
  /// A store of a size that what is there does not take.
  case refused(UInt64)

  /// The first address that failed.
  public var address: UInt64 {
    switch self {
    case .unmapped(let address), .readOnly(let address), .refused(let address): address
    }
  }

  public var description: String {
    switch self {
    case .unmapped(let address): "nothing is mapped at \(address.hex0x())"
    case .readOnly(let address): "memory at \(address.hex0x()) is read-only"
    case .refused(let address): "what is at \(address.hex0x()) takes no store of this size"
    }
  }
}

/// A failure to set up memory or the address map.
public enum MemoryError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Two regions claim the same addresses.
  case overlap(new: String, existing: String, at: UInt64)
  /// A region of size 0, or one that runs past the end of the address space or its backing memory.
  case badRange(name: String, base: UInt64, size: UInt64)
  /// A mapping or protection change whose ends are not multiples of the page size.
  case unaligned(address: UInt64)
  /// A system call of the host failed.
  case system(call: String, errno: Int32)

  public var description: String {
    switch self {
    case .overlap(let new, let existing, let address):
      "region '\(new)' overlaps region '\(existing)' at \(address.hex0x())"
    case .badRange(let name, let base, let size):
      "region '\(name)' (base \(base.hex0x()), size \(size.hex0x())) is empty or too large"
    case .unaligned(let address): "\(address.hex0x()) is not a multiple of the page size"
    case .system(let call, let number): "\(call) failed with errno \(number)"
    }
  }
}
