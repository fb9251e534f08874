// Division and square root.

extension FloatFormat {
  /// `a / b`.
  @inlinable public static func divide(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    let negative = isNegative(a ^ b)
    if !isFinite(a) || !isFinite(b) {
      if isNaN(a) || isNaN(b) { return nan(a, b, &status) }
      if isFinite(a) { return zero(negative: negative) }
      return isInfinite(b) ? invalid(&status) : infinity(negative: negative)
    }
    if magnitude(b) == 0 {
      if magnitude(a) == 0 { return invalid(&status) }
      status.raise(.divideByZero)
      return infinity(negative: negative)
    }
    if magnitude(a) == 0 { return zero(negative: negative) }
    let x = unpack(a)
    let y = unpack(b)
    let (quotient, remainder, scale) = dividedSignificands(x.significand, y.significand)
    return normalizeRoundAndPack(
      negative, x.exponent &- y.exponent &+ scale, quotient | (remainder == 0 ? 0 : 1), &status)
  }

  /// Both significands have bit 63 set; `quotient * 2^(scale - 63)` approximates theirs with at least two spare bits.
  @inlinable @inline(__always) static func dividedSignificands(
    _ x: UInt64, _ y: UInt64
  ) -> (quotient: UInt64, remainder: UInt64, scale: Int) {
    if fractionWidth < 31 {
      // The divisor fits 32 bits, so one 64-bit division leaves a quotient of 32 bits or more.
      let divisor = y >> guardWidth
      let quotient = x / divisor
      return (quotient, x &- quotient &* divisor, 63 - guardWidth)
    }
    let (quotient, remainder) = y.dividingFullWidth((x >> 1, x << 63))
    return (quotient, remainder, 0)
  }

  /// The square root of `a`; that of -0 is -0.
  @inlinable public static func squareRoot(_ a: Raw, _ status: inout FloatStatus) -> Raw {
    if isNaN(a) { return nan(a, a, &status) }
    if magnitude(a) == 0 { return a }
    if isNegative(a) { return invalid(&status) }
    if isInfinite(a) { return a }
    let x = unpack(a)
    let radicand = UInt128(truncatingIfNeeded: x.significand) << UInt128(63 &+ (x.exponent & 1))
    let (root, exact) = integerSquareRoot(radicand)
    return roundAndPack(false, x.exponent >> 1, root | (exact ? 0 : 1), &status)
  }
}

/// The integer square root of `n >= 2^126`, and whether it is exact. Each step doubles the digits of the root by one
/// division (P. Zimmermann, "Karatsuba Square Root", INRIA research report 3805).
@inlinable func integerSquareRoot(_ n: UInt128) -> (root: UInt64, exact: Bool) {
  let high = integerSquareRoot(UInt64(truncatingIfNeeded: n >> 64))
  let next = UInt64(truncatingIfNeeded: n) >> 32
  // high.remainder <= 2 * high.root, so that this may take 65 bits: divide half of it.
  let numerator = high.remainder << 31 | next >> 1
  var quotient = numerator / high.root
  var rest = UInt128((numerator &- quotient &* high.root) << 1 | next & 1)
  if quotient >> 32 != 0 {
    quotient &-= 1
    rest &+= UInt128(high.root << 1)
  }
  let root = high.root << 32 | quotient
  let remainder = rest << 32 | n & 0xFFFF_FFFF
  let square = UInt128(quotient &* quotient)
  if remainder < square { return (root &- 1, false) }
  return (root, remainder == square)
}

/// The integer square root of `n >= 2^62` and the remainder.
@inlinable func integerSquareRoot(_ n: UInt64) -> (root: UInt64, remainder: UInt64) {
  let top = n >> 32
  var high: UInt64 = 0
  var bit: UInt64 = 1 << 15
  while bit != 0 {
    let trial = high | bit
    if trial &* trial <= top { high = trial }
    bit >>= 1
  }
  let numerator = (top &- high &* high) << 16 | n >> 16 & 0xFFFF
  let quotient = numerator / (high << 1)
  var root = high << 16 &+ quotient
  var remainder = Int64(bitPattern: (numerator &- quotient &* (high << 1)) << 16 | n & 0xFFFF)
  remainder &-= Int64(bitPattern: quotient &* quotient)
  if remainder < 0 {
    root &-= 1
    remainder &+= Int64(bitPattern: root << 1 | 1)
  }
  return (root, UInt64(bitPattern: remainder))
}
