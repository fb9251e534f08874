// Owns the execution of IR, one op at a time: the reference semantics of every op.

import HostKit
import IR

/// A vCPU in the middle of a block. Values are kept zero-extended to 64 bits; guest registers live in the state block.
@safe struct Machine {
  let code: RawTable<Instruction>
  let values: RawTable<UInt64>
  let links: RawTable<UInt32>
  let helpers: [Helper]
  let slowAccess: SlowAccessFunction
  /// Used by floating-point ops alone, which are not compiled without one.
  let floatEnvironment: FloatEnvironment
  let cpu: VCPUState
  /// Whether linked exits and jump-cache hits go on in the next block; otherwise every exit leaves.
  let followsLinks: Bool

  /// The next op.
  var position: Int
  var budget: Int64
  /// Guest instructions begun since the block's start or the last `retire`, the current one included.
  var begun: UInt64 = 0
  var currentPC: UInt64 = 0

  init(_ host: InterpreterHost, values: RawTable<UInt64>, entry: CodeAddress, cpu: VCPUState, followsLinks: Bool) {
    code = host.code
    self.values = values
    links = host.links
    helpers = host.configuration.helpers
    unsafe slowAccess = host.configuration.slowAccess
    floatEnvironment = host.configuration.floatEnvironment ?? FloatEnvironment(flags: 0, rounding: 0)
    self.cpu = cpu
    self.followsLinks = followsLinks
    position = Int(entry.offset)
    budget = cpu.budget
    cpu.exitReason = nil
  }

  @inline(__always)
  private func value(_ id: ValueID) -> UInt64 { values[Int(id.index)] }

  /// Executes the next op.
  /// - Returns: false when translated code is left; the state's header says why.
  @inline(__always)
  mutating func step() -> Bool {
    let instruction = code[position]
    let op = instruction.op
    let bits = Int(instruction.bits)
    position &+= 1
    let a = value(op.a)
    let b = value(op.b)
    let result: UInt64
    switch op.opcode {
    case .nop, .fence: return true
    case .instruction:
      currentPC = UInt64(bitPattern: op.imm)
      begun &+= 1
      return true
    case .retire:
      budget &-= Int64(op.extra)
      begun &-= UInt64(op.extra)
      return true
    case .label:
      budget &-= Int64(op.extra)
      begun = 0
      return true
    case .count:
      count(at: UInt(truncatingIfNeeded: op.imm))
      return true
    case .const: result = UInt64(bitPattern: op.imm) & instruction.mask
    case .copy, .zeroExtend, .bitcast: result = a
    case .getRegister: result = readRegister(instruction)
    case .setRegister:
      writeRegister(instruction, a)
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
    case .signExtend: result = Arithmetic.signExtend(a, from: Int(instruction.sourceBits), to: bits)
    case .truncate: result = a & instruction.mask
    case .load, .store, .atomic, .compareExchange: return access(instruction, a, b)
    case .floatAdd, .floatSub, .floatMul, .floatDiv, .floatSqrt, .floatFused, .floatMinimum, .floatMaximum,
      .floatCompare, .floatOrder, .floatToInteger, .floatFromInteger, .floatConvert, .floatSign, .floatBox, .floatUnbox:
      result = float(instruction, a, b)
    case .call: return call(instruction, a, b)
    case .exitIf: return a == 0 || exit(instruction)
    case .exit: return exit(instruction)
    case .exitIndirect: return exitIndirect(op, to: a)
    case .exitWith:
      budget &-= Int64(op.extra)
      return leave(ExitReason(rawValue: UInt32(op.aux)), pc: UInt64(bitPattern: op.imm))
    case .raise:
      budget &-= Int64(op.extra)
      cpu.exceptionCause = UInt64(bitPattern: op.imm)
      cpu.exceptionValue = op.a.isNone ? 0 : a
      return leave(.exception, pc: currentPC)
    }
    values[Int(op.result.index)] = result
    return true
  }

  private func float(_ instruction: Instruction, _ a: UInt64, _ b: UInt64) -> UInt64 {
    let op = instruction.op
    let operation = FloatOperation(op, source: Type(rawValue: UInt8(truncatingIfNeeded: instruction.detail)) ?? .none)
    return operation.evaluate(a, b, op.c.isNone ? 0 : value(op.c), cpu, floatEnvironment)
  }

  private func count(at address: UInt) {
    guard let counter = unsafe UnsafeMutablePointer<UInt64>(bitPattern: address) else { return }
    unsafe counter.pointee &+= 1
  }

  @inline(__always)
  private func readRegister(_ instruction: Instruction) -> UInt64 {
    let offset = Int(instruction.detail)
    return switch instruction.bits {
    case 64: cpu.load(offset, as: UInt64.self)
    case 32: UInt64(cpu.load(offset, as: UInt32.self))
    case 16: UInt64(cpu.load(offset, as: UInt16.self))
    default: UInt64(cpu.load(offset, as: UInt8.self))
    }
  }

  @inline(__always)
  private func writeRegister(_ instruction: Instruction, _ value: UInt64) {
    let offset = Int(instruction.detail)
    switch instruction.bits {
    case 64: cpu.store(value, at: offset)
    case 32: cpu.store(UInt32(truncatingIfNeeded: value), at: offset)
    case 16: cpu.store(UInt16(truncatingIfNeeded: value), at: offset)
    default: cpu.store(UInt8(truncatingIfNeeded: value), at: offset)
    }
  }

  /// Guest instructions complete but not yet counted.
  private var pendingRetired: UInt64 { begun == 0 ? 0 : begun &- 1 }

  private func updateHeader() {
    cpu.budget = budget
    cpu.pc = currentPC
    cpu.store(pendingRetired, at: StateOffset.pendingRetired)
    cpu.store(currentPC, at: StateOffset.currentPC)
  }

  private mutating func readHeader() {
    budget = cpu.budget
    cpu.store(UInt64(0), at: StateOffset.pendingRetired)
  }

  private mutating func access(_ instruction: Instruction, _ a: UInt64, _ b: UInt64) -> Bool {
    let op = instruction.op
    let address = (a &+ UInt64(bitPattern: op.imm)) & Arithmetic.mask(Int(instruction.sourceBits))
    updateHeader()
    let third = op.c.isNone ? 0 : value(op.c)
    let result = unsafe slowAccess(cpu.base, address, b, third, SlowAccess(op).rawValue)
    readHeader()
    if cpu.accessOutcome == .left { return abandon() }
    if !op.result.isNone { values[Int(op.result.index)] = result & instruction.mask }
    return true
  }

  private mutating func call(_ instruction: Instruction, _ a: UInt64, _ b: UInt64) -> Bool {
    let op = instruction.op
    let effects = Effects(rawValue: UInt16(truncatingIfNeeded: instruction.detail))
    let callsOut = !effects.isDisjoint(with: .callsOut)
    if callsOut { updateHeader() }
    let result = unsafe helpers[Int(op.aux)].function(
      cpu.base, op.a.isNone ? 0 : a, op.b.isNone ? 0 : b, op.c.isNone ? 0 : value(op.c), UInt64(bitPattern: op.imm))
    if callsOut { readHeader() }
    if effects.contains(.mayRaise), cpu.load(StateOffset.exitReason, as: UInt32.self) != 0 { return abandon() }
    if !op.result.isNone { values[Int(op.result.index)] = result & instruction.mask }
    return true
  }

  private mutating func exit(_ instruction: Instruction) -> Bool {
    let op = instruction.op
    let target = UInt64(bitPattern: op.imm)
    budget &-= Int64(op.extra)
    if op.exitFlags.contains(.checksBudget) && budget <= 0 { return leave(.budget, pc: target) }
    if op.exitFlags.contains(.unchainable) { return lookUp(target) }
    let next = followsLinks ? links[Int(instruction.detail)] : 0
    if next == 0 {
      cpu.exitSite = instruction.detail
      return leave(.unlinked, pc: target)
    }
    return enter(next)
  }

  private mutating func exitIndirect(_ op: Op, to target: UInt64) -> Bool {
    budget &-= Int64(op.extra)
    if op.exitFlags.contains(.checksBudget) && budget <= 0 { return leave(.budget, pc: target) }
    return lookUp(target)
  }

  private mutating func lookUp(_ target: UInt64) -> Bool {
    guard followsLinks, let next = cpu.jumpCacheEntry(target) else { return leave(.indirectMiss, pc: target) }
    return enter(next)
  }

  private mutating func enter(_ next: UInt32) -> Bool {
    position = Int(next)
    begun = 0
    return true
  }

  /// Leaves before the current instruction, which something outside has stopped; `exitReason` is already set.
  private mutating func abandon() -> Bool {
    cpu.pc = currentPC
    cpu.budget = budget &- Int64(bitPattern: pendingRetired)
    return false
  }

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
