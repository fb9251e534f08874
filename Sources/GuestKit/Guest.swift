// Owns the seam between a guest ISA and the engine: the facets that every guest has, and its registers.

import Bits
import IR

/// A guest ISA, configured as one CPU model. Immutable once made; all vCPU state lives in the state block.
///
/// Beside these three facets a guest adopts those of ``Paging``, ``MemoryProtection``, ``ExceptionHardware``,
/// ``DebugUnit``, ``DevicetreeBoot``, ``ImageChecking`` and ``Unwinding`` that its architecture has: who needs one looks for it once.
public protocol Guest: FrontEnd, MemoryModel, ExceptionModel, Sendable {
  /// `riscv32`, `riscv64`, `armv7e-m`…
  var architecture: String { get }
  /// GDB's name of the architecture (BFD's `arch:machine`).
  var debuggerArchitecture: String { get }
  /// Of data that software outside of the guest's code leaves in its memory, and of its registers in GDB's protocol. What
  /// its loads, stores and instructions are is said by each.
  var byteOrder: Endianness { get }
  /// LLVM's name of the architecture, with vendor, system and ABI.
  var triple: String { get }
  var registerFile: RegisterFile { get }
  /// Register numbers of the program counter and the stack pointer.
  var programCounter: Int { get }
  var stackPointer: Int { get }
  /// Nil for an ISA that has none.
  var semihostingConvention: SemihostingConvention? { get }

  /// Reads and writes a register as a debugger sees it (side effects of CSRs as a plain value change); of a wider one the
  /// low 64 bits.
  func readRegister(_ cpu: VCPUState, _ register: Int) -> UInt64
  func writeRegister(_ cpu: VCPUState, _ register: Int, _ value: UInt64)
}

extension Guest {
  public var debuggerArchitecture: String { architecture }
  public var byteOrder: Endianness { .little }
  public var triple: String { architecture + "-unknown-none-elf" }
  public var semihostingConvention: SemihostingConvention? { nil }
}

// MARK: Registers of any width

extension Guest {
  /// The bytes of a register, the lowest first.
  public func registerBytes(_ cpu: VCPUState, _ register: Int) -> [UInt8] {
    let description = registerFile.registers[register]
    let value = readRegister(cpu, register)
    return (0..<description.size).map { place in
      place < 8 ? UInt8(truncatingIfNeeded: value >> UInt64(8 * place)) : cpu.load(description.offset + place)
    }
  }

  /// Writes a register; bytes that are not given are 0, those it has no room for are left out.
  public func setRegister(_ cpu: VCPUState, _ register: Int, bytes: [UInt8]) {
    let description = registerFile.registers[register]
    writeRegister(cpu, register, Endianness.little.number(bytes.prefix(8)))
    for place in stride(from: 8, to: description.size, by: 1) {
      cpu.store(place < bytes.count ? bytes[place] : 0, at: description.offset + place)
    }
  }
}
