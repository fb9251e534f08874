// Owns the execution of IR, one op at a time: the reference semantics of every op.

import HostKit
import IR

/// A vCPU in the middle of a block. Values are kept zero-extended to 64 bits; guest registers live in the state block.
///
/// All that changes is in four words, and nothing that is not inlined gets at them, so they live in registers of the host.
/// Hence `@inline(always)`: of what is only asked to be inlined the compiler leaves the last parts out of so large a function.
@safe struct Execution {
  private let interpreter: Unmanaged<Interpreter>
  private let code: UnsafeMutablePointer<PackedOp>
  let cpu: VCPUState
  private(set) var softTLB: UnsafePointer<UInt64>?
  private let usesJumpCache: Bool
  private let countsEntries: Bool
  private let entryLimit: UInt32
  private let returns: ReturnStack
  private let combinations: UnsafeMutablePointer<Combination>
  private let shifts: UnsafeMutablePointer<ShiftMasks>
  private let masks: UnsafeMutablePointer<UInt64>
  private let evaluators: UnsafeMutablePointer<Evaluator>

  /// The next op.
  private(set) var position: Int
  private var budget: Int64
  /// That of the block.
  private var pc: UInt64

  /// - Parameter interpreter: outlives the execution.
  @inline(always)
  init(_ interpreter: Interpreter, entry: CodeAddress, cpu: VCPUState) {
    unsafe self.interpreter = .passUnretained(interpreter)
    unsafe code = interpreter.code.memory
    self.cpu = cpu
    unsafe softTLB = cpu.load(StateOffset.softTLB, as: UnsafePointer<UInt64>?.self)
    usesJumpCache = interpreter.usesJumpCache
    countsEntries = interpreter.entryLimit != nil
    entryLimit = interpreter.entryLimit ?? 0
    returns = interpreter.returns
    unsafe combinations = interpreter.families.combinations.memory
    unsafe shifts = interpreter.families.shifts.memory
    unsafe masks = interpreter.families.masks.memory
    unsafe evaluators = interpreter.evaluators.memory
    position = Int(entry.offset)
    unsafe pc = code[position &- 1].word
    budget = cpu.budget
    cpu.exitReason = nil
    if countsEntries { unsafe code[position &- 1].countEntry() }
  }

  @inline(always)
  private func slot(_ place: Place) -> UnsafeMutablePointer<UInt64> {
    unsafe cpu.base.assumingMemoryBound(to: UInt64.self) + Int(place.number)
  }

  @inline(always)
  func value(_ place: Place) -> UInt64 { unsafe slot(place).pointee }

  @inline(always)
  func set(_ place: Place, _ value: UInt64) { unsafe slot(place).pointee = value }

  /// Operand `b` of an op that only computes. A branch would be mispredicted as often as not, so the immediate is put where
  /// `b` may lie.
  @inline(always)
  private func second(_ op: PackedOp) -> UInt64 {
    set(.immediate, UInt64(bitPattern: op.immediate))
    return value(op.b)
  }

  /// The result of a member of a family: cut to its type, and sign-extended where the op says so.
  @inline(always)
  private func finish(_ op: PackedOp, _ result: UInt64) -> UInt64 {
    let cut = unsafe result & masks[Int(op.type.rawValue)]
    return (cut ^ op.signBit) &- op.signBit
  }

  /// Executes the next op.
  /// - Returns: false when translated code is left; the state's header says why.
  @inline(always)
  mutating func step() -> Bool {
    let op = unsafe code[position]
    var bits: Int { op.type.bits }
    position &+= 1
    let a = value(op.a)
    let result: UInt64
    switch op.opcode {
    case .nop, .fence, .instruction: return true
    case .retire:
      budget &-= op.retired
      return true
    case .label:
      budget &-= op.retired
      position &+= 1
      return true
    case .count:
      count(at: UInt(truncatingIfNeeded: op.word))
      return true
    case .const: result = nextWord()
    case .zeroExtend, .bitcast: result = a
    case .getRegister: result = readRegister(op)
    case .setRegister:
      writeRegister(op, a)
      return true
    case .copy, .add, .sub, .and, .or, .xor, .andNot:
      let combination = unsafe combinations[Int(op.opcode.rawValue)]
      result = finish(op, combination.apply(a, second(op)))
    case .shiftLeft, .shiftRight, .shiftRightArithmetic, .signExtend:
      let shift = unsafe shifts[Int(op.opcode.rawValue)]
      result = finish(op, shift.apply(a, second(op), bits))
    case .compare:
      let condition = Condition(rawValue: op.aux) ?? .equal
      result = condition.holds(a, second(op), bits: bits) ? 1 : 0
    case .select: result = a != 0 ? value(op.b) : value(op.c)
    case .truncate: result = a & op.type.mask
    case .load: return load(op, a)
    case .store: return store(op, a, value(op.b))
    case .atomic:
      let address = op.hasShortAddress ? a & 0xFFFF_FFFF : a
      let operand = value(op.b)
      guard let old = unsafe interpreter._withUnsafeGuaranteedRef({ $0.update(op, address, operand, cpu) }) else {
        return accessSlowly(op, address, operand, 0)
      }
      result = old
    case .compareExchange:
      return accessSlowly(op, op.hasShortAddress ? a & 0xFFFF_FFFF : a, value(op.b), value(op.c))
    case .floatAdd, .floatSub, .floatMul, .floatDiv, .floatSqrt, .floatFused, .floatMinimum, .floatMaximum,
      .floatCompare, .floatOrder, .floatToInteger, .floatFromInteger, .floatConvert, .floatSign, .floatBox, .floatUnbox:
      result = float(op, a)
    case .vector:
      vector(op)
      return true
    case .call: return call(op, a)
    case .exitIf: return exitIf(op, a, bits)
    case .exit: return exit(op, retiring: op.retired, isFar: op.isFar)
    case .exitIndirect: return exitIndirect(op, to: a)
    case .exitWith:
      budget &-= op.retired
      return leave(ExitReason(rawValue: UInt32(op.aux & 0x7FFF)), pc: target(op, isFar: op.isFar))
    case .raise:
      budget &-= op.retired
      cpu.exceptionCause = nextWord()
      cpu.exceptionValue = a
      return leave(.exception, pc: pc &+ op.distance)
    default: result = unsafe evaluators[Int(op.opcode.rawValue)](a, second(op), bits, 0)
    }
    set(op.result, result)
    return true
  }

  /// What stands behind an op that is longer than others.
  @inline(always)
  private mutating func nextWord() -> UInt64 {
    position &+= 1
    return unsafe code[position &- 1].word
  }

  @inline(always)
  private func float(_ op: PackedOp, _ a: UInt64) -> UInt64 {
    unsafe interpreter._withUnsafeGuaranteedRef { $0.float(op, a, value(op.b), value(op.c), cpu) }
  }

  @inline(always)
  private func vector(_ op: PackedOp) {
    unsafe interpreter._withUnsafeGuaranteedRef { $0.vector(op, cpu) }
  }

  @inline(always)
  private func count(at address: UInt) {
    guard let counter = unsafe UnsafeMutablePointer<UInt64>(bitPattern: address) else { return }
    unsafe counter.pointee &+= 1
  }

  @inline(always)
  private func readRegister(_ op: PackedOp) -> UInt64 {
    let offset = Int(op.immediate)
    return switch op.type.bits {
    case 64: cpu.load(offset, as: UInt64.self)
    case 32: UInt64(cpu.load(offset, as: UInt32.self))
    case 16: UInt64(cpu.load(offset, as: UInt16.self))
    default: UInt64(cpu.load(offset, as: UInt8.self))
    }
  }

  @inline(always)
  private func writeRegister(_ op: PackedOp, _ value: UInt64) {
    let offset = Int(op.immediate)
    switch op.type.bits {
    case 64: cpu.store(value, at: offset)
    case 32: cpu.store(UInt32(truncatingIfNeeded: value), at: offset)
    case 16: cpu.store(UInt16(truncatingIfNeeded: value), at: offset)
    default: cpu.store(UInt8(truncatingIfNeeded: value), at: offset)
    }
  }

  // MARK: Calls out

  @inline(always)
  mutating func accessSlowly(_ op: PackedOp, _ address: UInt64, _ b: UInt64, _ c: UInt64) -> Bool {
    let current = pc &+ op.distance
    let isDone = unsafe interpreter._withUnsafeGuaranteedRef { $0.access(op, address, b, c, cpu, current, budget) }
    return finish(op, isDone)
  }

  @inline(always)
  private mutating func call(_ op: PackedOp, _ a: UInt64) -> Bool {
    let current = pc &+ op.distance
    let immediate = nextWord()
    let (b, c) = (value(op.b), value(op.c))
    let isDone = unsafe interpreter._withUnsafeGuaranteedRef { $0.call(op, a, b, c, immediate, cpu, current, budget) }
    return finish(op, isDone)
  }

  @inline(always)
  private mutating func finish(_ op: PackedOp, _ isDone: Bool) -> Bool {
    budget = cpu.budget
    guard isDone, op.result != .none else { return isDone }
    set(op.result, value(.scratch) & op.type.mask)
    if op.type == .v128 { cpu.store(cpu.load(StateOffset.upperData, as: UInt64.self), at: op.result.upperNumber &* 8) }
    return true
  }

  // MARK: Ways out

  @inline(always)
  private mutating func target(_ op: PackedOp, isFar: Bool) -> UInt64 {
    isFar ? nextWord() : pc &+ UInt64(bitPattern: op.target)
  }

  @inline(always)
  private mutating func exitIf(_ op: PackedOp, _ a: UInt64, _ bits: Int) -> Bool {
    guard op.isFused else {
      if a != 0 { return exit(op, retiring: op.retired, isFar: op.isFar) }
      if op.isFar { position &+= 1 }
      return true
    }
    let holds = op.condition.holds(a, value(op.b), bits: bits)
    set(op.result, holds ? 1 : 0)
    return !holds || exit(op, retiring: op.fusedRetired, isFar: false)
  }

  /// An exit that stays in the block, may be chained, or looks its target up.
  @inline(always)
  private mutating func exit(_ op: PackedOp, retiring retired: Int64, isFar: Bool) -> Bool {
    budget &-= retired
    if op.skip < PackedOp.chainedSkip {
      position &+= Int(op.skip) &- 1
      return true
    }
    if op.opcode == .exit, op.hasReturn { returns.push(UInt32(truncatingIfNeeded: position)) }
    let mustStop = op.flags.contains(.checksBudget) && budget <= 0
    if let next = op.chainedEntry {
      return mustStop ? leave(.budget, pc: unsafe code[Int(next) &- 1].entryPC) : goOn(next)
    }
    let site = UInt32(truncatingIfNeeded: position &- 1)
    let target = target(op, isFar: isFar)
    if mustStop { return leave(.budget, pc: target) }
    if op.flags.contains(.unchainable) {
      cpu.exitSite = 0
      return lookUp(target)
    }
    cpu.exitSite = site
    return leave(.unchained, pc: target)
  }

  /// Goes on behind the last call if it returns there, or where the jump cache leads.
  @inline(always)
  private mutating func exitIndirect(_ op: PackedOp, to target: UInt64) -> Bool {
    budget &-= op.retired
    if op.hasReturn { returns.push(UInt32(truncatingIfNeeded: position)) }
    if op.flags.contains(.checksBudget) && budget <= 0 { return leave(.budget, pc: target) }
    var site: UInt32 = 0
    if op.flags.contains(.isReturn) {
      site = unsafe returns.pop(to: target, in: code)
      let entry = unsafe code[Int(site)].returnEntry
      if entry != 0 { return goOn(entry) }
    }
    cpu.exitSite = site
    return lookUp(target)
  }

  @inline(always)
  private mutating func lookUp(_ target: UInt64) -> Bool {
    guard usesJumpCache, let next = cpu.jumpCacheEntry(target) else { return leave(.indirectMiss, pc: target) }
    // What was called before may have changed the mode.
    unsafe softTLB = cpu.load(StateOffset.softTLB, as: UnsafePointer<UInt64>?.self)
    return goOn(next)
  }

  /// Goes on at `entry`, unless a host is to take that over.
  @inline(always)
  private mutating func goOn(_ entry: UInt32) -> Bool {
    position = Int(entry)
    if countsEntries { unsafe code[position &- 1].countEntry() }
    let word = unsafe code[position &- 1]
    pc = word.word
    if !countsEntries || word.entries <= entryLimit { return true }
    cpu.exitSite = 0
    return leave(.unchained, pc: word.entryPC)
  }

  @inline(always)
  private func leave(_ reason: ExitReason?, pc: UInt64) -> Bool {
    cpu.pc = pc
    cpu.budget = budget
    cpu.exitReason = reason
    return false
  }
}

extension VCPUState {
  /// What the jump cache holds for `pc`, if it has it.
  fileprivate func jumpCacheEntry(_ pc: UInt64) -> UInt32? {
    guard let cache = unsafe load(StateOffset.jumpCache, as: UnsafeRawPointer?.self) else { return nil }
    let offset = JumpCache.index(pc) &* JumpCache.entrySize
    guard unsafe cache.load(fromByteOffset: offset, as: UInt64.self) == pc else { return nil }
    return unsafe UInt32(truncatingIfNeeded: cache.load(fromByteOffset: offset &+ 8, as: UInt64.self))
  }
}
