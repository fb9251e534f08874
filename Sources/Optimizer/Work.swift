// Owns a block under optimisation, as the passes see it: flat tables, no allocation.

import Bits
import IR

/// Tables that live as long as the optimiser.
struct Scratch {
  /// By value: the index of the op that defines it. The last slot stands for "none".
  let definitions: RawTable<UInt32>
  /// By value, for each pass to use as it likes.
  let values: RawTable<UInt16>
  /// By register: generation in the high half, what the pass knows in the low half.
  let registers: RawTable<UInt32>
  /// One element: the generation in which entries of `registers` count.
  let generation: RawTable<UInt32>
  /// `Effects` by opcode and by helper.
  let opcodeEffects: RawTable<Effects>
  let helperEffects: RawTable<Effects>

  init(helpers: [Effects]) {
    let valueCount = Int(UInt16.max) + 1
    definitions = RawTable(capacity: valueCount)
    values = RawTable(capacity: valueCount)
    registers = RawTable(capacity: 4096)
    registers.fill(0)
    generation = RawTable(capacity: 1)
    generation.fill(0)
    opcodeEffects = Opcode.makeEffectsTable()
    helperEffects = RawTable(capacity: valueCount)
    let everything: Effects = [
      .readsRegisters, .writesRegisters, .readsMemory, .writesMemory, .mayRaise, .readsClock,
    ]
    helperEffects.fill(everything)
    for (number, effects) in helpers.enumerated() { helperEffects[number] = effects }
  }

  func deallocate() {
    definitions.deallocate()
    values.deallocate()
    registers.deallocate()
    generation.deallocate()
    opcodeEffects.deallocate()
    helperEffects.deallocate()
  }
}

/// One block. Passes change ops in place and never move them: a removed op becomes a `nop`.
struct Work {
  let ops: RawTable<Op>
  let types: RawTable<Type>
  let scratch: Scratch
  /// Ops that count; fewer than at first once an exit turned out to be always taken, with no label behind it.
  var count: Int
  /// The opcodes that a pass may find work in, so that one without any can be left out.
  var present = OpcodeSet()

  init(ops: RawTable<Op>, types: RawTable<Type>, scratch: Scratch) {
    self.ops = ops
    self.types = types
    self.scratch = scratch
    count = ops.capacity
    for index in 0..<count {
      scratch.definitions[Int(ops[index].result.index)] = UInt32(truncatingIfNeeded: index)
      present.insert(ops[index].opcode)
    }
  }

  /// The op that defines `value`, which is not `none`.
  @inline(__always)
  func definition(_ value: ValueID) -> Op { ops[Int(scratch.definitions[Int(value.index)])] }

  @inline(__always)
  func type(_ value: ValueID) -> Type { types[Int(value.index)] }

  /// The constant that `value` is, zero-extended.
  @inline(__always)
  func constant(_ value: ValueID) -> UInt64? {
    let op = definition(value)
    return op.opcode == .const ? UInt64(bitPattern: op.imm) & op.type.mask : nil
  }

  @inline(__always)
  func effects(_ op: Op) -> Effects {
    op.opcode == .call ? scratch.helperEffects[Int(op.aux)] : scratch.opcodeEffects[Int(op.opcode.rawValue)]
  }

  func remove(_ index: Int) { ops[index] = Op(.nop) }

  /// Removes what no way leads to any more since the op at `index` ends the block: all up to the next label.
  mutating func removeUnreachable(after index: Int) {
    for next in index &+ 1..<count {
      if ops[next].opcode == .label {
        ops[next].extra = 0
        return
      }
      remove(next)
    }
    count = index &+ 1
  }

  /// Makes the op at `index` a copy of `source`, which has the type of its result.
  mutating func replace(_ index: Int, by source: ValueID) {
    let result = ops[index].result
    replace(index, with: Op(.copy, type(result), result: result, a: source))
  }

  /// Makes the op at `index` a constant.
  mutating func replace(_ index: Int, byConstant value: UInt64) {
    let result = ops[index].result
    let type = type(result)
    replace(index, with: Op(.const, type, result: result, imm: Self.canonical(value, type)))
  }

  /// Puts another op at `index`. Passes that change an op's opcode do it by this.
  @inline(__always)
  mutating func replace(_ index: Int, with op: Op) {
    ops[index] = op
    present.insert(op.opcode)
  }

  /// A constant's immediate: sign-extended, a truth value as 0 or 1.
  static func canonical(_ value: UInt64, _ type: Type) -> Int64 {
    type == .i1 ? Int64(value & 1) : Arithmetic.signed(value, type.bits)
  }

  /// Forgets all that is known of registers.
  func forgetRegisters() {
    let next = scratch.generation[0] &+ 1
    if next >> 16 != 0 { scratch.registers.fill(0) }
    scratch.generation[0] = next >> 16 != 0 ? 1 : next
  }

  /// What was noted of register `number`, unless it has been forgotten.
  @inline(__always)
  func noted(_ number: Int64) -> UInt16? {
    let index = Int(truncatingIfNeeded: number)
    guard index < scratch.registers.capacity else { return nil }
    let entry = scratch.registers[index]
    return entry >> 16 == scratch.generation[0] ? UInt16(truncatingIfNeeded: entry) : nil
  }

  @inline(__always)
  func note(_ number: Int64, _ what: UInt16) {
    let index = Int(truncatingIfNeeded: number)
    guard index < scratch.registers.capacity else { return }
    scratch.registers[index] = scratch.generation[0] << 16 | UInt32(what)
  }

  /// Forgets what was noted of one register.
  @inline(__always)
  func forget(_ number: Int64) {
    let index = Int(truncatingIfNeeded: number)
    guard index < scratch.registers.capacity else { return }
    scratch.registers[index] = 0
  }

  /// Closes the gaps that removed ops left.
  mutating func compact() {
    var kept = 0
    for index in 0..<count where ops[index].opcode != .nop {
      ops[kept] = ops[index]
      kept &+= 1
    }
    count = kept
  }
}

/// A set of opcodes.
struct OpcodeSet {
  private var bits: UInt128 = 0

  @inline(__always)
  mutating func insert(_ opcode: Opcode) { bits |= 1 &<< UInt128(opcode.rawValue) }

  @inline(__always)
  mutating func remove(_ opcode: Opcode) { bits &= ~(1 &<< UInt128(opcode.rawValue)) }

  @inline(__always)
  func contains(_ opcode: Opcode) -> Bool { bits & 1 &<< UInt128(opcode.rawValue) != 0 }
}
