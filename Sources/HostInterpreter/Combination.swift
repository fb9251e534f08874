// Owns sums and bitwise operations as one computation, so that the interpreter need not tell them apart.

import IR

/// What makes one of the commonest ops of a sum and three conjunctions, all of which are reckoned. In code that runs a few
/// times no predictor knows which op is next, and a misprediction costs more than the whole of this.
struct Combination: BitwiseCopyable {
  /// All ones for a difference.
  private var flip: UInt64 = 0
  /// Masks of what counts: the sum or difference, and where both operands have ones, only the left, only the right.
  private var sum: UInt64 = 0
  private var both: UInt64 = 0
  private var left: UInt64 = 0
  private var right: UInt64 = 0

  /// The combinations of the ops that are one, by opcode.
  static func table() -> RawTable<Combination> {
    let table = RawTable<Combination>(capacity: Int(Opcode.andNot.rawValue) + 1)
    table.fill(Combination())
    table[Int(Opcode.add.rawValue)].sum = .max
    table[Int(Opcode.sub.rawValue)] = Combination(flip: .max, sum: .max)
    table[Int(Opcode.and.rawValue)].both = .max
    table[Int(Opcode.or.rawValue)] = Combination(both: .max, left: .max, right: .max)
    table[Int(Opcode.xor.rawValue)] = Combination(left: .max, right: .max)
    table[Int(Opcode.andNot.rawValue)].left = .max
    return table
  }

  /// The op's result, not yet cut to the width of its type.
  @inline(__always)
  func apply(_ a: UInt64, _ b: UInt64) -> UInt64 {
    (a &+ (b ^ flip) &- flip) & sum | a & b & both | a & ~b & left | b & ~a & right
  }
}
