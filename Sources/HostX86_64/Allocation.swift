// Register allocation within a block: where each value is, which temporaries are free, what guest registers hold.
//
// One pass over the ops, after a backward pass has found each value's last use. A guest register that is pinned keeps
// its host register; a value read from it is found there until the guest register changes. Values computed for a
// pinned guest register are computed in its host register when nothing can observe the difference.

import HostKit
import IR

/// Where a value is now.
enum Place: UInt8 {
  /// Not computed yet, or dead.
  case none
  /// In host register `register`: a temporary, or the pinned register that holds guest register `slot`.
  case register
  /// In SSE register number `register`: a temporary, or the pinned register that holds guest register `slot`.
  case vector
  /// In guest register `slot`, in the state.
  case state
  /// In spill slot `slot`.
  case spill
  /// `immediate`; nowhere in a register.
  case constant
  /// To be compared when needed: op number `immediate`.
  case compare
}

struct ValueState {
  var place = Place.none
  var register = Register.rax
  var type: Type
  /// Pinned register to compute it in, `noPin` for none.
  var hint = ValueState.noPin
  var slot: UInt16 = 0
  /// The guest register in whose list of found values this one is, `noValue` for none, and the next one there.
  var list = ValueState.noValue
  var next = ValueState.noValue
  /// A guest register that was given this value, `noValue` for none.
  var home = ValueState.noValue
  /// 0, 1 or more.
  var uses: UInt8 = 0
  var lastUse: Int32 = -1
  var immediate: Int64 = 0

  static var noPin: UInt8 { 0xFF }
  static var noValue: UInt16 { 0xFFFF }
}

/// An operand as an instruction takes it.
enum Source {
  case register(Register)
  case memory(Memory)
  case immediate(Int32)
}

extension Lowering {
  // MARK: Guest registers

  @inline(__always)
  func pin(of guestRegister: Int) -> UInt8 { pinOfRegister[guestRegister] }

  @inline(__always)
  func isLive(_ value: UInt16) -> Bool { values[Int(value)].lastUse > position }

  /// Notes that `value` is found in guest register `guest`.
  mutating func addMirror(_ value: UInt16, _ guest: Int) {
    let list = values[Int(value)].list
    if list == UInt16(guest) { return }
    if list != ValueState.noValue { removeMirror(value, Int(list)) }
    values[Int(value)].list = UInt16(guest)
    values[Int(value)].next = mirrors[guest]
    mirrors[guest] = value
  }

  private mutating func removeMirror(_ value: UInt16, _ guest: Int) {
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
  @inline(__always)
  mutating func popMirror(of guest: Int) -> UInt16 {
    let value = mirrors[guest]
    if value != ValueState.noValue {
      mirrors[guest] = values[Int(value)].next
      values[Int(value)].list = ValueState.noValue
    }
    return value
  }

  @inline(__always)
  func setContents(_ guest: Int, _ value: UInt16) {
    contents[guest] = value
    values[Int(value)].home = UInt16(guest)
  }

  @inline(__always)
  func isFound(_ value: UInt16, in guest: Int) -> Bool {
    let state = values[Int(value)]
    guard Int(state.slot) == guest else { return false }
    return state.place == .state || state.place == .register && !ABI.temporaries.contains(state.register)
      || state.place == .vector && !ABI.isTemporary(state.vector)
  }

  /// Moves live values found in `guest`, other than `exception`, to where they survive its being overwritten. What it
  /// held must be known to be out of date, or may come back to it.
  @inline(__always)
  mutating func preserveMirrors(of guest: Int, except exception: UInt16) {
    while true {
      let value = popMirror(of: guest)
      if value == ValueState.noValue { return }
      if value != exception && isLive(value) && isFound(value, in: guest) { moveAway(value, from: guest) }
    }
  }

  private mutating func moveAway(_ value: UInt16, from guest: Int) {
    if values[Int(value)].type.isFloat { return moveVectorAway(value, from: guest) }
    let home = values[Int(value)].home
    if home != ValueState.noValue, Int(home) != guest, contents[Int(home)] == value {
      let pin = pin(of: Int(home))
      values[Int(value)].slot = home
      if pin != ValueState.noPin {
        values[Int(value)].place = .register
        values[Int(value)].register = ABI.pinned(Int(pin))
      } else {
        values[Int(value)].place = .state
      }
      addMirror(value, Int(home))
      return
    }
    let register = allocate()
    loadInto(register, value)
    give(register, to: value)
    // There may be more of them than temporaries.
    locked.remove(register)
  }

  // MARK: Temporaries

  /// Records that temporary or pinned `register` now holds `value`.
  @inline(__always)
  mutating func give(_ register: Register, to value: UInt16) {
    values[Int(value)].place = .register
    values[Int(value)].register = register
    if ABI.temporaries.contains(register) {
      values[Int(value)].slot = ValueState.noValue
      owners[Int(register.rawValue)] = value
      free.remove(register)
    }
  }

  /// A free temporary outside `avoiding`; a value may be spilled for it. It is locked until the end of the op.
  mutating func allocate(avoiding: RegisterSet = RegisterSet()) -> Register {
    let usable = free.subtracting(avoiding)
    if !usable.isEmpty {
      // The high ones first: rax, rcx and rdx are wanted by certain instructions.
      let register = usable.contains(.r14) ? Register.r14 : usable.first
      free.remove(register)
      locked.insert(register)
      return register
    }
    var candidate: Register?
    var farthest: Int32 = -1
    var rest = ABI.temporaries.subtracting(avoiding).subtracting(locked)
    while !rest.isEmpty {
      let register = rest.first
      rest.remove(register)
      let owner = owners[Int(register.rawValue)]
      let lastUse = owner >= firstPseudoValue ? Int32.max : values[Int(owner)].lastUse
      if lastUse > farthest {
        farthest = lastUse
        candidate = register
      }
    }
    guard let candidate else {
      unsupported("\(ops[Int(position)].opcode) with too many operands in registers")
      return .rax
    }
    evict(candidate)
    free.remove(candidate)
    locked.insert(candidate)
    return candidate
  }

  /// Makes the temporary `register` free, moving its value elsewhere, and locks it.
  mutating func claim(_ register: Register) {
    if !free.contains(register) {
      let owner = owners[Int(register.rawValue)]
      if owner != ValueState.noValue && (isLive(owner) || values[Int(owner)].lastUse == position) {
        let others = free.subtracting(locked)
        if !others.isEmpty {
          let other = others.first
          assembler.mov(.qword, other, register)
          owners[Int(register.rawValue)] = ValueState.noValue
          give(other, to: owner)
        } else {
          evict(register)
        }
      }
    }
    owners[Int(register.rawValue)] = ValueState.noValue
    free.remove(register)
    locked.insert(register)
  }

  /// Brings the value in a temporary to memory, if it is still needed.
  mutating func evict(_ register: Register) {
    let owner = owners[Int(register.rawValue)]
    owners[Int(register.rawValue)] = ValueState.noValue
    free.insert(register)
    guard owner < firstPseudoValue, values[Int(owner)].lastUse >= position else { return }
    let home = values[Int(owner)].home
    if home != ValueState.noValue, contents[Int(home)] == owner {
      let pin = pin(of: Int(home))
      values[Int(owner)].slot = home
      if pin != ValueState.noPin {
        values[Int(owner)].register = ABI.pinned(Int(pin))
      } else {
        values[Int(owner)].place = .state
      }
      addMirror(owner, Int(home))
      return
    }
    guard spillCount < ABI.spillSlots else { return unsupported("a block that keeps over \(ABI.spillSlots) values") }
    assembler.store(.qword, ABI.spill(spillCount), register)
    values[Int(owner)].place = .spill
    values[Int(owner)].slot = UInt16(spillCount)
    spillCount += 1
  }

  /// Frees the temporaries whose values have no use after this op, and unlocks all.
  @inline(__always)
  mutating func endOp() {
    locked = RegisterSet()
    if usesFloat { endVectorOp() }
    let used = ABI.temporaries.subtracting(free)
    if !used.isEmpty { freeDead(used) }
  }

  private mutating func freeDead(_ used: RegisterSet) {
    let (owners, values, position) = (owners, values, position)
    var (used, free) = (used, free)
    repeat {
      let register = used.first
      used.remove(register)
      let owner = Int(owners[Int(register.rawValue)])
      if owner == Int(ValueState.noValue) || values[owner].lastUse <= position {
        owners[Int(register.rawValue)] = ValueState.noValue
        free.insert(register)
      }
    } while !used.isEmpty
    self.free = free
  }

  // MARK: Operands

  /// The constant `value` stands for, sign-extended from its type, if it is one.
  @inline(__always)
  func constant(_ value: ValueID) -> Int64? {
    let state = values[Int(value.index)]
    return state.place == .constant ? state.immediate : nil
  }

  /// `value` as the last operand of an instruction of 32 or 64 bits.
  mutating func source(_ value: ValueID) -> Source {
    let state = values[Int(value.index)]
    switch state.place {
    case .constant:
      if let immediate = Int32(exactly: state.immediate) { return .immediate(immediate) }
      return .register(register(value))
    case .state:
      return state.lastUse == position
        ? .memory(ABI.state(registers[Int(state.slot)].offset)) : .register(register(value))
    case .spill:
      return .memory(ABI.spill(Int(state.slot)))
    case .none, .register, .vector, .compare:
      return .register(register(value))
    }
  }

  /// A register that holds `value`; its bits above the type are unspecified. It is locked until the end of the op.
  @discardableResult
  mutating func register(_ value: ValueID) -> Register {
    let state = values[Int(value.index)]
    if state.place == .register {
      locked.insert(state.register)
      return state.register
    }
    let register = allocate()
    loadInto(register, value.index)
    if state.place == .constant || state.type.isFloat {
      owners[Int(register.rawValue)] = ValueState.noValue
    } else {
      give(register, to: value.index)
    }
    return register
  }

  /// Moves `value` into `register` without changing where it is found.
  mutating func loadInto(_ register: Register, _ value: UInt16) {
    let state = values[Int(value)]
    switch state.place {
    case .register:
      if state.register != register { assembler.mov(state.type.width, register, state.register) }
    case .vector: assembler.mov(state.type.width, register, state.vector)
    case .constant: assembler.mov(register, state.type.bits > 32 ? state.immediate : state.immediate & 0xFFFF_FFFF)
    case .state:
      let slot = registers[Int(state.slot)]
      assembler.movzx(
        from: slot.type.bits < state.type.bits ? slot.type.exactWidth : state.type.exactWidth, register,
        ABI.state(slot.offset))
    case .spill: assembler.load(state.type.width, register, ABI.spill(Int(state.slot)))
    case .compare: materializeCompare(Int(state.immediate), into: register)
    case .none: unsupported("a value used before it is computed")
    }
  }

  /// Moves `value`, zero-extended to 64 bits, into `register`.
  mutating func loadExtended(_ register: Register, _ value: ValueID) {
    let state = values[Int(value.index)]
    let width = state.type.exactWidth
    switch state.place {
    case .register where state.type == .i1:
      if state.register != register { assembler.mov(.dword, register, state.register) }
    case .register:
      if width == .qword && state.register == register { return }
      assembler.movzx(from: width, register, state.register)
    case .constant:
      assembler.mov(register, Int64(bitPattern: UInt64(bitPattern: state.immediate) & state.type.mask))
    case .spill: assembler.movzx(from: width, register, ABI.spill(Int(state.slot)))
    case .state, .vector, .compare, .none: loadInto(register, value.index)
    }
  }

  // MARK: Results

  /// The register to compute `value` in: the pinned register it is meant for, a temporary of `reusing` that dies here,
  /// or a free temporary. Never one of `avoiding`.
  mutating func destination(
    _ value: ValueID, reusing: ValueID = .none, avoiding: RegisterSet = RegisterSet()
  ) -> Register {
    if let register = pinnedDestination(value, avoiding: avoiding) { return register }
    if !reusing.isNone {
      let state = values[Int(reusing.index)]
      if state.place == .register && state.lastUse == position && ABI.temporaries.contains(state.register)
        && owners[Int(state.register.rawValue)] == reusing.index && !avoiding.contains(state.register)
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
  mutating func pinnedDestination(_ value: ValueID, avoiding: RegisterSet) -> Register? {
    let hint = values[Int(value.index)].hint
    guard hint != ValueState.noPin else { return nil }
    let register = ABI.pinned(Int(hint))
    let guest = pins[Int(hint)]
    guard !avoiding.contains(register) && canOverwrite(guest) else { return nil }
    while popMirror(of: guest) != ValueState.noValue {}
    contents[guest] = ValueState.noValue
    values[Int(value.index)].slot = UInt16(guest)
    addMirror(value.index, guest)
    give(register, to: value.index)
    return register
  }

  /// Makes what temporary `register` holds the result `value`, moving it on if it is meant for a pinned register.
  mutating func settle(_ value: ValueID, in register: Register) {
    if let pinned = pinnedDestination(value, avoiding: RegisterSet()) {
      assembler.mov(values[Int(value.index)].type.width, pinned, register)
    } else {
      give(register, to: value.index)
    }
  }

  /// Whether no value found in `guest` is needed after this op.
  @inline(__always)
  func canOverwrite(_ guest: Int) -> Bool {
    var value = mirrors[guest]
    while value != ValueState.noValue {
      if isLive(value) && isFound(value, in: guest) { return false }
      value = values[Int(value)].next
    }
    return true
  }

  /// Makes `value` another name of what `original` holds, of which it takes the low bits.
  mutating func alias(_ value: ValueID, _ original: ValueID) {
    let state = values[Int(original.index)]
    switch state.place {
    case .constant:
      values[Int(value.index)].place = .constant
      values[Int(value.index)].immediate = signExtended(state.immediate, values[Int(value.index)].type)
    case .state:
      values[Int(value.index)].place = .state
      values[Int(value.index)].slot = state.slot
      addMirror(value.index, Int(state.slot))
    case .register where !ABI.temporaries.contains(state.register):
      values[Int(value.index)].place = .register
      values[Int(value.index)].register = state.register
      values[Int(value.index)].slot = state.slot
      addMirror(value.index, Int(state.slot))
    case .none, .register, .vector, .spill, .compare:
      let register = destination(value, reusing: original)
      loadInto(register, original.index)
    }
  }
}

/// The low bits of `value` as `type` has them, sign-extended; `i1` is 0 or 1.
func signExtended(_ value: Int64, _ type: Type) -> Int64 {
  if type == .i1 { return value & 1 }
  let shift = Int64(64 - min(type.bits, 64))
  return (value << shift) >> shift
}
