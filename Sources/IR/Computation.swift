// Owns the meaning of integer ops that few instructions need, for all who compute them: interpreter and constant folding.

extension Opcode {
  /// The result of an op of `bits` bits that depends on its operands alone; nil for those that are commoner, and for ops that
  /// do more.
  public func compute(_ a: UInt64, _ b: UInt64, bits: Int) -> UInt64? {
    switch self {
    case .mul: Arithmetic.mul(a, b, bits)
    case .mulHighSigned: Arithmetic.mulHighSigned(a, b, bits)
    case .mulHighUnsigned: Arithmetic.mulHighUnsigned(a, b, bits)
    case .mulHighSignedUnsigned: Arithmetic.mulHighSignedUnsigned(a, b, bits)
    case .divSigned: Arithmetic.divSigned(a, b, bits)
    case .divUnsigned: Arithmetic.divUnsigned(a, b)
    case .remSigned: Arithmetic.remSigned(a, b, bits)
    case .remUnsigned: Arithmetic.remUnsigned(a, b)
    case .rotateLeft: Arithmetic.rotateLeft(a, b, bits)
    case .rotateRight: Arithmetic.rotateRight(a, b, bits)
    case .countLeadingZeros: Arithmetic.countLeadingZeros(a, bits)
    case .countTrailingZeros: Arithmetic.countTrailingZeros(a, bits)
    case .populationCount: UInt64(truncatingIfNeeded: a.nonzeroBitCount)
    case .byteSwap: Arithmetic.byteSwap(a, bits)
    default: nil
    }
  }
}
