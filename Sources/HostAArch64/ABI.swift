// How translated code uses the machine: which host registers mean what, the stack frame.
//
// x27 is the vCPU's state block, x26 the instruction budget, x25 the memory window. x0 to x7 are temporaries; x16 and x17
// are used within one instruction of the lowering. The others below x28 hold the hottest guest registers for as long as
// translated code runs; x18 is the platform's. sp points at the spill slots.

import HostKit
import IR

public enum ABI: RegisterRoles {
  static var state: Register { .x27 }
  static var budget: Register { .x26 }
  static var window: Register { .x25 }
  static var scratch: Register { .x16 }
  static var otherScratch: Register { .x17 }

  public static var temporaries: RegisterSet<Register> { RegisterSet(numbers: 0..<8) }
  /// Neither `jumpTarget` nor `leaving`.
  public static var firstChoice: Register { .x7 }
  public static var jumpTarget: Register { .x0 }
  public static var leaving: Register { .x1 }
  public static var pinnedCount: Int { 14 }

  /// x19 to x24, which survive calls, then x8 to x15.
  public static func pinned(_ index: Int) -> Register {
    Register(number: UInt8(truncatingIfNeeded: index < 6 ? 19 + index : 2 + index))
  }

  public static var vectorTemporaries: RegisterSet<VectorRegister> { RegisterSet(numbers: 0..<8) }
  public static var vectorPinnedCount: Int { 0 }
  public static func pinnedVector(_ index: Int) -> VectorRegister { VectorRegister(number: 8) }

  public static var spillSlots: Int { 128 }
  static var frameSize: Int { spillSlots * 8 }
  /// 0 while the vCPU is kicked, else 1 (u32); used by `InterruptStrategy.flag`.
  static var mayRun: Int { StateOffset.hostPrivate + 8 }
  /// `exitSite` when translated code was not left through a numbered exit.
  static var noSite: UInt32 { .max }
}

extension Type {
  /// Whether operations on values of this type have 64 bits; the upper bits of small ones are unspecified.
  var isWide: Bool { self == .i64 || self == .f64 }
}
