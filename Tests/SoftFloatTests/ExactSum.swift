// Signs of sums of products of numbers, computed exactly: decides ties without rounding anything.

import SoftFloat

/// `(-1)^negative * significand * 2^exponent`.
struct Exact {
  var negative: Bool
  var significand: UInt64
  var exponent: Int

  static let one = Exact(negative: false, significand: 1, exponent: 0)

  /// The value of a finite number; an infinity stands for the power of two that the format lacks.
  init<F: FloatFormat>(_ raw: F.Raw, _: F.Type) {
    let exponentWidth = F.Raw.bitWidth - 1 - F.fractionWidth
    let field = Int(truncatingIfNeeded: (raw & ~F.signBit) >> F.fractionWidth)
    let fraction = UInt64(raw) & ((1 << F.fractionWidth) - 1)
    negative = raw & F.signBit != 0
    significand = field == 0 ? fraction : fraction | 1 << F.fractionWidth
    exponent = max(field, 1) - ((1 << (exponentWidth - 1)) - 1) - F.fractionWidth
  }

  init(negative: Bool, significand: UInt64, exponent: Int) {
    self.negative = negative
    self.significand = significand
    self.exponent = exponent
  }

  init(_ value: Int64) { self.init(negative: value < 0, significand: value.magnitude, exponent: 0) }

  var negated: Exact { Exact(negative: !negative, significand: significand, exponent: exponent) }

  func times(powerOfTwo power: Int) -> Exact {
    Exact(negative: negative, significand: significand, exponent: exponent + power)
  }
}

/// A fixed-point accumulator wide enough for every product of two binary64 numbers, in two's complement.
struct ExactSum {
  private var limbs = [UInt64](repeating: 0, count: 72)
  private let lowest = -2160

  mutating func add(_ a: Exact, _ b: Exact) {
    let product = a.significand.multipliedFullWidth(by: b.significand)
    let position = a.exponent + b.exponent - lowest
    let shift = UInt64(position % 64)
    let words = [
      product.low << shift, product.high << shift | product.low >> (64 - shift), product.high >> (64 - shift),
    ]
    var carry = false
    for index in position / 64..<limbs.count {
      let word = index - position / 64 < 3 ? words[index - position / 64] : 0
      if word == 0 && !carry && index - position / 64 >= 3 { break }
      let first =
        a.negative != b.negative
        ? limbs[index].subtractingReportingOverflow(word) : limbs[index].addingReportingOverflow(word)
      let second =
        a.negative != b.negative
        ? first.partialValue.subtractingReportingOverflow(carry ? 1 : 0)
        : first.partialValue.addingReportingOverflow(carry ? 1 : 0)
      limbs[index] = second.partialValue
      carry = first.overflow || second.overflow
    }
  }

  /// -1, 0 or 1.
  var sign: Int {
    if limbs[limbs.count - 1] >> 63 == 1 { return -1 }
    return limbs.contains { $0 != 0 } ? 1 : 0
  }

  static func sign(_ products: [(Exact, Exact)]) -> Int {
    var sum = ExactSum()
    for (a, b) in products { sum.add(a, b) }
    return sum.sign
  }
}
