// Owns the algebraic identities that constant folding applies when only one operand is a constant, or both are the same.

import IR

enum Identities {
  /// `a op constant`
  static func simplify(_ work: inout Work, _ index: Int, _ op: Op, constantSecond constant: UInt64) {
    let ones = op.type.mask
    switch op.opcode {
    case .add, .sub, .xor:
      if constant == 0 { work.replace(index, by: op.a) }
    case .or:
      if constant == 0 { work.replace(index, by: op.a) }
      if constant == ones { work.replace(index, byConstant: ones) }
    case .and:
      if constant == 0 { work.replace(index, byConstant: 0) }
      if constant == ones { work.replace(index, by: op.a) }
    case .andNot:
      if constant == 0 { work.replace(index, by: op.a) }
      if constant == ones { work.replace(index, byConstant: 0) }
    case .mul:
      if constant == 0 { work.replace(index, byConstant: 0) }
      if constant == 1 { work.replace(index, by: op.a) }
    case .mulHighSigned, .mulHighSignedUnsigned:
      if constant == 0 { work.replace(index, byConstant: 0) }
    case .mulHighUnsigned:
      if constant <= 1 { work.replace(index, byConstant: 0) }
    case .divSigned, .divUnsigned:
      if constant == 0 { work.replace(index, byConstant: 0) }
      if constant == 1 { work.replace(index, by: op.a) }
    case .remSigned, .remUnsigned:
      if constant == 0 { work.replace(index, by: op.a) }
      if constant == 1 { work.replace(index, byConstant: 0) }
    case .shiftLeft, .shiftRight, .shiftRightArithmetic, .rotateLeft, .rotateRight:
      if constant & UInt64(op.type.bits &- 1) == 0 { work.replace(index, by: op.a) }
    default: break
    }
  }

  /// `constant op b`, for ops that do not commute
  static func simplify(_ work: inout Work, _ index: Int, _ op: Op, constantFirst constant: UInt64) {
    switch op.opcode {
    case .andNot, .mulHighSignedUnsigned, .divSigned, .divUnsigned, .remSigned, .remUnsigned, .shiftLeft, .shiftRight:
      if constant == 0 { work.replace(index, byConstant: 0) }
    case .shiftRightArithmetic, .rotateLeft, .rotateRight:
      if constant == 0 || constant == op.type.mask { work.replace(index, byConstant: constant) }
    default: break
    }
  }

  /// `a op a`
  static func simplifySame(_ work: inout Work, _ index: Int, _ op: Op) {
    switch op.opcode {
    case .and, .or: work.replace(index, by: op.a)
    case .xor, .sub, .andNot, .remSigned, .remUnsigned: work.replace(index, byConstant: 0)
    default: break
    }
  }
}
