// Owns the folded form of a block, which only code that is executed as it stands is built in: constants and guest registers
// are operands and results of the ops that use them, not ops of their own. Half of the ops are gone as they are written.

/// Where an operand of a folded block lies, in the place of its ``ValueID``.
public struct Place: RawRepresentable, Equatable, Sendable, BitwiseCopyable {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Reads as 0.
  @inlinable public static var none: Place { Place(rawValue: 0xFFFF) }
  /// The op's own `imm`, zero-extended from its type; for operand `b` alone.
  @inlinable public static var immediate: Place { Place(rawValue: 0x7FFF) }
  /// A value, by its number below 0x7FFE.
  @inlinable public static func value(_ id: ValueID) -> Place { Place(rawValue: 0x8000 | id.index) }
  /// A guest register at a multiple of 8 bytes in the state block; what is beside it in the 8 bytes is 0.
  @inlinable public static func register(at offset: Int) -> Place {
    Place(rawValue: UInt16(truncatingIfNeeded: offset / 8))
  }

  @inlinable public var isValue: Bool { rawValue & 0x8000 != 0 }
  @inlinable var id: ValueID { ValueID(rawValue) }
}

/// What a builder of folded blocks knows of values and registers.
@usableFromInline struct Folder {
  @usableFromInline var isOn = false
  /// By register number; ``Place/none`` for one that is not folded.
  @usableFromInline let places: RawTable<Place>
  /// By value: where it is. ``Place/immediate`` stands for a constant that is nowhere yet.
  @usableFromInline let homes = RawTable<Place>(capacity: 1 << 15)
  /// By value in a register: the number of ops before it could be read there.
  @usableFromInline let births = RawTable<Int32>(capacity: 1 << 15)
  /// By constant.
  @usableFromInline let constants = RawTable<Int64>(capacity: 1 << 15)
  /// By place of a register: the number of ops up to the last that wrote it.
  @usableFromInline let writes: RawTable<Int32>
  /// The number of ops up to the last that may have written any register.
  @usableFromInline var allWritten = 0

  init(_ places: [Place]) {
    self.places = RawTable(copying: places)
    writes = RawTable(capacity: (places.filter { $0 != .none }.map { Int($0.rawValue) }.max() ?? 0) + 1)
  }

  func deallocate() {
    places.deallocate()
    homes.deallocate()
    births.deallocate()
    constants.deallocate()
    writes.deallocate()
  }

  mutating func restart(_ folds: Bool) {
    isOn = folds
    guard folds else { return }
    allWritten = 0
    writes.fill(0)
  }
}

extension Builder {
  @usableFromInline mutating func emitFolded(_ op: Op) -> ValueID {
    let value = op.result
    var op = op
    fold(&op)
    op.result = Place.value(value).id
    folder.homes[Int(value.index)] = .value(value)
    ops.append(op)
    return value
  }

  @usableFromInline mutating func appendFolded(_ op: Op) {
    var op = op
    fold(&op)
    ops.append(op)
  }

  @usableFromInline mutating func foldedConstant(_ type: Type, _ number: Int64) -> ValueID {
    let value = makeValue(type)
    folder.constants[Int(value.index)] = number
    folder.homes[Int(value.index)] = .immediate
    return value
  }

  @usableFromInline mutating func foldedRegister(_ register: Int, _ type: Type) -> ValueID {
    let place = register < folder.places.capacity ? folder.places[register] : .none
    guard place != .none else { return emit(Op(.getRegister, type, imm: Int64(register)), result: type) }
    let value = makeValue(type)
    settle(value, at: place)
    return value
  }

  /// Writes a register: by the op that made the value, if that is the last one.
  @usableFromInline mutating func setFolded(_ register: Int, _ value: ValueID) {
    let place = register < folder.places.capacity ? folder.places[register] : .none
    guard place != .none else {
      return appendFolded(Op(.setRegister, type(of: value), a: value, imm: Int64(register)))
    }
    let home = folder.homes[Int(value.index)]
    let last = ops.count &- 1
    if home == .value(value), last >= 0, ops[last].result == home.id {
      ops[last].result = place.id
      noteWrite(of: place)
      return settle(value, at: place)
    }
    if home == .immediate {
      let number = folder.constants[Int(value.index)]
      ops.append(Op(.const, type(of: value), result: place.id, imm: number))
    } else {
      let source = self.place(of: value)
      ops.append(Op(.copy, type(of: value), result: place.id, a: source.id))
    }
    noteWrite(of: place)
  }

  private mutating func noteWrite(of place: Place) {
    folder.writes[Int(place.rawValue)] = Int32(truncatingIfNeeded: ops.count)
  }

  private mutating func settle(_ value: ValueID, at place: Place) {
    folder.homes[Int(value.index)] = place
    folder.births[Int(value.index)] = Int32(truncatingIfNeeded: ops.count)
  }

  private mutating func fold(_ op: inout Op) {
    if !op.a.isNone { op.a = place(of: op.a, takesZero: !op.opcode.accessesMemory).id }
    if !op.b.isNone {
      let home = folder.homes[Int(op.b.index)]
      if home == .immediate, op.opcode.hasFreeImmediate {
        op.imm = Int64(bitPattern: UInt64(bitPattern: folder.constants[Int(op.b.index)]) & type(of: op.b).mask)
        op.b = home.id
      } else {
        op.b = place(of: op.b).id
      }
    }
    if !op.c.isNone { op.c = place(of: op.c).id }
  }

  /// Where a value can be read by the next op.
  private mutating func place(of value: ValueID, takesZero: Bool = true) -> Place {
    let home = folder.homes[Int(value.index)]
    if home.isValue { return home }
    if home == .immediate {
      let number = folder.constants[Int(value.index)]
      if number == 0, takesZero { return .none }
      let own = Place.value(value)
      ops.append(Op(.const, type(of: value), result: own.id, imm: number))
      folder.homes[Int(value.index)] = own
      return own
    }
    let birth = Int(folder.births[Int(value.index)])
    if birth >= folder.allWritten, birth >= Int(folder.writes[Int(home.rawValue)]) { return home }
    return rescue(value, from: home)
  }

  /// Copies a value out of a register that was written since, where it was still there.
  private mutating func rescue(_ value: ValueID, from place: Place) -> Place {
    let own = Place.value(value)
    let birth = Int(folder.births[Int(value.index)])
    let copy = Op(.copy, type(of: value), result: own.id, a: place.id)
    ops.append(copy)
    for index in stride(from: ops.count &- 1, to: birth, by: -1) { ops[index] = ops[index &- 1] }
    ops[birth] = copy
    folder.homes[Int(value.index)] = own
    for index in 0..<valueTypes.count where !folder.homes[index].isValue && Int(folder.births[index]) > birth {
      folder.births[index] &+= 1
    }
    for place in 0..<folder.writes.capacity where Int(folder.writes[place]) > birth { folder.writes[place] &+= 1 }
    if folder.allWritten > birth { folder.allWritten &+= 1 }
    return own
  }
}

extension Opcode {
  /// Whether `imm` says nothing, and `b` may be a constant.
  fileprivate var hasFreeImmediate: Bool {
    rawValue >= Opcode.add.rawValue && rawValue <= Opcode.rotateRight.rawValue || self == .compare
  }

  /// Whether the width of `a` is that of an address.
  fileprivate var accessesMemory: Bool {
    rawValue >= Opcode.load.rawValue && rawValue <= Opcode.compareExchange.rawValue
  }
}
