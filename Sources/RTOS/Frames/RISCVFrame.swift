// Owns what the frames of RISC-V kernels have in common: numbered registers in slots of a register's width.

import Bits

enum RISCVFrame {
  /// Registers that all tasks share, as far as the kernel's ports save them never.
  static func shared() -> SavedContext {
    var context = SavedContext()
    context["x0"] = .shared
    context["x3"] = .shared
    context["x4"] = .shared
    return context
  }

  /// Whether a word can be `mstatus` as a trap from machine mode leaves it (Privileged Architecture, 3.1.6).
  static func isTrapStatus(_ word: UInt64, xlen: Int) -> Bool {
    let summary = xlen - 1
    let known: UInt64 = 0x007F_FFAA | (xlen == 64 ? 0xF_0000_0000 : 0) | 1 << UInt64(summary)
    let isDirty = word.bits(13..<15) == 3 || word.bits(9..<11) == 3 || word.bits(15..<17) == 3
    return word & ~known == 0 && word.bits(11..<13) == 3 && !word.bit(3) && word.bit(summary) == isDirty
  }

  /// Adds the registers `numbers`, one slot of `slot` bytes each from `base` on.
  static func add(
    _ context: inout SavedContext, _ numbers: some Sequence<Int>, at base: UInt64, slot: Int, prefix: String = "x"
  ) {
    for (index, number) in numbers.enumerated() {
      context["\(prefix)\(number)"] = .memory(base &+ UInt64(slot * index), size: slot)
    }
  }
}
