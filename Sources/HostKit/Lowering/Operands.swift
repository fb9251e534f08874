// Owns how ops come by their operands and results: the registers that hold them, and the moves that bring them there.

import Bits
import IR

extension Lowering {
  // MARK: Operands

  /// The constant `value` stands for, sign-extended from its type, if it is one.
  @inlinable @inline(__always)
  public func constant(_ value: ValueID) -> Int64? {
    let state = values[Int(value.index)]
    return state.place == .constant ? state.immediate : nil
  }

  /// A register that holds `value`; its bits above the type are unspecified. It is locked until the end of the op.
  @inlinable
  @discardableResult
  public mutating func register(_ value: ValueID) -> Register {
    let state = values[Int(value.index)]
    if state.place == .register {
      if let checker { checker.use(value.index, in: .register(state.register.number)) }
      locked.insert(state.register)
      return state.register
    }
    let register = allocate()
    loadInto(register, value.index)
    if state.place == .constant || state.type.usesVectorRegister {
      owners[Int(register.number)] = ValueState.noValue
    } else {
      give(register, to: value.index)
    }
    return register
  }

  /// Moves `value` into `register` without changing where it is found.
  @inlinable public mutating func loadInto(_ register: Register, _ value: UInt16) {
    let state = values[Int(value)]
    if let checker { checkLoad(value, to: .register(register.number), checker) }
    switch state.place {
    case .register: if state.register != register { target.move(state.type, register, state.register) }
    case .vector: target.move(state.type, register, state.vector)
    case .constant:
      target.move(register, constant: state.type.bits > 32 ? state.immediate : state.immediate & 0xFFFF_FFFF)
    case .state:
      let slot = registers[Int(state.slot)]
      target.load(slot.type.bits < state.type.bits ? slot.type : state.type, register, state: slot.offset)
    case .spill: target.reload(state.type, register, from: Int(state.slot))
    case .compare: T.materializeCompare(Int(state.immediate), into: register, &self)
    case .none: unsupported("a value used before it is computed")
    }
  }

  /// Moves `value`, zero-extended to 64 bits, into `register`.
  @inlinable public mutating func loadExtended(_ register: Register, _ value: ValueID) {
    let state = values[Int(value.index)]
    if let checker { checkLoad(value.index, to: .register(register.number), checker) }
    switch state.place {
    case .register where state.type == .i1:
      if state.register != register { target.move(.i32, register, state.register) }
    case .register:
      if state.type == .i64 && state.register == register { return }
      target.extend(state.type, register, state.register)
    case .constant:
      target.move(
        register, constant: Int64(bitPattern: UInt64(bitPattern: state.immediate) & state.type.mask))
    case .spill: target.reloadExtended(state.type, register, from: Int(state.slot))
    case .state, .vector, .compare, .none: loadInto(register, value.index)
    }
  }

  /// A vector register that holds `value`. It is locked until the end of the op.
  @inlinable
  @discardableResult
  public mutating func vector(_ value: ValueID) -> VectorRegister {
    usesFloat = true
    let state = values[Int(value.index)]
    if state.place == .vector {
      if let checker { checker.use(value.index, in: .vector(state.vector.number)) }
      lockedVectors.insert(state.vector)
      return state.vector
    }
    let register = allocateVector()
    loadInto(register, value.index)
    if state.place == .constant {
      vectorOwners[Int(register.number)] = ValueState.noValue
    } else {
      give(register, to: value.index)
    }
    return register
  }

  /// Moves `value` into `register` without changing where it is found.
  @inlinable public mutating func loadInto(_ register: VectorRegister, _ value: UInt16) {
    usesFloat = true
    let state = values[Int(value)]
    if let checker { checkLoad(value, to: .vector(register.number), checker) }
    target.noteWritten(register, copyOf: state.place == .vector ? state.vector : nil)
    switch state.place {
    case .vector: if state.vector != register { target.move(register, state.vector) }
    case .state:
      let slot = registers[Int(state.slot)]
      // No wider than the guest register: hosts do not forward a store to a load that is wider than it.
      target.load(slot.type, register, state: slot.offset)
    case .spill: target.reload(state.type, register, from: Int(state.slot))
    case .register: target.move(state.type, register, state.register)
    case .constant:
      let pattern = T.pattern(of: state.immediate, state.type)
      if pattern == 0 { return target.clear(register) }
      let integer = allocate()
      target.move(integer, constant: pattern)
      target.move(.f64, register, integer)
      locked.remove(integer)
      free.insert(integer)
    case .none, .compare: unsupported("a floating-point value used before it is computed")
    }
  }

  /// Before the bits of `value` are seen by the guest.
  @inlinable public mutating func observe(_ value: ValueID) {
    let state = values[Int(value.index)]
    if state.place == .vector { T.observe(state.vector, &self) }
  }

  // MARK: Results

  /// The register to compute `value` in: the pinned register it is meant for, a temporary of `reusing` that dies here,
  /// or a free temporary. Never one of `avoiding`.
  @inlinable public mutating func destination(
    _ value: ValueID, reusing: ValueID = .none, avoiding: RegisterSet = RegisterSet()
  ) -> Register {
    if let register = pinnedDestination(value, avoiding: avoiding) { return register }
    if !reusing.isNone {
      let state = values[Int(reusing.index)]
      if state.place == .register && state.lastUse == position && ABI.temporaries.contains(state.register)
        && owners[Int(state.register.number)] == reusing.index && !avoiding.contains(state.register)
      {
        give(state.register, to: value.index)
        locked.insert(state.register)
        return state.register
      }
    }
    let register = allocate(avoiding: avoiding)
    give(register, to: value.index)
    return register
  }

  /// The pinned register that `value` should be computed in, if that disturbs nothing.
  @inlinable public mutating func pinnedDestination(_ value: ValueID, avoiding: RegisterSet) -> Register? {
    let hint = values[Int(value.index)].hint
    guard hint != ValueState.noPin else { return nil }
    let register = ABI.pinned(Int(hint))
    let guest = pins[Int(hint)]
    guard !avoiding.contains(register) && canOverwrite(guest) else { return nil }
    overwrite(guest, with: value)
    return register
  }

  /// Makes what temporary `register` holds the result `value`, moving it on if it is meant for a pinned register.
  @inlinable public mutating func settle(_ value: ValueID, in register: Register) {
    if let pinned = pinnedDestination(value, avoiding: RegisterSet()) {
      target.move(values[Int(value.index)].type, pinned, register)
    } else {
      give(register, to: value.index)
    }
  }

  @inlinable public mutating func vectorDestination(
    _ value: ValueID, reusing: ValueID = .none, avoiding: VectorSet = VectorSet()
  ) -> VectorRegister {
    usesFloat = true
    if let register = pinnedVectorDestination(value, avoiding) { return register }
    if !reusing.isNone {
      let state = values[Int(reusing.index)]
      if state.place == .vector && state.lastUse == position && ABI.vectorTemporaries.contains(state.vector)
        && vectorOwners[Int(state.vector.number)] == reusing.index && !avoiding.contains(state.vector)
      {
        give(state.vector, to: value.index)
        lockedVectors.insert(state.vector)
        return state.vector
      }
    }
    let register = allocateVector(avoiding: avoiding)
    give(register, to: value.index)
    return register
  }

  @inlinable mutating func pinnedVectorDestination(_ value: ValueID, _ avoiding: VectorSet) -> VectorRegister? {
    let hint = values[Int(value.index)].hint
    guard hint != ValueState.noPin, Int(hint) >= ABI.pinnedCount else { return nil }
    let index = Int(hint) - ABI.pinnedCount
    let register = ABI.pinnedVector(index)
    let guest = vectorPins[index]
    guard !avoiding.contains(register) && canOverwrite(guest) else { return nil }
    overwrite(guest, with: value)
    return register
  }

  /// Gives pinned guest register `guest`, in which no value is needed any more, to a value meant for it.
  @inlinable @inline(__always)
  mutating func overwrite(_ guest: Int, with value: ValueID) {
    while popMirror(of: guest) != ValueState.noValue {}
    contents[guest] = ValueState.noValue
    if let checker { checker.expect(value.index, in: checkedPlace(ofGuest: guest)) }
    find(value.index, in: guest)
  }

  // MARK: Other names

  /// Makes `value` another name of what `original` holds, of which it takes the low bits.
  @inlinable public mutating func alias(_ value: ValueID, _ original: ValueID) {
    let state = values[Int(original.index)]
    if let checker { checker.name(value.index, as: original.index) }
    defer { if let checker { checker.name(value.index, as: original.index) } }
    switch state.place {
    case .constant: setConstant(value, state.immediate)
    case .state: find(value.index, in: Int(state.slot))
    case .register where !ABI.temporaries.contains(state.register): find(value.index, in: Int(state.slot))
    case .none, .register, .vector, .spill, .compare:
      let register = destination(value, reusing: original)
      loadInto(register, original.index)
    }
  }

  /// Makes `value` another name of `original`, both of a type for vector registers.
  @inlinable public mutating func aliasVector(_ value: ValueID, _ original: ValueID) {
    let state = values[Int(original.index)]
    if let checker { checker.name(value.index, as: original.index) }
    switch state.place {
    case .constant:
      values[Int(value.index)].place = .constant
      values[Int(value.index)].immediate = state.immediate
    case .vector where !ABI.vectorTemporaries.contains(state.vector): find(value.index, in: Int(state.slot))
    default:
      let register = vectorDestination(value, reusing: original)
      loadInto(register, original.index)
    }
  }
}
