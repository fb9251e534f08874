// Owns which instructions reach CSRs, for debuggers that watch those.

import GuestKit

extension RISCVGuest: SystemRegisters {
  /// The CSR instructions; MRET and SRET, which change `mstatus`.
  static func reachesSystem(_ encoding: UInt32) -> Bool {
    guard encoding & 0x7F == 0x73 else { return false }
    let operation = encoding >> 12 & 7
    return operation == 0 ? encoding == 0x3020_0073 || encoding == 0x1020_0073 : operation != 4
  }

  public var systemRegisterWord: String { "csr" }

  public var systemRegisters: [Int] {
    registerFile.registers.indices.filter { registerFile.registers[$0].group == "csr" }
  }

  public func systemAccess(_ bytes: [UInt8]) -> SystemAccess? {
    guard bytes.count >= 4 else { return nil }
    let encoding = bytes.prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    guard Self.reachesSystem(encoding) else { return nil }
    guard encoding >> 12 & 7 != 0 else { return SystemAccess(nil, reads: false, writes: false) }
    let instruction = CSRInstruction(encoding: encoding)
    let row = CSR.row(instruction.number, HartFeatures(xlen: xlen, extensions))
    // CSRRW to x0 does not read.
    let reads = instruction.operation != 1 || encoding >> 7 & 31 != 0
    return SystemAccess(row.flatMap { registerFile.index(of: $0.name) }, reads: reads, writes: instruction.writes)
  }

  public func otherChanges(of register: Int) -> String? {
    let name = registerFile.registers[register].name
    return switch name {
    case "mstatus", "sstatus": "traps change it too"
    case "mepc", "mcause", "mtval", "sepc", "scause", "stval": "traps write it too"
    case "mip", "sip": "interrupt lines change it too"
    case "fflags", "fcsr": "floating-point instructions set flags in it too"
    case "time", "timeh": "it counts by itself"
    case _ where name.contains("cycle") || name.contains("instret"): "it counts by itself"
    default: nil
    }
  }
}
