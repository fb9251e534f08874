// How translated code uses the machine: which host registers mean what, the stack frame, fixed places in the state.
//
// rbp is the vCPU's state block, r15 the instruction budget, GS the memory window. rax, rcx, rdx and r14 are
// temporaries. The other nine hold the hottest guest registers for as long as translated code runs. rsp points at the
// spill slots and is a multiple of 16, so that calls need no alignment.

import HostKit
import IR

enum ABI {
  static var state: Register { .rbp }
  static var budget: Register { .r15 }
  static var pinnedCount: Int { 9 }
  static var spillSlots: Int { 128 }
  /// Bytes below the saved registers: the spill slots, and 8 that align the stack.
  static var frameSize: Int32 { Int32(spillSlots * 8 + 8) }

  /// Host register of pinned register number `index`; the first three survive calls.
  static func pinned(_ index: Int) -> Register {
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

  static var temporaries: RegisterSet { RegisterSet(.rax) | .rcx | .rdx | .r14 }
  /// Temporaries that calls do not keep.
  static var volatileTemporaries: RegisterSet { RegisterSet(.rax) | .rcx | .rdx }
  static var firstVolatilePin: Int { 3 }

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

/// A set of general-purpose registers. Written with `|`: an array literal would be an array at run time, each time.
struct RegisterSet: BitwiseCopyable {
  private var rawValue: UInt16

  @inline(__always)
  init() { rawValue = 0 }

  @inline(__always)
  init(_ register: Register) { rawValue = Self.bit(register) }

  @inline(__always)
  private init(rawValue: UInt16) { self.rawValue = rawValue }

  @inline(__always)
  private static func bit(_ register: Register) -> UInt16 { 1 &<< UInt16(register.rawValue) }

  @inline(__always)
  var isEmpty: Bool { rawValue == 0 }

  @inline(__always)
  static func | (set: RegisterSet, register: Register) -> RegisterSet {
    RegisterSet(rawValue: set.rawValue | bit(register))
  }

  @inline(__always)
  func union(_ other: RegisterSet) -> RegisterSet { RegisterSet(rawValue: rawValue | other.rawValue) }

  @inline(__always)
  func subtracting(_ other: RegisterSet) -> RegisterSet { RegisterSet(rawValue: rawValue & ~other.rawValue) }

  @inline(__always)
  func contains(_ register: Register) -> Bool { rawValue & Self.bit(register) != 0 }
  @inline(__always)
  mutating func insert(_ register: Register) { rawValue |= Self.bit(register) }
  @inline(__always)
  mutating func remove(_ register: Register) { rawValue &= ~Self.bit(register) }
  /// The register with the lowest number; the set is not empty.
  @inline(__always)
  var first: Register {
    unsafe unsafeBitCast(UInt8(truncatingIfNeeded: rawValue.trailingZeroBitCount) & 15, to: Register.self)
  }
}

extension Type {
  /// Width of the register operations that compute values of this type; the upper bits of small ones are unspecified.
  @inline(__always)
  var width: Width { self == .i64 || self == .f64 || self == .v128 ? .qword : .dword }

  /// The exact width in memory and comparisons.
  @inline(__always)
  var exactWidth: Width { rawValue <= Type.i8.rawValue ? .byte : self == .i16 ? .word : width }
}
