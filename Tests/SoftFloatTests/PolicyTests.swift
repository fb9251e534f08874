// Choices among architectures: NaN operands, default NaNs, tininess; and NaN boxing.

import SoftFloat
import Testing

@Suite struct PolicyTests {
  private let one: UInt32 = 0x3F80_0000
  private let quiet: UInt32 = 0x7FC0_0011
  private let signaling: UInt32 = 0xFF80_0022
  private let infinity: UInt32 = 0x7F80_0000

  @Test(arguments: [
    (NaNPolicy.canonical, 0x7FC0_0000 as UInt32, 0x7FC0_0000 as UInt32, 0x7FC0_0000 as UInt32),
    (.firstOperand, 0x7FC0_0011, 0xFFC0_0022, 0xFFC0_0000),
    (.signalingFirst, 0xFFC0_0022, 0xFFC0_0022, 0x7FC0_0000),
  ])
  func binaryOperations(_ policy: NaNPolicy, quietFirst: UInt32, signalingFirst: UInt32, invalid: UInt32) {
    var status = FloatStatus(nanPolicy: policy)
    #expect(Float32Bits.add(quiet, one, &status) == (policy == .canonical ? 0x7FC0_0000 : quiet))
    #expect(Float32Bits.divide(one, quiet, &status) == (policy == .canonical ? 0x7FC0_0000 : quiet))
    #expect(status.flags == [])
    #expect(Float32Bits.subtract(quiet, signaling, &status) == quietFirst)
    #expect(status.flags == .invalid)
    #expect(Float32Bits.multiply(signaling, quiet, &status) == signalingFirst)
    status.flags = []
    #expect(Float32Bits.subtract(infinity, infinity, &status) == invalid)
    #expect(status.flags == .invalid)
  }

  @Test func fusedMultiplyAdd() {
    fusedMultiplyAdd(.canonical, both: 0x7FC0_0000, infiniteTimesZero: 0x7FC0_0000, .invalid)
    fusedMultiplyAdd(.firstOperand, both: 0x7FC0_0011, infiniteTimesZero: 0x7FC0_0011, [])
    fusedMultiplyAdd(.signalingFirst, both: 0x7FC0_0033, infiniteTimesZero: 0x7FC0_0000, .invalid)
  }

  private func fusedMultiplyAdd(
    _ policy: NaNPolicy, both: UInt32, infiniteTimesZero: UInt32, _ flags: ExceptionFlags
  ) {
    var status = FloatStatus(nanPolicy: policy)
    #expect(Float32Bits.fusedMultiplyAdd(quiet, one, 0x7FC0_0033, &status) == both)
    #expect(status.flags == [])
    #expect(Float32Bits.fusedMultiplyAdd(infinity, 0, quiet, &status) == infiniteTimesZero)
    #expect(status.flags == flags)
  }

  @Test func conversionKeepsThePayload() {
    var status = FloatStatus(nanPolicy: .signalingFirst)
    #expect(Float64Bits.fromFloat32(signaling, &status) == 0xFFF8_0004_4000_0000)
    #expect(status.flags == .invalid)
    #expect(Float32Bits.fromFloat64(0xFFF8_0004_4FFF_FFFF, &status) == 0xFFC0_0022)
  }

  /// 2^-1022 - 2^-1075 has 53 significant bits: no rounding at full precision, hence tiny by either rule.
  @Test(arguments: [Tininess.afterRounding, .beforeRounding]) func tinyByEitherRule(_ tininess: Tininess) {
    var status = FloatStatus(tininess: tininess)
    #expect(Float64Bits.multiply(0x0010_0000_0000_0000, 0x3FEF_FFFF_FFFF_FFFF, &status) == 0x0010_0000_0000_0000)
    #expect(status.flags == [.inexact, .underflow])
  }

  /// 2^-126 - 2^-151 has 25 significant bits: full precision rounds it to 2^-126, which is not tiny.
  @Test func tininessAtTheBorder() {
    var after = FloatStatus(tininess: .afterRounding)
    #expect(Float32Bits.fromFloat64(0x380F_FFFF_F000_0000, &after) == 0x0080_0000)
    #expect(after.flags == .inexact)
    var before = FloatStatus(tininess: .beforeRounding)
    #expect(Float32Bits.fromFloat64(0x380F_FFFF_F000_0000, &before) == 0x0080_0000)
    #expect(before.flags == [.inexact, .underflow])
  }

  @Test func boxing() {
    #expect(Float32Bits.unbox(Float32Bits.box(one)) == one)
    #expect(Float32Bits.unbox(UInt64(one)) == Float32Bits.canonicalNaN)
  }
}
