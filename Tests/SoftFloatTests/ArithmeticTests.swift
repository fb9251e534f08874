// Arithmetic and conversions against the oracle, in both formats and all rounding modes.

import CHost
import SoftFloat
import TestSupport
import Testing

/// The operation's result, given three operands, in a status.
typealias Operation<Raw> = (Raw, Raw, Raw, inout FloatStatus) -> Raw

@Suite struct ArithmeticTests {
  @Test(arguments: RoundingMode.allCases) func add(_ mode: RoundingMode) {
    check(CHOST_ADD, mode, { Float32Bits.add($0, $1, &$3) }, { Float32Bits.fastAdd($0, $1, &$3) })
    check64(CHOST_ADD, mode, { Float64Bits.add($0, $1, &$3) }, { Float64Bits.fastAdd($0, $1, &$3) })
  }

  @Test(arguments: RoundingMode.allCases) func subtract(_ mode: RoundingMode) {
    check(CHOST_SUBTRACT, mode, { Float32Bits.subtract($0, $1, &$3) }, { Float32Bits.fastSubtract($0, $1, &$3) })
    check64(CHOST_SUBTRACT, mode, { Float64Bits.subtract($0, $1, &$3) }, { Float64Bits.fastSubtract($0, $1, &$3) })
  }

  @Test(arguments: RoundingMode.allCases) func multiply(_ mode: RoundingMode) {
    check(CHOST_MULTIPLY, mode, { Float32Bits.multiply($0, $1, &$3) }, { Float32Bits.fastMultiply($0, $1, &$3) })
    check64(CHOST_MULTIPLY, mode, { Float64Bits.multiply($0, $1, &$3) }, { Float64Bits.fastMultiply($0, $1, &$3) })
  }

  @Test(arguments: RoundingMode.allCases) func divide(_ mode: RoundingMode) {
    check(CHOST_DIVIDE, mode, { Float32Bits.divide($0, $1, &$3) }, { Float32Bits.fastDivide($0, $1, &$3) })
    check64(CHOST_DIVIDE, mode, { Float64Bits.divide($0, $1, &$3) }, { Float64Bits.fastDivide($0, $1, &$3) })
  }

  @Test(arguments: RoundingMode.allCases) func squareRoot(_ mode: RoundingMode) {
    check(CHOST_SQUARE_ROOT, mode, { Float32Bits.squareRoot($0, &$3) }, { Float32Bits.fastSquareRoot($0, &$3) })
    check64(CHOST_SQUARE_ROOT, mode, { Float64Bits.squareRoot($0, &$3) }, { Float64Bits.fastSquareRoot($0, &$3) })
  }

  @Test(arguments: RoundingMode.allCases) func fusedMultiplyAdd(_ mode: RoundingMode) {
    check(
      CHOST_FUSED_MULTIPLY_ADD, mode, { Float32Bits.fusedMultiplyAdd($0, $1, $2, &$3) },
      { Float32Bits.fastFusedMultiplyAdd($0, $1, $2, &$3) })
    check64(
      CHOST_FUSED_MULTIPLY_ADD, mode, { Float64Bits.fusedMultiplyAdd($0, $1, $2, &$3) },
      { Float64Bits.fastFusedMultiplyAdd($0, $1, $2, &$3) })
  }

  /// Radicands whose upper half is one less than a square, where the root's lower digits come out too large at first.
  @Test(arguments: RoundingMode.allCases) func squareRootsBelowSquares(_ mode: RoundingMode) {
    var random = SplitMix(seed: 4)
    let oracle = Oracle<Float64Bits>(operation: CHOST_SQUARE_ROOT)
    let found = disagreements {
      let k = Double(3_000_000 + random.next() % 2_900_000)
      let signed = random.next() & 1 == 0 ? k : -k
      let square = k > 4_194_304 ? 256 * k * k + signed : 2 * (512 * k * k + signed)
      let a = square.bitPattern &+ random.next() % 3 &- 1
      var status = FloatStatus(rounding: mode)
      let actual = Outcome(bits: Float64Bits.squareRoot(a, &status), flags: status.flags)
      let expected = oracle.expected(mode, a, 0, 0)
      return actual == expected ? nil : "\(hex(a)): expected \(expected), got \(actual)"
    }
    #expect(found == [], "\(mode)")
  }

  private func check(
    _ operation: chost_float_operation, _ mode: RoundingMode, _ exact: Operation<UInt32>, _ fast: Operation<UInt32>
  ) { compare(Float32Bits.self, operation, mode, exact, fast) }

  private func check64(
    _ operation: chost_float_operation, _ mode: RoundingMode, _ exact: Operation<UInt64>, _ fast: Operation<UInt64>
  ) { compare(Float64Bits.self, operation, mode, exact, fast) }

  private func compare<F: OracleFormat>(
    _ format: F.Type, _ operation: chost_float_operation, _ mode: RoundingMode, _ exact: Operation<F.Raw>,
    _ fast: Operation<F.Raw>
  ) {
    var operands = Operands<F>(seed: UInt64(operation.rawValue) << 8 | UInt64(mode.rawValue))
    let oracle = Oracle<F>(operation: operation)
    let found = disagreements {
      let a = operands.next()
      let b = operands.next(near: a)
      let c = operands.random.next() % 3 == 0 ? operands.next(near: a) : operands.nearProduct(a, b)
      let expected = oracle.expected(mode, UInt64(a), UInt64(b), UInt64(c))
      var status = FloatStatus(rounding: mode, tininess: hostTininess)
      let actual = Outcome(bits: exact(a, b, c, &status), flags: status.flags)
      var sticky = FloatStatus(rounding: mode, flags: .inexact, tininess: hostTininess)
      let quick = Outcome(bits: fast(a, b, c, &sticky), flags: sticky.flags)
      let quickExpected = Outcome(bits: expected.bits, flags: expected.flags.union(.inexact))
      if actual == expected && quick == quickExpected { return nil }
      return "\(hex(a, b, c)): expected \(expected), got \(actual), on the fast path \(quick)"
    }
    #expect(found == [], "\(format) \(mode)")
  }
}

extension Operands {
  /// An addend of about the size of `a * b`, or about a precision away from it.
  mutating func nearProduct(_ a: F.Raw, _ b: F.Raw) -> F.Raw {
    let fields = [a, b].map { Int(($0 & ~F.signBit) >> F.fractionWidth) }
    let bias = (1 << (F.Raw.bitWidth - 2 - F.fractionWidth)) - 1
    let offset = [0, -F.fractionWidth, F.fractionWidth, -2 * F.fractionWidth].randomElement(using: &random)!
    let field = fields[0] + fields[1] - bias + offset + Int(random.next() % 4) - 1
    let sign = random.next() & 1 == 0 ? 0 : F.signBit
    return F.Raw(min(max(field, 0), 2 * bias)) << F.fractionWidth | fraction() | sign
  }
}
