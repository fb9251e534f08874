// Owns the forms that most integer instructions have: ops that take registers and give one. Packed code has them as they are,
// without a value for each operand; other code is built of the ops they stand for. Registers are of no more than 64 bits.

extension Builder {
  /// In the place of a register's number: an operand that is always 0.
  @inlinable public static var zero: Int { -1 }

  /// Register `d` = register `s` `opcode` register `t`, all of one type: what most integer instructions do.
  @inlinable public mutating func setRegister(_ d: Int, _ opcode: Opcode, _ s: Int, _ t: Int, _ type: Type) {
    if pack(opcode, type, s, t, to: d) { return }
    setRegister(d, binary(opcode, operand(s, type), operand(t, type)))
  }

  /// Register `d` = register `s` `opcode` `constant`, of one type.
  @inlinable public mutating func setRegister(
    _ d: Int, _ opcode: Opcode, _ s: Int, constant: Int64, _ type: Type
  ) {
    if pack(opcode, type, s, constant: constant, to: d) { return }
    setRegister(d, binary(opcode, operand(s, type), const(type, constant)))
  }

  /// Register `d` of 64 bits = the low halves of registers `s` and `t` by `opcode`, sign-extended.
  @inlinable public mutating func setRegister(_ d: Int, widened opcode: Opcode, _ s: Int, _ t: Int) {
    if opcode.mayWiden, pack(opcode, .i32, aux: PackedOp.widening, s, t, to: d) { return }
    let (a, b) = (unary(.truncate, operand(s, .i64), to: .i32), unary(.truncate, operand(t, .i64), to: .i32))
    setRegister(d, unary(.signExtend, binary(opcode, a, b), to: .i64))
  }

  /// The same with a constant.
  @inlinable public mutating func setRegister(_ d: Int, widened opcode: Opcode, _ s: Int, constant: Int64) {
    if opcode.mayWiden, pack(opcode, .i32, aux: PackedOp.widening, s, constant: constant, to: d) { return }
    let a = unary(.truncate, operand(s, .i64), to: .i32)
    setRegister(d, unary(.signExtend, binary(opcode, a, const(.i32, constant)), to: .i64))
  }

  /// Register `d` = `constant`.
  @inlinable public mutating func setRegister(_ d: Int, constant: Int64, _ type: Type) {
    if pack(constant, type, to: d) { return }
    setRegister(d, const(type, constant))
  }

  /// Register `d` = what is `offset` bytes behind the address in register `s`; both have `type`.
  @inlinable public mutating func load(
    _ d: Int, _ type: Type, _ access: MemoryAccess, at s: Int, offset: Int64
  ) {
    if packLoad(d, type, access, at: s, offset: offset) { return }
    setRegister(d, load(type, access, at: operand(s, type), offset: offset))
  }

  /// Stores register `t` `offset` bytes behind the address in register `s`; both have `type`.
  @inlinable public mutating func store(
    _ t: Int, _ type: Type, _ access: MemoryAccess, at s: Int, offset: Int64
  ) {
    if packStore(t, type, access, at: s, offset: offset) { return }
    store(operand(t, type), access, at: operand(s, type), offset: offset)
  }

  /// An exit where the `condition` between registers `s` and `t` of `type` holds.
  public mutating func exitIf(
    _ s: Int, _ condition: Condition, _ t: Int, _ type: Type, to pc: UInt64, _ flags: ExitFlags
  ) {
    if packExit(s, condition, t, type, to: pc, flags) { return noteTarget(pc, flags) }
    exitIf(compare(condition, operand(s, type), operand(t, type)), to: pc, flags)
  }

  @inlinable mutating func operand(_ register: Int, _ type: Type) -> ValueID {
    register < 0 ? const(type, 0) : getRegister(register, type)
  }
}
