// Owns the form in which the interpreter keeps IR: ops, 24 bytes each, with what else their execution needs in fields that
// the op leaves free.
//
// Operands and results are places, see ``IR/Place``. There are no `instruction` ops: what has to know the current
// instruction has its distance from the block's start. Before each entry lies an op with the block's PC in its `imm`.

import IR

extension Op {
  // MARK: Ops that may call out or raise

  /// In `extra`: guest instructions begun since the block's start or the last `retire`, without the current one (bits
  /// 4–15), and bytes from the block's PC to the current instruction (16–31). Bits 0–3 stay an ``IR/AtomicKind``.
  static func canNote(begun: UInt32, distance: UInt64) -> Bool { begun < 1 << 12 && distance < 1 << 16 }

  mutating func note(begun: UInt32, distance: UInt64) {
    extra = extra & 0xF | begun << 4 | UInt32(truncatingIfNeeded: distance) << 16
  }

  var begun: UInt64 { UInt64(extra >> 4 & 0xFFF) }
  var distance: UInt64 { UInt64(extra >> 16) }

  /// The same for `raise`, whose `extra` is in use: in `result`.
  var raiseDistance: UInt64 {
    get { UInt64(result.index) }
    set { result = ValueID(UInt16(truncatingIfNeeded: newValue)) }
  }

  // MARK: Exits

  /// In `c` and `result`: the exit's number, or where in the code a local exit leads to.
  var link: UInt32 {
    get { UInt32(c.index) | UInt32(result.index) << 16 }
    set {
      c = ValueID(UInt16(truncatingIfNeeded: newValue))
      result = ValueID(UInt16(truncatingIfNeeded: newValue >> 16))
    }
  }

  /// An exit that leads to a label further on in its block: in `aux`, beside its ``IR/ExitFlags``.
  var isLocal: Bool { aux & 0x8000 != 0 }
  mutating func makeLocal(_ position: Int) {
    aux |= 0x8000
    link = UInt32(truncatingIfNeeded: position)
  }

  // MARK: Memory accesses

  /// Whether addresses have 32 bits: in `aux`, beside its ``IR/MemoryAccess``.
  var hasShortAddress: Bool { aux & 0x8000 != 0 }
  mutating func makeAddressShort() { aux |= 0x8000 }
  /// Whether the softmmu TLB serves the access, as long as it stays within a page: also in `aux`.
  var usesTLB: Bool { aux & 0x4000 != 0 }
  mutating func useTLB() { aux |= 0x4000 }
  /// The ``IR/MemoryAccess`` alone.
  var plainAccess: MemoryAccess { MemoryAccess(rawValue: aux & 0x3FFF) }
}
