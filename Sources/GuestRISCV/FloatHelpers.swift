// Owns the functions that translated code calls to compute in floating point, on the SoftFloat module.
//
// They touch `frm` and `fflags`, which translated code itself never does, so to a pass they are functions of their
// operands that must not be removed. Operands and results are whole 64-bit f registers, or integers.

import GuestKit
import IR
import SoftFloat

/// Numbered after ``PrivilegedHelper``. Immediate: bits 0–2 the rounding mode (7: `frm`); for the fused ones bit 3
/// negates the product and bit 4 the addend.
enum FloatHelper: Int, CaseIterable {
  case addS, subtractS, multiplyS, divideS, squareRootS, fusedS, minimumS, maximumS, equalS, lessS, lessOrEqualS
  case classS, toInt32S, toUInt32S, toInt64S, toUInt64S, fromInt32S, fromUInt32S, fromInt64S, fromUInt64S
  case addD, subtractD, multiplyD, divideD, squareRootD, fusedD, minimumD, maximumD, equalD, lessD, lessOrEqualD
  case classD, toInt32D, toUInt32D, toInt64D, toUInt64D, fromInt32D, fromUInt32D, fromInt64D, fromUInt64D
  case narrow, widen

  var number: Int { HelperNumber.allCases.count + PrivilegedHelper.allCases.count + rawValue }

  var helper: Helper {
    let pure = self == .classS || self == .classD
    return unsafe Helper("f_\(self)", pure ? [] : .keep, function)
  }

  private var function: HelperFunction {
    switch self {
    case .addS: { s, a, b, _, m in unsafe single(s, m) { Single.fastAdd(un(a), un(b), &$0) } }
    case .subtractS: { s, a, b, _, m in unsafe single(s, m) { Single.fastSubtract(un(a), un(b), &$0) } }
    case .multiplyS: { s, a, b, _, m in unsafe single(s, m) { Single.fastMultiply(un(a), un(b), &$0) } }
    case .divideS: { s, a, b, _, m in unsafe single(s, m) { Single.fastDivide(un(a), un(b), &$0) } }
    case .squareRootS: { s, a, _, _, m in unsafe single(s, m) { Single.fastSquareRoot(un(a), &$0) } }
    case .fusedS:
      { s, a, b, c, m in
        unsafe single(s, m) {
          Single.fastFusedMultiplyAdd(
            un(a) ^ UInt32(truncatingIfNeeded: m >> 3 & 1) << 31, un(b),
            un(c) ^ UInt32(truncatingIfNeeded: m >> 4 & 1) << 31, &$0)
        }
      }
    case .minimumS: { s, a, b, _, m in unsafe single(s, 0) { Single.minimum(un(a), un(b), &$0) } }
    case .maximumS: { s, a, b, _, m in unsafe single(s, 0) { Single.maximum(un(a), un(b), &$0) } }
    case .equalS: { s, a, b, _, m in unsafe other(s, 0) { Single.equal(un(a), un(b), &$0) ? 1 : 0 } }
    case .lessS: { s, a, b, _, m in unsafe other(s, 0) { Single.less(un(a), un(b), &$0) ? 1 : 0 } }
    case .lessOrEqualS:
      { s, a, b, _, m in unsafe other(s, 0) { Single.lessOrEqual(un(a), un(b), &$0) ? 1 : 0 } }
    case .classS: { _, a, _, _, _ in UInt64(Single.classify(un(a)).rawValue) }
    case .toInt32S: { s, a, _, _, m in unsafe other(s, m) { extended(Single.toInt32(un(a), &$0)) } }
    case .toUInt32S:
      { s, a, _, _, m in unsafe other(s, m) { extended(Int32(bitPattern: Single.toUInt32(un(a), &$0))) } }
    case .toInt64S: { s, a, _, _, m in unsafe other(s, m) { extended(Single.toInt64(un(a), &$0)) } }
    case .toUInt64S: { s, a, _, _, m in unsafe other(s, m) { Single.toUInt64(un(a), &$0) } }
    case .fromInt32S:
      { s, a, _, _, m in unsafe single(s, m) { Single.from(Int32(truncatingIfNeeded: a), &$0) } }
    case .fromUInt32S:
      { s, a, _, _, m in unsafe single(s, m) { Single.from(UInt32(truncatingIfNeeded: a), &$0) } }
    case .fromInt64S: { s, a, _, _, m in unsafe single(s, m) { Single.from(Int64(bitPattern: a), &$0) } }
    case .fromUInt64S: { s, a, _, _, m in unsafe single(s, m) { Single.from(a, &$0) } }
    case .addD: { s, a, b, _, m in unsafe other(s, m) { Double.fastAdd(a, b, &$0) } }
    case .subtractD: { s, a, b, _, m in unsafe other(s, m) { Double.fastSubtract(a, b, &$0) } }
    case .multiplyD: { s, a, b, _, m in unsafe other(s, m) { Double.fastMultiply(a, b, &$0) } }
    case .divideD: { s, a, b, _, m in unsafe other(s, m) { Double.fastDivide(a, b, &$0) } }
    case .squareRootD: { s, a, _, _, m in unsafe other(s, m) { Double.fastSquareRoot(a, &$0) } }
    case .fusedD:
      { s, a, b, c, m in
        unsafe other(s, m) {
          Double.fastFusedMultiplyAdd(a ^ (m >> 3 & 1) << 63, b, c ^ (m >> 4 & 1) << 63, &$0)
        }
      }
    case .minimumD: { s, a, b, _, m in unsafe other(s, 0) { Double.minimum(a, b, &$0) } }
    case .maximumD: { s, a, b, _, m in unsafe other(s, 0) { Double.maximum(a, b, &$0) } }
    case .equalD: { s, a, b, _, m in unsafe other(s, 0) { Double.equal(a, b, &$0) ? 1 : 0 } }
    case .lessD: { s, a, b, _, m in unsafe other(s, 0) { Double.less(a, b, &$0) ? 1 : 0 } }
    case .lessOrEqualD: { s, a, b, _, m in unsafe other(s, 0) { Double.lessOrEqual(a, b, &$0) ? 1 : 0 } }
    case .classD: { _, a, _, _, _ in UInt64(Double.classify(a).rawValue) }
    case .toInt32D: { s, a, _, _, m in unsafe other(s, m) { extended(Double.toInt32(a, &$0)) } }
    case .toUInt32D:
      { s, a, _, _, m in unsafe other(s, m) { extended(Int32(bitPattern: Double.toUInt32(a, &$0))) } }
    case .toInt64D: { s, a, _, _, m in unsafe other(s, m) { extended(Double.toInt64(a, &$0)) } }
    case .toUInt64D: { s, a, _, _, m in unsafe other(s, m) { Double.toUInt64(a, &$0) } }
    case .fromInt32D:
      { s, a, _, _, m in unsafe other(s, m) { Double.from(Int32(truncatingIfNeeded: a), &$0) } }
    case .fromUInt32D:
      { s, a, _, _, m in unsafe other(s, m) { Double.from(UInt32(truncatingIfNeeded: a), &$0) } }
    case .fromInt64D: { s, a, _, _, m in unsafe other(s, m) { Double.from(Int64(bitPattern: a), &$0) } }
    case .fromUInt64D: { s, a, _, _, m in unsafe other(s, m) { Double.from(a, &$0) } }
    case .narrow: { s, a, _, _, m in unsafe single(s, m) { Single.fromFloat64(a, &$0) } }
    case .widen: { s, a, _, _, m in unsafe other(s, m) { Double.fromFloat32(un(a), &$0) } }
    }
  }
}

private typealias Single = Float32Bits
private typealias Double = Float64Bits

@inline(__always) private func un(_ register: UInt64) -> UInt32 { Float32Bits.unbox(register) }

@inline(__always) private func extended(_ value: some SignedInteger) -> UInt64 {
  UInt64(bitPattern: Int64(value))
}

/// Runs `operation` in the hart's floating-point environment.
@inline(__always) private func other(
  _ state: UnsafeMutableRawPointer, _ mode: UInt64, _ operation: (inout FloatStatus) -> UInt64
) -> UInt64 {
  let cpu = unsafe VCPUState(state)
  let (rounding, flags) = (Slot.frm.offset, Slot.fflags.offset)
  let chosen = mode & 7 == 7 ? cpu.load(rounding, as: UInt8.self) : UInt8(truncatingIfNeeded: mode & 7)
  var status = FloatStatus(
    rounding: RoundingMode(rawValue: chosen) ?? .nearestEven,
    flags: ExceptionFlags(rawValue: cpu.load(flags, as: UInt8.self)))
  let result = operation(&status)
  cpu.store(status.flags.rawValue, at: flags)
  return result
}

/// As ``other(_:_:_:)``, with a single-precision result to be NaN-boxed.
@inline(__always) private func single(
  _ state: UnsafeMutableRawPointer, _ mode: UInt64, _ operation: (inout FloatStatus) -> UInt32
) -> UInt64 {
  unsafe other(state, mode) { Float32Bits.box(operation(&$0)) }
}
