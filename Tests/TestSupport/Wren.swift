// Owns the Wren, a guest as small as one can be: eight registers, ten instructions of 16 bits, one handler. The article
// "A guest in a day" of GuestKit goes through it.

import GuestKit
import IR

public final class Wren: Guest {
  /// Numbers in the register file.
  public enum Register: Int, CaseIterable {
    case r0, r1, r2, r3, r4, r5, r6, r7
    case pc
    /// Of the last exception: its number, its value, and where it came.
    case cause, value, epc
    /// Whether interrupts are taken; whether one is pending.
    case enabled, line

    public var offset: Int { StateOffset.registers + 8 * rawValue }
  }

  public enum Cause: UInt64 {
    case illegal = 1, trap, fetch, load, store, misaligned, interrupt
  }

  /// Where the handler of all exceptions is.
  public static let handler: UInt64 = 0x40

  public let registerFile = RegisterFile(
    Register.allCases.map { register in
      let isGeneral = register.rawValue <= Register.pc.rawValue
      return GuestRegister(
        "\(register)", .i32, pin: register.rawValue < 8 ? register.rawValue : nil,
        feature: isGeneral ? "org.martlet.wren" : nil, group: isGeneral ? "general" : "system")
    })
  public let helpers: [Helper] = unsafe [
    Helper("ret", [.readsRegisters, .writesRegisters, .readsClock], returnHelper)
  ]
  let decoder: DecodeTable<WrenTranslator>

  public init() throws(PatternError) {
    decoder = try DecodeTable([WrenTranslator.instructions], width: 32, shortIndex: [12..<16], longIndex: [0..<1])
  }

  public var architecture: String { "wren" }
  public var programCounter: Int { Register.pc.rawValue }
  public var stackPointer: Int { Register.r7.rawValue }

  public func readRegister(_ cpu: VCPUState, _ register: Int) -> UInt64 {
    if register == programCounter { return cpu.pc }
    return UInt64(cpu.load(registerFile.registers[register].offset, as: UInt32.self))
  }

  public func writeRegister(_ cpu: VCPUState, _ register: Int, _ value: UInt64) {
    if register == programCounter {
      cpu.pc = value & 0xFFFF_FFFE
    } else {
      cpu.store(value & 0xFFFF_FFFF, at: registerFile.registers[register].offset)
    }
  }
}

// MARK: Front end

extension Wren {
  public var longestInstruction: Int { 2 }
  public var instructionAlignment: UInt64 { 2 }
  public func translationFlags(_ cpu: VCPUState) -> TranslationFlags { 0 }

  public func translate(_ request: borrowing TranslationRequest, into builder: inout Builder) {
    var translator = WrenTranslator(builder)
    translator.translateBlock(request, for: self)
    builder = translator.takeBuilder()
  }

  public func disassemble(_ bytes: [UInt8], pc: UInt64) -> (text: String, length: Int) {
    guard bytes.count >= 2 else { return (".byte", bytes.count) }
    let bits = UInt32(bytes[0]) | UInt32(bytes[1]) << 8
    guard let instruction = decoder.decode(bits, length: 2) else { return (".short", 2) }
    let (name, operands) = decoder.text(of: instruction, aliases: []) { letter, instruction in
      let value = instruction[PatternField(letter: letter)!]
      return letter == UInt8(ascii: "i") ? "\(value)" : "r\(value)"
    }
    return (operands.isEmpty ? name : "\(name) \(operands)", 2)
  }
}

// MARK: Memory

extension Wren {
  public var addressBits: Int { 32 }
  public func memoryMode(_ flags: TranslationFlags) -> MemoryMode { .window }

  public func translateAddress(
    _ cpu: VCPUState, _ address: UInt64, _ kind: AccessKind, size: Int, space: AccessSpace,
    memory: any PhysicalMemoryPort
  ) throws(GuestException) -> AddressTranslation {
    AddressTranslation(physical: address, readable: true, writable: true, executable: true, wholePage: true)
  }

  public func debugTranslate(_ cpu: VCPUState, _ address: UInt64, memory: any PhysicalMemoryPort) -> UInt64? { address }

  public func accessFault(_ kind: AccessKind, _ address: UInt64) -> GuestException {
    let cause: Cause = kind == .read ? .load : kind == .write ? .store : .fetch
    return GuestException(cause: cause.rawValue, value: address)
  }

  public func misalignedFault(_ kind: AccessKind, _ address: UInt64) -> GuestException {
    GuestException(cause: Cause.misaligned.rawValue, value: address)
  }
}

// MARK: Exceptions

extension Wren {
  public func reset(_ cpu: VCPUState, number: Int, pc: UInt64) {
    for register in registerFile.registers { cpu.store(UInt64(0), at: register.offset) }
    cpu.pc = pc
  }

  public func enterException(_ cpu: VCPUState, _ exception: GuestException) {
    cpu.store(exception.cause, at: Register.cause.offset)
    cpu.store(exception.value, at: Register.value.offset)
    cpu.store(cpu.pc, at: Register.epc.offset)
    cpu.store(UInt64(0), at: Register.enabled.offset)
    cpu.pc = Self.handler
  }

  public func pendingInterrupt(_ cpu: VCPUState) -> GuestException? {
    let isTaken = wakesFromWait(cpu) && cpu.load(Register.enabled.offset, as: UInt32.self) != 0
    return isTaken ? GuestException(cause: Cause.interrupt.rawValue) : nil
  }

  public func wakesFromWait(_ cpu: VCPUState) -> Bool { cpu.load(Register.line.offset, as: UInt32.self) != 0 }

  public func setInterruptLine(_ cpu: VCPUState, _ line: Int, _ level: Bool) {
    cpu.store(UInt64(level ? 1 : 0), at: Register.line.offset)
  }

  public func exceptionName(_ cause: UInt64) -> String { Cause(rawValue: cause).map { "\($0)" } ?? "cause \(cause)" }
}

/// Enables interrupts, one of which may be pending; gives the address to return to.
private let returnHelper: HelperFunction = { state, _, _, _, _ in
  let cpu = unsafe VCPUState(state)
  cpu.store(UInt64(1), at: Wren.Register.enabled.offset)
  cpu.context.stateChanged()
  return cpu.load(Wren.Register.epc.offset)
}
