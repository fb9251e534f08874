// Owns the RISC-V guest: one CPU model, put together from extensions.

import GuestKit
import IR

/// A RISC-V CPU model. The `Guest` protocol is adopted in extensions, each beside what it needs.
public final class RISCVGuest: Guest {
  /// Register width in bits: 32 or 64.
  public let xlen: Int
  public let extensions: Extensions
  public let registerFile: RegisterFile
  /// Numbered as ``HelperNumber``, ``PrivilegedHelper`` and ``FloatHelper`` say.
  public let helpers: [Helper]
  public let decoder: DecodeTable<Translator>
  /// Whether EBREAK between the marker instructions is a semihosting call.
  public let semihosting: Bool

  /// - Parameters:
  ///   - model: `rv32` or `rv64` with every implemented extension, or an ISA string such as `rv64imafdc_zba`.
  ///   - custom: instructions of the caller's own.
  ///   - semihosting: see ``semihosting``.
  public convenience init(
    model: String, semihosting: Bool = false, custom: [InstructionGroup<Translator>] = []
  ) throws(RISCVModelError) {
    let text = model.lowercased()
    let isa = text.dropFirst(4)
    guard text.hasPrefix("rv32") || text.hasPrefix("rv64") else { throw RISCVModelError.unknownBase(model) }
    try self.init(
      xlen: text.hasPrefix("rv32") ? 32 : 64, isa.isEmpty ? .all : try Extensions(isa: isa),
      semihosting: semihosting, custom: custom)
  }

  /// - Parameter xlen: 32 or 64.
  public init(
    xlen: Int, _ extensions: Extensions, semihosting: Bool = false, custom: [InstructionGroup<Translator>] = []
  ) throws(RISCVModelError) {
    self.xlen = xlen
    self.extensions = extensions
    registerFile = RISCVRegisters.make(xlen: xlen, extensions)
    self.semihosting = semihosting
    helpers =
      HelperNumber.allCases.map(\.helper) + PrivilegedHelper.allCases.map(\.helper)
      + FloatHelper.allCases.map(\.helper)
    do throws(PatternError) {
      decoder = try DecodeTable(
        extensions.groups(xlen: xlen) + custom, width: xlen, shortIndex: [0..<2, 5..<7, 10..<16],
        longIndex: [2..<7, 12..<15, 27..<32])
    } catch {
      throw .rows(error.description)
    }
  }

  public var architecture: String { xlen == 32 ? "riscv32" : "riscv64" }
  public var debuggerArchitecture: String { xlen == 32 ? "riscv:rv32" : "riscv:rv64" }
  public var addressBits: Int { xlen }
  public var longestInstruction: Int { 4 }
  public var instructionAlignment: UInt64 { extensions.contains(.c) ? 2 : 4 }
  public var interruptRegisters: [String] {
    ["mstatus", "mip", "mie", "mideleg", "sip", "sie", "mtvec", "mcause", "mepc"]
  }
  public var programCounter: Int { RISCVRegisters.pc }
  /// `sp`
  public var stackPointer: Int { RISCVRegisters.x(2) }
  /// `a0` and `a1`, and EBREAK ("RISC-V Semihosting" 1.0).
  public var semihostingConvention: SemihostingConvention? {
    SemihostingConvention(operation: RISCVRegisters.x(10), parameter: RISCVRegisters.x(11), instructionSize: 4)
  }
}
