// Seeded random operands, most of them hard: subnormals, ties, range limits, neighbours, exact powers, NaN payloads.

import SoftFloat
import TestSupport

struct Operands<F: FloatFormat> {
  var random: SplitMix

  init(seed: UInt64) { random = SplitMix(seed: seed) }

  private var exponentFields: Int { 1 << (F.Raw.bitWidth - 1 - F.fractionWidth) }
  private var bias: Int { exponentFields / 2 - 1 }
  private var fractionMask: F.Raw { (1 << F.fractionWidth) - 1 }

  private func assemble(_ negative: Bool, _ field: Int, _ fraction: F.Raw) -> F.Raw {
    let field = min(max(field, 0), exponentFields - 1)
    return F.Raw(field) << F.fractionWidth | fraction & fractionMask | (negative ? F.signBit : 0)
  }

  /// Few bits at either end: products and sums of such fractions are often exact or ties.
  mutating func fraction() -> F.Raw {
    let bits = F.Raw(truncatingIfNeeded: random.next())
    let few = bits & 7
    switch random.next() % 6 {
    case 0: return 0
    case 1: return fractionMask &- few
    case 2: return few
    case 3: return few << (F.fractionWidth - 3)
    case 4: return bits << Int(random.next() % UInt64(F.fractionWidth)) & fractionMask
    default: return bits & fractionMask
    }
  }

  mutating func next() -> F.Raw {
    let negative = random.next() & 1 == 1
    let near = Int(random.next() % 8) - 4
    switch random.next() % 16 {
    case 0: return assemble(negative, exponentFields - 1, random.next() & 1 == 0 ? 0 : fraction())
    case 1: return assemble(negative, 0, 0)
    case 2, 3: return assemble(negative, 0, fraction())
    case 4: return assemble(negative, near, fraction())
    case 5: return assemble(negative, exponentFields + near, fraction())
    case 6, 7, 8: return assemble(negative, bias + near, fraction())
    case 9: return assemble(negative, bias + F.fractionWidth + near, fraction())
    case 10: return assemble(negative, bias - F.fractionWidth + near, fraction())
    case 11: return assemble(negative, bias + [31, 32, 63, 64].randomElement(using: &random)! + near / 2, fraction())
    case 12: return assemble(negative, bias / 2 + near, fraction())
    case 13: return assemble(negative, bias / 2 * 3 + near, fraction())
    default: return F.Raw(truncatingIfNeeded: random.next())
    }
  }

  /// An operand that is often close to `other`, or about a precision away from it.
  mutating func next(near other: F.Raw) -> F.Raw {
    let field = Int((other & ~F.signBit) >> F.fractionWidth)
    let distance = Int(random.next() % 8) - 4
    let negative = random.next() & 1 == 1
    switch random.next() % 6 {
    case 0: return assemble(negative, field + distance, fraction())
    case 1: return assemble(negative, field - F.fractionWidth + distance, fraction())
    case 2: return assemble(negative, 2 * bias - field + distance, fraction())
    case 3: return (other ^ (negative ? F.signBit : 0)) &+ F.Raw(truncatingIfNeeded: distance)
    default: return next()
    }
  }
}
