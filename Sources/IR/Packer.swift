// Owns the writing of packed code: the ops of one block, one after the other, and where it may be entered.

import Bits

/// An entry into packed code at a label: at every one of code that is not fused, else at those behind a call, where returns
/// come in. All others only the block's own exits lead to.
public struct PackedLabel: BitwiseCopyable, Sendable {
  /// Index of the op to go on at.
  public var position: UInt32
  /// Bytes from the block's PC: the label's, and the end of the guest instruction before it.
  public var offset: UInt32
  public var endBefore: UInt32
  /// Guest instructions before it.
  public var instruction: UInt32
}

/// What packed code has no form for.
public enum PackedLimit: UInt8, Sendable, BitwiseCopyable {
  case none, form, register, distance, length, values

  public var description: String {
    switch self {
    case .none: ""
    case .form: "an op that was not written by a method of its own"
    case .register: "a guest register of more than 128 bits"
    case .distance: "an instruction so far from its block's start"
    case .length: "a block of so many instructions"
    case .values: "a block of so many values"
    }
  }
}

/// Writes one block after the other into the same memory. Its owner deallocates it.
@safe public struct Packer {
  public private(set) var pc: UInt64 = 0
  @usableFromInline var ops = RawList<PackedOp>(reserving: 256)
  @usableFromInline var labelList = RawList<PackedLabel>(reserving: 16)
  /// The first thing that packed code has no form for.
  @usableFromInline var limit = PackedLimit.none
  @usableFromInline var begun: UInt32 = 0
  /// Guest instructions before the last label that are yet to retire.
  @usableFromInline var carried: UInt32 = 0
  @usableFromInline var distance: UInt64 = 0
  @usableFromInline var end: UInt64 = 0
  @usableFromInline var instructions: UInt32 = 0
  /// Exits that lead ahead and may turn out to stay in the block.
  @usableFromInline var openExits = RawList<Int32>(reserving: 16)
  /// The last op, if its result may be written elsewhere instead.
  @usableFromInline var last = -1
  @usableFromInline var endsHere = false
  /// Whether the last op is a call.
  var callsHere = false
  /// Where the ops of each guest instruction begin, for listings; nil while nobody asks.
  public var starts: [Int]?
  @usableFromInline var isPaged = false
  @usableFromInline var usesTLB = true
  /// See ``restart(pc:isPaged:usesTLB:fuses:)``.
  @usableFromInline var fuses = true

  public init() {}

  public func deallocate() {
    ops.deallocate()
    labelList.deallocate()
    openExits.deallocate()
  }

  /// Begins another block.
  ///
  /// - Parameters:
  ///   - isPaged: code that an exit to another page leads to may become other code.
  ///   - usesTLB: whether loads and stores go through the softmmu TLB where they can.
  ///   - fuses: whether branches take in the comparison before them, exits to labels further on stay in the block, and calls
  ///     remember where they return to. If not, each op of the IR is executed by itself.
  public mutating func restart(pc: UInt64, isPaged: Bool, usesTLB: Bool, fuses: Bool) {
    self.pc = pc
    self.isPaged = isPaged
    self.usesTLB = usesTLB
    self.fuses = fuses
    ops.removeAll()
    labelList.removeAll()
    openExits.removeAll()
    limit = .none
    begun = 0
    carried = 0
    distance = 0
    end = 0
    instructions = 0
    last = -1
    endsHere = false
    callsHere = false
    put(PackedOp(entryOf: pc, offset: 0))
  }

  /// What was written, valid until the next change.
  public var code: PackedCode {
    PackedCode(
      pc: pc, ops: ops.elements, opCount: ops.count, labels: labelList.elements, labelCount: labelList.count,
      instructionCount: instructions, size: end, limit: limit)
  }

  public var opCount: Int { ops.count }
  public mutating func refuse(_ limit: PackedLimit) { self.limit = limit }

  @inlinable @inline(__always)
  mutating func put(_ op: PackedOp) { ops.append(op) }

  func word(_ word: UInt64) -> PackedOp {
    var op = PackedOp(.nop)
    op.word = word
    return op
  }

  // MARK: Structure

  @inlinable @inline(__always)
  public mutating func instruction(pc: UInt64, length: Int) {
    begun &+= 1
    instructions &+= 1
    distance = pc &- self.pc
    end = distance &+ UInt64(truncatingIfNeeded: length)
    endsHere = false
    if starts != nil { noteStart() }
  }

  @inline(never)
  @usableFromInline mutating func noteStart() { starts?.append(ops.count) }

  public mutating func label(pc: UInt64, retired: UInt32) {
    let offset = pc &- self.pc
    if !fuses {
      // Those who jump to a label have retired their instructions themselves, so they come in behind it.
      put(PackedOp(.label, b: count(retired)))
      put(PackedOp(entryOf: self.pc, offset: offset))
      enter(at: offset)
    } else if callsHere {
      carried = 0
      put(PackedOp(entryOf: self.pc, offset: offset))
      enter(at: offset)
    } else {
      carried &+= retired
    }
    last = -1
    endsHere = false
    callsHere = false
    begun = 0
    resolveExits(to: Int64(bitPattern: offset))
  }

  private mutating func enter(at offset: UInt64) {
    labelList.append(
      PackedLabel(
        position: UInt32(truncatingIfNeeded: ops.count), offset: UInt32(truncatingIfNeeded: offset),
        endBefore: UInt32(truncatingIfNeeded: end), instruction: instructions))
  }

  /// Lets exits so far that lead here stay in the block. What is carried here was carried there, or was skipped.
  private mutating func resolveExits(to target: Int64) {
    for number in 0..<openExits.count where ops[Int(openExits[number])].target == target {
      let index = Int(openExits[number])
      let skip = ops.count &- index
      let op = ops[index]
      let retired = Int32(truncatingIfNeeded: op.isFused ? op.fusedRetired : op.retired) &- Int32(bitPattern: carried)
      guard skip < PackedOp.chainedSkip, !op.isFused || PackedOp.canFuse(retired: retired) else { continue }
      ops[index].stay(skipping: skip)
      ops[index].retire(retired)
    }
  }

  public mutating func retire(_ retired: UInt32) {
    begun &-= retired
    put(PackedOp(.retire, b: count(retired)))
    carried = 0
    last = -1
  }

  public mutating func count(at address: UInt64) {
    var op = PackedOp(.count)
    op.word = address
    put(op)
    last = -1
  }

  // MARK: Computation

  @inlinable @inline(__always)
  public mutating func compute(
    _ opcode: Opcode, _ type: Type, aux: UInt16 = 0, _ a: Place, _ b: Place = .none, _ c: Place = .none,
    to result: Place
  ) {
    var op = PackedOp(opcode, type, aux: aux, a: a, b: b)
    op.result = result
    op.c = c
    last = ops.count
    put(op)
  }

  /// With a constant for `b`, zero-extended from its type.
  @inlinable @inline(__always)
  public mutating func compute(
    _ opcode: Opcode, _ type: Type, aux: UInt16 = 0, _ a: Place, constant: Int64, to result: Place
  ) {
    guard PackedOp.fits(constant) else {
      self.constant(type, constant, to: .scratch)
      return compute(opcode, type, aux: aux, a, .scratch, to: result)
    }
    var op = PackedOp(opcode, type, aux: aux, a: a, b: .immediate)
    op.result = result
    op.immediate = constant
    last = ops.count
    put(op)
  }

  public mutating func fence() {
    put(PackedOp(.fence))
    last = -1
  }

  public mutating func constant(_ type: Type, _ number: Int64, to result: Place) {
    let value = Int64(bitPattern: UInt64(bitPattern: number) & type.mask)
    let fits = PackedOp.fits(value)
    var op = fits ? PackedOp(.copy, type, b: .immediate) : PackedOp(.const, type)
    op.result = result
    if fits { op.immediate = value }
    last = ops.count
    put(op)
    if !fits { put(word(UInt64(bitPattern: value))) }
  }

  public mutating func signExtend(_ type: Type, _ a: Place, from bits: Int, to result: Place) {
    compute(.signExtend, type, a, constant: Int64(type.bits &- bits), to: result)
  }

  /// Copies a value of any type.
  public mutating func copy(_ type: Type, _ a: Place, to result: Place) {
    if type != .v128 { return compute(.copy, type, a, to: result) }
    compute(.vector, type, aux: VectorOperation(.or).rawValue, a, .none, to: result)
  }

  /// `getRegister` and `setRegister` of a register at an offset of the state block.
  public mutating func register(_ opcode: Opcode, _ type: Type, _ a: Place, offset: Int, to result: Place) {
    compute(opcode, type, a, to: result)
    ops[last].immediate = Int64(offset)
    if opcode == .setRegister { last = -1 }
  }

  public mutating func float(
    _ opcode: Opcode, _ type: Type, aux: UInt16, source: Type, _ a: Place, _ b: Place, _ c: Place, to result: Place
  ) {
    compute(opcode, type, aux: aux, a, b, c, to: result)
    ops[last].source = source
  }

  /// The number of instructions that retire, in the place of an operand.
  @usableFromInline mutating func count(_ retired: UInt32) -> Place {
    let retired = retired &+ carried
    if retired >= 1 << 15 { limit = .length }
    return Place(rawValue: UInt16(truncatingIfNeeded: retired))
  }
}

/// The packed code of a block where it was written, for who is to execute it. Valid until the packer changes.
@safe public struct PackedCode {
  public let pc: UInt64
  /// The first is the word before the entry at the top.
  public let ops: RawTable<PackedOp>
  public let opCount: Int
  public let labels: RawTable<PackedLabel>
  public let labelCount: Int
  public let instructionCount: UInt32
  /// Bytes of guest code.
  public let size: UInt64
  public let limit: PackedLimit
}
