// Owns the allocation of host registers within a block: which temporaries are free, and who gives way.
//
// One pass over the ops, after a backward pass has found each value's last use.

import Bits
import IR

extension Lowering {
  // MARK: Integer registers

  /// Records that temporary or pinned `register` now holds `value`.
  @inlinable @inline(__always)
  public mutating func give(_ register: Register, to value: UInt16) {
    values[Int(value)].place = .register
    values[Int(value)].register = register
    if let checker { checker.expect(value, in: .register(register.number), isAnew: value >= firstPseudoValue) }
    if ABI.temporaries.contains(register) {
      values[Int(value)].slot = ValueState.noValue
      owners[Int(register.number)] = value
      free.remove(register)
    }
  }

  /// A free temporary outside `avoiding`; a value may be spilled for it. It is locked until the end of the op.
  @inlinable public mutating func allocate(avoiding: RegisterSet = RegisterSet()) -> Register {
    let usable = free.subtracting(avoiding)
    if !usable.isEmpty {
      let register = usable.contains(ABI.firstChoice) ? ABI.firstChoice : usable.first
      free.remove(register)
      locked.insert(register)
      if let checker { checker.overwrite(.register(register.number)) }
      return register
    }
    var candidate: Register?
    var farthest: Int32 = -1
    var rest = ABI.temporaries.subtracting(avoiding).subtracting(locked)
    while !rest.isEmpty {
      let register = rest.first
      rest.remove(register)
      let owner = owners[Int(register.number)]
      let lastUse = owner >= firstPseudoValue ? Int32.max : values[Int(owner)].lastUse
      if lastUse > farthest {
        farthest = lastUse
        candidate = register
      }
    }
    guard let candidate else {
      unsupported("\(ops[Int(position)].opcode) with too many operands in registers")
      return ABI.temporaries.first
    }
    giveWay(candidate)
    free.remove(candidate)
    locked.insert(candidate)
    if let checker { checker.overwrite(.register(candidate.number)) }
    return candidate
  }

  /// Makes the temporary `register` free, moving its value elsewhere, and locks it.
  @inlinable public mutating func claim(_ register: Register) {
    if !free.contains(register) {
      let owner = owners[Int(register.number)]
      if owner != ValueState.noValue && (isLive(owner) || values[Int(owner)].lastUse == position) {
        let others = free.subtracting(locked)
        if !others.isEmpty {
          let other = others.first
          if let checker { checker.copy(.register(register.number), to: .register(other.number)) }
          target.move(.i64, other, register)
          owners[Int(register.number)] = ValueState.noValue
          give(other, to: owner)
        } else {
          giveWay(register)
        }
      }
    }
    if let checker { checker.overwrite(.register(register.number)) }
    owners[Int(register.number)] = ValueState.noValue
    free.remove(register)
    locked.insert(register)
  }

  /// Makes `register` free, its value being of no use.
  @inlinable @inline(__always)
  public mutating func release(_ register: Register) {
    owners[Int(register.number)] = ValueState.noValue
    free.insert(register)
  }

  /// Brings the value in a temporary to memory, if it is still needed: by the op at hand, too, which must look for it again.
  @inlinable public mutating func evict(_ register: Register) {
    if let checker { checker.release(.register(register.number)) }
    giveWay(register)
  }

  @inlinable mutating func giveWay(_ register: Register) {
    let owner = owners[Int(register.number)]
    release(register)
    guard owner < firstPseudoValue, values[Int(owner)].lastUse >= position else { return }
    if !moveHome(owner) { spill(owner, from: register) }
  }

  @inlinable mutating func spill(_ value: UInt16, from register: Register) {
    guard let slot = takeSpillSlot(for: value) else { return }
    if let checker { checker.copy(.register(register.number), to: .spill(slot)) }
    target.spill(register, to: slot)
  }

  /// A slot in which `value` is found from now on, for 128 bits the first, and even, of two.
  @inlinable mutating func takeSpillSlot(for value: UInt16) -> Int? {
    let count = values[Int(value)].type == .v128 ? 2 : 1
    let slot = (spillCount + count - 1) & -count
    guard slot + count <= ABI.spillSlots else {
      unsupported("a block that keeps over \(ABI.spillSlots) values")
      return nil
    }
    values[Int(value)].place = .spill
    values[Int(value)].slot = UInt16(slot)
    spillCount = slot + count
    return slot
  }

  // MARK: Vector registers

  /// Records that `register` now holds `value`.
  @inlinable public mutating func give(_ register: VectorRegister, to value: UInt16) {
    values[Int(value)].place = .vector
    values[Int(value)].vector = register
    if let checker { checker.expect(value, in: .vector(register.number)) }
    guard ABI.vectorTemporaries.contains(register) else { return }
    values[Int(value)].slot = ValueState.noValue
    vectorOwners[Int(register.number)] = value
    freeVectors.remove(register)
  }

  /// A free temporary outside `avoiding`; a value may be spilled for it. It is locked until the end of the op.
  @inlinable public mutating func allocateVector(avoiding: VectorSet = VectorSet()) -> VectorRegister {
    usesFloat = true
    var register: VectorRegister?
    let usable = freeVectors.subtracting(avoiding)
    if !usable.isEmpty {
      register = usable.first
    } else {
      var farthest: Int32 = -1
      var rest = ABI.vectorTemporaries.subtracting(avoiding).subtracting(lockedVectors)
      while !rest.isEmpty {
        let candidate = rest.first
        rest.remove(candidate)
        let owner = vectorOwners[Int(candidate.number)]
        let lastUse = owner == ValueState.noValue ? Int32.max : values[Int(owner)].lastUse
        if lastUse > farthest {
          farthest = lastUse
          register = candidate
        }
      }
      if let register { evict(register) }
    }
    guard let register else {
      unsupported("\(ops[Int(position)].opcode) with too many operands in vector registers")
      return ABI.vectorTemporaries.first
    }
    freeVectors.remove(register)
    lockedVectors.insert(register)
    if let checker { checker.overwrite(.vector(register.number)) }
    return register
  }

  /// Brings the value in a temporary to memory, if it is still needed.
  @inlinable mutating func evict(_ register: VectorRegister) {
    let owner = vectorOwners[Int(register.number)]
    vectorOwners[Int(register.number)] = ValueState.noValue
    freeVectors.insert(register)
    guard owner != ValueState.noValue, values[Int(owner)].lastUse >= position else { return }
    if !moveHome(owner) { spill(owner, from: register) }
  }

  /// Before a call: no vector temporary keeps a value.
  @inlinable public mutating func evictVectors() {
    var busy = ABI.vectorTemporaries.subtracting(freeVectors)
    while !busy.isEmpty {
      let register = busy.first
      busy.remove(register)
      evict(register)
    }
  }

  @inlinable mutating func spill(_ value: UInt16, from register: VectorRegister) {
    guard let slot = takeSpillSlot(for: value) else { return }
    T.observe(register, &self)
    if let checker { checker.copy(.vector(register.number), to: .spill(slot)) }
    target.spill(values[Int(value)].type, register, to: slot)
  }

  // MARK: The end of an op

  /// Frees the temporaries whose values have no use after this op, and unlocks all.
  @inlinable @inline(__always)
  mutating func endOp() {
    locked = RegisterSet()
    if usesFloat {
      lockedVectors = VectorSet()
      let used = ABI.vectorTemporaries.subtracting(freeVectors)
      if !used.isEmpty { freeVectors = freeVectors.union(dead(among: used, vectorOwners)) }
    }
    let used = ABI.temporaries.subtracting(free)
    if !used.isEmpty { free = free.union(dead(among: used, owners)) }
  }

  /// The registers whose values have no use after this op; they own none any more.
  @inlinable func dead<R: HostRegister>(among registers: HostKit.RegisterSet<R>, _ owners: RawTable<UInt16>)
    -> HostKit.RegisterSet<R>
  {
    let (values, position) = (values, position)
    var (rest, dead) = (registers, HostKit.RegisterSet<R>())
    repeat {
      let register = rest.first
      rest.remove(register)
      let owner = Int(owners[Int(register.number)])
      if owner == Int(ValueState.noValue) || values[owner].lastUse <= position {
        owners[Int(register.number)] = ValueState.noValue
        dead.insert(register)
      }
    } while !rest.isEmpty
    return dead
  }
}
