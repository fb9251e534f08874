// Owns what a host's registers are to the shared parts: numbers, sets of them, and the roles they play.

/// A register of a host.
public protocol HostRegister: BitwiseCopyable, Equatable, Sendable {
  /// Its number, below 32, as the host's instructions have it.
  var number: UInt8 { get }
  init(number: UInt8)
}

/// A set of registers of one kind. Written with `|`: an array literal would be an array at run time, each time.
public struct RegisterSet<Register: HostRegister>: BitwiseCopyable, Equatable, Sendable {
  @usableFromInline var bits: UInt32

  @inlinable @inline(__always)
  public init() { bits = 0 }

  @inlinable @inline(__always)
  public init(_ register: Register) { bits = Self.bit(register) }

  /// The registers from number `range.lowerBound` on.
  @inlinable public init(numbers range: Range<UInt8>) {
    bits = range.reduce(0) { $0 | 1 &<< UInt32($1) }
  }

  @inlinable @inline(__always)
  init(bits: UInt32) { self.bits = bits }

  @inlinable @inline(__always)
  static func bit(_ register: Register) -> UInt32 { 1 &<< UInt32(register.number) }

  @inlinable @inline(__always)
  public var isEmpty: Bool { bits == 0 }

  /// The register with the lowest number; the set is not empty.
  @inlinable @inline(__always)
  public var first: Register { Register(number: UInt8(truncatingIfNeeded: bits.trailingZeroBitCount)) }

  @inlinable @inline(__always)
  public static func | (set: RegisterSet, register: Register) -> RegisterSet {
    RegisterSet(bits: set.bits | bit(register))
  }

  @inlinable @inline(__always)
  public func union(_ other: RegisterSet) -> RegisterSet { RegisterSet(bits: bits | other.bits) }

  @inlinable @inline(__always)
  public func subtracting(_ other: RegisterSet) -> RegisterSet { RegisterSet(bits: bits & ~other.bits) }

  @inlinable @inline(__always)
  public func contains(_ register: Register) -> Bool { bits & Self.bit(register) != 0 }

  @inlinable @inline(__always)
  public mutating func insert(_ register: Register) { bits |= Self.bit(register) }

  @inlinable @inline(__always)
  public mutating func remove(_ register: Register) { bits &= ~Self.bit(register) }
}

/// Which registers of a host do what while translated code runs. Some hold guest registers for as long as it does (the
/// pinned ones), others the values of a block (temporaries); the rest is the host's own.
public protocol RegisterRoles {
  associatedtype Register: HostRegister
  associatedtype VectorRegister: HostRegister

  static var temporaries: RegisterSet<Register> { get }
  /// The temporary to be given out first: one that no instruction asks for by name.
  static var firstChoice: Register { get }
  static var pinnedCount: Int { get }
  /// Pinned register number `index`, below ``pinnedCount``.
  static func pinned(_ index: Int) -> Register
  static var vectorTemporaries: RegisterSet<VectorRegister> { get }
  static var vectorPinnedCount: Int { get }
  static func pinnedVector(_ index: Int) -> VectorRegister
  /// Takes the guest PC where a block is left for one that is computed, and holds nothing else there.
  static var jumpTarget: Register { get }
  /// Another temporary that may be changed where a block is left.
  static var leaving: Register { get }
  /// Slots of 64 bits for values that find no register.
  static var spillSlots: Int { get }
}
