// Owns the building of packed code straight away, for blocks that are executed as they stand: constants and guest registers
// become operands and results of the ops that use them. Half of the ops are gone before they are written.
//
// A value that is a guest register, or was written to one by the op that made it, is read there until the register is
// written again. What is used later is copied out after the fact, where it was still there: that is rare.

import Bits

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
      packer.refuse(.register)
      packing.homes[Int(value.index)] = .value(value)
    } else {
      settle(value, at: place)
    }
    return value
  }

  /// Writes a register: by the op that made the value, if that is the last one.
  @usableFromInline mutating func setPacked(_ register: Int, _ value: ValueID) {
    let place = packing.place(of: register)
    guard place != .none else { return packer.refuse(.register) }
    let home = packing.homes[Int(value.index)]
    if packer.last >= 0, packer.ops[packer.last].result == home, home == .value(value) {
      packer.ops[packer.last].result = place
      noteWrite(of: place)
      return settle(value, at: place)
    }
    if home == .immediate {
      packer.constant(type(of: value), packing.constants[Int(value.index)], to: place)
    } else {
      packer.copy(type(of: value), self.place(of: value), to: place)
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
  mutating func place(of value: ValueID, takesZero: Bool = true, half: Bool = false) -> Place {
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
  mutating func half(of a: ValueID) -> ValueID? {
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
    let register = Place(rawValue: place.rawValue & ~Packing.isHalf)
    if isHalf {
      packer.compute(.truncate, type(of: value), register, to: own)
    } else {
      packer.copy(type(of: value), register, to: own)
    }
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
  mutating func makePacked(_ type: Type) -> (ValueID, Place) {
    let value = makeValue(type)
    let place = Place.value(value)
    packing.homes[Int(value.index)] = place
    return (value, place)
  }
}
