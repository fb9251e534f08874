// Small arithmetic on bit patterns that every floor needs: masks, fields, sign extension, alignment.

/// Byte order of a multi-byte value in memory.
public enum Endianness: Sendable, Equatable, Codable {
  case little, big

  /// The number that bytes stand for, its low 64 bits.
  @inlinable
  public func number(_ bytes: some BidirectionalCollection<UInt8>) -> UInt64 {
    self == .big ? bytes.reduce(0) { $0 << 8 | UInt64($1) } : bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The low `count` bytes of `value`.
  @inlinable
  public func bytes(_ value: UInt64, count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (self == .big ? count - 1 - $0 : $0))) }
  }
}

extension UInt64 {
  /// A value whose low `width` bits are set; `width` is 0 to 64.
  @inlinable
  public static func mask(_ width: Int) -> UInt64 { width >= 64 ? .max : (1 &<< UInt64(width)) &- 1 }

  /// The bits `range` of this value, moved to bit 0.
  @inlinable
  public func bits(_ range: Range<Int>) -> UInt64 { (self >> UInt64(range.lowerBound)) & .mask(range.count) }

  /// Whether bit `index` is set.
  @inlinable
  public func bit(_ index: Int) -> Bool { (self >> UInt64(index)) & 1 != 0 }

  /// This value with the bits `range` replaced by the low bits of `field`.
  @inlinable
  public func replacingBits(_ range: Range<Int>, with field: UInt64) -> UInt64 {
    let mask = UInt64.mask(range.count) << UInt64(range.lowerBound)
    return (self & ~mask) | ((field << UInt64(range.lowerBound)) & mask)
  }

  /// The low `width` bits (1 to 64) read as a two's complement number.
  @inlinable
  public func signExtended(from width: Int) -> Int64 {
    let shift = UInt64(64 - width)
    return Int64(bitPattern: self &<< shift) &>> Int64(shift)
  }

  /// The largest multiple of `alignment` (a power of two) not above this value.
  @inlinable
  public func alignedDown(to alignment: UInt64) -> UInt64 { self & ~(alignment &- 1) }

  /// The smallest multiple of `alignment` (a power of two) not below this value, wrapping at 2^64.
  @inlinable
  public func alignedUp(to alignment: UInt64) -> UInt64 { (self &+ alignment &- 1) & ~(alignment &- 1) }
}
