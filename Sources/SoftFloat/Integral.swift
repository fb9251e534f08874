// Rounding to integral numbers, fixed-point numbers, and subnormal operands that count as zero.

extension FloatFormat {
  /// `a`, or a zero of its sign if it is subnormal, which raises the flag for it.
  @inlinable public static func flushed(_ a: Raw, _ status: inout FloatStatus) -> Raw {
    guard magnitude(a) != 0, magnitude(a) >> fractionWidth == 0 else { return a }
    status.raise(.inputSubnormal)
    return a & signBit
  }

  /// `a` rounded to an integral number of the format; zeros keep the sign of `a`.
  ///
  /// - Parameter exact: whether a result that is not `a` is inexact.
  @inlinable public static func roundToIntegral(_ a: Raw, exact: Bool, _ status: inout FloatStatus) -> Raw {
    if isNaN(a) { return nan(a, a, &status) }
    if isInfinite(a) || magnitude(a) == 0 { return a }
    let x = unpack(a)
    if x.exponent >= fractionWidth { return a }
    let fixed = (UInt128(truncatingIfNeeded: x.significand) << 64).shiftedRightSticky(by: 63 &- x.exponent)
    let fraction = UInt64(truncatingIfNeeded: fixed)
    var whole = UInt64(truncatingIfNeeded: fixed >> 64)
    let addend = status.rounding.addend(half: 1 << 63, odd: whole & 1, negative: x.negative)
    if fraction.addingReportingOverflow(addend).overflow { whole &+= 1 }
    if exact, fraction != 0 { status.raise(.inexact) }
    if whole == 0 { return zero(negative: x.negative) }
    return normalizeRoundAndPack(x.negative, 63, whole, &status)
  }

  /// `a` times two to the power of `fractionBits`, rounded to an integer of `width` bits (16 or 32), the nearest limit if
  /// it does not fit and 0 for a NaN, which are invalid operations. The result is extended to 32 bits by its sign.
  @inlinable public static func toFixed(
    _ a: Raw, fractionBits: Int, width: Int, isSigned: Bool, _ status: inout FloatStatus
  ) -> UInt32 {
    if isNaN(a) {
      status.raise(.invalid)
      return 0
    }
    if magnitude(a) == 0 { return 0 }
    let negative = isNegative(a)
    let magnitudes: (UInt64, UInt64) =
      isSigned ? (1 << UInt64(width - 1), 1 << UInt64(width - 1) - 1) : (0, 1 << UInt64(width) - 1)
    let limit = negative ? magnitudes.0 : magnitudes.1
    let x = isFinite(a) ? unpack(a) : Unpacked(negative: negative, exponent: 1 << 12, significand: 0)
    let exponent = x.exponent &+ fractionBits
    var rounded = UInt64.max
    var fraction: UInt64 = 0
    if exponent <= 62 {
      let fixed = (UInt128(truncatingIfNeeded: x.significand) << 64).shiftedRightSticky(by: 63 &- exponent)
      fraction = UInt64(truncatingIfNeeded: fixed)
      rounded = UInt64(truncatingIfNeeded: fixed >> 64)
      let addend = status.rounding.addend(half: 1 << 63, odd: rounded & 1, negative: negative)
      if fraction.addingReportingOverflow(addend).overflow { rounded &+= 1 }
    }
    if rounded > limit {
      status.raise(.invalid)
      rounded = limit
    } else if fraction != 0 {
      status.raise(.inexact)
    }
    return UInt32(truncatingIfNeeded: negative ? 0 &- rounded : rounded)
  }

  /// `value` divided by two to the power of `fractionBits`, rounded.
  @inlinable public static func fromFixed(_ value: Int64, fractionBits: Int, _ status: inout FloatStatus) -> Raw {
    if value == 0 { return 0 }
    return normalizeRoundAndPack(value < 0, 63 &- fractionBits, value.magnitude, &status)
  }
}

/// binary16, as raw bits.
public enum Float16Bits: FloatFormat {
  public typealias Raw = UInt16
  @inlinable public static var fractionWidth: Int { 10 }

  /// `a` in format `Target`. In Arm's alternative format the greatest exponent is one like others.
  @inlinable public static func widened<Target: FloatFormat>(
    _ a: UInt16, to target: Target.Type, isAlternative: Bool, _ status: inout FloatStatus
  ) -> Target.Raw {
    var status16 = status
    status16.flushesSubnormals = false
    defer { status.flags = status16.flags }
    guard isAlternative, !isFinite(a) else { return Target.convert(a, from: Float16Bits.self, &status16) }
    let significand = UInt64(a & fractionMask | 1 << 10) << 53
    return Target.roundAndPack(isNegative(a), 16, significand, &status16)
  }

  /// `a`, of format `Source`, rounded to binary16. The alternative format has neither infinities nor NaNs.
  @inlinable public static func narrowed<Source: FloatFormat>(
    _ a: Source.Raw, from source: Source.Type, isAlternative: Bool, _ status: inout FloatStatus
  ) -> UInt16 {
    var status16 = status
    status16.flushesSubnormals = false
    defer { status.flags = status16.flags }
    guard isAlternative else { return convert(a, from: source, &status16) }
    let sign: UInt16 = Source.isNegative(a) ? 0x8000 : 0
    if !Source.isFinite(a) {
      status16.raise(.invalid)
      return Source.isNaN(a) ? sign : sign | 0x7FFF
    }
    let x = Source.unpack(a)
    if Source.magnitude(a) == 0 || x.exponent < 15 { return convert(a, from: source, &status16) }
    let half: UInt64 = 1 << 52
    let discarded = x.significand & (half << 1 - 1)
    var kept = x.significand >> 53
    kept &+= (discarded &+ status16.rounding.addend(half: half, odd: kept & 1, negative: x.negative)) >> 53
    guard x.exponent <= 16, UInt64(x.exponent &+ 14) << 10 &+ kept <= 0x7FFF else {
      status16.raise(.invalid)
      return sign | 0x7FFF
    }
    if discarded != 0 { status16.raise(.inexact) }
    return sign | UInt16(truncatingIfNeeded: UInt64(x.exponent &+ 14) << 10 &+ kept)
  }
}
