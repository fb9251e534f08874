// Owns the removal of ops whose results nothing uses.

import IR

/// Backwards: an op goes if it does nothing but compute a result that no later op uses.
enum DeadCodeElimination {
  static func run(_ work: inout Work) {
    let isUsed = work.scratch.values
    for value in 0..<work.types.capacity { isUsed[value] = 0 }
    var index = work.count
    while index > 0 {
      index &-= 1
      let op = work.ops[index]
      if !op.result.isNone, isUsed[Int(op.result.index)] == 0, work.effects(op).isDisjoint(with: .observable) {
        work.remove(index)
      } else {
        isUsed[Int(op.a.index)] = 1
        isUsed[Int(op.b.index)] = 1
        isUsed[Int(op.c.index)] = 1
      }
    }
  }
}
