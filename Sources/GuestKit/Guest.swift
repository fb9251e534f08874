// Owns the seam between a guest ISA and the engine: the facets that every guest has, and its registers.

import IR

/// A guest ISA, configured as one CPU model. Immutable once made; all vCPU state lives in the state block.
///
/// Beside these three facets a guest adopts those of ``Paging``, ``MemoryProtection``, ``ExceptionHardware``,
/// ``DebugUnit``, ``DevicetreeBoot`` and ``ImageChecking`` that its architecture has: who needs one looks for it once.
public protocol Guest: FrontEnd, MemoryModel, ExceptionModel, Sendable {
  /// `riscv32`, `riscv64`, `armv7e-m`…
  var architecture: String { get }
  /// GDB's name of the architecture (BFD's `arch:machine`).
  var debuggerArchitecture: String { get }
  var registerFile: RegisterFile { get }
  /// Register numbers of the program counter and the stack pointer.
  var programCounter: Int { get }
  var stackPointer: Int { get }
  /// Nil for an ISA that has none.
  var semihostingConvention: SemihostingConvention? { get }

  /// Reads and writes a register as a debugger sees it (side effects of CSRs as a plain value change).
  func readRegister(_ cpu: VCPUState, _ register: Int) -> UInt64
  func writeRegister(_ cpu: VCPUState, _ register: Int, _ value: UInt64)
}

extension Guest {
  public var debuggerArchitecture: String { architecture }
  public var semihostingConvention: SemihostingConvention? { nil }
}
