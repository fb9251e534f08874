// The interchange formats: field widths, constants, and tests on raw bit patterns.

/// An IEEE 754 binary interchange format with at most 64 bits. All arithmetic is written once, in extensions of this
/// protocol, and called through the concrete types, so that the optimiser specialises it.
public protocol FloatFormat {
  /// An encoded number: sign, biased exponent, fraction.
  associatedtype Raw: FixedWidthInteger & UnsignedInteger & Sendable

  /// Width in bits of the stored fraction (the precision less one).
  static var fractionWidth: Int { get }
}

/// binary32, as raw bits.
public enum Float32Bits: FloatFormat {
  public typealias Raw = UInt32
  @inlinable public static var fractionWidth: Int { 23 }

  /// The value held in a 64-bit RISC-V register: the default NaN unless the upper half is all ones
  /// (D extension, "NaN Boxing").
  @inlinable public static func unbox(_ register: UInt64) -> UInt32 {
    register >> 32 == 0xFFFF_FFFF ? UInt32(truncatingIfNeeded: register) : 0x7FC0_0000
  }

  /// `raw` NaN-boxed into a 64-bit register.
  @inlinable public static func box(_ raw: UInt32) -> UInt64 { 0xFFFF_FFFF_0000_0000 | UInt64(raw) }
}

/// binary64, as raw bits.
public enum Float64Bits: FloatFormat {
  public typealias Raw = UInt64
  @inlinable public static var fractionWidth: Int { 52 }
}

extension FloatFormat {
  @inlinable static var exponentWidth: Int { Raw.bitWidth - 1 - fractionWidth }
  @inlinable static var bias: Int { (1 << (exponentWidth - 1)) - 1 }
  /// The biased exponent of infinities and NaNs.
  @inlinable static var maxExponentField: Int { (1 << exponentWidth) - 1 }
  @inlinable static var fractionMask: Raw { (1 << fractionWidth) - 1 }
  @inlinable static var quietBit: Raw { 1 << (fractionWidth - 1) }

  @inlinable public static var signBit: Raw { 1 << (Raw.bitWidth - 1) }
  @inlinable public static var infinity: Raw { Raw(truncatingIfNeeded: maxExponentField) << fractionWidth }
  /// The positive quiet NaN with an otherwise empty fraction, RISC-V's canonical NaN.
  @inlinable public static var canonicalNaN: Raw { infinity | quietBit }

  @inlinable @inline(__always) static func magnitude(_ a: Raw) -> Raw { a & ~signBit }
  @inlinable @inline(__always) static func isNegative(_ a: Raw) -> Bool { a & signBit != 0 }
  @inlinable @inline(__always) static func isFinite(_ a: Raw) -> Bool { magnitude(a) < infinity }
  @inlinable @inline(__always) static func isInfinite(_ a: Raw) -> Bool { magnitude(a) == infinity }
  @inlinable @inline(__always) public static func isNaN(_ a: Raw) -> Bool { magnitude(a) > infinity }
  @inlinable @inline(__always) public static func isSignalingNaN(_ a: Raw) -> Bool { isNaN(a) && a & quietBit == 0 }

  @inlinable @inline(__always) static func zero(negative: Bool) -> Raw { negative ? signBit : 0 }
  @inlinable @inline(__always) static func infinity(negative: Bool) -> Raw { infinity | zero(negative: negative) }
}
