// Owns Zicond: integer conditional operations.

import GuestKit
import IR

enum Zicond {
  static let group = InstructionGroup<Translator>(
    "Zicond",
    [
      .init("czero.eqz", "0000111 ttttt sssss 101 ddddd 0110011", "d, s, t", czeroEqz),
      .init("czero.nez", "0000111 ttttt sssss 111 ddddd 0110011", "d, s, t", czeroNez),
    ])

  static func czeroEqz(_ t: inout Translator, _ i: Instruction) { zero(if: .equal, &t, i) }
  static func czeroNez(_ t: inout Translator, _ i: Instruction) { zero(if: .notEqual, &t, i) }

  /// `rd = (rs2 condition 0) ? 0 : rs1`
  private static func zero(if condition: Condition, _ t: inout Translator, _ i: Instruction) {
    let zero = t.const(0)
    t.setX(i.d, t.builder.select(t.builder.compare(condition, t.x(i.t), zero), zero, t.x(i.s)))
  }
}
