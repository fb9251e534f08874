// Owns Zifencei: the instruction-fetch fence.

import GuestKit
import IR

enum Zifencei {
  static let group = InstructionGroup<Translator>(
    "Zifencei",
    [
      .init("fence.i", "............ ..... 001 ..... 0001111", "", fenceI)
    ])

  /// Most stores already drop the translations they hit; what is left is not to run on in this block.
  static func fenceI(_ t: inout Translator, _ i: Instruction) {
    t.builder.exit(with: .codeFence, pc: t.nextPC)
  }
}
