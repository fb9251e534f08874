// Owns stand-ins for the privileged half and the floating-point extensions: replaced file by file, then removed.

import GuestKit
import IR

enum RISCVRegisters {
  static func make(xlen: Int, _ extensions: Extensions) -> RegisterFile {
    let type: Type = xlen == 32 ? .i32 : .i64
    return RegisterFile((0..<32).map { GuestRegister("x\($0)", type, pin: $0 == 0 ? nil : $0, group: "general") })
  }
  /// Register number of integer register x`number`.
  static func x(_ number: Int) -> Int { number }
}

/// The translation flags taken apart.
public struct Flags: Sendable {
  public let rawValue: TranslationFlags
  init(rawValue: TranslationFlags) { self.rawValue = rawValue }
  /// Whether instruction addresses are translated.
  var isPaged: Bool { rawValue & 1 != 0 }
}

enum Zicsr {
  static let group = InstructionGroup<Translator>("Zicsr", [])
}

enum Privileged {
  static let group = InstructionGroup<Translator>("Privileged", [])
}

enum SingleFloat {
  static let group = InstructionGroup<Translator>("F", [])
  /// Loads and stores with fields d, s, t, i: also what Zcf's rows expand to.
  static func flw(_ t: inout Translator, _ i: Instruction) { t.illegal(i.bits) }
  static func fsw(_ t: inout Translator, _ i: Instruction) { t.illegal(i.bits) }
}

enum DoubleFloat {
  static let group = InstructionGroup<Translator>("D", [])
  static func fld(_ t: inout Translator, _ i: Instruction) { t.illegal(i.bits) }
  static func fsd(_ t: inout Translator, _ i: Instruction) { t.illegal(i.bits) }
}
