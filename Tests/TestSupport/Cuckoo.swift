// Owns the Cuckoo, a guest with what the others lack: big-endian data, a register of 128 bits, ports, instructions of 1 to 15
// bytes, page tables with two roots, translation flags of 64 bits, exceptions with three values.

import Bits
import GuestKit
import IR

public final class Cuckoo: Guest {
  /// Numbers in the register file.
  public enum Register: Int, CaseIterable {
    case r0, r1, r2, r3
    case pc
    /// 64 bits, floating point, 128 bits.
    case w0, w1, f0, v0
    /// Of the last exception, and where it came.
    case cause, value, detail, moreDetail, epc
    /// The translation flags, and the page tables of the lower and the upper half of addresses.
    case mode, lowerTable, upperTable
    case floatFlags, rounding
  }

  public enum Cause: UInt64 {
    case illegal = 1, trap, page, bus, misaligned
  }

  /// Bits of the mode: `set` adds one; addresses are translated.
  public static let (addsOne, isPaged): (UInt64, UInt64) = (1 << 40, 1 << 63)
  /// Numbers of the access spaces that lead to ports, and where those are in physical memory.
  public static let (outPorts, inPorts): (UInt8, UInt8) = (2, 200)
  public static let ports: UInt64 = 1 << 32
  public static let handler: UInt64 = 0x100

  public let registerFile: RegisterFile
  public let helpers = CuckooHelper.all

  public init() {
    var file = RegisterFile(
      Register.allCases.map { register in
        let (type, gdbType): (Type, String) =
          switch register {
          case .f0: (.f64, "ieee_double")
          case .v0: (.v128, "vector")
          case .w0, .w1, .value, .detail, .moreDetail, .mode: (.i64, "int")
          default: (.i32, "int")
          }
        let isGeneral = register.rawValue <= Register.v0.rawValue
        return GuestRegister(
          "\(register)", type, pin: register.rawValue < 4 ? register.rawValue : nil,
          feature: isGeneral ? "org.martlet.cuckoo" : nil, gdbType: gdbType, group: isGeneral ? "general" : "system")
      })
    file.setFloatEnvironment(flags: Register.floatFlags.rawValue, rounding: Register.rounding.rawValue)
    registerFile = file
  }

  public var architecture: String { "cuckoo" }
  public var byteOrder: Endianness { .big }
  public var programCounter: Int { Register.pc.rawValue }
  public var stackPointer: Int { Register.r3.rawValue }

  public func readRegister(_ cpu: VCPUState, _ register: Int) -> UInt64 {
    if register == programCounter { return cpu.pc }
    let description = registerFile.registers[register]
    return cpu.load(description.offset, as: UInt64.self) & description.type.mask
  }

  public func writeRegister(_ cpu: VCPUState, _ register: Int, _ value: UInt64) {
    let description = registerFile.registers[register]
    let value = value & description.type.mask
    if register == programCounter { cpu.pc = value } else { cpu.store(value, at: description.offset) }
  }

  func read(_ cpu: VCPUState, _ register: Register) -> UInt64 { readRegister(cpu, register.rawValue) }
  func write(_ cpu: VCPUState, _ register: Register, _ value: UInt64) { writeRegister(cpu, register.rawValue, value) }
}

// MARK: Front end

extension Cuckoo {
  public var longestInstruction: Int { 15 }
  public func translationFlags(_ cpu: VCPUState) -> TranslationFlags { read(cpu, .mode) }

  public func translate(_ request: borrowing TranslationRequest, into builder: inout Builder) {
    var translator = CuckooTranslator(builder, flags: request.flags)
    translator.translateBlock(request, for: self)
    builder = translator.takeBuilder()
  }

  public func disassemble(_ bytes: [UInt8], pc: UInt64) -> (text: String, length: Int) {
    (".byte", min(1, bytes.count))
  }
}

// MARK: Memory

extension Cuckoo: Paging {
  public var addressBits: Int { 32 }
  public func memoryMode(_ flags: TranslationFlags) -> MemoryMode { flags & Self.isPaged != 0 ? .tlb : .window }

  public func translationSpace(_ cpu: VCPUState) -> TranslationSpace {
    guard read(cpu, .mode) & Self.isPaged != 0 else { return TranslationSpace() }
    return TranslationSpace(root: read(cpu, .lowerTable), secondRoot: read(cpu, .upperTable))
  }

  public func translateAddress(
    _ cpu: VCPUState, _ address: UInt64, _ kind: AccessKind, size: Int, space: AccessSpace,
    memory: any PhysicalMemoryPort
  ) throws(GuestException) -> AddressTranslation {
    if [Self.outPorts, Self.inPorts].contains(space.rawValue) {
      return AddressTranslation(
        physical: Self.ports + address, readable: true, writable: true, executable: false, wholePage: false)
    }
    guard let physical = debugTranslate(cpu, address, memory: memory) else {
      let table = read(cpu, address >> 31 == 0 ? .lowerTable : .upperTable)
      throw GuestException(cause: Cause.page.rawValue, value: address, details: [UInt64(kind.rawValue), table])
    }
    return AddressTranslation(physical: physical, readable: true, writable: true, executable: true, wholePage: true)
  }

  /// A table has eight entries of 32 bits: a page's address, odd if there is one.
  public func debugTranslate(_ cpu: VCPUState, _ address: UInt64, memory: any PhysicalMemoryPort) -> UInt64? {
    guard read(cpu, .mode) & Self.isPaged != 0 else { return address }
    let table = read(cpu, address >> 31 == 0 ? .lowerTable : .upperTable)
    guard
      let entry = memory.readPhysical(table + (address >> 12 & 7) * 4, size: 4).map({ UInt32(truncatingIfNeeded: $0) }),
      entry.byteSwapped & 1 != 0
    else { return nil }
    return UInt64(entry.byteSwapped & ~0xFFF) | address & 0xFFF
  }

  public func accessFault(_ kind: AccessKind, _ address: UInt64) -> GuestException {
    GuestException(cause: Cause.bus.rawValue, value: address, details: [UInt64(kind.rawValue), 0])
  }

  public func misalignedFault(_ kind: AccessKind, _ address: UInt64) -> GuestException {
    GuestException(cause: Cause.misaligned.rawValue, value: address)
  }
}

// MARK: Exceptions

extension Cuckoo {
  public func reset(_ cpu: VCPUState, number: Int, pc: UInt64) {
    for register in Register.allCases { setRegister(cpu, register.rawValue, bytes: []) }
    cpu.pc = pc
  }

  public func enterException(_ cpu: VCPUState, _ exception: GuestException) {
    write(cpu, .cause, exception.cause)
    write(cpu, .value, exception.value)
    write(cpu, .detail, exception.details[0])
    write(cpu, .moreDetail, exception.details[1])
    write(cpu, .epc, cpu.pc)
    write(cpu, .mode, 0)
    cpu.pc = Self.handler
  }

  public func pendingInterrupt(_ cpu: VCPUState) -> GuestException? { nil }
  public func wakesFromWait(_ cpu: VCPUState) -> Bool { false }
  public func setInterruptLine(_ cpu: VCPUState, _ line: Int, _ level: Bool) {}
  public func exceptionName(_ cause: UInt64) -> String { Cause(rawValue: cause).map { "\($0)" } ?? "cause \(cause)" }
}
