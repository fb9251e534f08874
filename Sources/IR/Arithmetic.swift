// Owns the meaning of the integer ops: the interpreter and the constant folder both compute with it.

/// Integer arithmetic on values of `bits` width (1 to 64), given and returned zero-extended in 64 bits.
public enum Arithmetic {
  @inlinable @inline(__always)
  public static func mask(_ bits: Int) -> UInt64 { UInt64.max &>> UInt64(truncatingIfNeeded: 64 &- bits) }

  /// The value read as two's complement.
  @inlinable @inline(__always)
  public static func signed(_ a: UInt64, _ bits: Int) -> Int64 {
    let shift = Int64(truncatingIfNeeded: 64 &- bits)
    return (Int64(bitPattern: a) &<< shift) &>> shift
  }

  @inlinable @inline(__always)
  static func cut(_ a: Int64, _ bits: Int) -> UInt64 { UInt64(bitPattern: a) & mask(bits) }

  @inlinable @inline(__always)
  public static func add(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 { (a &+ b) & mask(bits) }

  @inlinable @inline(__always)
  public static func sub(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 { (a &- b) & mask(bits) }

  @inlinable @inline(__always)
  public static func mul(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 { (a &* b) & mask(bits) }

  @inlinable @inline(__always)
  public static func mulHighSigned(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 {
    if bits == 64 {
      return UInt64(bitPattern: Int64(bitPattern: a).multipliedFullWidth(by: Int64(bitPattern: b)).high)
    }
    return cut((signed(a, bits) &* signed(b, bits)) &>> Int64(truncatingIfNeeded: bits), bits)
  }

  @inlinable @inline(__always)
  public static func mulHighUnsigned(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 {
    if bits == 64 { return a.multipliedFullWidth(by: b).high }
    return (a &* b) &>> UInt64(truncatingIfNeeded: bits)
  }

  /// Signed `a`, unsigned `b`.
  @inlinable @inline(__always)
  public static func mulHighSignedUnsigned(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 {
    if bits == 64 {
      let high = a.multipliedFullWidth(by: b).high
      return Int64(bitPattern: a) < 0 ? high &- b : high
    }
    return cut((signed(a, bits) &* Int64(bitPattern: b)) &>> Int64(truncatingIfNeeded: bits), bits)
  }

  @inlinable @inline(__always)
  public static func divSigned(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 {
    let divisor = signed(b, bits)
    if divisor == 0 { return 0 }
    if divisor == -1 { return sub(0, a, bits) }
    return cut(signed(a, bits) / divisor, bits)
  }

  @inlinable @inline(__always)
  public static func divUnsigned(_ a: UInt64, _ b: UInt64) -> UInt64 { b == 0 ? 0 : a / b }

  @inlinable @inline(__always)
  public static func remSigned(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 {
    let divisor = signed(b, bits)
    if divisor == 0 { return a }
    if divisor == -1 { return 0 }
    return cut(signed(a, bits) % divisor, bits)
  }

  @inlinable @inline(__always)
  public static func remUnsigned(_ a: UInt64, _ b: UInt64) -> UInt64 { b == 0 ? a : a % b }

  /// A shift amount modulo the width, which is a power of two.
  @inlinable @inline(__always)
  static func amount(_ b: UInt64, _ bits: Int) -> UInt64 { b & UInt64(truncatingIfNeeded: bits &- 1) }

  @inlinable @inline(__always)
  public static func shiftLeft(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 {
    (a &<< amount(b, bits)) & mask(bits)
  }

  @inlinable @inline(__always)
  public static func shiftRight(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 { a &>> amount(b, bits) }

  @inlinable @inline(__always)
  public static func shiftRightArithmetic(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 {
    cut(signed(a, bits) &>> Int64(bitPattern: amount(b, bits)), bits)
  }

  @inlinable @inline(__always)
  public static func rotateLeft(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 {
    let left = amount(b, bits)
    let right = amount(0 &- left, bits)
    return ((a &<< left) | (a &>> right)) & mask(bits)
  }

  @inlinable @inline(__always)
  public static func rotateRight(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 { rotateLeft(a, 0 &- b, bits) }

  @inlinable @inline(__always)
  public static func countLeadingZeros(_ a: UInt64, _ bits: Int) -> UInt64 {
    UInt64(truncatingIfNeeded: a.leadingZeroBitCount &- (64 &- bits))
  }

  @inlinable @inline(__always)
  public static func countTrailingZeros(_ a: UInt64, _ bits: Int) -> UInt64 {
    UInt64(truncatingIfNeeded: a == 0 ? bits : a.trailingZeroBitCount)
  }

  /// Byte reversal of the whole width (8 bits and less: unchanged).
  @inlinable @inline(__always)
  public static func byteSwap(_ a: UInt64, _ bits: Int) -> UInt64 {
    bits < 8 ? a : a.byteSwapped &>> UInt64(truncatingIfNeeded: 64 &- bits)
  }

  @inlinable @inline(__always)
  public static func signExtend(_ a: UInt64, from source: Int, to bits: Int) -> UInt64 { cut(signed(a, source), bits) }
}

extension Effects {
  /// A call that declares one of these may look at the vCPU from outside translated code, or end the instruction:
  /// the host brings the state's header up to date before it and looks at the header after it.
  @inlinable public static var callsOut: Effects { [.mayRaise, .readsClock] }
}
