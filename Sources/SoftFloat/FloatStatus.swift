// The floating-point environment an operation runs in: rounding, sticky flags, and the choices IEEE 754 leaves open.

/// The five rounding-direction attributes of IEEE 754; raw values are RISC-V's `frm` encoding (F extension,
/// "Floating-Point Control and Status Register").
public enum RoundingMode: UInt8, CaseIterable, Sendable {
  /// RNE: to nearest, ties to even.
  case nearestEven = 0
  /// RTZ.
  case towardZero = 1
  /// RDN: toward negative infinity.
  case down = 2
  /// RUP: toward positive infinity.
  case up = 3
  /// RMM: to nearest, ties to the larger magnitude.
  case nearestMaxMagnitude = 4
}

/// Sticky exception flags; bits are those of RISC-V's `fflags`.
public struct ExceptionFlags: OptionSet, Sendable, Hashable {
  public var rawValue: UInt8

  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  @inlinable public static var inexact: Self { Self(rawValue: 1) }
  @inlinable public static var underflow: Self { Self(rawValue: 2) }
  @inlinable public static var overflow: Self { Self(rawValue: 4) }
  @inlinable public static var divideByZero: Self { Self(rawValue: 8) }
  @inlinable public static var invalid: Self { Self(rawValue: 16) }
  /// A subnormal operand was taken for zero: Arm's IDC; no flag of RISC-V's.
  @inlinable public static var inputSubnormal: Self { Self(rawValue: 32) }
}

/// When a result counts as tiny (IEEE 754-2019, 7.5).
public enum Tininess: UInt8, Sendable {
  /// Judged on the result rounded to full precision with an unbounded exponent: RISC-V, x86.
  case afterRounding
  /// Judged on the exact result: Arm.
  case beforeRounding
}

/// Which NaN an operation delivers.
public enum NaNPolicy: UInt8, Sendable {
  /// Always the positive default NaN: RISC-V, Arm with FPCR.DN set.
  case canonical
  /// The first NaN operand made quiet, the default NaN being negative: x86 SSE.
  case firstOperand
  /// The first signalling NaN, else the first quiet one; a fused multiply-add looks at the addend first: Arm.
  case signalingFirst
}

/// The environment of one operation. Operations only ever add to `flags`.
public struct FloatStatus: Sendable, Hashable {
  public var rounding: RoundingMode
  public var flags: ExceptionFlags
  public var tininess: Tininess
  public var nanPolicy: NaNPolicy
  /// Whether tiny results become zero (Arm's FPSCR.FZ). Operands are the caller's: see `FloatFormat.flushed`.
  public var flushesSubnormals: Bool

  /// The defaults are RISC-V's.
  @inlinable public init(
    rounding: RoundingMode = .nearestEven, flags: ExceptionFlags = [], tininess: Tininess = .afterRounding,
    nanPolicy: NaNPolicy = .canonical, flushesSubnormals: Bool = false
  ) {
    self.rounding = rounding
    self.flags = flags
    self.tininess = tininess
    self.nanPolicy = nanPolicy
    self.flushesSubnormals = flushesSubnormals
  }

  @inlinable @inline(__always) public mutating func raise(_ raised: ExceptionFlags) {
    flags.rawValue |= raised.rawValue
  }
}
