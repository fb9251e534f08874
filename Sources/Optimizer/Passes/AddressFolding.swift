// Owns the folding of constant additions into the displacement of loads and stores.

import Bits
import IR

/// `[add(x, 8) + 16]` becomes `[x + 24]`, if the sum is one that guests have no other use for: an address that is also
/// written to a guest register stays, since it is at hand there while `x` may have to be kept longer. Displacements stay
/// within 32 bits, signed, which hosts can encode. A sum of 32-bit addresses wraps as they do.
enum AddressFolding {
  static func run(_ work: inout Work) {
    guard work.present.contains(.load) || work.present.contains(.store) else { return }
    guard work.present.contains(.add) || work.present.contains(.sub) else { return }
    let isWritten = work.scratch.values
    for index in 0..<work.count {
      let op = work.ops[index]
      switch op.opcode {
      case .setRegister: isWritten[Int(op.a.index)] = 1
      default: if !op.result.isNone { isWritten[Int(op.result.index)] = 0 }
      }
    }
    for index in 0..<work.count {
      let op = work.ops[index]
      guard op.opcode == .load || op.opcode == .store else { continue }
      fold(&work, index, op, isWritten)
    }
  }

  private static func fold(_ work: inout Work, _ index: Int, _ memory: Op, _ isWritten: RawTable<UInt16>) {
    var op = memory
    while isWritten[Int(op.a.index)] == 0 {
      let sum = work.definition(op.a)
      guard sum.opcode == .add || sum.opcode == .sub, let constant = work.constant(sum.b) else { break }
      let term = Int64(bitPattern: constant)
      var displacement = sum.opcode == .add ? op.imm &+ term : op.imm &- term
      if sum.type == .i32 { displacement = Int64(Int32(truncatingIfNeeded: displacement)) }
      guard Int64(Int32(truncatingIfNeeded: displacement)) == displacement else { break }
      op.a = sum.a
      op.imm = displacement
    }
    work.ops[index] = op
  }
}
