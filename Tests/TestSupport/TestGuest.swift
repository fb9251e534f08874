// Owns the invented guest that tests of IR are about: registers and helpers.

import GuestKit
import IR

/// x0…x15 are i64, w0…w7 i32, h0 i16, b0 i8, t0 and t1 i1, v0…v7 v128.
public enum TestGuest {
  public static let registers: [(name: String, type: Type)] =
    (0..<16).map { ("x\($0)", Type.i64) } + (0..<8).map { ("w\($0)", Type.i32) }
    + [("h0", .i16), ("b0", .i8), ("t0", .i1), ("t1", .i1)] + (0..<8).map { ("v\($0)", Type.v128) }

  public static let file = RegisterFile(
    registers.map { GuestRegister($0.name, $0.type, pin: Int($0.name.dropFirst()).map { $0 < 5 ? $0 : nil } ?? nil) })

  /// Helpers, as text names them.
  public static let helpers: [Helper] = unsafe [
    // a * 3 + b ^ c + imm
    Helper("pure", []) { _, a, b, c, imm in (a &* 3 &+ b) ^ (c &+ imm) },
    // x1 + a
    Helper("readx1", .readsRegisters) { state, a, _, _, _ in unsafe VCPUState(state).load(x(1), as: UInt64.self) &+ a },
    // x1 = a; returns the old x1
    Helper("writex1", [.readsRegisters, .writesRegisters]) { state, a, _, _, _ in
      let cpu = unsafe VCPUState(state)
      defer { cpu.store(a, at: x(1)) }
      return cpu.load(x(1))
    },
    // Raises exception a unless it is 0
    Helper("check", .mayRaise) { state, a, b, _, _ in
      let cpu = unsafe VCPUState(state)
      guard a != 0 else { return b }
      cpu.exceptionCause = a
      cpu.exceptionValue = b
      cpu.exitReason = .exception
      return 0
    },
    // Guest instructions retired so far
    Helper("clock", .readsClock) { state, _, _, _, _ in unsafe retired(VCPUState(state)) },
  ]

  public static let names = TextNames(registers: registers.map(\.name), helpers: helpers.map(\.name))
  public static let verifier = Verifier(registers: registers.map(\.type), helpers: helpers.map(\.effects))

  public static func x(_ number: Int) -> Int { StateOffset.registers + 8 * number }

  public static func retired(_ cpu: VCPUState) -> UInt64 {
    UInt64(bitPattern: cpu.load(StateOffset.budgetStart, as: Int64.self) &- cpu.budget)
      &+ cpu.load(StateOffset.pendingRetired, as: UInt64.self)
  }
}
