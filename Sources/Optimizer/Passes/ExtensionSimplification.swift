// Owns the simplification of widenings and truncations.

import IR

/// Chains of `sext`, `zext` and `trunc` become one op or none, and masks that mask nothing go.
enum ExtensionSimplification {
  static func run(_ work: inout Work) {
    let present = work.present
    guard
      present.contains(.signExtend) || present.contains(.zeroExtend) || present.contains(.truncate)
        || present.contains(.and)
    else { return }
    for index in 0..<work.count {
      let op = work.ops[index]
      switch op.opcode {
      case .signExtend: signExtend(&work, index, op)
      case .zeroExtend: zeroExtend(&work, index, op)
      case .truncate: truncate(&work, index, op)
      case .and:
        guard let mask = work.constant(op.b) else { continue }
        let width = unsignedWidth(&work, work.definition(op.a))
        if width < 64, Arithmetic.mask(width) & ~mask == 0 { work.replace(index, by: op.a) }
      default: break
      }
    }
  }

  private static func signExtend(_ work: inout Work, _ index: Int, _ op: Op) {
    let inner = work.definition(op.a)
    switch inner.opcode {
    case .signExtend, .zeroExtend:
      work.replace(index, with: Op(inner.opcode, op.type, result: op.result, a: inner.a))
    case .truncate:
      guard work.type(inner.a) == op.type else { return }
      if signedWidth(&work, work.definition(inner.a)) <= inner.type.bits { work.replace(index, by: inner.a) }
    default: break
    }
  }

  private static func zeroExtend(_ work: inout Work, _ index: Int, _ op: Op) {
    let inner = work.definition(op.a)
    switch inner.opcode {
    case .zeroExtend: work.replace(index, with: Op(.zeroExtend, op.type, result: op.result, a: inner.a))
    case .truncate:
      guard work.type(inner.a) == op.type else { return }
      if unsignedWidth(&work, work.definition(inner.a)) <= inner.type.bits { work.replace(index, by: inner.a) }
    default: break
    }
  }

  private static func truncate(_ work: inout Work, _ index: Int, _ op: Op) {
    let inner = work.definition(op.a)
    switch inner.opcode {
    case .signExtend, .zeroExtend:
      let source = work.type(inner.a)
      if source == op.type {
        work.replace(index, by: inner.a)
      } else {
        let opcode = source.bits > op.type.bits ? .truncate : inner.opcode
        work.replace(index, with: Op(opcode, op.type, result: op.result, a: inner.a))
      }
    case .truncate: work.replace(index, with: Op(.truncate, op.type, result: op.result, a: inner.a))
    case .and:
      guard let mask = work.constant(inner.b), op.type.mask & ~mask == 0 else { return }
      work.replace(index, with: Op(.truncate, op.type, result: op.result, a: inner.a))
    default: break
    }
  }

  /// A number of low bits (at least 1) outside which the result of `op` is surely zero.
  private static func unsignedWidth(_ work: inout Work, _ op: Op) -> Int {
    switch op.opcode {
    case .zeroExtend: return work.type(op.a).bits
    case .compare: return 1
    case .load: return op.access.signed ? op.type.bits : min(op.type.bits, 8 &* op.access.size)
    case .and:
      guard let mask = work.constant(op.b) else { return op.type.bits }
      return max(1, 64 &- mask.leadingZeroBitCount)
    case .shiftRight:
      guard let amount = work.constant(op.b) else { return op.type.bits }
      return op.type.bits &- Int(truncatingIfNeeded: amount & UInt64(op.type.bits &- 1))
    default: return op.type.bits
    }
  }

  /// A number of low bits from which the result of `op` is surely sign-extended.
  private static func signedWidth(_ work: inout Work, _ op: Op) -> Int {
    switch op.opcode {
    case .signExtend: return work.type(op.a).bits
    case .load where op.access.signed: return min(op.type.bits, 8 &* op.access.size)
    case .shiftRightArithmetic:
      guard let amount = work.constant(op.b) else { return op.type.bits }
      return op.type.bits &- Int(truncatingIfNeeded: amount & UInt64(op.type.bits &- 1))
    default: return min(op.type.bits, unsignedWidth(&work, op) &+ 1)
    }
  }
}
