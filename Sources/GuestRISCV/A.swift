// Owns the A extension: load-reserved, store-conditional and atomic memory operations. All must be naturally aligned.

import GuestKit
import IR

enum Atomics {
  static let group = InstructionGroup<Translator>("A", rows)

  private static let rows: [InstructionRow<Translator>] = [
    .init("lr.w", "00010oo 00000 sssss 010 ddddd 0101111", "d, (s)", lrW),
    .init("sc.w", "00011oo ttttt sssss 010 ddddd 0101111", "d, t, (s)", scW),
    .init("amoswap.w", "00001oo ttttt sssss 010 ddddd 0101111", "d, t, (s)", swapW),
    .init("amoadd.w", "00000oo ttttt sssss 010 ddddd 0101111", "d, t, (s)", addW),
    .init("amoxor.w", "00100oo ttttt sssss 010 ddddd 0101111", "d, t, (s)", xorW),
    .init("amoand.w", "01100oo ttttt sssss 010 ddddd 0101111", "d, t, (s)", andW),
    .init("amoor.w", "01000oo ttttt sssss 010 ddddd 0101111", "d, t, (s)", orW),
    .init("amomin.w", "10000oo ttttt sssss 010 ddddd 0101111", "d, t, (s)", minW),
    .init("amomax.w", "10100oo ttttt sssss 010 ddddd 0101111", "d, t, (s)", maxW),
    .init("amominu.w", "11000oo ttttt sssss 010 ddddd 0101111", "d, t, (s)", minuW),
    .init("amomaxu.w", "11100oo ttttt sssss 010 ddddd 0101111", "d, t, (s)", maxuW),
    .init("lr.d", "00010oo 00000 sssss 011 ddddd 0101111", "d, (s)", lrD, only: 64),
    .init("sc.d", "00011oo ttttt sssss 011 ddddd 0101111", "d, t, (s)", scD, only: 64),
    .init("amoswap.d", "00001oo ttttt sssss 011 ddddd 0101111", "d, t, (s)", swapD, only: 64),
    .init("amoadd.d", "00000oo ttttt sssss 011 ddddd 0101111", "d, t, (s)", addD, only: 64),
    .init("amoxor.d", "00100oo ttttt sssss 011 ddddd 0101111", "d, t, (s)", xorD, only: 64),
    .init("amoand.d", "01100oo ttttt sssss 011 ddddd 0101111", "d, t, (s)", andD, only: 64),
    .init("amoor.d", "01000oo ttttt sssss 011 ddddd 0101111", "d, t, (s)", orD, only: 64),
    .init("amomin.d", "10000oo ttttt sssss 011 ddddd 0101111", "d, t, (s)", minD, only: 64),
    .init("amomax.d", "10100oo ttttt sssss 011 ddddd 0101111", "d, t, (s)", maxD, only: 64),
    .init("amominu.d", "11000oo ttttt sssss 011 ddddd 0101111", "d, t, (s)", minuD, only: 64),
    .init("amomaxu.d", "11100oo ttttt sssss 011 ddddd 0101111", "d, t, (s)", maxuD, only: 64),
  ]

  /// `aq` and `rl` only add order, and every access here is sequential already.
  private static func atomic(_ kind: AtomicKind, _ size: Int, _ t: inout Translator, _ i: Instruction) {
    let access = MemoryAccess(size: size, signed: true, aligned: true, ordering: .sequential)
    t.setX(i.d, t.builder.atomic(kind, t.xlen, access, at: t.x(i.s), t.x(i.t)))
  }

  static func lrW(_ t: inout Translator, _ i: Instruction) { atomic(.loadReserved, 4, &t, i) }
  static func scW(_ t: inout Translator, _ i: Instruction) { atomic(.storeConditional, 4, &t, i) }
  static func swapW(_ t: inout Translator, _ i: Instruction) { atomic(.exchange, 4, &t, i) }
  static func addW(_ t: inout Translator, _ i: Instruction) { atomic(.add, 4, &t, i) }
  static func xorW(_ t: inout Translator, _ i: Instruction) { atomic(.xor, 4, &t, i) }
  static func andW(_ t: inout Translator, _ i: Instruction) { atomic(.and, 4, &t, i) }
  static func orW(_ t: inout Translator, _ i: Instruction) { atomic(.or, 4, &t, i) }
  static func minW(_ t: inout Translator, _ i: Instruction) { atomic(.minSigned, 4, &t, i) }
  static func maxW(_ t: inout Translator, _ i: Instruction) { atomic(.maxSigned, 4, &t, i) }
  static func minuW(_ t: inout Translator, _ i: Instruction) { atomic(.minUnsigned, 4, &t, i) }
  static func maxuW(_ t: inout Translator, _ i: Instruction) { atomic(.maxUnsigned, 4, &t, i) }

  static func lrD(_ t: inout Translator, _ i: Instruction) { atomic(.loadReserved, 8, &t, i) }
  static func scD(_ t: inout Translator, _ i: Instruction) { atomic(.storeConditional, 8, &t, i) }
  static func swapD(_ t: inout Translator, _ i: Instruction) { atomic(.exchange, 8, &t, i) }
  static func addD(_ t: inout Translator, _ i: Instruction) { atomic(.add, 8, &t, i) }
  static func xorD(_ t: inout Translator, _ i: Instruction) { atomic(.xor, 8, &t, i) }
  static func andD(_ t: inout Translator, _ i: Instruction) { atomic(.and, 8, &t, i) }
  static func orD(_ t: inout Translator, _ i: Instruction) { atomic(.or, 8, &t, i) }
  static func minD(_ t: inout Translator, _ i: Instruction) { atomic(.minSigned, 8, &t, i) }
  static func maxD(_ t: inout Translator, _ i: Instruction) { atomic(.maxSigned, 8, &t, i) }
  static func minuD(_ t: inout Translator, _ i: Instruction) { atomic(.minUnsigned, 8, &t, i) }
  static func maxuD(_ t: inout Translator, _ i: Instruction) { atomic(.maxUnsigned, 8, &t, i) }
}
