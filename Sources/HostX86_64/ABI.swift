// How translated code uses the machine: which host registers mean what, the stack frame, fixed places in the state.
//
// rbp is the vCPU's state block, r15 the instruction budget, GS the memory window. rax, rcx, rdx and r14 are
// temporaries. The other nine hold the hottest guest registers for as long as translated code runs. rsp points at the
// spill slots and is a multiple of 16, so that calls need no alignment. An f32 in an SSE register or spill slot always has
// ones in bits 32 to 63, so that NaN-boxing one is free: scalar instructions take those bits from their first source.
// Guests without boxes are spared them: see `boxesSingles`.

import HostKit
import IR

typealias RegisterSet = HostKit.RegisterSet<Register>
typealias VectorSet = HostKit.RegisterSet<VectorRegister>

public enum ABI: RegisterRoles {
  static var state: Register { .rbp }
  static var budget: Register { .r15 }
  public static var pinnedCount: Int { 9 }
  public static var spillSlots: Int { 128 }
  /// Bytes below the saved registers: the spill slots, and 8 that align the stack.
  static var frameSize: Int32 { Int32(spillSlots * 8 + 8) }

  /// Host register of pinned register number `index`; the first three survive calls.
  public static func pinned(_ index: Int) -> Register {
    switch index {
    case 0: .rbx
    case 1: .r12
    case 2: .r13
    case 3: .rsi
    case 4: .rdi
    case 5: .r8
    case 6: .r9
    case 7: .r10
    default: .r11
    }
  }

  public static var temporaries: HostKit.RegisterSet<Register> { RegisterSet(.rax) | .rcx | .rdx | .r14 }
  /// Certain instructions want the others.
  public static var firstChoice: Register { .r14 }
  public static var jumpTarget: Register { .rax }
  public static var leaving: Register { .rcx }
  /// Temporaries that calls do not keep.
  static var volatileTemporaries: RegisterSet { RegisterSet(.rax) | .rcx | .rdx }
  static var firstVolatilePin: Int { 3 }

  /// xmm0–xmm3 are temporaries, the other twelve hold the hottest guest registers of floating-point type.
  static var vectorTemporaryCount: UInt8 { 4 }
  public static var vectorTemporaries: HostKit.RegisterSet<VectorRegister> {
    VectorSet(numbers: 0..<vectorTemporaryCount)
  }
  public static var vectorPinnedCount: Int { 12 }
  public static func pinnedVector(_ index: Int) -> VectorRegister { .xmm(vectorTemporaryCount + UInt8(index)) }

  /// A field of the state block.
  static func state(_ offset: Int) -> Memory { Memory(.rbp, Int32(truncatingIfNeeded: offset)) }
  static func spill(_ slot: Int) -> Memory { Memory(.rsp, Int32(truncatingIfNeeded: slot * 8)) }

  /// Where `run` leaves the host object for functions called by translated code.
  static var hostPointer: Int { StateOffset.hostPrivate }
  /// 0 while the vCPU is kicked, else 1 (u32); used by `InterruptStrategy.flag`.
  static var mayRun: Int { StateOffset.hostPrivate + 8 }
  /// `exitSite` when translated code was not left through a numbered exit.
  static var noSite: UInt32 { .max }
}

extension Type {
  /// Width of the register operations that compute values of this type; the upper bits of small ones are unspecified.
  @inline(__always)
  var width: Width { self == .i64 || self == .f64 || self == .v128 ? .qword : .dword }

  /// Moves all of a value between an SSE register and memory.
  var loading: VectorOp { self == .v128 ? .movups : self == .f32 ? .movss : .movsd }
  var storing: VectorStore { self == .v128 ? .movups : self == .f32 ? .movss : .movsd }

  /// The exact width in memory and comparisons.
  @inline(__always)
  var exactWidth: Width { rawValue <= Type.i8.rawValue ? .byte : self == .i16 ? .word : width }
}
