// The same operations on the host's FPU where that provably gives the same bits and flags.
//
// With NX already set and ties rounded to even, a result that is finite and not next to the subnormals can raise
// nothing new, and then the host's correctly rounded result is the only one. Everything else takes the integer path.
// The host's rounding mode must be to-nearest-even and its flush-to-zero modes off, as Swift code has them by default.

// Links the C library's `fma`, which `addingProduct` calls where the host has no such instruction.
#if canImport(Glibc)
  import Glibc
#endif

/// A format the host computes in.
public protocol HostFloatFormat: FloatFormat {
  associatedtype Host: BinaryFloatingPoint
  static func host(_ raw: Raw) -> Host
  static func raw(_ host: Host) -> Raw
}

extension Float32Bits: HostFloatFormat {
  @inlinable @inline(__always) public static func host(_ raw: UInt32) -> Float { Float(bitPattern: raw) }
  @inlinable @inline(__always) public static func raw(_ host: Float) -> UInt32 { host.bitPattern }
}

extension Float64Bits: HostFloatFormat {
  @inlinable @inline(__always) public static func host(_ raw: UInt64) -> Double { Double(bitPattern: raw) }
  @inlinable @inline(__always) public static func raw(_ host: Double) -> UInt64 { host.bitPattern }
}

extension HostFloatFormat {
  @inlinable public static func fastAdd(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    let result = raw(host(a) + host(b))
    return canRaiseNothing(result, status) ? result : add(a, b, &status)
  }

  @inlinable public static func fastSubtract(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    let result = raw(host(a) - host(b))
    return canRaiseNothing(result, status) ? result : subtract(a, b, &status)
  }

  @inlinable public static func fastMultiply(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    let result = raw(host(a) * host(b))
    return canRaiseNothing(result, status) ? result : multiply(a, b, &status)
  }

  @inlinable public static func fastDivide(_ a: Raw, _ b: Raw, _ status: inout FloatStatus) -> Raw {
    let result = raw(host(a) / host(b))
    return canRaiseNothing(result, status) ? result : divide(a, b, &status)
  }

  @inlinable public static func fastSquareRoot(_ a: Raw, _ status: inout FloatStatus) -> Raw {
    let result = raw(host(a).squareRoot())
    return canRaiseNothing(result, status) ? result : squareRoot(a, &status)
  }

  @inlinable public static func fastFusedMultiplyAdd(
    _ a: Raw, _ b: Raw, _ c: Raw, _ status: inout FloatStatus
  ) -> Raw {
    let result = raw(host(c).addingProduct(host(a), host(b)))
    return canRaiseNothing(result, status) ? result : fusedMultiplyAdd(a, b, c, &status)
  }

  /// Whether `result`, correctly rounded, raises at most NX, which is set already. An exponent field of 1 is left out:
  /// that result may have been tiny before it was rounded up.
  @inlinable @inline(__always) static func canRaiseNothing(_ result: Raw, _ status: FloatStatus) -> Bool {
    let floor: Raw = 2 << fractionWidth
    return magnitude(result) &- floor < infinity &- floor
      && status.flags.rawValue & ExceptionFlags.inexact.rawValue != 0
      && status.rounding == .nearestEven
  }
}
