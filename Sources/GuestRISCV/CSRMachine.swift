// Owns the table of machine-level CSRs (Privileged Architecture, 2.2 and 3.1) except counters.

import GuestKit
import IR

extension CSR {
  static let machine: [CSR] = [
    .constant(0xF11, "mvendorid"),
    .constant(0xF12, "marchid"),
    .constant(0xF13, "mimpid"),
    .stored(0xF14, "mhartid", .mhartid, mask: 0),
    .constant(0xF15, "mconfigptr"),
    CSR(
      0x300, "mstatus", effect: .mode, read: { $0.readStatus(mask: Status(rawValue: .max)) },
      write: { $0.writeStatus($1, mask: $0.machineStatusMask) }),
    .stored(0x301, "misa", .misa, mask: 0),
    .stored(0x302, "medeleg", .medeleg, mask: Cause.delegable, needs: .supervisor),
    .stored(0x303, "mideleg", .mideleg, mask: InterruptBit.supervisor, needs: .supervisor, effect: .interrupts),
    CSR(
      0x304, "mie", effect: .interrupts, read: { $0[.mie] },
      write: { $0[.mie] = $1 & $0.implementedInterrupts }),
    .stored(0x305, "mtvec", .mtvec, mask: ~2),
    .stored(0x306, "mcounteren", .mcounteren, mask: 0xFFFF_FFFF, needs: .user),
    .constant(0x310, "mstatush", needs: .rv32),
    .stored(0x340, "mscratch", .mscratch),
    .exceptionPC(0x341, "mepc", .mepc),
    .stored(0x342, "mcause", .mcause),
    .stored(0x343, "mtval", .mtval),
    CSR(
      0x344, "mip", effect: .interrupts, modified: { $0[.softwarePending] }, read: { $0.pending },
      write: { hart, value in
        let writable = hart.features.contains(.supervisor) ? InterruptBit.supervisor : 0
        hart[.softwarePending] = value & writable
      }),
    .stored(0x30A, "menvcfg", .menvcfg, mask: 1, needs: .user),
    .constant(0x31A, "menvcfgh", needs: [.rv32, .user]),
    // No triggers: tselect stays 0 and that trigger's type is 0, "none".
    .constant(0x7A0, "tselect"),
    .constant(0x7A1, "tdata1"),
    .constant(0x7A2, "tdata2"),
    .constant(0x7A3, "tdata3"),
    .constant(0x7A4, "tinfo", 1),
  ]

  /// The PMP registers: `pmpcfg1` and `pmpcfg3` exist on RV32 only.
  static let protection: [CSR] =
    (0..<4).map { index in
      CSR(
        0x3A0 + index, "pmpcfg\(index)", needs: index & 1 != 0 ? .rv32 : [], effect: .state,
        read: { $0.readPMPConfiguration(index) }, write: { $0.writePMPConfiguration(index, $1) })
    }
    + (0..<Hart.pmpEntries).map { entry in
      CSR(
        0x3B0 + entry, "pmpaddr\(entry)", effect: .state, read: { $0.readPMPAddress(entry) },
        write: { $0.writePMPAddress(entry, $1) })
    }
}

extension Hart {
  /// `mie` bits that can be set.
  var implementedInterrupts: UInt64 {
    features.contains(.supervisor) ? InterruptBit.machine | InterruptBit.supervisor : InterruptBit.machine
  }

  /// The bits of `mstatus` that can be written.
  var machineStatusMask: Status { features.machineStatus }

  /// `mstatus` with the bits that follow from others: SD, and the fixed UXL and SXL.
  func readStatus(mask: Status) -> UInt64 {
    let status = self.status
    var value = status.intersection(mask).rawValue
    if status.fs == 3 { value |= 1 << UInt64(xlen - 1) }
    return value | features.fixedStatus(isMachine: mask.contains(.mppMask))
  }

  /// Writes the bits of `mask`; an MPP of a mode that does not exist leaves MPP as it was.
  func writeStatus(_ value: UInt64, mask: Status) {
    let old = status
    var new = Status(rawValue: old.rawValue & ~mask.rawValue | value & mask.rawValue)
    if !(Privilege(rawValue: new.mpp).map(implements) ?? false) { new.mpp = old.mpp }
    status = new
  }
}

extension HartFeatures {
  /// The bits of `mstatus` that can be written.
  var machineStatus: Status {
    var writable: Status = [.mie, .mpie, .mppMask]
    if contains(.user) { writable.formUnion([.mprv, .tw]) }
    if contains(.supervisor) { writable.formUnion([.sie, .spie, .spp, .sum, .mxr, .tvm, .tsr]) }
    if contains(.float) { writable.insert(.fsMask) }
    return writable
  }

  /// The part of `mstatus` that `sstatus` shows.
  var supervisorStatus: Status { machineStatus.intersection([.sie, .spie, .spp, .fsMask, .sum, .mxr]) }

  /// UXL, and SXL in `mstatus`, which cannot be written.
  func fixedStatus(isMachine: Bool) -> UInt64 {
    guard contains(.rv64) else { return 0 }
    return (contains(.user) ? 2 << 32 : 0) | (contains(.supervisor) && isMachine ? 2 << 34 : 0)
  }
}
