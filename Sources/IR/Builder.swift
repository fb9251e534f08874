// Owns the convenient way to write IR: one method an op, types inferred, constants folded nowhere (passes do that). A
// guest register that was read or written before in the block is not read again: a third of all ops less.

import Bits

/// Appends ops to a block. Front ends hold one per translation; the memory of one serves all translations of an engine.
@safe public struct Builder: ~Copyable {
  public private(set) var pc: UInt64
  @usableFromInline var ops: RawList<Op>
  @usableFromInline var valueTypes: RawList<Type>
  /// Guest instructions begun since the block's start or the last `retire`, the current one included.
  @usableFromInline var pendingRetired: UInt32 = 0
  @usableFromInline var instructionNumber: UInt32 = 0
  /// Where side exits so far lead to, ahead in the block.
  public internal(set) var targets: TargetSet
  /// By register number, below ``knownRegisters``: the value last read or written, if it is still there.
  @usableFromInline let contents: RawTable<UInt16>

  /// Whether packed code is built instead of ops.
  @usableFromInline var packs = false
  @usableFromInline var packer = Packer()
  @usableFromInline var packing: Packing

  /// Registers with higher numbers are read anew each time.
  @usableFromInline static var knownRegisters: Int { 128 }

  /// - Parameter places: by register number, where packed code finds it; ``Place/none`` where it does not.
  public init(pc: UInt64, places: [Place] = []) {
    self.pc = pc
    packing = Packing(places)
    targets = TargetSet(from: pc)
    contents = RawTable(capacity: Self.knownRegisters)
    ops = RawList(reserving: 256)
    valueTypes = RawList(reserving: 256)
    forgetRegisters()
  }

  deinit {
    ops.deallocate()
    valueTypes.deallocate()
    contents.deallocate()
    targets.deallocate()
    packer.deallocate()
    packing.deallocate()
  }

  /// Begins another block in the memory of the one there is.
  public mutating func restart(pc: UInt64) { restart(pc: pc, packs: false) }

  mutating func restart(pc: UInt64, packs: Bool) {
    self.pc = pc
    self.packs = packs
    ops.removeAll()
    valueTypes.removeAll()
    targets.restart(from: pc)
    pendingRetired = 0
    instructionNumber = 0
    forgetRegisters()
  }

  /// What was built so far, valid until the next change.
  public var view: BlockView {
    BlockView(
      pc: pc, ops: ops.elements, opCount: ops.count, valueTypes: valueTypes.elements, valueCount: valueTypes.count)
  }

  /// A copy of what was built so far.
  public var block: Block {
    var block = Block(pc: pc)
    block.ops = (0..<ops.count).map { ops[$0] }
    block.valueTypes = (0..<valueTypes.count).map { valueTypes[$0] }
    return block
  }

  @inlinable public func type(of value: ValueID) -> Type { valueTypes[Int(value.index)] }

  @inlinable mutating func note(_ value: ValueID, in register: Int) {
    if register < Self.knownRegisters { contents[register] = value.index }
  }

  @inlinable mutating func forgetRegisters() {
    if !packs { contents.fill(0xFFFF) }
  }

  /// Marks the start of the guest instruction at `pc`.
  @inlinable @inline(__always)
  public mutating func instruction(pc: UInt64, length: Int) {
    pendingRetired &+= 1
    emit(
      Op(.instruction, aux: UInt16(truncatingIfNeeded: length), extra: instructionNumber, imm: Int64(bitPattern: pc)))
    instructionNumber &+= 1
  }

  /// Begins a part of the block that may be entered by itself, at the instruction at `pc`, which is yet to begin.
  public mutating func label(pc: UInt64) {
    emit(Op(.label, extra: isTerminated ? 0 : pendingRetired, imm: Int64(bitPattern: pc)))
    pendingRetired = 0
    forgetRegisters()
  }

  /// Brings all instructions before the current one into the retired count.
  public mutating func retireBeforeCurrent() {
    guard pendingRetired > 1 else { return }
    emit(Op(.retire, extra: pendingRetired &- 1))
    pendingRetired = 1
  }

  /// Appends an op that has a result of type `type`: the one way in for ops with one, as the other form is for ops without.
  ///
  /// - Parameter shape: how the op is packed, where its opcode is not known to the compiler.
  @inlinable @inline(__always)
  mutating func emit(_ op: Op, result type: Type, as shape: PackedShape = .own) -> ValueID {
    if packs { return pack(op, result: type, as: shape) }
    var op = op
    op.result = makeValue(type)
    ops.append(op)
    return op.result
  }

  /// Appends an op that has no result.
  @inlinable @inline(__always)
  mutating func emit(_ op: Op) {
    if packs { pack(op) } else { ops.append(op) }
  }

  @inlinable @inline(__always)
  mutating func makeValue(_ type: Type) -> ValueID {
    let value = ValueID(UInt16(truncatingIfNeeded: valueTypes.count))
    valueTypes.append(type)
    return value
  }

  @inlinable public mutating func const(_ type: Type, _ value: Int64) -> ValueID {
    emit(Op(.const, type, imm: value), result: type)
  }

  @inlinable public mutating func getRegister(_ register: Int, _ type: Type) -> ValueID {
    // Packed code reads registers where they are.
    let known = !packs && register < Self.knownRegisters ? ValueID(contents[register]) : .none
    if !known.isNone, self.type(of: known) == type { return known }
    let value = emit(Op(.getRegister, type, imm: Int64(register)), result: type)
    note(value, in: register)
    return value
  }

  @inlinable public mutating func setRegister(_ register: Int, _ value: ValueID) {
    note(value, in: register)
    emit(Op(.setRegister, type(of: value), a: value, imm: Int64(register)))
  }

  /// Any op of one operand whose result has `type` (the operand's own by default).
  @inlinable public mutating func unary(_ opcode: Opcode, _ a: ValueID, to type: Type? = nil) -> ValueID {
    let type = type ?? self.type(of: a)
    return emit(Op(opcode, type, a: a), result: type, as: .unary)
  }

  /// Any op of two operands of one type and a result of the same.
  @inlinable public mutating func binary(_ opcode: Opcode, _ a: ValueID, _ b: ValueID) -> ValueID {
    let type = type(of: a)
    return emit(Op(opcode, type, a: a, b: b), result: type, as: .binary)
  }

  @inlinable public mutating func compare(_ condition: Condition, _ a: ValueID, _ b: ValueID) -> ValueID {
    emit(Op(.compare, type(of: a), a: a, b: b, aux: condition.rawValue), result: .i1, as: .binary)
  }

  @inlinable public mutating func select(_ condition: ValueID, _ a: ValueID, _ b: ValueID) -> ValueID {
    let type = type(of: a)
    if type == .v128 { return vector(VectorOperation(.choose), condition, a, b) }
    return emit(Op(.select, type, a: condition, b: a, c: b), result: type)
  }

  /// - Parameter following: words that the same instruction loads right behind these bytes, by ops of their own, up to
  ///   ``Op/mostFollowing``. They are part of what a debugger's watchpoint is compared with before anything is loaded.
  @inlinable public mutating func load(
    _ type: Type, _ access: MemoryAccess, at base: ValueID, offset: Int64 = 0, following: Int = 0
  ) -> ValueID {
    let following = UInt32(truncatingIfNeeded: following)
    return emit(Op(.load, type, a: base, aux: access.rawValue, extra: following, imm: offset), result: type)
  }

  /// - Parameter following: words that the same instruction stores right behind these bytes: likewise.
  @inlinable public mutating func store(
    _ value: ValueID, _ access: MemoryAccess, at base: ValueID, offset: Int64 = 0, following: Int = 0
  ) {
    let following = UInt32(truncatingIfNeeded: following)
    emit(Op(.store, type(of: value), a: base, b: value, aux: access.rawValue, extra: following, imm: offset))
  }

  /// An atomic read-modify-write of `access.size` bytes; the old value comes extended to `type`.
  @inlinable public mutating func atomic(
    _ kind: AtomicKind, _ type: Type, _ access: MemoryAccess, at base: ValueID, _ operand: ValueID
  ) -> ValueID {
    emit(Op(.atomic, type, a: base, b: operand, aux: access.rawValue, extra: kind.rawValue), result: type)
  }

  @inlinable public mutating func compareExchange(
    _ type: Type, _ access: MemoryAccess, at base: ValueID, expected: ValueID, new: ValueID
  ) -> ValueID {
    emit(Op(.compareExchange, type, a: base, b: expected, c: new, aux: access.rawValue), result: type)
  }

  @inlinable public mutating func fence(_ ordering: Ordering) { emit(Op(.fence, aux: ordering.rawValue)) }

  /// Calls helper number `helper`; `type` is what is kept of its 64-bit result (`i64` if it is of no interest).
  @inlinable public mutating func call(
    _ helper: Int, _ type: Type, _ a: ValueID = .none, _ b: ValueID = .none, _ c: ValueID = .none, imm: Int64 = 0
  ) -> ValueID {
    // It may write any register.
    forgetRegisters()
    return emit(Op(.call, type, a: a, b: b, c: c, aux: UInt16(helper), imm: imm), result: type)
  }

  /// - Parameter skipped: guest instructions beyond the current one that count as retired on this way.
  public mutating func exitIf(
    _ condition: ValueID, to pc: UInt64, _ flags: ExitFlags = [], skipping skipped: UInt32 = 0
  ) {
    noteTarget(pc, flags)
    emit(
      Op(.exitIf, a: condition, aux: flags.rawValue, extra: pendingRetired &+ skipped, imm: Int64(bitPattern: pc)))
  }

  public mutating func exit(to pc: UInt64, _ flags: ExitFlags = []) {
    noteTarget(pc, flags)
    emit(Op(.exit, aux: flags.rawValue, extra: pendingRetired, imm: Int64(bitPattern: pc)))
  }

  mutating func noteTarget(_ pc: UInt64, _ flags: ExitFlags) {
    if !flags.contains(.unchainable) { targets.insert(pc) }
  }

  /// - Parameter executed: whether the current instruction counts as retired.
  public mutating func exitIndirect(_ pc: ValueID, _ flags: ExitFlags = [.checksBudget], executed: Bool = true) {
    emit(Op(.exitIndirect, type(of: pc), a: pc, aux: flags.rawValue, extra: retired(executed)))
  }

  /// - Parameter executed: whether the current instruction counts as retired.
  public mutating func exit(with reason: ExitReason, pc: UInt64, executed: Bool = true) {
    emit(
      Op(
        .exitWith, aux: UInt16(truncatingIfNeeded: reason.rawValue), extra: retired(executed),
        imm: Int64(bitPattern: pc)))
  }

  /// Raises a guest exception at the current instruction, which does not retire.
  public mutating func raise(_ cause: Int64, value: ValueID = .none) {
    emit(Op(.raise, a: value, extra: retired(false), imm: cause))
  }

  private func retired(_ executed: Bool) -> UInt32 { executed ? pendingRetired : pendingRetired &- 1 }

  /// Whether the last op ends the block, unless a label follows.
  @inlinable @inline(__always)
  public var isTerminated: Bool {
    packs ? packer.endsHere : !ops.isEmpty && ops[ops.count &- 1].opcode.endsBlock
  }
}
