// Conversions between the formats and to and from integers.

import CHost
import SoftFloat
import TestSupport
import Testing

@Suite struct ConversionTests {
  @Test(arguments: RoundingMode.allCases) func betweenFormats(_ mode: RoundingMode) {
    between(Float32Bits.self, mode)
    between(Float64Bits.self, mode)
  }

  private func between<F: OracleFormat>(_ format: F.Type, _ mode: RoundingMode) {
    var operands = Operands<F.Other>(seed: 77)
    let oracle = Oracle<F>(operation: CHOST_CONVERT)
    let found = disagreements {
      let a = operands.nextConvertible(to: F.self)
      let expected = oracle.expected(mode, UInt64(a), 0, 0)
      var status = FloatStatus(rounding: mode, tininess: hostTininess)
      let actual = Outcome(bits: F.fromOther(a, &status), flags: status.flags)
      return actual == expected ? nil : "\(hex(a)): expected \(expected), got \(actual)"
    }
    #expect(found == [], "\(format) \(mode)")
  }

  @Test(arguments: RoundingMode.allCases) func fromIntegers(_ mode: RoundingMode) {
    fromIntegers(Float32Bits.self, mode)
    fromIntegers(Float64Bits.self, mode)
  }

  private func fromIntegers<F: OracleFormat>(_ format: F.Type, _ mode: RoundingMode) {
    var random = SplitMix(seed: 5)
    let signed = Oracle<F>(operation: CHOST_FROM_INT64)
    let unsigned = Oracle<F>(operation: CHOST_FROM_UINT64)
    let found = disagreements {
      let value = random.nextInteger()
      let long = Int64(bitPattern: value)
      let int = Int32(truncatingIfNeeded: value)
      let word = UInt32(truncatingIfNeeded: value)
      let pairs = [
        (signed.expected(mode, value, 0, 0), outcome(mode) { F.from(long, &$0) }),
        (unsigned.expected(mode, value, 0, 0), outcome(mode) { F.from(value, &$0) }),
        (signed.expected(mode, UInt64(bitPattern: Int64(int)), 0, 0), outcome(mode) { F.from(int, &$0) }),
        (unsigned.expected(mode, UInt64(word), 0, 0), outcome(mode) { F.from(word, &$0) }),
      ]
      return pairs.allSatisfy { $0.0 == $0.1 } ? nil : "\(hex(value)): \(pairs)"
    }
    #expect(found == [], "\(format) \(mode)")
  }

  @Test(arguments: RoundingMode.allCases) func toIntegers(_ mode: RoundingMode) {
    toIntegers(Float32Bits.self, mode)
    toIntegers(Float64Bits.self, mode)
  }

  private func toIntegers<F: OracleFormat>(_ format: F.Type, _ mode: RoundingMode) {
    var operands = Operands<F>(seed: 9)
    let found = disagreements {
      let a = operands.nextNearInteger()
      let checks = [
        toInteger(a, mode, F.self) == outcome(mode) { F.toInt32(a, &$0) },
        toInteger(a, mode, F.self) == outcome(mode) { F.toUInt32(a, &$0) },
        toInteger(a, mode, F.self) == outcome(mode) { F.toInt64(a, &$0) },
        toInteger(a, mode, F.self) == outcome(mode) { F.toUInt64(a, &$0) },
      ]
      return checks.allSatisfy { $0 } ? nil : "\(hex(a)): i32, u32, i64, u64 agree: \(checks)"
    }
    #expect(found == [], "\(format) \(mode)")
  }

  /// The host rounds to an integral number; whether that fits is decided here.
  private func toInteger<F: OracleFormat, Integer: FixedWidthInteger>(
    _ a: F.Raw, _ mode: RoundingMode, _: F.Type
  ) -> Outcome<Integer> {
    let integral = Oracle<F>(operation: CHOST_ROUND_TO_INTEGRAL).expected(mode, UInt64(a), 0, 0)
    let value = F.host(integral.bits)
    if value.isNaN { return Outcome(bits: .max, flags: .invalid) }
    guard let result = Integer(exactly: value) else {
      return Outcome(bits: value < 0 ? .min : .max, flags: .invalid)
    }
    return Outcome(bits: result, flags: integral.flags)
  }

  private func outcome<Raw: FixedWidthInteger & Sendable>(
    _ mode: RoundingMode, _ body: (inout FloatStatus) -> Raw
  ) -> Outcome<Raw> {
    var status = FloatStatus(rounding: mode, tininess: hostTininess)
    return Outcome(bits: body(&status), flags: status.flags)
  }
}

extension SplitMix {
  /// Any width, often a few bits away from a power of two.
  mutating func nextInteger() -> UInt64 {
    let width = next() % 64
    let value = next() % 3 == 0 ? 1 << width &+ next() % 9 &- 4 : next() >> width
    return next() & 1 == 0 ? value : 0 &- value
  }
}

extension Operands {
  /// Often halfway between two integers, or next to a limit of an integer type.
  mutating func nextNearInteger() -> F.Raw {
    if random.next() & 1 == 0 { return next() }
    let bias = (1 << (F.Raw.bitWidth - 2 - F.fractionWidth)) - 1
    let exponent = Int(random.next() % 68) - 2
    let ulps = F.Raw(truncatingIfNeeded: Int(random.next() % 5) - 2)
    let halves = F.Raw(truncatingIfNeeded: random.next()) << max(F.fractionWidth - max(exponent, 0) - 1, 0)
    let magnitude = F.Raw(bias + exponent) << F.fractionWidth | halves & ((1 << F.fractionWidth) - 1)
    return (random.next() & 1 == 0 ? magnitude : magnitude &+ ulps) | (random.next() & 1 == 0 ? 0 : F.signBit)
  }

  /// Often a tie between two numbers of `target`, or near its range limits.
  mutating func nextConvertible<Target: FloatFormat>(to target: Target.Type) -> F.Raw {
    if F.fractionWidth <= Target.fractionWidth || random.next() & 1 == 0 { return next() }
    let bias = (1 << (F.Raw.bitWidth - 2 - F.fractionWidth)) - 1
    let range = (1 << (Target.Raw.bitWidth - 2 - Target.fractionWidth)) - 1
    let near = Int(random.next() % 60)
    let exponent = [near - 30, range - near % 4, 2 - range - near].randomElement(using: &random)!
    let kept = F.Raw(truncatingIfNeeded: random.next()) << (F.fractionWidth - Int(random.next() % 27))
    let fraction = (random.next() % 4 == 0 ? kept &- 1 : kept) & ((1 << F.fractionWidth) - 1)
    return F.Raw(bias + exponent) << F.fractionWidth | fraction | (random.next() & 1 == 0 ? 0 : F.signBit)
  }
}
