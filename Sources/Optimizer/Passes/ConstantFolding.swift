// Owns constant folding: ops on constants, and exits on constant conditions.

import IR

/// Ops on constants become constants; algebraic identities, comparisons and selects are simplified (in
/// `Identities.swift`); an exit on a constant condition becomes an `exit` or goes. Constants come last among operands.
enum ConstantFolding {
  static func run(_ work: inout Work) {
    var index = 0
    while index < work.count {
      let op = work.ops[index]
      switch op.opcode {
      case .const: work.ops[index].imm = Work.canonical(UInt64(bitPattern: op.imm), op.type)
      case .compare: Comparisons.simplify(&work, index, op)
      case .select: Comparisons.simplifySelect(&work, index, op)
      case .exitIf: exitIf(&work, index, op)
      case .copy: break
      default:
        guard op.opcode.info.evaluator != nil else { break }
        if op.b.isNone { unary(&work, index, op) } else { binary(&work, index, op) }
      }
      index &+= 1
    }
  }

  private static func unary(_ work: inout Work, _ index: Int, _ op: Op) {
    guard op.type.isInteger, let a = work.constant(op.a) else { return }
    let source = work.type(op.a)
    guard source.isInteger else { return }
    if let value = evaluate(op, a, 0, sourceBits: source.bits) { work.replace(index, byConstant: value) }
  }

  private static func binary(_ work: inout Work, _ index: Int, _ operation: Op) {
    var op = operation
    let a = work.constant(op.a)
    var b = work.constant(op.b)
    if let a {
      if let b {
        if let value = evaluate(op, a, b, sourceBits: op.type.bits) { work.replace(index, byConstant: value) }
        return
      }
      if work.effects(op).contains(.commutes) {
        (op.a, op.b) = (op.b, op.a)
        b = a
        work.ops[index] = op
      } else {
        Identities.simplify(&work, index, op, constantFirst: a)
        return
      }
    }
    if let b {
      Identities.simplify(&work, index, op, constantSecond: b)
    } else if op.a == op.b {
      Identities.simplifySame(&work, index, op)
    }
  }

  private static func exitIf(_ work: inout Work, _ index: Int, _ op: Op) {
    guard let condition = work.constant(op.a) else { return }
    if condition == 0 {
      work.remove(index)
    } else {
      work.replace(index, with: Op(.exit, aux: op.aux, extra: op.extra, imm: op.imm))
      work.removeUnreachable(after: index)
    }
  }

  /// The result of `op` on constants, as the interpreter would compute it; nil for ops that are not functions of `a` and
  /// `b` alone.
  static func evaluate(_ op: Op, _ a: UInt64, _ b: UInt64, sourceBits: Int) -> UInt64? {
    if op.opcode == .compare { return op.condition.holds(a, b, bits: op.type.bits) ? 1 : 0 }
    return op.opcode.info.evaluator?(a, b, op.type.bits, sourceBits)
  }
}
