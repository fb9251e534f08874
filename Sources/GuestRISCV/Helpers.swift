// Owns the numbering of the functions that translated RISC-V code calls.

import GuestKit
import IR

/// A helper's number in `call` ops.
enum HelperNumber: Int, CaseIterable {
  /// Raises instruction-address-misaligned if bit 1 of `a` is set (only without C).
  case checkTarget
  /// A loop of as many instructions as the immediate says waits for memory to change.
  case spin

  var helper: Helper {
    switch self {
    case .checkTarget: unsafe Helper("check_target", [.mayRaise], raiseIfMisaligned)
    case .spin: unsafe Helper("spin", [.readsClock], spinHelper)
    }
  }
}

private let spinHelper: HelperFunction = { state, _, _, _, length in
  unsafe VCPUState(state).context.spins(length)
  return 0
}

private let raiseIfMisaligned: HelperFunction = { state, target, _, _, _ in
  if target & 2 != 0 {
    unsafe VCPUState(state).raise(GuestException(cause: Cause.instructionMisaligned, value: target))
  }
  return 0
}

/// Exception numbers (privileged manual, `mcause`).
enum Cause {
  static let instructionMisaligned: UInt64 = 0
  static let instructionFault: UInt64 = 1
  static let illegalInstruction: UInt64 = 2
  static let breakpoint: UInt64 = 3
  static let loadMisaligned: UInt64 = 4
  static let loadFault: UInt64 = 5
  static let storeMisaligned: UInt64 = 6
  static let storeFault: UInt64 = 7
  static let callFromUser: UInt64 = 8
  static let callFromSupervisor: UInt64 = 9
  static let callFromMachine: UInt64 = 11
  static let instructionPageFault: UInt64 = 12
  static let loadPageFault: UInt64 = 13
  static let storePageFault: UInt64 = 15
}
