// What an operation must give: the host's FPU for four rounding modes, exact arithmetic between two of its answers for
// ties to the larger magnitude, which it lacks.

import CHost
import SoftFloat

struct Outcome<Raw: FixedWidthInteger & Sendable>: Equatable, CustomStringConvertible {
  var bits: Raw
  var flags: ExceptionFlags

  var description: String { "0x" + String(bits, radix: 16) + " flags " + String(flags.rawValue, radix: 2) }
}

/// A format with its twin in C and the format that `CHOST_CONVERT` starts from.
protocol OracleFormat: HostFloatFormat {
  associatedtype Other: FloatFormat
  static func run(_ operation: chost_float_operation, _ mode: Int32, _ a: UInt64, _ b: UInt64, _ c: UInt64)
    -> chost_float_result
  static func fromOther(_ a: Other.Raw, _ status: inout FloatStatus) -> Raw
}

extension Float32Bits: OracleFormat {
  typealias Other = Float64Bits
  static func run(_ operation: chost_float_operation, _ mode: Int32, _ a: UInt64, _ b: UInt64, _ c: UInt64)
    -> chost_float_result
  { chost_float32(operation, mode, a, b, c) }
  static func fromOther(_ a: UInt64, _ status: inout FloatStatus) -> UInt32 { fromFloat64(a, &status) }
}

extension Float64Bits: OracleFormat {
  typealias Other = Float32Bits
  static func run(_ operation: chost_float_operation, _ mode: Int32, _ a: UInt64, _ b: UInt64, _ c: UInt64)
    -> chost_float_result
  { chost_float64(operation, mode, a, b, c) }
  static func fromOther(_ a: UInt32, _ status: inout FloatStatus) -> UInt64 { fromFloat32(a, &status) }
}

/// The host's own notion of tininess.
#if arch(arm64)
  let hostTininess = Tininess.beforeRounding
#else
  let hostTininess = Tininess.afterRounding
#endif

struct Oracle<F: OracleFormat> {
  var operation: chost_float_operation

  func expected(_ mode: RoundingMode, _ a: UInt64, _ b: UInt64, _ c: UInt64) -> Outcome<F.Raw> {
    if mode != .nearestMaxMagnitude { return host(mode, a, b, c) }
    let even = host(.nearestEven, a, b, c)
    let lower = host(.down, a, b, c).bits
    let upper = host(.up, a, b, c).bits
    if lower == upper || !even.flags.contains(.inexact) { return even }
    let side = sideOfMidpoint(a, b, c, Exact(lower, F.self), Exact(upper, F.self))
    let away = lower & F.signBit != 0 ? lower : upper
    return Outcome(bits: side < 0 ? lower : side > 0 ? upper : away, flags: even.flags)
  }

  private func host(_ mode: RoundingMode, _ a: UInt64, _ b: UInt64, _ c: UInt64) -> Outcome<F.Raw> {
    let result = F.run(operation, Int32(mode.rawValue), a, b, c)
    var outcome = Outcome(
      bits: F.Raw(truncatingIfNeeded: result.bits), flags: ExceptionFlags(rawValue: UInt8(result.flags)))
    if F.isNaN(outcome.bits) { outcome.bits = F.canonicalNaN }
    if operation == CHOST_FUSED_MULTIPLY_ADD && infiniteTimesZero(a, b) { outcome.flags.insert(.invalid) }
    return outcome
  }

  /// What IEEE 754 leaves open when the addend is a quiet NaN, and RISC-V decides.
  private func infiniteTimesZero(_ a: UInt64, _ b: UInt64) -> Bool {
    let magnitudes = Set([a, b].map { F.Raw(truncatingIfNeeded: $0) & ~F.signBit })
    return magnitudes == [0, F.infinity]
  }

  /// The sign of the exact result less `(lower + upper) / 2`.
  private func sideOfMidpoint(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ lower: Exact, _ upper: Exact) -> Int {
    func exact(_ raw: UInt64) -> Exact { Exact(F.Raw(truncatingIfNeeded: raw), F.self) }
    let (x, y, z) = (exact(a), exact(b), exact(c))
    let twice = x.times(powerOfTwo: 1)
    let less = [(lower.negated, Exact.one), (upper.negated, Exact.one)]
    switch operation {
    case CHOST_ADD: return ExactSum.sign(less + [(twice, .one), (y.times(powerOfTwo: 1), .one)])
    case CHOST_SUBTRACT: return ExactSum.sign(less + [(twice, .one), (y.negated.times(powerOfTwo: 1), .one)])
    case CHOST_MULTIPLY: return ExactSum.sign(less + [(twice, y)])
    case CHOST_FUSED_MULTIPLY_ADD: return ExactSum.sign(less + [(twice, y), (z.times(powerOfTwo: 1), .one)])
    case CHOST_DIVIDE:
      return ExactSum.sign([(twice, .one), (lower.negated, y), (upper.negated, y)]) * (y.negative ? -1 : 1)
    case CHOST_SQUARE_ROOT:
      return ExactSum.sign([
        (x.times(powerOfTwo: 2), .one), (lower.negated, lower), (upper.negated, upper),
        (lower.negated.times(powerOfTwo: 1), upper),
      ])
    case CHOST_ROUND_TO_INTEGRAL: return ExactSum.sign(less + [(twice, .one)])
    case CHOST_CONVERT:
      let source = Exact(F.Other.Raw(truncatingIfNeeded: a), F.Other.self)
      return ExactSum.sign(less + [(source.times(powerOfTwo: 1), .one)])
    case CHOST_FROM_INT64:
      return ExactSum.sign(less + [(Exact(Int64(bitPattern: a)).times(powerOfTwo: 1), .one)])
    default:
      return ExactSum.sign(less + [(Exact(negative: false, significand: a, exponent: 1), .one)])
    }
  }
}

/// Cases for each operation and rounding mode.
#if DEBUG
  let cases = 4_000
#else
  let cases = 200_000
#endif

/// Runs `body` until it has described three disagreements, and returns them.
func disagreements(_ body: () -> String?) -> [String] {
  var found: [String] = []
  for _ in 0..<cases where found.count < 3 {
    if let disagreement = body() { found.append(disagreement) }
  }
  return found
}

func hex<Raw: FixedWidthInteger>(_ values: Raw...) -> String {
  values.map { "0x" + String($0, radix: 16) }.joined(separator: ", ")
}
