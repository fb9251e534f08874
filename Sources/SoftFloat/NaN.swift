// NaN results: invalid operations, and the choice among NaN operands.

extension FloatFormat {
  /// Signals an invalid operation and returns its result.
  @inlinable static func invalid(_ status: inout FloatStatus) -> Raw {
    status.raise(.invalid)
    return defaultNaN(status)
  }

  @inlinable static func defaultNaN(_ status: FloatStatus) -> Raw {
    status.nanPolicy == .firstOperand ? canonicalNaN | signBit : canonicalNaN
  }

  /// The result of an operation with at least one NaN among its two operands.
  @inlinable static func nan(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    if isSignalingNaN(a) || isSignalingNaN(b) { status.raise(.invalid) }
    if status.nanPolicy == .canonical { return canonicalNaN }
    return preferredNaN(a, b, status.nanPolicy) | quietBit
  }

  /// The result of a fused multiply-add `a * b + c` with at least one NaN among its operands.
  @inlinable static func nan(_ a: Raw, _ b: Raw, addend c: Raw, _ status: inout FloatStatus) -> Raw {
    if isSignalingNaN(a) || isSignalingNaN(b) || isSignalingNaN(c) { status.raise(.invalid) }
    switch status.nanPolicy {
    case .canonical: return canonicalNaN
    case .firstOperand: return preferredNaN(preferredNaN(a, b, .firstOperand), c, .firstOperand) | quietBit
    case .signalingFirst: return preferredNaN(preferredNaN(c, a, .signalingFirst), b, .signalingFirst) | quietBit
    }
  }

  /// The operand that `policy` prefers, not yet quiet; `b` when neither is a NaN.
  @inlinable static func preferredNaN(_ a: Raw, _ b: Raw, _ policy: NaNPolicy) -> Raw {
    if policy == .signalingFirst, isSignalingNaN(b), !isSignalingNaN(a) { return b }
    return isNaN(a) ? a : b
  }
}
