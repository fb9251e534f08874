// Owns the tables of supervisor-level CSRs (Privileged Architecture, 4.1) and of the floating-point CSRs (F, 20.2).

import GuestKit
import IR

extension CSR {
  static let supervisor: [CSR] = [
    CSR(
      0x100, "sstatus", needs: .supervisor, effect: .mode, read: { $0.readStatus(mask: $0.supervisorStatusMask) },
      write: { $0.writeStatus($1, mask: $0.supervisorStatusMask) }),
    CSR(
      0x104, "sie", needs: .supervisor, effect: .interrupts, read: { $0[.mie] & $0[.mideleg] },
      write: { $0[.mie] = $0[.mie] & ~$0[.mideleg] | $1 & $0[.mideleg] }),
    .stored(0x105, "stvec", .stvec, mask: ~2, needs: .supervisor),
    .stored(0x106, "scounteren", .scounteren, mask: 0xFFFF_FFFF, needs: .supervisor),
    .stored(0x10A, "senvcfg", .senvcfg, mask: 1, needs: .supervisor),
    .stored(0x140, "sscratch", .sscratch, needs: .supervisor),
    .exceptionPC(0x141, "sepc", .sepc, needs: .supervisor),
    .stored(0x142, "scause", .scause, needs: .supervisor),
    .stored(0x143, "stval", .stval, needs: .supervisor),
    CSR(
      0x144, "sip", needs: .supervisor, effect: .interrupts, read: { $0.pending & $0[.mideleg] },
      write: { hart, value in
        let writable = hart[.mideleg] & InterruptBit.supervisorSoftware
        hart[.softwarePending] = hart[.softwarePending] & ~writable | value & writable
      }),
    CSR(
      0x180, "satp", needs: .supervisor, guard: .translation, effect: .mode, read: { $0[.satp] },
      write: { $0.writeTranslationBase($1) }),
  ]

  /// A write to `frm` may change whether dynamic rounding is legal, on which translated code depends.
  static let user: [CSR] = [
    CSR(
      0x001, "fflags", needs: .float, guard: .float, read: { $0[.fflags] },
      write: {
        $0[.fflags] = $1 & 31
        $0.dirtyFloat()
      }),
    CSR(
      0x002, "frm", needs: .float, guard: .float, effect: .state, read: { $0[.frm] },
      write: {
        $0[.frm] = $1 & 7
        $0.dirtyFloat()
      }),
    CSR(
      0x003, "fcsr", needs: .float, guard: .float, effect: .state, read: { $0[.frm] << 5 | $0[.fflags] },
      write: {
        $0[.fflags] = $1 & 31
        $0[.frm] = $1 >> 5 & 7
        $0.dirtyFloat()
      }),
  ]
}

extension Hart {
  /// The part of `mstatus` that `sstatus` shows.
  var supervisorStatusMask: Status { features.supervisorStatus }

  func dirtyFloat() {
    self[.mstatus] |= Status.fsMask.rawValue
  }
}
