// Owns the integer ops that no family covers and few instructions need: kept out of the interpreter's loop, which stays small
// enough to live in registers.

import IR

extension PackedOp {
  /// The result of an op that only computes, from its operands.
  @inline(never)
  func compute(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let bits = type.bits
    return switch opcode {
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
    default: preconditionFailure("\(opcode) is not such an op")
    }
  }
}
