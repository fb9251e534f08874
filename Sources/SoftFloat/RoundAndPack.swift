// Between encoded numbers and integers: unpacking, and the one place that rounds, detects range exceptions and packs.

/// A finite number, `(-1)^negative * significand * 2^(exponent - 63)`. Unless zero, the significand has bit 63 set.
@usableFromInline struct Unpacked {
  @usableFromInline var negative: Bool
  @usableFromInline var exponent: Int
  @usableFromInline var significand: UInt64

  @inlinable init(negative: Bool, exponent: Int, significand: UInt64) {
    self.negative = negative
    self.exponent = exponent
    self.significand = significand
  }
}

extension FixedWidthInteger where Self: UnsignedInteger {
  /// `self >> count` with the lowest bit set when any one bit was shifted out: enough left to round correctly.
  @inlinable @inline(__always) func shiftedRightSticky(by count: Int) -> Self {
    if count >= Self.bitWidth { return self == 0 ? 0 : 1 }
    let kept = self &>> Self(truncatingIfNeeded: count)
    return kept | (kept &<< Self(truncatingIfNeeded: count) == self ? 0 : 1)
  }
}

extension RoundingMode {
  /// What to add to the discarded bits so that their carry-out is the increment of the kept ones.
  ///
  /// - Parameters:
  ///   - half: the weight of the highest discarded bit.
  ///   - odd: the lowest kept bit.
  @inlinable @inline(__always) func addend(half: UInt64, odd: UInt64, negative: Bool) -> UInt64 {
    switch self {
    case .nearestEven: half &- 1 &+ odd
    case .towardZero: 0
    case .down: negative ? half | (half &- 1) : 0
    case .up: negative ? 0 : half | (half &- 1)
    case .nearestMaxMagnitude: half
    }
  }
}

extension FloatFormat {
  /// Width of the bits of an `Unpacked` significand below the last place of a normal number.
  @inlinable static var guardWidth: Int { 63 - fractionWidth }

  /// Unpacks a finite number.
  @inlinable @inline(__always) static func unpack(_ raw: Raw) -> Unpacked {
    let field = Int(truncatingIfNeeded: magnitude(raw) >> fractionWidth)
    let fraction = UInt64(truncatingIfNeeded: raw & fractionMask)
    if field == 0 {
      let shift = fraction.leadingZeroBitCount
      return Unpacked(
        negative: isNegative(raw), exponent: 1 - bias + guardWidth - shift,
        significand: fraction &<< UInt64(truncatingIfNeeded: shift))
    }
    return Unpacked(
      negative: isNegative(raw), exponent: field - bias,
      significand: (fraction | (1 << fractionWidth)) << guardWidth)
  }

  /// Brings bit 63 of a significand other than 0 into place, then rounds and packs.
  @inlinable @inline(__always) static func normalizeRoundAndPack(
    _ negative: Bool, _ exponent: Int, _ significand: UInt64, _ status: inout FloatStatus
  ) -> Raw {
    let shift = significand.leadingZeroBitCount
    return roundAndPack(negative, exponent &- shift, significand &<< UInt64(truncatingIfNeeded: shift), &status)
  }

  /// Rounds `(-1)^negative * significand * 2^(exponent - 63)` to the format and raises NX, UF and OF.
  ///
  /// Bit 63 of the significand is set; its bit 0 is sticky (set when any lower bit of the exact result is).
  @inlinable static func roundAndPack(
    _ negative: Bool, _ exponent: Int, _ significand: UInt64, _ status: inout FloatStatus
  ) -> Raw {
    let half: UInt64 = 1 << (guardWidth - 1)
    let guardMask = half | (half - 1)
    let field = exponent &+ bias
    var significand = significand
    var tiny = false
    if field < 1 {
      if status.flushesSubnormals {
        status.raise(.underflow)
        return zero(negative: negative)
      }
      tiny =
        field < 0 || status.tininess == .beforeRounding
        || !carriesOut(significand, half, negative, status.rounding)
      significand = significand.shiftedRightSticky(by: 1 &- field)
    }
    let discarded = significand & guardMask
    var kept = significand >> guardWidth
    let addend = status.rounding.addend(half: half, odd: kept & 1, negative: negative)
    kept &+= (discarded &+ addend) >> guardWidth
    // The hidden bit, and a carry into it, count as one step of the exponent field.
    let base = field < 1 ? 0 : field &- 1
    if field >= maxExponentField || UInt64(base) << fractionWidth &+ kept >= UInt64(infinity) {
      return overflow(negative, &status)
    }
    if discarded != 0 { status.raise(tiny ? [.inexact, .underflow] : .inexact) }
    return Raw(truncatingIfNeeded: UInt64(base) << fractionWidth &+ kept) | zero(negative: negative)
  }

  /// Whether rounding to full precision reaches the next power of two.
  @inlinable static func carriesOut(
    _ significand: UInt64, _ half: UInt64, _ negative: Bool, _ rounding: RoundingMode
  ) -> Bool {
    let odd = significand >> guardWidth & 1
    return significand.addingReportingOverflow(rounding.addend(half: half, odd: odd, negative: negative)).overflow
  }

  @inlinable static func overflow(_ negative: Bool, _ status: inout FloatStatus) -> Raw {
    status.raise([.overflow, .inexact])
    let toInfinity =
      switch status.rounding {
      case .nearestEven, .nearestMaxMagnitude: true
      case .towardZero: false
      case .down: negative
      case .up: !negative
      }
    return (toInfinity ? infinity : infinity - 1) | zero(negative: negative)
  }
}
