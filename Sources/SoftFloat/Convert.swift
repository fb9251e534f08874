// Conversions between the formats, and to and from integers.

extension FloatFormat {
  /// `a`, a number of format `Source`, in this format.
  @inlinable static func convert<Source: FloatFormat>(
    _ a: Source.Raw, from source: Source.Type, _ status: inout FloatStatus
  ) -> Raw {
    let negative = Source.isNegative(a)
    if !Source.isFinite(a) {
      if Source.isInfinite(a) { return infinity(negative: negative) }
      if Source.isSignalingNaN(a) { status.raise(.invalid) }
      if status.nanPolicy == .canonical { return canonicalNaN }
      let payload = (UInt64(truncatingIfNeeded: a & Source.fractionMask) << Source.guardWidth) >> guardWidth
      return Raw(truncatingIfNeeded: payload) | canonicalNaN | zero(negative: negative)
    }
    if Source.magnitude(a) == 0 { return zero(negative: negative) }
    let x = Source.unpack(a)
    return roundAndPack(negative, x.exponent, x.significand, &status)
  }

  /// `value`, rounded.
  @inlinable @inline(__always) static func convert<Integer: FixedWidthInteger>(
    integer value: Integer, _ status: inout FloatStatus
  ) -> Raw {
    if value == 0 { return 0 }
    return normalizeRoundAndPack(value < 0, 63, UInt64(truncatingIfNeeded: value.magnitude), &status)
  }

  /// `a` rounded to an integer, with RISC-V's results for what does not fit (F extension, "Conversion and Move"): the
  /// nearest limit, the upper one for NaN. These raise NV and not NX.
  @inlinable @inline(__always) static func toInteger<Integer: FixedWidthInteger>(
    _ a: Raw, _ status: inout FloatStatus
  ) -> Integer {
    let negative = isNegative(a) && !isNaN(a)
    let limit = negative ? Integer.min : Integer.max
    if magnitude(a) == 0 { return 0 }
    let x = isFinite(a) ? unpack(a) : Unpacked(negative: negative, exponent: 64, significand: 0)
    if x.exponent > 63 {
      status.raise(.invalid)
      return limit
    }
    let fixed = (UInt128(truncatingIfNeeded: x.significand) << 64).shiftedRightSticky(by: 63 &- x.exponent)
    let whole = UInt64(truncatingIfNeeded: fixed >> 64)
    let fraction = UInt64(truncatingIfNeeded: fixed)
    let addend = status.rounding.addend(half: 1 << 63, odd: whole & 1, negative: negative)
    let increment: UInt64 = fraction.addingReportingOverflow(addend).overflow ? 1 : 0
    let (rounded, overflow) = whole.addingReportingOverflow(increment)
    if overflow || rounded > UInt64(truncatingIfNeeded: limit.magnitude) {
      status.raise(.invalid)
      return limit
    }
    if fraction != 0 { status.raise(.inexact) }
    let bits = negative ? 0 &- rounded : rounded
    return Integer(truncatingIfNeeded: bits)
  }

  @inlinable public static func toInt32(_ a: Raw, _ status: inout FloatStatus) -> Int32 { toInteger(a, &status) }
  @inlinable public static func toUInt32(_ a: Raw, _ status: inout FloatStatus) -> UInt32 { toInteger(a, &status) }
  @inlinable public static func toInt64(_ a: Raw, _ status: inout FloatStatus) -> Int64 { toInteger(a, &status) }
  @inlinable public static func toUInt64(_ a: Raw, _ status: inout FloatStatus) -> UInt64 { toInteger(a, &status) }

  @inlinable public static func from(_ value: Int32, _ status: inout FloatStatus) -> Raw {
    convert(integer: value, &status)
  }
  @inlinable public static func from(_ value: UInt32, _ status: inout FloatStatus) -> Raw {
    convert(integer: value, &status)
  }
  @inlinable public static func from(_ value: Int64, _ status: inout FloatStatus) -> Raw {
    convert(integer: value, &status)
  }
  @inlinable public static func from(_ value: UInt64, _ status: inout FloatStatus) -> Raw {
    convert(integer: value, &status)
  }
}

extension Float32Bits {
  /// The binary64 number `a`, rounded to binary32.
  @inlinable public static func fromFloat64(_ a: UInt64, _ status: inout FloatStatus) -> UInt32 {
    convert(a, from: Float64Bits.self, &status)
  }
}

extension Float64Bits {
  /// The binary32 number `a`, exactly, in binary64.
  @inlinable public static func fromFloat32(_ a: UInt32, _ status: inout FloatStatus) -> UInt64 {
    convert(a, from: Float32Bits.self, &status)
  }
}
