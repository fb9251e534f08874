// Owns what every RISC-V translator function works with: registers, immediates and ways to leave the block.

import GuestKit
import IR

/// The address that an AUIPC left in a register, for the instruction at `next`.
struct FarAddress {
  var register: Int
  var value: UInt64
  var next: UInt64
}

/// The state of one translation. Translator functions take it and the decoded ``Instruction``.
public struct Translator: ~Copyable {
  public var builder: Builder
  /// The integer registers' type: `i32` or `i64`.
  public let xlen: Type
  private let addressMask: UInt64
  public let extensions: Extensions
  public let flags: Flags
  /// Address and length (bytes) of the current instruction.
  public var pc: UInt64
  public var length: Int
  /// The current instruction, an EBREAK, is a semihosting call.
  var isSemihostingCall = false
  /// What was translated last, and how many instructions of the loop that the current instruction, a branch, closes, if that
  /// does nothing but wait: see `Spin.swift`.
  var trail = Trail()
  var spinLength = 0
  /// What the last AUIPC gave.
  var farAddress = FarAddress(register: 0, value: 0, next: .max)
  /// By f register: the single-precision number it is known to hold, if any.
  var singles = InlineArray<32, ValueID>(repeating: .none)

  init(_ builder: consuming Builder, guest: RISCVGuest, flags: TranslationFlags, pc: UInt64) {
    self.builder = builder
    xlen = guest.xlen == 32 ? .i32 : .i64
    addressMask = xlen.mask
    extensions = guest.extensions
    self.flags = Flags(rawValue: flags)
    self.pc = pc
    length = 4
  }

  consuming func takeBuilder() -> Builder { builder }

  /// The address after the current instruction.
  @inline(__always)
  var nextPC: UInt64 { address(pc &+ UInt64(length)) }

  /// `value` as an address: cut to XLEN.
  @inline(__always)
  public func address(_ value: UInt64) -> UInt64 { value & addressMask }

  // MARK: Values

  mutating func const(_ value: Int) -> ValueID { builder.const(xlen, Int64(value)) }

  /// An address as a value.
  mutating func const(address: UInt64) -> ValueID { builder.const(xlen, number(address)) }

  /// An address as a constant of type `xlen`.
  @inline(__always)
  func number(_ address: UInt64) -> Int64 {
    xlen == .i32 ? Int64(Int32(truncatingIfNeeded: address)) : Int64(bitPattern: address)
  }

  /// Integer register `number`; x0 reads as 0.
  mutating func x(_ number: Int) -> ValueID {
    number == 0 ? builder.const(xlen, 0) : builder.getRegister(RISCVRegisters.x(number), xlen)
  }

  /// Writes integer register `number`; x0 stays 0. Comes after everything in the instruction that may raise.
  mutating func setX(_ number: Int, _ value: ValueID) {
    if number != 0 { builder.setRegister(RISCVRegisters.x(number), value) }
  }

  /// The low 32 bits of a register.
  mutating func word(_ number: Int) -> ValueID {
    xlen == .i32 ? x(number) : builder.unary(.truncate, x(number), to: .i32)
  }

  /// Writes a 32-bit result, sign-extended.
  mutating func setWord(_ number: Int, _ value: ValueID) {
    setX(number, xlen == .i32 ? value : builder.unary(.signExtend, value, to: .i64))
  }

  // MARK: Forms that many instructions share

  /// Integer register `number` as an operand of the builder's forms.
  @inline(__always)
  func operand(_ number: Int) -> Int { number == 0 ? Builder.zero : RISCVRegisters.x(number) }

  /// `rd = rs1 opcode rs2`
  mutating func registers(_ opcode: Opcode, _ i: Instruction) {
    if i.d != 0 { builder.setRegister(RISCVRegisters.x(i.d), opcode, operand(i.s), operand(i.t), xlen) }
  }

  /// `rd = rs1 opcode imm`
  mutating func immediate(_ opcode: Opcode, _ i: Instruction) {
    if i.d != 0 { builder.setRegister(RISCVRegisters.x(i.d), opcode, operand(i.s), constant: Int64(i.i), xlen) }
  }

  /// `rd = sext32(rs1 opcode rs2)`
  mutating func wordRegisters(_ opcode: Opcode, _ i: Instruction) {
    if i.d != 0 { builder.setRegister(RISCVRegisters.x(i.d), widened: opcode, operand(i.s), operand(i.t)) }
  }

  /// `rd = sext32(rs1 opcode imm)`
  mutating func wordImmediate(_ opcode: Opcode, _ i: Instruction) {
    if i.d != 0 { builder.setRegister(RISCVRegisters.x(i.d), widened: opcode, operand(i.s), constant: Int64(i.i)) }
  }

  /// `rd = number`
  mutating func setX(_ number: Int, constant: Int64) {
    if number != 0 { builder.setRegister(RISCVRegisters.x(number), constant: constant, xlen) }
  }

  /// A truth value as 0 or 1 in a register.
  mutating func setTruth(_ number: Int, _ truth: ValueID) {
    setX(number, builder.unary(.zeroExtend, truth, to: xlen))
  }

  // MARK: Ends

  /// Raises exception `cause` with `value` at the current instruction.
  mutating func raise(_ cause: UInt64, value: UInt64) {
    builder.raise(Int64(cause), value: const(address: value))
  }

  /// Raises illegal-instruction with the encoding as its value.
  mutating func illegal(_ encoding: UInt32) {
    builder.raise(Int64(Cause.illegalInstruction), value: builder.const(xlen, Int64(encoding)))
  }

  /// What a direct jump from the current instruction to `target` must say about itself.
  @inline(__always)
  func directFlags(to target: UInt64, taken: Bool) -> ExitFlags {
    var result: ExitFlags = []
    // Addresses wrap around, so what is behind the last one lies before it.
    if target < pc || taken && target == pc { result.insert(.checksBudget) }
    if flags.isPaged, (target ^ pc) >> 12 != 0 { result.insert(.unchainable) }
    return result
  }

  /// Ends the block before the instruction at `pc`, which has not begun, if it has not ended by itself.
  public mutating func stop(before pc: UInt64) {
    if builder.isTerminated { return }
    builder.exit(to: pc, directFlags(to: pc, taken: false))
  }
}

extension Instruction {
  /// Register fields and the immediate, by their letters in the rows.
  @inline(__always) var d: Int { self["d"] }
  @inline(__always) var s: Int { self["s"] }
  @inline(__always) var t: Int { self["t"] }
  @inline(__always) var i: Int { self["i"] }
}

extension Translator {
  /// Whether `target` is aligned as instructions must be.
  @inline(__always)
  func isTarget(_ target: UInt64) -> Bool { extensions.contains(.c) || target & 2 == 0 }
}
