// Addition and subtraction.

extension FloatFormat {
  /// `a + b`.
  @inlinable public static func add(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    sum(a, b, flip: 0, &status)
  }

  /// `a - b`.
  @inlinable public static func subtract(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    sum(a, b, flip: signBit, &status)
  }

  /// `a + b` with `flip` applied to the sign of `b` unless that is a NaN.
  @inlinable static func sum(_ a: Raw, _ b: Raw, flip: Raw, _ status: inout FloatStatus) -> Raw {
    if !isFinite(a) || !isFinite(b) {
      if isNaN(a) || isNaN(b) { return nan(a, b, &status) }
      if isInfinite(a) { return a ^ b ^ flip == signBit ? invalid(&status) : a }
      return b ^ flip
    }
    let b = b ^ flip
    let (x, y) = magnitude(a) >= magnitude(b) ? (a, b) : (b, a)
    if magnitude(y) == 0 {
      return x ^ y == signBit ? zero(negative: status.rounding == .down) : x
    }
    let large = unpack(x)
    let small = unpack(y)
    let distance = large.exponent &- small.exponent
    if large.negative == small.negative {
      return normalizeRoundAndPack(
        large.negative, large.exponent &+ 1,
        large.significand >> 1 &+ small.significand.shiftedRightSticky(by: distance &+ 1), &status)
    }
    let difference = large.significand &- small.significand.shiftedRightSticky(by: distance)
    if difference == 0 { return zero(negative: status.rounding == .down) }
    return normalizeRoundAndPack(large.negative, large.exponent, difference, &status)
  }
}
