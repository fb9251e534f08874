// Allocation of SSE registers: where floating-point values are, beside what Allocation.swift does for integers.
//
// An f32 value in a register or spill slot always has ones in bits 32 to 63, so that NaN-boxing one is free: scalar
// instructions take those bits from their first source. Guests without boxes are spared them: see `boxesSingles`.

import HostKit
import IR

extension ABI {
  /// xmm0–xmm3 are temporaries, the other twelve hold the hottest guest registers of floating-point type.
  static var vectorTemporaryCount: UInt8 { 4 }
  static var vectorPinnedCount: Int { 12 }
  static func pinnedVector(_ index: Int) -> VectorRegister { .xmm(vectorTemporaryCount + UInt8(index)) }
  static func isTemporary(_ register: VectorRegister) -> Bool { register.rawValue < vectorTemporaryCount }
}

extension VectorRegister {
  @inline(__always)
  static func xmm(_ number: UInt8) -> VectorRegister { unsafe unsafeBitCast(number & 15, to: VectorRegister.self) }
}

/// A set of SSE registers.
struct VectorSet: BitwiseCopyable {
  private(set) var bits: UInt16 = 0

  @inline(__always)
  init() {}
  @inline(__always)
  init(_ register: VectorRegister) { bits = 1 << UInt16(register.rawValue) }

  static var temporaries: VectorSet {
    var set = VectorSet()
    set.bits = 1 << UInt16(ABI.vectorTemporaryCount) - 1
    return set
  }

  var isEmpty: Bool { bits == 0 }
  /// The register with the lowest number; the set is not empty.
  var first: VectorRegister { .xmm(UInt8(truncatingIfNeeded: bits.trailingZeroBitCount)) }
  func contains(_ register: VectorRegister) -> Bool { bits >> UInt16(register.rawValue) & 1 != 0 }
  mutating func insert(_ register: VectorRegister) { bits |= 1 << UInt16(register.rawValue) }
  mutating func remove(_ register: VectorRegister) { bits &= ~(1 << UInt16(register.rawValue)) }
  func subtracting(_ other: VectorSet) -> VectorSet {
    var set = self
    set.bits &= ~other.bits
    return set
  }
}

/// What the allocation of SSE registers keeps for the block at hand.
struct VectorAllocation {
  /// Temporaries without a value, and those that the op at hand must not lose.
  var free = VectorSet.temporaries
  var locked = VectorSet()
  /// By register number: the value in a temporary.
  var owners = InlineArray<4, UInt16>(repeating: ValueState.noValue)
}

/// An operand as a floating-point instruction takes it.
enum VectorSource {
  case register(VectorRegister)
  case memory(Memory)
}

extension ValueState {
  /// The SSE register, where `place` is `.vector`.
  @inline(__always)
  var vector: VectorRegister { .xmm(register.rawValue) }
}

extension Lowering {
  /// The SSE register that holds guest register `guest`, if one does.
  @inline(__always)
  func vectorPin(of guest: Int) -> VectorRegister? {
    let pin = pinOfRegister[guest]
    guard pin != ValueState.noPin, Int(pin) >= ABI.pinnedCount else { return nil }
    return ABI.pinnedVector(Int(pin) - ABI.pinnedCount)
  }

  // MARK: Temporaries

  /// Records that `register` now holds `value`.
  mutating func give(_ register: VectorRegister, to value: UInt16) {
    values[Int(value)].place = .vector
    values[Int(value)].register = Register(rawValue: register.rawValue)!
    guard ABI.isTemporary(register) else { return }
    values[Int(value)].slot = ValueState.noValue
    vectors.owners[Int(register.rawValue)] = value
    vectors.free.remove(register)
  }

  /// A free temporary outside `avoiding`; a value may be spilled for it. It is locked until the end of the op.
  mutating func allocateVector(avoiding: VectorSet = VectorSet()) -> VectorRegister {
    usesFloat = true
    var register: VectorRegister?
    let usable = vectors.free.subtracting(avoiding)
    if !usable.isEmpty {
      register = usable.first
    } else {
      var farthest: Int32 = -1
      var rest = VectorSet.temporaries.subtracting(avoiding).subtracting(vectors.locked)
      while !rest.isEmpty {
        let candidate = rest.first
        rest.remove(candidate)
        let owner = vectors.owners[Int(candidate.rawValue)]
        let lastUse = owner == ValueState.noValue ? Int32.max : values[Int(owner)].lastUse
        if lastUse > farthest {
          farthest = lastUse
          register = candidate
        }
      }
      if let register { evict(register) }
    }
    guard let register else {
      unsupported("\(ops[Int(position)].opcode) with too many operands in SSE registers")
      return .xmm0
    }
    vectors.free.remove(register)
    vectors.locked.insert(register)
    return register
  }

  /// Brings the value in a temporary to memory, if it is still needed.
  mutating func evict(_ register: VectorRegister) {
    let owner = vectors.owners[Int(register.rawValue)]
    vectors.owners[Int(register.rawValue)] = ValueState.noValue
    vectors.free.insert(register)
    guard owner != ValueState.noValue, values[Int(owner)].lastUse >= position else { return }
    if moveHome(owner) { return }
    spill(owner, from: register)
  }

  /// Before a call: no temporary keeps a value.
  mutating func evictVectors() {
    var busy = VectorSet.temporaries.subtracting(vectors.free)
    while !busy.isEmpty {
      let register = busy.first
      busy.remove(register)
      evict(register)
    }
  }

  mutating func spill(_ value: UInt16, from register: VectorRegister) {
    guard spillCount < ABI.spillSlots else { return unsupported("a block that keeps over \(ABI.spillSlots) values") }
    observe(register)
    assembler.vectorStore(.movsd, ABI.spill(spillCount), register)
    values[Int(value)].place = .spill
    values[Int(value)].slot = UInt16(spillCount)
    spillCount += 1
  }

  /// Makes a guest register that was given `value`, and still holds it, the place where it is found, if there is one.
  mutating func moveHome(_ value: UInt16, except guest: Int = -1) -> Bool {
    let home = values[Int(value)].home
    guard home != ValueState.noValue, Int(home) != guest, contents[Int(home)] == value else { return false }
    values[Int(value)].slot = home
    if let pinned = vectorPin(of: Int(home)) {
      values[Int(value)].place = .vector
      values[Int(value)].register = Register(rawValue: pinned.rawValue)!
    } else {
      values[Int(value)].place = .state
    }
    addMirror(value, Int(home))
    return true
  }

  /// Moves floating-point `value` out of guest register `guest`, which is about to be overwritten.
  mutating func moveVectorAway(_ value: UInt16, from guest: Int) {
    if moveHome(value, except: guest) { return }
    let register = allocateVector()
    loadInto(register, value)
    give(register, to: value)
    vectors.locked.remove(register)
  }

  /// Frees the temporaries whose values have no use after this op, and unlocks all.
  @inline(__always)
  mutating func endVectorOp() {
    vectors.locked = VectorSet()
    var used = VectorSet.temporaries.subtracting(vectors.free)
    while !used.isEmpty {
      let register = used.first
      used.remove(register)
      let owner = vectors.owners[Int(register.rawValue)]
      if owner == ValueState.noValue || values[Int(owner)].lastUse <= position {
        vectors.owners[Int(register.rawValue)] = ValueState.noValue
        vectors.free.insert(register)
      }
    }
  }

  // MARK: Operands

  /// `value` as the last operand of an instruction.
  mutating func vectorSource(_ value: ValueID) -> VectorSource {
    let state = values[Int(value.index)]
    switch state.place {
    case .state where state.lastUse == position: return .memory(ABI.state(registers[Int(state.slot)].offset))
    case .spill: return .memory(ABI.spill(Int(state.slot)))
    default: return .register(vector(value))
    }
  }

  /// An SSE register that holds `value`. It is locked until the end of the op.
  @discardableResult
  mutating func vector(_ value: ValueID) -> VectorRegister {
    usesFloat = true
    let state = values[Int(value.index)]
    if state.place == .vector {
      vectors.locked.insert(state.vector)
      return state.vector
    }
    let register = allocateVector()
    loadInto(register, value.index)
    if state.place == .constant {
      vectors.owners[Int(register.rawValue)] = ValueState.noValue
    } else {
      give(register, to: value.index)
    }
    return register
  }

  /// Moves `value` into `register` without changing where it is found.
  mutating func loadInto(_ register: VectorRegister, _ value: UInt16) {
    usesFloat = true
    let state = values[Int(value)]
    if nans.count != 0 {
      let number = state.place == .vector ? nans.inRegister[Int(state.vector.rawValue)] : 0
      nans.inRegister[Int(register.rawValue)] = number
    }
    switch state.place {
    case .vector: if state.vector != register { assembler.vector(.movaps, register, state.vector) }
    case .state:
      let slot = registers[Int(state.slot)]
      // A load wider than the store before would wait for that to reach the cache.
      assembler.vector(slot.type == .f32 ? .movss : .movsd, register, ABI.state(slot.offset))
    case .spill: assembler.vector(.movsd, register, ABI.spill(Int(state.slot)))
    case .register: move(state.register, to: register, state.type)
    case .constant:
      if state.immediate == 0 && state.type != .f32 {
        assembler.vector(.xorps, register, register)
      } else {
        let integer = allocate()
        assembler.mov(integer, state.type == .f32 ? state.immediate | -1 << 32 : state.immediate)
        assembler.mov(.qword, register, integer)
        locked.remove(integer)
        free.insert(integer)
      }
    case .none, .compare: unsupported("a floating-point value used before it is computed")
    }
  }

  /// The bits of an integer register as a value of `type`.
  mutating func move(_ integer: Register, to register: VectorRegister, _ type: Type) {
    noteWritten(register)
    if type == .f32 {
      assembler.mov(.dword, register, integer)
      if boxesSingles { assembler.vector(.orps, register, constantOperand(.box)) }
    } else {
      assembler.mov(.qword, register, integer)
    }
  }

  // MARK: Results

  /// The register to compute `value` in: the pinned register it is meant for, a temporary of `reusing` that dies here,
  /// or a free temporary. Never one of `avoiding`.
  mutating func vectorDestination(
    _ value: ValueID, reusing: ValueID = .none, avoiding: VectorSet = VectorSet()
  ) -> VectorRegister {
    usesFloat = true
    if let register = pinnedVectorDestination(value, avoiding) { return register }
    if !reusing.isNone {
      let state = values[Int(reusing.index)]
      if state.place == .vector && state.lastUse == position && ABI.isTemporary(state.vector)
        && vectors.owners[Int(state.vector.rawValue)] == reusing.index && !avoiding.contains(state.vector)
      {
        give(state.vector, to: value.index)
        vectors.locked.insert(state.vector)
        return state.vector
      }
    }
    let register = allocateVector(avoiding: avoiding)
    give(register, to: value.index)
    return register
  }

  private mutating func pinnedVectorDestination(_ value: ValueID, _ avoiding: VectorSet) -> VectorRegister? {
    let hint = values[Int(value.index)].hint
    guard hint != ValueState.noPin, Int(hint) >= ABI.pinnedCount else { return nil }
    let index = Int(hint) - ABI.pinnedCount
    let register = ABI.pinnedVector(index)
    let guest = vectorPins[index]
    guard !avoiding.contains(register) && canOverwrite(guest) else { return nil }
    while popMirror(of: guest) != ValueState.noValue {}
    contents[guest] = ValueState.noValue
    values[Int(value.index)].slot = UInt16(guest)
    addMirror(value.index, guest)
    give(register, to: value.index)
    return register
  }

  /// Makes `value` another name of the floating-point value `original`.
  mutating func aliasVector(_ value: ValueID, _ original: ValueID) {
    let state = values[Int(original.index)]
    switch state.place {
    case .constant:
      values[Int(value.index)].place = .constant
      values[Int(value.index)].immediate = state.immediate
    case .vector where !ABI.isTemporary(state.vector):
      give(state.vector, to: value.index)
      values[Int(value.index)].slot = state.slot
      addMirror(value.index, Int(state.slot))
    default:
      let register = vectorDestination(value, reusing: original)
      loadInto(register, original.index)
    }
  }
}
