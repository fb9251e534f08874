// Multiplication and fused multiply-add.

extension FloatFormat {
  /// `a * b`.
  @inlinable public static func multiply(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    let negative = isNegative(a ^ b)
    if !isFinite(a) || !isFinite(b) {
      if isNaN(a) || isNaN(b) { return nan(a, b, &status) }
      return magnitude(a) == 0 || magnitude(b) == 0 ? invalid(&status) : infinity(negative: negative)
    }
    if magnitude(a) == 0 || magnitude(b) == 0 { return zero(negative: negative) }
    let x = unpack(a)
    let y = unpack(b)
    let product = x.significand.multipliedFullWidth(by: y.significand)
    return normalizeRoundAndPack(
      negative, x.exponent &+ y.exponent &+ 1, product.high | (product.low == 0 ? 0 : 1), &status)
  }

  /// `a * b + c`, rounded once. An infinity times zero is invalid even when `c` is a quiet NaN, except on x86
  /// (`NaNPolicy.firstOperand`), where it then delivers that NaN without a flag.
  @inlinable public static func fusedMultiplyAdd(_ a: Raw, _ b: Raw, _ c: Raw, _ status: inout FloatStatus) -> Raw {
    let negative = isNegative(a ^ b)
    if !isFinite(a) || !isFinite(b) || !isFinite(c) {
      return fusedSpecial(a, b, c, &status)
    }
    if magnitude(a) == 0 || magnitude(b) == 0 {
      if magnitude(c) != 0 || isNegative(c) == negative { return c }
      return zero(negative: status.rounding == .down)
    }
    let x = unpack(a)
    let y = unpack(b)
    let (high, low) = x.significand.multipliedFullWidth(by: y.significand)
    var product = UInt128(truncatingIfNeeded: high) << 64 | UInt128(truncatingIfNeeded: low)
    var exponent = x.exponent &+ y.exponent &+ 1
    if high >> 63 == 0 {
      product <<= 1
      exponent &-= 1
    }
    if magnitude(c) == 0 { return roundAndPack(wide: negative, exponent, product, &status) }

    let z = unpack(c)
    let addend = UInt128(truncatingIfNeeded: z.significand) << 64
    let productIsLarger = exponent > z.exponent || (exponent == z.exponent && product >= addend)
    let large = productIsLarger ? product : addend
    let small = productIsLarger ? addend : product
    let largeExponent = productIsLarger ? exponent : z.exponent
    let distance = productIsLarger ? exponent &- z.exponent : z.exponent &- exponent
    if negative == z.negative {
      return roundAndPack(
        wide: negative, largeExponent &+ 1, large >> 1 &+ small.shiftedRightSticky(by: distance &+ 1), &status)
    }
    let difference = large &- small.shiftedRightSticky(by: distance)
    if difference == 0 { return zero(negative: status.rounding == .down) }
    return roundAndPack(wide: productIsLarger ? negative : z.negative, largeExponent, difference, &status)
  }

  /// `a * b + c` where not all operands are finite.
  @inlinable static func fusedSpecial(_ a: Raw, _ b: Raw, _ c: Raw, _ status: inout FloatStatus) -> Raw {
    let infiniteTimesZero =
      (isInfinite(a) && magnitude(b) == 0) || (magnitude(a) == 0 && isInfinite(b))
    if isNaN(a) || isNaN(b) || isNaN(c) {
      if infiniteTimesZero && status.nanPolicy != .firstOperand {
        status.raise(.invalid)
        if !isSignalingNaN(c) { return canonicalNaN }
      }
      return nan(a, b, addend: c, &status)
    }
    if infiniteTimesZero { return invalid(&status) }
    if isFinite(a) && isFinite(b) { return c }
    let product = infinity(negative: isNegative(a ^ b))
    return isInfinite(c) && c != product ? invalid(&status) : product
  }

  /// Brings bit 127 of a significand other than 0 into place and rounds `significand * 2^(exponent - 127)`.
  @inlinable @inline(__always) static func roundAndPack(
    wide negative: Bool, _ exponent: Int, _ significand: UInt128, _ status: inout FloatStatus
  ) -> Raw {
    let shift = significand.leadingZeroBitCount
    let normal = significand &<< UInt128(truncatingIfNeeded: shift)
    let sticky: UInt64 = UInt64(truncatingIfNeeded: normal) == 0 ? 0 : 1
    return roundAndPack(negative, exponent &- shift, UInt64(truncatingIfNeeded: normal >> 64) | sticky, &status)
  }
}
