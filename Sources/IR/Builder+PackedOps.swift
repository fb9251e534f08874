// Owns the packed form of each op that a builder is told to emit, and of the forms that take registers.

/// How an op with a result is packed.
@usableFromInline enum PackedShape {
  case unary, binary, float, vector
  /// As its opcode, which the compiler knows, says.
  case own
}

extension Builder {
  /// Writes an op with a result. Inlined where opcode and shape are constants, so that nothing is left to choose.
  @inlinable @inline(__always)
  mutating func pack(_ op: Op, result: Type, as shape: PackedShape) -> ValueID {
    switch (shape, op.opcode) {
    case (.unary, let opcode): packedUnary(opcode, op.a, to: result)
    case (.binary, let opcode): packedBinary(opcode, aux: op.aux, op.a, op.b, to: result)
    case (.float, let opcode): packedFloat(opcode, op.aux, op.type, to: result, op.a, op.b, op.c)
    case (.vector, _): packedVector(op.aux, to: result, op.a, op.b, op.c)
    case (.own, .const): packedConstant(op.type, op.imm)
    case (.own, .getRegister): packedRegister(Int(op.imm), op.type)
    case (.own, .select): packedSelect(op.a, op.b, op.c)
    case (.own, .load): packedLoad(op.type, op.access, at: op.a, offset: op.imm, following: op.extra)
    case (.own, .call): packedCall(Int(op.aux), op.type, op.a, op.b, op.c, op.imm)
    case (.own, let opcode):
      packedUpdate(opcode, op.type, op.access, at: op.a, op.b, op.c, kind: op.extra)
    }
  }

  /// Writes an op without a result.
  @inlinable @inline(__always)
  mutating func pack(_ op: Op) {
    let pc = UInt64(bitPattern: op.imm)
    switch op.opcode {
    case .instruction: packer.instruction(pc: pc, length: Int(op.aux))
    case .label: packer.label(pc: pc, retired: op.extra)
    case .retire: packer.retire(op.extra)
    case .setRegister: setPacked(Int(op.imm), op.a)
    case .store: packedStore(op.b, op.access, at: op.a, offset: op.imm, following: op.extra)
    case .fence: packer.fence()
    case .exit: packer.exit(.exit, to: pc, op.exitFlags, retired: op.extra)
    case .exitIf: packedExitIf(op.a, to: pc, op.exitFlags, op.extra)
    case .exitIndirect: packedExitIndirect(op.a, op.exitFlags, op.extra)
    case .exitWith: packer.exitWith(op.aux, to: pc, retired: op.extra)
    case .raise: packedRaise(op.imm, op.a, op.extra)
    default: packer.refuse(.form)
    }
  }

  @usableFromInline mutating func packedUnary(_ opcode: Opcode, _ a: ValueID, to type: Type) -> ValueID {
    if opcode == .truncate, type == .i32, let half = half(of: a) { return half }
    let place = place(of: a, half: opcode == .signExtend)
    let (value, result) = makePacked(type)
    if opcode == .signExtend {
      packer.signExtend(type, place, from: self.type(of: a).bits, to: result)
    } else if opcode.isFloat {
      packer.float(opcode, type, aux: 0, source: self.type(of: a), place, .none, .none, to: result)
    } else {
      packer.compute(opcode, type, place, to: result)
    }
    return value
  }

  /// Any op of two operands whose second one may be a constant.
  @usableFromInline mutating func packedBinary(
    _ opcode: Opcode, aux: UInt16 = 0, _ a: ValueID, _ b: ValueID, to type: Type
  ) -> ValueID {
    let operands = self.type(of: a)
    let half = opcode.ignoresHighHalf
    let left = place(of: a, half: half)
    let home = packing.homes[Int(b.index)]
    if home == .immediate, packing.constants[Int(b.index)] != 0 {
      let constant = UInt64(bitPattern: packing.constants[Int(b.index)]) & operands.mask
      let (value, result) = makePacked(type)
      packer.compute(opcode, operands, aux: aux, left, constant: Int64(bitPattern: constant), to: result)
      return value
    }
    let right = place(of: b, half: half)
    let (value, result) = makePacked(type)
    packer.compute(opcode, operands, aux: aux, left, right, to: result)
    return value
  }

  @usableFromInline mutating func packedSelect(_ condition: ValueID, _ a: ValueID, _ b: ValueID) -> ValueID {
    let (first, second, third) = (place(of: condition), place(of: a), place(of: b))
    let (value, result) = makePacked(type(of: a))
    packer.compute(.select, type(of: a), first, second, third, to: result)
    return value
  }

  @usableFromInline mutating func packedLoad(
    _ type: Type, _ access: MemoryAccess, at base: ValueID, offset: Int64, following: UInt32
  ) -> ValueID {
    let address = place(of: base)
    let (value, result) = makePacked(type)
    packer.access(
      .load, type, access, address: self.type(of: base), address, displacement: offset, kind: following, to: result)
    return value
  }

  @usableFromInline mutating func packedStore(
    _ value: ValueID, _ access: MemoryAccess, at base: ValueID, offset: Int64, following: UInt32
  ) {
    let (address, stored) = (place(of: base), place(of: value))
    packer.access(
      .store, type(of: value), access, address: type(of: base), address, displacement: offset, stored,
      kind: following)
  }

  @usableFromInline mutating func packedUpdate(
    _ opcode: Opcode, _ type: Type, _ access: MemoryAccess, at base: ValueID, _ b: ValueID, _ c: ValueID = .none,
    kind: UInt32 = 0
  ) -> ValueID {
    let (first, second, third) = (place(of: base), place(of: b), place(of: c))
    let (value, result) = makePacked(type)
    packer.access(opcode, type, access, address: self.type(of: base), first, second, third, kind: kind, to: result)
    return value
  }

  @usableFromInline mutating func packedFloat(
    _ opcode: Opcode, _ aux: UInt16, _ type: Type, to result: Type, _ a: ValueID, _ b: ValueID, _ c: ValueID
  ) -> ValueID {
    let (first, second, third) = (place(of: a), place(of: b), place(of: c))
    let (value, place) = makePacked(result)
    packer.float(opcode, type, aux: aux, source: self.type(of: a), first, second, third, to: place)
    return value
  }

  @usableFromInline mutating func packedVector(
    _ aux: UInt16, to type: Type, _ a: ValueID, _ b: ValueID, _ c: ValueID
  ) -> ValueID {
    let (first, second, third) = (place(of: a), place(of: b), place(of: c))
    let (value, result) = makePacked(type)
    packer.compute(.vector, type, aux: aux, first, second, third, to: result)
    return value
  }

  @usableFromInline mutating func packedCall(
    _ helper: Int, _ type: Type, _ a: ValueID, _ b: ValueID, _ c: ValueID, _ imm: Int64
  ) -> ValueID {
    let (first, second, third) = (place(of: a), place(of: b), place(of: c))
    let (value, result) = makePacked(type)
    packer.call(UInt16(helper), type, first, second, third, immediate: imm, to: result)
    // It may have written any register.
    packing.allWritten = packer.ops.count
    return value
  }

  @usableFromInline mutating func packedExitIf(
    _ condition: ValueID, to pc: UInt64, _ flags: ExitFlags, _ retired: UInt32
  ) {
    packer.exit(.exitIf, place(of: condition), to: pc, flags, retired: retired)
  }

  @usableFromInline mutating func packedExitIndirect(_ pc: ValueID, _ flags: ExitFlags, _ retired: UInt32) {
    packer.exitIndirect(type(of: pc), place(of: pc), flags, retired: retired)
  }

  @usableFromInline mutating func packedRaise(_ cause: Int64, _ value: ValueID, _ retired: UInt32) {
    packer.raise(cause, place(of: value), retired: retired)
  }
}

extension Opcode {
  /// Whether what stands above an operand's type in its 64 bits does not matter.
  fileprivate var ignoresHighHalf: Bool {
    switch self {
    case .add, .sub, .mul, .shiftLeft, .shiftRightArithmetic: true
    default: false
    }
  }
}

// MARK: Forms of registers

// Each returns false, and does nothing, while ops are built.
extension Builder {
  @inlinable @inline(__always)
  mutating func pack(_ opcode: Opcode, _ type: Type, aux: UInt16 = 0, _ s: Int, _ t: Int, to d: Int) -> Bool {
    guard packs else { return false }
    packer.compute(opcode, type, aux: aux, packing.operand(s), packing.operand(t), to: packing.operand(d))
    noteWrite(of: packing.operand(d))
    return true
  }

  @inlinable @inline(__always)
  mutating func pack(
    _ opcode: Opcode, _ type: Type, aux: UInt16 = 0, _ s: Int, constant: Int64, to d: Int
  ) -> Bool {
    guard packs else { return false }
    let constant = Int64(bitPattern: UInt64(bitPattern: constant) & type.mask)
    packer.compute(opcode, type, aux: aux, packing.operand(s), constant: constant, to: packing.operand(d))
    noteWrite(of: packing.operand(d))
    return true
  }

  @inlinable @inline(__always)
  mutating func pack(_ constant: Int64, _ type: Type, to d: Int) -> Bool {
    guard packs else { return false }
    packer.constant(type, constant, to: packing.operand(d))
    noteWrite(of: packing.operand(d))
    return true
  }

  @inlinable @inline(__always)
  mutating func packLoad(_ d: Int, _ type: Type, _ access: MemoryAccess, at s: Int, offset: Int64) -> Bool {
    guard packs else { return false }
    packer.access(
      .load, type, access, address: type, packing.operand(s), displacement: offset, to: packing.operand(d))
    noteWrite(of: packing.operand(d))
    return true
  }

  @inlinable @inline(__always)
  mutating func packStore(_ t: Int, _ type: Type, _ access: MemoryAccess, at s: Int, offset: Int64) -> Bool {
    guard packs else { return false }
    packer.access(
      .store, type, access, address: type, packing.operand(s), displacement: offset, packing.operand(t))
    return true
  }

  mutating func packExit(
    _ s: Int, _ condition: Condition, _ t: Int, _ type: Type, to pc: UInt64, _ flags: ExitFlags
  ) -> Bool {
    guard packs else { return false }
    return packer.exitIf(
      packing.operand(s), condition, packing.operand(t), type, to: pc, flags, retired: pendingRetired)
  }
}
