// Comparisons, minimum, maximum and classes, against Swift's own floating point and the RISC-V manual's rules.

import SoftFloat
import Testing

@Suite struct CompareTests {
  @Test func comparisons() {
    comparisons(Float32Bits.self)
    comparisons(Float64Bits.self)
  }

  private func comparisons<F: OracleFormat>(_ format: F.Type) {
    var operands = Operands<F>(seed: 31)
    let found = disagreements {
      let a = operands.next()
      let b = operands.random.next() % 4 == 0 ? a ^ F.signBit : operands.next(near: a)
      let (x, y) = (F.host(a), F.host(b))
      let quiet: ExceptionFlags = x.isSignalingNaN || y.isSignalingNaN ? .invalid : []
      let signaling: ExceptionFlags = x.isNaN || y.isNaN ? .invalid : []
      func agrees(_ expected: Bool, _ flags: ExceptionFlags, _ body: (inout FloatStatus) -> Bool) -> Bool {
        var status = FloatStatus()
        return body(&status) == expected && status.flags == flags
      }
      let checks = [
        agrees(x == y, quiet) { F.equal(a, b, &$0) },
        agrees(x < y, signaling) { F.less(a, b, &$0) },
        agrees(x <= y, signaling) { F.lessOrEqual(a, b, &$0) },
        agrees(x < y, quiet) { F.less(a, b, quiet: true, &$0) },
        agrees(x <= y, quiet) { F.lessOrEqual(a, b, quiet: true, &$0) },
      ]
      return checks.allSatisfy { $0 } ? nil : "\(hex(a, b)): ==, <, <=, quiet <, quiet <= agree: \(checks)"
    }
    #expect(found == [], "\(format)")
  }

  @Test func minimumAndMaximum() {
    minimumAndMaximum(Float32Bits.self)
    minimumAndMaximum(Float64Bits.self)
  }

  private func minimumAndMaximum<F: OracleFormat>(_ format: F.Type) {
    var operands = Operands<F>(seed: 32)
    let found = disagreements {
      let a = operands.next()
      let b = operands.random.next() % 4 == 0 ? a ^ F.signBit : operands.next(near: a)
      let (x, y) = (F.host(a), F.host(b))
      let flags: ExceptionFlags = x.isSignalingNaN || y.isSignalingNaN ? .invalid : []
      let ascending = x < y || (x == y && x.sign == .minus) ? (a, b) : (b, a)
      let expected =
        x.isNaN && y.isNaN ? (F.canonicalNaN, F.canonicalNaN) : x.isNaN ? (b, b) : y.isNaN ? (a, a) : ascending
      var (low, high) = (FloatStatus(), FloatStatus())
      let actual = (F.minimum(a, b, &low), F.maximum(a, b, &high))
      return actual == expected && low.flags == flags && high.flags == flags ? nil : "\(hex(a, b)): got \(actual)"
    }
    #expect(found == [], "\(format)")
  }

  @Test func classes() {
    classes(Float32Bits.self)
    classes(Float64Bits.self)
  }

  private func classes<F: OracleFormat>(_ format: F.Type) {
    var operands = Operands<F>(seed: 33)
    let found = disagreements {
      let a = operands.next()
      let bit =
        switch F.host(a).floatingPointClass {
        case .negativeInfinity: 0
        case .negativeNormal: 1
        case .negativeSubnormal: 2
        case .negativeZero: 3
        case .positiveZero: 4
        case .positiveSubnormal: 5
        case .positiveNormal: 6
        case .positiveInfinity: 7
        case .signalingNaN: 8
        case .quietNaN: 9
        }
      return F.classify(a).rawValue == 1 << bit ? nil : "\(hex(a)): \(F.classify(a))"
    }
    #expect(found == [], "\(format)")
  }
}
