// Owns what every Arm translator function works with: registers, conditional execution and ways to leave the block.

import GuestKit
import IR

/// The state of one translation. Translator functions take it and the decoded ``Instruction``.
///
/// In an IT block, writes of registers select between new and old value. What cannot be undone (memory accesses,
/// branches, calls, exceptions) comes after ``execute()``, which leaves the block if the condition does not hold.
public struct Translator: ~Copyable {
  public var builder: Builder
  public let features: Features
  public let semihosting: Bool
  public let flags: Flags
  /// Address and length (bytes) of the current instruction.
  public var pc: UInt64
  public var length: Int
  /// ITSTATE of the current instruction; 0 outside IT blocks.
  var itState: UInt8
  /// The truth value on which the current instruction takes effect; nil if it always does.
  var predicate: ValueID?
  /// Whether the block may have more than one instruction.
  var maySkipITBlocks = true
  /// Where the current IT block ends, if its instructions may be skipped together.
  var endOfITBlock: UInt64?
  /// PCs within IT blocks that exits lead to.
  var inner: [UInt64] = []
  /// ITSTATE that the current instruction, an IT, gives the next one.
  var beginsITBlock: UInt8?
  /// The value of the stack pointer that was last held against its limit.
  var checkedStack: ValueID?
  /// What the flags were last computed from in this block.
  var flagSource = FlagSource.unknown
  /// What a floating-point comparison in this block left in ``FloatSlot/floatOrder``.
  var floatOrder: ValueID?
  /// By number, the value of a d register that this block knows; `.none` for others.
  var doubles = InlineArray<16, ValueID>(repeating: .none)
  /// Bases that this block has accessed words at, which were aligned or it would have been left.
  private var alignedBases = InlineArray<4, ValueID>(repeating: .none)
  private var nextAlignedBase = 0
  /// Whether the current instruction changes what floating-point instructions have to do first: the block ends with it.
  var preparesFloat = false
  /// Truth values of the current IT block's conditions, by whether they are of the "else" kind.
  var cachedConditions: (ValueID?, ValueID?) = (nil, nil)

  init(_ builder: consuming Builder, guest: ARMGuest, flags: TranslationFlags, pc: UInt64) {
    self.builder = builder
    features = guest.model.features
    semihosting = guest.semihosting
    self.flags = Flags(rawValue: flags)
    itState = self.flags.itState
    self.pc = pc
    length = 2
  }

  consuming func takeBuilder() -> Builder { builder }

  /// The address after the current instruction.
  var nextPC: UInt64 { (pc &+ UInt64(length)) & 0xFFFF_FFFF }
  var inITBlock: Bool { itState & 15 != 0 }
  /// What instructions see as the PC: 4 bytes on.
  var readPC: UInt32 { UInt32(truncatingIfNeeded: pc) &+ 4 }
  /// As a base of literals and addresses.
  var alignedPC: UInt32 { readPC & ~3 }

  // MARK: Instructions

  /// Begins the instruction at `pc`.
  public mutating func begin(pc: UInt64, length: Int) {
    self.pc = pc
    self.length = length
    builder.instruction(pc: pc, length: length)
    predicate = nil
    guard inITBlock, itState >> 4 < 14 else { return }
    predicate = condition(Int(itState >> 4))
  }

  /// Ends an instruction, which may have ended the block.
  mutating func finish() {
    if let state = beginsITBlock {
      itState = state
      beginsITBlock = nil
      cachedConditions = (nil, nil)
      if !builder.isTerminated { setSlot(.itState, const(UInt32(itState))) }
    } else if inITBlock {
      itState = nextITState
      if !builder.isTerminated { setSlot(.itState, const(UInt32(itState))) }
    }
    if preparesFloat {
      preparesFloat = false
      if !builder.isTerminated { builder.exit(with: .stateChanged, pc: nextPC) }
    }
  }

  /// ITSTATE of the following instruction (ARMv7-M manual, ITAdvance()).
  var nextITState: UInt8 { Self.advance(itState) }
  static func advance(_ state: UInt8) -> UInt8 { state & 7 == 0 ? 0 : state & 0xE0 | state << 1 & 0x1F }

  /// Goes to the next instruction if the current one is not to be executed, or over all of the IT block that is not to be
  /// either. From here on it is.
  mutating func execute() {
    guard let predicate else { return }
    self.predicate = nil
    let skips = builder.compare(.equal, predicate, builder.const(.i1, 0))
    let rest = Self.remaining(itState)
    if let end = endOfITBlock, rest == 0 || Self.isUniform(itState) {
      setSlot(.itState, const(0))
      builder.exitIf(skips, to: end, entering(0), skipping: UInt32(rest))
    } else {
      setSlot(.itState, const(UInt32(nextITState)))
      builder.exitIf(skips, to: nextPC, entering(nextITState))
      if nextITState != 0 { inner.append(nextPC) }
    }
    setSlot(.itState, const(UInt32(itState)))
  }

  /// What an exit says that leads to an instruction with ITSTATE `state`.
  func entering(_ state: UInt8) -> ExitFlags { .changing(flags.itState ^ state) }

  /// How many instructions of an IT block follow the one with ITSTATE `state`.
  static func remaining(_ state: UInt8) -> Int { 3 - (state & 15).trailingZeroBitCount }

  /// Whether those all have the condition of that one.
  private static func isUniform(_ state: UInt8) -> Bool {
    let others = (state & 15) >> UInt8(4 - remaining(state))
    return others == (state & 16 == 0 ? 0 : (1 << UInt8(remaining(state))) - 1)
  }

  // MARK: Values

  mutating func const(_ value: UInt32) -> ValueID { builder.const(.i32, Int64(Int32(bitPattern: value))) }
  mutating func const(_ value: Int) -> ValueID { builder.const(.i32, Int64(Int32(truncatingIfNeeded: value))) }

  /// Register `number`; the PC reads as two instructions on.
  mutating func r(_ number: Int) -> ValueID {
    number == ARMRegisters.pc ? const(readPC) : builder.getRegister(number, .i32)
  }

  /// Writes register `number`, not the PC. Comes after everything in the instruction that may raise.
  mutating func setR(_ number: Int, _ value: ValueID) {
    set(number, number == ARMRegisters.sp ? builder.binary(.and, value, const(~3 as UInt32)) : value)
  }

  /// Writes back to the base `number` of accesses to whole words.
  mutating func setBase(_ number: Int, _ value: ValueID) {
    if number == ARMRegisters.sp { setStack(value) } else { setR(number, value) }
  }

  /// Writes the stack pointer with a value known to be a multiple of 4.
  mutating func setStack(_ value: ValueID) { set(ARMRegisters.sp, value) }

  mutating func slot(_ slot: Slot) -> ValueID { builder.getRegister(slot.register, .i32) }
  /// Writes a slot, whatever the condition.
  mutating func setSlot(_ slot: Slot, _ value: ValueID) { builder.setRegister(slot.register, value) }

  /// Writes a register if the current condition holds.
  mutating func set(_ register: Int, _ value: ValueID) {
    guard let predicate else { return builder.setRegister(register, value) }
    builder.setRegister(register, builder.select(predicate, value, builder.getRegister(register, .i32)))
  }

  mutating func not(_ value: ValueID) -> ValueID { builder.binary(.xor, value, const(~0 as UInt32)) }
  mutating func binary(_ opcode: Opcode, _ a: ValueID, _ b: Int) -> ValueID { builder.binary(opcode, a, const(b)) }

  /// An access to a word that must be aligned, at `base`, the value of register `number`, plus `offset`. One check will
  /// do for a base; the stack pointer and the PC need none.
  mutating func alignedWord(at base: ValueID, _ number: Int, offset: Int) -> MemoryAccess {
    let unchecked = MemoryAccess(size: 4)
    if offset & 3 != 0 { return MemoryAccess(size: 4, aligned: true) }
    if number == ARMRegisters.sp || number == ARMRegisters.pc { return unchecked }
    for index in alignedBases.indices where alignedBases[index] == base { return unchecked }
    alignedBases[nextAlignedBase] = base
    nextAlignedBase = (nextAlignedBase + 1) & 3
    return MemoryAccess(size: 4, aligned: true)
  }

  mutating func forgetAlignedBases() { alignedBases = InlineArray(repeating: .none) }

  // MARK: Ends

  /// Raises a synchronous exception at the current instruction.
  mutating func raise(_ exception: ExceptionNumber, _ status: FaultStatus = [], address: ValueID? = nil) {
    execute()
    builder.raise(Int64(bitPattern: Cause(exception, status).rawValue), value: address ?? const(0))
  }

  public mutating func raise(_ exception: GuestException) {
    builder.raise(
      Int64(bitPattern: exception.cause), value: const(UInt32(truncatingIfNeeded: exception.value)))
  }

  mutating func undefined() { raise(.usageFault, .undefinedInstruction) }

  /// Ends the block before the instruction at `pc`, which has not begun, if it has not ended by itself.
  public mutating func stop(before pc: UInt64) {
    if !builder.isTerminated { builder.exit(to: pc, entering(itState)) }
  }

  /// A direct branch, taken on `condition` or always.
  mutating func branch(to target: UInt32, if condition: ValueID? = nil, isCall: Bool = false) {
    var exit = entering(0)
    if isCall { exit.insert(.isCall) }
    if UInt64(target) <= pc { exit.insert(.checksBudget) }
    if let condition {
      builder.exitIf(condition, to: UInt64(target), exit)
    } else {
      leaveITBlock()
      builder.exit(to: UInt64(target), exit)
    }
  }

  /// A branch to what a register or memory holds: bit 0 goes to the T bit (BXWritePC). Clear, it makes the address odd
  /// to the engine; see ``ARMGuest/translate(_:into:)``.
  mutating func branch(toInterworking target: ValueID, _ exit: ExitFlags = []) {
    leaveITBlock()
    builder.exitIndirect(builder.binary(.xor, target, const(1)), exit.union(.checksBudget))
  }

  /// A branch to a computed address whose bit 0 is ignored (BranchWritePC).
  mutating func branch(toAddress target: ValueID) {
    leaveITBlock()
    builder.exitIndirect(builder.binary(.and, target, const(~1 as UInt32)), [.checksBudget])
  }

  /// What ends a block is the last of its IT block.
  mutating func leaveITBlock() {
    if inITBlock { setSlot(.itState, const(0)) }
  }
}

extension Instruction {
  /// Register fields and immediates, by their letters in the rows.
  @inline(__always) var d: Int { self["d"] }
  @inline(__always) var n: Int { self["n"] }
  @inline(__always) var m: Int { self["m"] }
  @inline(__always) var t: Int { self["t"] }
  @inline(__always) var a: Int { self["a"] }
  @inline(__always) var i: Int { self["i"] }
  /// A branch's signed offset.
  @inline(__always) var j: Int { self["j"] }
  /// A list of registers, a bit each.
  @inline(__always) var list: Int { self["l"] }
}
