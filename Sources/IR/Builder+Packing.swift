// Owns the building of packed code straight away, for blocks that are executed as they stand: constants and guest registers
// become operands and results of the ops that use them. Half of the ops are gone before they are written.
//
// A value that is a guest register, or was written to one by the op that made it, is read there until the register is
// written again. What is used later is copied out after the fact, where it was still there: that is rare.

/// What a builder of packed code knows of values and registers.
@usableFromInline struct Packing {
  /// By register number from ``Builder/zero`` on; ``Place/none`` for one that is no operand.
  @usableFromInline let places: RawTable<Place>
  // Large enough for any number a value can have; memory that is not touched costs nothing.
  /// By value: where it is. ``Place/immediate`` stands for a constant that is nowhere yet, ``isHalf`` marks the low half of
  /// a register.
  @usableFromInline let homes = RawTable<Place>(capacity: 1 << 16)
  /// By value in a register: the number of ops before it could be read there.
  @usableFromInline let births = RawTable<Int32>(capacity: 1 << 16)
  /// By constant.
  @usableFromInline let constants = RawTable<Int64>(capacity: 1 << 16)
  /// By place of a register: the number of ops up to the last that wrote it.
  @usableFromInline let writes: RawTable<Int32>
  /// The number of ops up to the last that may have written any register.
  @usableFromInline var allWritten = 0

  init(_ places: [Place]) {
    self.places = RawTable(copying: [.none] + places)
    writes = RawTable(capacity: (places.filter { $0 != .none }.map { Int($0.rawValue) }.max() ?? 0) + 1)
  }

  func deallocate() {
    places.deallocate()
    homes.deallocate()
    births.deallocate()
    constants.deallocate()
    writes.deallocate()
  }

  mutating func restart() {
    allWritten = 0
    writes.fill(0)
  }

  /// Set in the home of an `i32` that is the low half of an `i64` register, for ops that heed no more of it.
  static var isHalf: UInt16 { 0x4000 }

  @inlinable @inline(__always)
  func place(of register: Int) -> Place {
    register &+ 1 < places.capacity ? places[register &+ 1] : .none
  }

  /// The place of a register that is an operand, or of 0.
  @inlinable @inline(__always)
  func operand(_ register: Int) -> Place {
    precondition(UInt(bitPattern: register &+ 1) < UInt(bitPattern: places.capacity))
    assert(register == Builder.zero || places[register &+ 1] != .none)
    return places[register &+ 1]
  }
}

// MARK: Registers and constants

extension Builder {
  /// Begins a block of packed code. See ``Packer/restart(pc:isPaged:usesTLB:fuses:)``.
  public mutating func restartPacked(pc: UInt64, isPaged: Bool) {
    restart(pc: pc, packs: true)
    packing.restart()
    packer.restart(pc: pc, isPaged: isPaged, usesTLB: true, fuses: true)
  }

  /// Where the ops of each guest instruction begin in packed code: recorded once it is not nil.
  public var starts: [Int]? {
    get { packer.starts }
    set { packer.starts = newValue }
  }

  /// What was built since ``restartPacked(pc:isPaged:)``, valid until the next change.
  public var code: PackedCode {
    mutating get {
      if valueTypes.count > Place.valueLimit { packer.refuse(.values) }
      return packer.code
    }
  }

  @usableFromInline mutating func packedConstant(_ type: Type, _ number: Int64) -> ValueID {
    let value = makeValue(type)
    packing.constants[Int(value.index)] = number
    packing.homes[Int(value.index)] = .immediate
    return value
  }

  @usableFromInline mutating func packedRegister(_ register: Int, _ type: Type) -> ValueID {
    let place = packing.place(of: register)
    let value = makeValue(type)
    if place == .none {
      packer.refuse(.vector)
      packing.homes[Int(value.index)] = .value(value)
    } else {
      settle(value, at: place)
    }
    return value
  }

  /// Writes a register: by the op that made the value, if that is the last one.
  @usableFromInline mutating func setPacked(_ register: Int, _ value: ValueID) {
    let place = packing.place(of: register)
    guard place != .none else { return packer.refuse(.vector) }
    let home = packing.homes[Int(value.index)]
    if packer.last >= 0, packer.ops[packer.last].result == home, home == .value(value) {
      packer.ops[packer.last].result = place
      noteWrite(of: place)
      return settle(value, at: place)
    }
    if home == .immediate {
      packer.constant(type(of: value), packing.constants[Int(value.index)], to: place)
    } else {
      packer.compute(.copy, type(of: value), self.place(of: value), to: place)
    }
    packer.last = -1
    noteWrite(of: place)
  }

  @inlinable @inline(__always)
  mutating func noteWrite(of place: Place) {
    packing.writes[Int(place.rawValue)] = Int32(truncatingIfNeeded: packer.ops.count)
  }

  @inline(__always)
  private mutating func settle(_ value: ValueID, at place: Place) {
    packing.homes[Int(value.index)] = place
    packing.births[Int(value.index)] = Int32(truncatingIfNeeded: packer.ops.count)
  }

  /// Where a value can be read by the next op.
  ///
  /// - Parameter half: whether what stands above an `i32` is of no interest.
  private mutating func place(of value: ValueID, takesZero: Bool = true, half: Bool = false) -> Place {
    if value.isNone { return .none }
    let home = packing.homes[Int(value.index)]
    if home == .immediate {
      let number = packing.constants[Int(value.index)]
      if number == 0, takesZero { return .none }
      let own = Place.value(value)
      packer.constant(type(of: value), number, to: own)
      packer.last = -1
      packing.homes[Int(value.index)] = own
      return own
    }
    if home.isValue { return home }
    let register = Place(rawValue: home.rawValue & ~Packing.isHalf)
    let birth = Int(packing.births[Int(value.index)])
    let isThere = birth >= packing.allWritten && birth >= Int(packing.writes[Int(register.rawValue)])
    if isThere, half || home == register { return register }
    return isThere ? cut(value, register) : rescue(value, from: home)
  }

  /// Takes the low half of a register.
  private mutating func cut(_ value: ValueID, _ register: Place) -> Place {
    let own = Place.value(value)
    packer.compute(.truncate, type(of: value), register, to: own)
    packer.last = -1
    packing.homes[Int(value.index)] = own
    return own
  }

  /// The low half of a value that is a register, without an op; nil for others.
  private mutating func half(of a: ValueID) -> ValueID? {
    let home = packing.homes[Int(a.index)]
    guard home.rawValue < Packing.isHalf, type(of: a) == .i64 else { return nil }
    let value = makeValue(.i32)
    packing.homes[Int(value.index)] = Place(rawValue: home.rawValue | Packing.isHalf)
    packing.births[Int(value.index)] = packing.births[Int(a.index)]
    return value
  }

  /// Copies a value out of a register that was written since, where it was still there.
  @inline(never)
  private mutating func rescue(_ value: ValueID, from place: Place) -> Place {
    let own = Place.value(value)
    let birth = Int(packing.births[Int(value.index)])
    let isHalf = place.rawValue & Packing.isHalf != 0
    packer.compute(
      isHalf ? .truncate : .copy, type(of: value), Place(rawValue: place.rawValue & ~Packing.isHalf), to: own)
    packer.last = -1
    let copy = packer.ops[packer.ops.count &- 1]
    for index in stride(from: packer.ops.count &- 1, to: birth, by: -1) { packer.ops[index] = packer.ops[index &- 1] }
    packer.ops[birth] = copy
    packing.homes[Int(value.index)] = own
    for index in 0..<valueTypes.count where !packing.homes[index].isValue {
      if Int(packing.births[index]) > birth { packing.births[index] &+= 1 }
    }
    for index in 0..<packing.writes.capacity where Int(packing.writes[index]) > birth { packing.writes[index] &+= 1 }
    if packing.allWritten > birth { packing.allWritten &+= 1 }
    for number in 0..<packer.openExits.count where Int(packer.openExits[number]) >= birth {
      packer.openExits[number] &+= 1
    }
    return own
  }

  /// A fresh value, and its place.
  @inline(__always)
  private mutating func makePacked(_ type: Type) -> (ValueID, Place) {
    let value = makeValue(type)
    let place = Place.value(value)
    packing.homes[Int(value.index)] = place
    return (value, place)
  }
}

// MARK: Ops

extension Builder {
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
