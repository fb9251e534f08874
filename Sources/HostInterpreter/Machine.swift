// Owns the execution of IR, one op at a time: the reference semantics of every op.

import HostKit
import IR

/// A vCPU in the middle of a block. Values are kept zero-extended to 64 bits; guest registers live in the state block.
///
/// All that changes is in four words, and nothing that is not inlined gets at them, so they live in registers of the host.
@safe struct Machine {
  private let host: Unmanaged<InterpreterHost>
  private let code: UnsafeMutablePointer<Op>
  let cpu: VCPUState
  /// What places count from, 8 bytes each: those of guest registers, and those of values.
  private let registerBase: UnsafeMutablePointer<UInt64>
  private let valueBase: UnsafeMutablePointer<UInt64>
  let softTLB: UnsafePointer<UInt64>?
  /// Whether linked exits and jump-cache hits go on in the next block; otherwise every exit leaves.
  private let followsLinks: Bool

  /// The next op.
  private(set) var position: Int
  private var budget: Int64
  /// That of the block.
  private var pc: UInt64

  /// Value slots of a running block: one for each number, the last (``IR/Place/none``) always 0.
  static var valueSlots: Int { 1 << 15 }

  /// The last slot but one: what a call out of the code returned.
  static var callResult: Int { valueSlots - 2 }

  /// - Parameter host: outlives the machine.
  @inline(__always)
  init(_ host: InterpreterHost, entry: CodeAddress, cpu: VCPUState, followsLinks: Bool) {
    unsafe self.host = .passUnretained(host)
    unsafe code = host.code.memory
    self.cpu = cpu
    unsafe registerBase = cpu.base.assumingMemoryBound(to: UInt64.self)
    unsafe valueBase = host.values.memory - Self.valueSlots
    unsafe softTLB = cpu.load(StateOffset.softTLB, as: UnsafePointer<UInt64>?.self)
    self.followsLinks = followsLinks
    position = Int(entry.offset)
    unsafe pc = UInt64(bitPattern: code[position &- 1].imm)
    budget = cpu.budget
    cpu.exitReason = nil
  }

  @inline(__always)
  private func slot(_ id: ValueID) -> UnsafeMutablePointer<UInt64> {
    unsafe (id.index >= 0x8000 ? valueBase : registerBase) + Int(id.index)
  }

  @inline(__always)
  func value(_ id: ValueID) -> UInt64 { unsafe slot(id).pointee }

  @inline(__always)
  func set(_ id: ValueID, _ value: UInt64) { unsafe slot(id).pointee = value }

  /// Executes the next op.
  /// - Returns: false when translated code is left; the state's header says why.
  @inline(__always)
  mutating func step() -> Bool {
    let op = unsafe code[position]
    let bits = op.type.bits
    position &+= 1
    let a = value(op.a)
    let b = op.b.index == Place.immediate.rawValue ? UInt64(bitPattern: op.imm) : value(op.b)
    let result: UInt64
    switch op.opcode {
    case .nop, .fence, .instruction: return true
    case .retire, .label:
      budget &-= Int64(op.extra)
      return true
    case .count:
      count(at: UInt(truncatingIfNeeded: op.imm))
      return true
    case .const: result = UInt64(bitPattern: op.imm) & op.type.mask
    case .copy, .zeroExtend, .bitcast: result = a
    case .getRegister: result = readRegister(op)
    case .setRegister:
      writeRegister(op, a)
      return true
    case .add: result = Arithmetic.add(a, b, bits)
    case .sub: result = Arithmetic.sub(a, b, bits)
    case .mul: result = Arithmetic.mul(a, b, bits)
    case .mulHighSigned: result = Arithmetic.mulHighSigned(a, b, bits)
    case .mulHighUnsigned: result = Arithmetic.mulHighUnsigned(a, b, bits)
    case .mulHighSignedUnsigned: result = Arithmetic.mulHighSignedUnsigned(a, b, bits)
    case .divSigned: result = Arithmetic.divSigned(a, b, bits)
    case .divUnsigned: result = Arithmetic.divUnsigned(a, b)
    case .remSigned: result = Arithmetic.remSigned(a, b, bits)
    case .remUnsigned: result = Arithmetic.remUnsigned(a, b)
    case .and: result = a & b
    case .or: result = a | b
    case .xor: result = a ^ b
    case .andNot: result = a & ~b
    case .shiftLeft: result = Arithmetic.shiftLeft(a, b, bits)
    case .shiftRight: result = Arithmetic.shiftRight(a, b, bits)
    case .shiftRightArithmetic: result = Arithmetic.shiftRightArithmetic(a, b, bits)
    case .rotateLeft: result = Arithmetic.rotateLeft(a, b, bits)
    case .rotateRight: result = Arithmetic.rotateRight(a, b, bits)
    case .countLeadingZeros: result = Arithmetic.countLeadingZeros(a, bits)
    case .countTrailingZeros: result = Arithmetic.countTrailingZeros(a, bits)
    case .populationCount: result = UInt64(truncatingIfNeeded: a.nonzeroBitCount)
    case .byteSwap: result = Arithmetic.byteSwap(a, bits)
    case .compare: result = op.condition.holds(a, b, bits: bits) ? 1 : 0
    case .select: result = a != 0 ? b : value(op.c)
    case .signExtend: result = Arithmetic.signExtend(a, from: Int(op.extra), to: bits)
    case .truncate: result = a & op.type.mask
    case .load: return load(op, a)
    case .store: return store(op, a, b)
    case .atomic, .compareExchange: return accessSlowly(op, address(op, a), b)
    case .floatAdd, .floatSub, .floatMul, .floatDiv, .floatSqrt, .floatFused, .floatMinimum, .floatMaximum,
      .floatCompare, .floatOrder, .floatToInteger, .floatFromInteger, .floatConvert, .floatSign, .floatBox, .floatUnbox:
      result = float(op, a, b)
    case .call: return call(op, a, b)
    case .exitIf: return a == 0 || exit(op)
    case .exit: return exit(op)
    case .exitIndirect: return exitIndirect(op, to: a)
    case .exitWith:
      budget &-= Int64(op.extra)
      return leave(ExitReason(rawValue: UInt32(op.aux)), pc: UInt64(bitPattern: op.imm))
    case .raise:
      budget &-= Int64(op.extra)
      cpu.exceptionCause = UInt64(bitPattern: op.imm)
      cpu.exceptionValue = a
      return leave(.exception, pc: pc &+ op.raiseDistance)
    }
    set(op.result, result)
    return true
  }

  @inline(__always)
  private func float(_ op: Op, _ a: UInt64, _ b: UInt64) -> UInt64 {
    unsafe host._withUnsafeGuaranteedRef { $0.float(op, a, b, value(op.c), cpu) }
  }

  @inline(__always)
  private func count(at address: UInt) {
    guard let counter = unsafe UnsafeMutablePointer<UInt64>(bitPattern: address) else { return }
    unsafe counter.pointee &+= 1
  }

  @inline(__always)
  private func readRegister(_ op: Op) -> UInt64 {
    let offset = Int(op.imm)
    return switch op.type.bits {
    case 64: cpu.load(offset, as: UInt64.self)
    case 32: UInt64(cpu.load(offset, as: UInt32.self))
    case 16: UInt64(cpu.load(offset, as: UInt16.self))
    default: UInt64(cpu.load(offset, as: UInt8.self))
    }
  }

  @inline(__always)
  private func writeRegister(_ op: Op, _ value: UInt64) {
    let offset = Int(op.imm)
    switch op.type.bits {
    case 64: cpu.store(value, at: offset)
    case 32: cpu.store(UInt32(truncatingIfNeeded: value), at: offset)
    case 16: cpu.store(UInt16(truncatingIfNeeded: value), at: offset)
    default: cpu.store(UInt8(truncatingIfNeeded: value), at: offset)
    }
  }

  // MARK: Calls out

  @inline(__always)
  private var callResult: UInt64 { unsafe valueBase[Self.valueSlots + Self.callResult] }

  @inline(__always)
  mutating func accessSlowly(_ op: Op, _ address: UInt64, _ b: UInt64) -> Bool {
    let current = pc &+ op.distance
    let isDone = unsafe host._withUnsafeGuaranteedRef { $0.access(op, address, b, value(op.c), cpu, current, budget) }
    budget = cpu.budget
    if isDone, !op.result.isNone { set(op.result, callResult & op.type.mask) }
    return isDone
  }

  @inline(__always)
  private mutating func call(_ op: Op, _ a: UInt64, _ b: UInt64) -> Bool {
    let current = pc &+ op.distance
    let isDone = unsafe host._withUnsafeGuaranteedRef { $0.call(op, a, b, value(op.c), cpu, current, budget) }
    budget = cpu.budget
    if isDone, !op.result.isNone { set(op.result, callResult & op.type.mask) }
    return isDone
  }

  // MARK: Ways out

  @inline(__always)
  private mutating func exit(_ op: Op) -> Bool {
    budget &-= Int64(op.extra)
    if op.isLocal {
      position = Int(op.link)
      return true
    }
    let target = UInt64(bitPattern: op.imm)
    if op.exitFlags.contains(.checksBudget) && budget <= 0 { return leave(.budget, pc: target) }
    if op.exitFlags.contains(.unchainable) { return lookUp(target) }
    let next = followsLinks ? unsafe host._withUnsafeGuaranteedRef { $0.links[Int(op.link)] } : 0
    if next == 0 {
      cpu.exitSite = op.link
      return leave(.unlinked, pc: target)
    }
    return enter(next)
  }

  @inline(__always)
  private mutating func exitIndirect(_ op: Op, to target: UInt64) -> Bool {
    budget &-= Int64(op.extra)
    if op.exitFlags.contains(.checksBudget) && budget <= 0 { return leave(.budget, pc: target) }
    return lookUp(target)
  }

  @inline(__always)
  private mutating func lookUp(_ target: UInt64) -> Bool {
    guard followsLinks, let next = cpu.jumpCacheEntry(target) else { return leave(.indirectMiss, pc: target) }
    return enter(next)
  }

  @inline(__always)
  private mutating func enter(_ next: UInt32) -> Bool {
    position = Int(next)
    unsafe pc = UInt64(bitPattern: code[position &- 1].imm)
    return true
  }

  @inline(__always)
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
