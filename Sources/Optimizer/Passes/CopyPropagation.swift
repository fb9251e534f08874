// Owns copy propagation.

import IR

/// Operands that are copies become what was copied. The copies themselves are left to dead-code elimination.
enum CopyPropagation {
  static func run(_ work: inout Work) {
    guard work.present.contains(.copy) else { return }
    // From now on nothing refers to the copies there are.
    work.present.remove(.copy)
    // By value: what stands for it. Operands are defined before they are used, so no entry is read before it is set.
    let original = work.scratch.values
    original[Int(ValueID.none.index)] = ValueID.none.index
    for index in 0..<work.count {
      var op = work.ops[index]
      op.a.index = original[Int(op.a.index)]
      op.b.index = original[Int(op.b.index)]
      op.c.index = original[Int(op.c.index)]
      work.ops[index] = op
      let standsFor = op.opcode == .copy ? op.a : op.result
      if !op.result.isNone { original[Int(op.result.index)] = standsFor.index }
    }
  }
}
