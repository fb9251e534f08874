// Owns families of ops: those that are one computation with different constants, so that the interpreter need not tell them
// apart. In code that runs a few times no predictor knows which op is next, and a misprediction costs more than the whole
// of either computation.

import Bits
import IR

/// What makes the members of both families what they are, by opcode.
struct Families {
  /// Large enough for the last member.
  private static let capacity = Int(Opcode.signExtend.rawValue) + 1
  let combinations = RawTable<Combination>(capacity: capacity)
  let shifts = RawTable<ShiftMasks>(capacity: capacity)
  /// By type: its mask.
  let masks = RawTable<UInt64>(capacity: Type.allCases.count)

  init() {
    for type in Type.allCases { masks[Int(type.rawValue)] = type.mask }
    combinations.fill(Combination())
    shifts.fill(ShiftMasks())
    self[.copy] = Combination(both: .max, left: .max, right: .max)
    self[.add] = Combination(sum: .max)
    self[.sub] = Combination(flip: .max, sum: .max)
    self[.and] = Combination(both: .max)
    self[.or] = Combination(both: .max, left: .max, right: .max)
    self[.xor] = Combination(left: .max, right: .max)
    self[.andNot] = Combination(left: .max)
    self[.shiftLeft] = ShiftMasks(left: .max)
    self[.shiftRight] = ShiftMasks(right: .max)
    self[.shiftRightArithmetic] = ShiftMasks(right: .max, sign: .max)
    self[.signExtend] = ShiftMasks(left: .max, right: .max, sign: .max)
  }

  func deallocate() {
    combinations.deallocate()
    shifts.deallocate()
    masks.deallocate()
  }

  private subscript(opcode: Opcode) -> Combination {
    get { combinations[Int(opcode.rawValue)] }
    nonmutating set { combinations[Int(opcode.rawValue)] = newValue }
  }

  private subscript(opcode: Opcode) -> ShiftMasks {
    get { shifts[Int(opcode.rawValue)] }
    nonmutating set { shifts[Int(opcode.rawValue)] = newValue }
  }
}

/// A sum and three conjunctions, of which those count that have ones here.
struct Combination: BitwiseCopyable {
  /// All ones for a difference.
  var flip: UInt64 = 0
  var sum: UInt64 = 0
  /// Where both operands have ones, only the left, only the right.
  var both: UInt64 = 0
  var left: UInt64 = 0
  var right: UInt64 = 0

  /// The op's result, not yet cut to the width of its type.
  @inline(__always)
  func apply(_ a: UInt64, _ b: UInt64) -> UInt64 {
    (a &+ (b ^ flip) &- flip) & sum | a & b & both | a & ~b & left | b & ~a & right
  }
}

/// A shift to the top of 64 bits and back down again, by the distance more where there are ones here.
struct ShiftMasks: BitwiseCopyable {
  var left: UInt64 = 0
  var right: UInt64 = 0
  /// All ones for shifts that repeat the sign.
  var sign: UInt64 = 0

  /// The op's result, whose upper bits are to be cut off or are the sign's. The operand's upper bits do not matter.
  @inline(__always)
  func apply(_ a: UInt64, _ distance: UInt64, _ bits: Int) -> UInt64 {
    let unused = UInt64(truncatingIfNeeded: 64 &- bits)
    let distance = distance & UInt64(truncatingIfNeeded: bits &- 1)
    let top = a &<< (unused &+ distance & left)
    let signs = UInt64(bitPattern: Int64(bitPattern: top) &>> 63) & sign
    return (top ^ signs) &>> (unused &+ distance & right) ^ signs
  }
}
