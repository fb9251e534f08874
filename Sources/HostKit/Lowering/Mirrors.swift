// Owns what guest registers hold while a block is lowered: the values found in them, and reads and writes of them.
//
// A guest register that is pinned keeps its host register; a value read from it is found there until the guest register
// changes. Values computed for a pinned guest register are computed in its host register when nothing can observe the
// difference.

import Bits
import IR

extension Lowering {
  /// Notes that `value` is found in guest register `guest`.
  @inlinable public mutating func addMirror(_ value: UInt16, _ guest: Int) {
    let list = values[Int(value)].list
    if list == UInt16(guest) { return }
    if list != ValueState.noValue { removeMirror(value, Int(list)) }
    values[Int(value)].list = UInt16(guest)
    values[Int(value)].next = mirrors[guest]
    mirrors[guest] = value
  }

  @inlinable mutating func removeMirror(_ value: UInt16, _ guest: Int) {
    let next = values[Int(value)].next
    var current = mirrors[guest]
    if current == value {
      mirrors[guest] = next
      return
    }
    while current != ValueState.noValue {
      let following = values[Int(current)].next
      if following == value {
        values[Int(current)].next = next
        return
      }
      current = following
    }
  }

  /// Removes a value from the list of those found in `guest` and returns it; `noValue` when there is none.
  @inlinable @inline(__always)
  mutating func popMirror(of guest: Int) -> UInt16 {
    let value = mirrors[guest]
    if value != ValueState.noValue {
      mirrors[guest] = values[Int(value)].next
      values[Int(value)].list = ValueState.noValue
    }
    return value
  }

  @inlinable @inline(__always)
  func setContents(_ guest: Int, _ value: UInt16) {
    contents[guest] = value
    values[Int(value)].home = UInt16(guest)
  }

  @inlinable @inline(__always)
  func isFound(_ value: UInt16, in guest: Int) -> Bool {
    let state = values[Int(value)]
    guard Int(state.slot) == guest else { return false }
    return state.place == .state || state.place == .register && !ABI.temporaries.contains(state.register)
      || state.place == .vector && !ABI.vectorTemporaries.contains(state.vector)
  }

  /// Moves live values found in `guest`, other than `exception`, to where they survive its being overwritten. What it
  /// held must be known to be out of date, or may come back to it.
  @inlinable @inline(__always)
  mutating func preserveMirrors(of guest: Int, except exception: UInt16) {
    while true {
      let value = popMirror(of: guest)
      if value == ValueState.noValue { return }
      if value != exception && isLive(value) && isFound(value, in: guest) { moveAway(value, from: guest) }
    }
  }

  @inlinable mutating func moveAway(_ value: UInt16, from guest: Int) {
    if moveHome(value, except: guest) { return }
    // There may be more of them than temporaries.
    if values[Int(value)].type.usesVectorRegister {
      let register = allocateVector()
      loadInto(register, value)
      give(register, to: value)
      lockedVectors.remove(register)
    } else {
      let register = allocate()
      loadInto(register, value)
      give(register, to: value)
      locked.remove(register)
    }
  }

  /// Makes a guest register that was given `value`, and still holds it, the place where it is found, if there is one.
  @inlinable mutating func moveHome(_ value: UInt16, except guest: Int = -1) -> Bool {
    let home = values[Int(value)].home
    guard home != ValueState.noValue, Int(home) != guest, contents[Int(home)] == value else { return false }
    find(value, in: Int(home))
    return true
  }

  /// Notes that `value` is found in guest register `guest` from now on.
  @inlinable @inline(__always)
  mutating func find(_ value: UInt16, in guest: Int) {
    let pin = pinOfRegister[guest]
    values[Int(value)].slot = UInt16(guest)
    if pin == ValueState.noPin {
      values[Int(value)].place = .state
    } else if Int(pin) < ABI.pinnedCount {
      values[Int(value)].place = .register
      values[Int(value)].register = ABI.pinned(Int(pin))
    } else {
      values[Int(value)].place = .vector
      values[Int(value)].vector = ABI.pinnedVector(Int(pin) - ABI.pinnedCount)
    }
    addMirror(value, guest)
  }

  /// Whether no value found in `guest` is needed after this op.
  @inlinable @inline(__always)
  func canOverwrite(_ guest: Int) -> Bool {
    var value = mirrors[guest]
    while value != ValueState.noValue {
      if isLive(value) && isFound(value, in: guest) { return false }
      value = values[Int(value)].next
    }
    return true
  }

  /// The vector register that holds guest register `guest`, if one does.
  @inlinable @inline(__always)
  public func vectorPin(of guest: Int) -> VectorRegister? {
    let pin = pinOfRegister[guest]
    guard pin != ValueState.noPin, Int(pin) >= ABI.pinnedCount else { return nil }
    return ABI.pinnedVector(Int(pin) - ABI.pinnedCount)
  }

  /// Before all guest registers may change: brings the values found in them that are needed later to spill slots, those
  /// in the state through `scratch` or a vector temporary. These are free.
  @inlinable public mutating func spillMirrors(through scratch: Register) {
    for guest in 0..<mirrors.capacity {
      while true {
        let value = popMirror(of: guest)
        if value == ValueState.noValue { break }
        if isLive(value) && isFound(value, in: guest) { spillMirror(value, through: scratch) }
      }
    }
  }

  @inlinable mutating func spillMirror(_ value: UInt16, through scratch: Register) {
    if values[Int(value)].place == .vector { return spill(value, from: values[Int(value)].vector) }
    if values[Int(value)].type == .v128 {
      let vector = ABI.vectorTemporaries.first
      loadInto(vector, value)
      return spill(value, from: vector)
    }
    var register = values[Int(value)].register
    if values[Int(value)].place == .state {
      register = scratch
      loadInto(scratch, value)
    }
    spill(value, from: register)
  }

  /// Notes that guest registers may hold anything.
  @inlinable public mutating func forgetContents() { contents.fill(ValueState.noValue) }

  // MARK: Reads and writes

  @inlinable @inline(__always)
  mutating func lowerGet(_ op: Op) {
    let guest = Int(op.imm)
    if let pinned = vectorPin(of: guest) {
      usesFloat = true
      guard op.type.usesVectorRegister else {
        T.observe(pinned, &self)
        if let checker { checker.get(op.result.index, guest, in: .vector(pinned.number)) }
        let result = destination(op.result)
        if let checker { checker.copy(.vector(pinned.number), to: .register(result.number)) }
        return target.move(op.type, result, pinned)
      }
    }
    if let checker { checker.get(op.result.index, guest, in: checkedPlace(ofGuest: guest)) }
    find(op.result.index, in: guest)
    setContents(guest, op.result.index)
  }

  @inlinable mutating func lowerSet(_ op: Op) {
    let guest = Int(op.imm)
    let value = op.a.index
    let state = values[Int(value)]
    if state.type.usesVectorRegister || vectorPin(of: guest) != nil { return lowerVectorSet(op) }
    if state.place == .register && ABI.temporaries.contains(state.register) { locked.insert(state.register) }
    if isFound(value, in: guest) {
      preserveMirrors(of: guest, except: value)
      addMirror(value, guest)
      setContents(guest, value)
      return
    }
    // From here on a temporary that is evicted must not be sought in the guest register.
    contents[guest] = ValueState.noValue
    preserveMirrors(of: guest, except: value)
    let pin = pinOfRegister[guest]
    if pin != ValueState.noPin {
      let register = ABI.pinned(Int(pin))
      let now = values[Int(value)]
      if now.place == .constant && now.immediate == 0 {
        if let checker { checker.make(value, in: .register(register.number)) }
        target.clear(register)
      } else {
        loadInto(register, value)
      }
      let isTemporary = now.place == .register && ABI.temporaries.contains(now.register)
      if isTemporary {
        owners[Int(now.register.number)] = ValueState.noValue
        free.insert(now.register)
      }
      if isTemporary || now.place == .state || now.place == .spill || now.place == .compare { find(value, in: guest) }
    } else {
      let slot = registers[guest]
      if let known = constant(op.a), target.store(slot.type, constant: known, state: slot.offset) {
        if let checker { checker.make(value, in: .state(guest)) }
      } else {
        let register = register(op.a)
        if let checker { checker.copy(.register(register.number), to: .state(guest)) }
        target.store(slot.type, register, state: slot.offset)
      }
    }
    setContents(guest, value)
  }

  /// To a value in a vector register, or of a guest register in a vector register to an integer.
  @inlinable mutating func lowerVectorSet(_ op: Op) {
    usesFloat = true
    let guest = Int(op.imm)
    let value = op.a.index
    let state = values[Int(value)]
    if state.place == .vector && ABI.vectorTemporaries.contains(state.vector) { lockedVectors.insert(state.vector) }
    if isFound(value, in: guest) {
      preserveMirrors(of: guest, except: value)
      addMirror(value, guest)
      setContents(guest, value)
      return
    }
    contents[guest] = ValueState.noValue
    preserveMirrors(of: guest, except: value)
    guard let pinned = vectorPin(of: guest) else {
      let slot = registers[guest]
      guard slot.type.usesVectorRegister else { return unsupported("a floating-point value in an integer register") }
      observe(op.a)
      let register = vector(op.a)
      if let checker { checker.copy(.vector(register.number), to: .state(guest)) }
      target.store(slot.type, register, state: slot.offset)
      return setContents(guest, value)
    }
    guard state.type.usesVectorRegister else {
      target.noteWritten(pinned, copyOf: nil)
      let register = register(op.a)
      if let checker { checker.copy(.register(register.number), to: .vector(pinned.number)) }
      return target.move(.f64, pinned, register)
    }
    loadInto(pinned, value)
    let now = values[Int(value)]
    let isTemporary = now.place == .vector && ABI.vectorTemporaries.contains(now.vector)
    if isTemporary {
      vectorOwners[Int(now.vector.number)] = ValueState.noValue
      freeVectors.insert(now.vector)
    }
    if isTemporary || now.place == .state || now.place == .spill { find(value, in: guest) }
    setContents(guest, value)
  }
}
