// Owns the simplification of comparisons and selects, for constant folding.

import IR

enum Comparisons {
  static func simplify(_ work: inout Work, _ index: Int, _ comparison: Op) {
    var op = comparison
    if op.a == op.b {
      work.replace(index, byConstant: op.condition.holds(0, 0, bits: op.type.bits) ? 1 : 0)
      return
    }
    let a = work.constant(op.a)
    var b = work.constant(op.b)
    if let a {
      if let b {
        work.replace(index, byConstant: op.condition.holds(a, b, bits: op.type.bits) ? 1 : 0)
        return
      }
      (op.a, op.b) = (op.b, op.a)
      op.aux = op.condition.swapped.rawValue
      b = a
      work.ops[index] = op
    }
    if let b { simplify(&work, index, op, with: b) }
  }

  private static func simplify(_ work: inout Work, _ index: Int, _ op: Op, with constant: UInt64) {
    if let outcome = certain(op.condition, constant, op.type.bits) {
      work.replace(index, byConstant: outcome ? 1 : 0)
    } else if constant == 0, op.condition == .notEqual || op.condition == .equal {
      compareTruth(&work, index, op)
    }
  }

  /// The outcome of comparing anything with `constant`, where the constant is an end of the range.
  private static func certain(_ condition: Condition, _ constant: UInt64, _ bits: Int) -> Bool? {
    let ones = Arithmetic.mask(bits)
    let (minimum, maximum) = (ones ^ ones >> 1, ones >> 1)
    switch condition {
    case .equal, .notEqual: return nil
    case .lessUnsigned: return constant == 0 ? false : nil
    case .greaterEqualUnsigned: return constant == 0 ? true : nil
    case .greaterUnsigned: return constant == ones ? false : nil
    case .lessEqualUnsigned: return constant == ones ? true : nil
    case .lessSigned: return constant == minimum ? false : nil
    case .greaterEqualSigned: return constant == minimum ? true : nil
    case .greaterSigned: return constant == maximum ? false : nil
    case .lessEqualSigned: return constant == maximum ? true : nil
    }
  }

  /// `x != 0` and `x == 0` where `x` is a truth value, perhaps widened: the truth value, or the opposite comparison.
  private static func compareTruth(_ work: inout Work, _ index: Int, _ op: Op) {
    var truth = op.a
    let widened = work.definition(truth)
    if widened.opcode == .zeroExtend || widened.opcode == .signExtend { truth = widened.a }
    guard work.type(truth) == .i1 else { return }
    if op.condition == .notEqual {
      work.replace(index, by: truth)
    } else {
      let inner = work.definition(truth)
      guard inner.opcode == .compare else { return }
      work.replace(
        index,
        with: Op(
          .compare, inner.type, result: op.result, a: inner.a, b: inner.b, aux: inner.condition.negated.rawValue))
    }
  }

  static func simplifySelect(_ work: inout Work, _ index: Int, _ op: Op) {
    if op.b == op.c {
      work.replace(index, by: op.b)
    } else if let condition = work.constant(op.a) {
      work.replace(index, by: condition != 0 ? op.b : op.c)
    } else if op.type.isInteger, work.constant(op.b) == 1, work.constant(op.c) == 0 {
      work.replace(index, with: Op(op.type == .i1 ? .copy : .zeroExtend, op.type, result: op.result, a: op.a))
    }
  }
}
