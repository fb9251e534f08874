// Comparisons, minimum and maximum, and classification.

/// RISC-V's `fclass` result: exactly one bit is set (F extension, "Classify").
public struct FloatClass: OptionSet, Sendable, Hashable {
  public var rawValue: UInt16

  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  @inlinable public static var negativeInfinity: Self { Self(rawValue: 1 << 0) }
  @inlinable public static var negativeNormal: Self { Self(rawValue: 1 << 1) }
  @inlinable public static var negativeSubnormal: Self { Self(rawValue: 1 << 2) }
  @inlinable public static var negativeZero: Self { Self(rawValue: 1 << 3) }
  @inlinable public static var positiveZero: Self { Self(rawValue: 1 << 4) }
  @inlinable public static var positiveSubnormal: Self { Self(rawValue: 1 << 5) }
  @inlinable public static var positiveNormal: Self { Self(rawValue: 1 << 6) }
  @inlinable public static var positiveInfinity: Self { Self(rawValue: 1 << 7) }
  @inlinable public static var signalingNaN: Self { Self(rawValue: 1 << 8) }
  @inlinable public static var quietNaN: Self { Self(rawValue: 1 << 9) }
}

extension FloatFormat {
  /// Quiet `a == b`: only a signalling NaN raises NV.
  @inlinable public static func equal(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Bool {
    if unordered(a, b, quiet: true, &status) { return false }
    return a == b || magnitude(a | b) == 0
  }

  /// `a < b`; any NaN raises NV, or only a signalling one when `quiet`.
  @inlinable public static func less(_ a: Raw, _ b: Raw, quiet: Bool = false, _ status: inout FloatStatus) -> Bool {
    if unordered(a, b, quiet: quiet, &status) { return false }
    return totalKey(a) < totalKey(b) && magnitude(a | b) != 0
  }

  /// `a <= b`; any NaN raises NV, or only a signalling one when `quiet`.
  @inlinable public static func lessOrEqual(
    _ a: Raw, _ b: Raw, quiet: Bool = false, _ status: inout FloatStatus
  ) -> Bool {
    if unordered(a, b, quiet: quiet, &status) { return false }
    return totalKey(a) <= totalKey(b) || magnitude(a | b) == 0
  }

  /// minimumNumber of IEEE 754-2019, RISC-V's `fmin` since version 2.2 of F: -0 < +0, a number is preferred to a NaN,
  /// a signalling NaN raises NV, two NaNs give the canonical one.
  @inlinable public static func minimum(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    if isNaN(a) || isNaN(b) { return preferredNumber(a, b, &status) }
    return totalKey(a) <= totalKey(b) ? a : b
  }

  /// minNum of IEEE 754-2008 with -0 below +0, or maxNum: a number is preferred to a quiet NaN alone.
  @inlinable public static func extremum2008(
    _ a: Raw, _ b: Raw, isMinimum: Bool, _ status: inout FloatStatus
  ) -> Raw {
    if isSignalingNaN(a) || isSignalingNaN(b) || isNaN(a) && isNaN(b) { return nan(a, b, &status) }
    if isNaN(a) { return b }
    if isNaN(b) { return a }
    return (totalKey(a) <= totalKey(b)) == isMinimum ? a : b
  }

  /// maximumNumber; see `minimum`.
  @inlinable public static func maximum(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    if isNaN(a) || isNaN(b) { return preferredNumber(a, b, &status) }
    return totalKey(a) >= totalKey(b) ? a : b
  }

  @inlinable public static func classify(_ a: Raw) -> FloatClass {
    if isNaN(a) { return isSignalingNaN(a) ? .signalingNaN : .quietNaN }
    let distance: UInt16 =
      switch magnitude(a) {
      case infinity: 3
      case 0: 0
      case ..<(1 << fractionWidth): 1
      default: 2
      }
    return FloatClass(rawValue: isNegative(a) ? 1 << (3 - distance) : 1 << (4 + distance))
  }

  /// An unsigned key in the order of the numbers, -0 before +0.
  @inlinable @inline(__always) static func totalKey(_ a: Raw) -> Raw { isNegative(a) ? ~a : a | signBit }

  @inlinable @inline(__always) static func unordered(
    _ a: Raw, _ b: Raw, quiet: Bool, _ status: inout FloatStatus
  ) -> Bool {
    if !isNaN(a) && !isNaN(b) { return false }
    if !quiet || isSignalingNaN(a) || isSignalingNaN(b) { status.raise(.invalid) }
    return true
  }

  @inlinable static func preferredNumber(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    if isSignalingNaN(a) || isSignalingNaN(b) { status.raise(.invalid) }
    if !isNaN(a) { return a }
    return isNaN(b) ? canonicalNaN : b
  }
}
