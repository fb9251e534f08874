// Owns the functions that translated code calls for CSR and privileged instructions. The immediate is the encoding of
// the instruction, which is what `mtval` gets if it is illegal.

import GuestKit
import IR

/// Numbered after ``HelperNumber``.
enum PrivilegedHelper: Int, CaseIterable {
  /// CSR instruction `imm` with source value `a`; the result is the CSR's old value.
  case accessCSR
  /// The same for the write of an instruction that is known to be allowed.
  case writeStatus
  /// The counter that CSR instruction `imm` reads, which changes no register but the one it reads to.
  case readCounter
  /// Asks the engine to come back if there is an interrupt to take.
  case noticeInterrupts
  /// The PC to go on at after MRET or SRET; mode and status are restored.
  case machineReturn, supervisorReturn
  /// The PC of the handler of ECALL.
  case environmentCall
  /// Raises illegal-instruction if WFI is not allowed to supervisor mode.
  case checkWait
  /// SFENCE.VMA for virtual address `a` and address space `b`; absent ones are given by bits 32 (address) and 33 of
  /// `imm` being clear.
  case fenceTranslations

  var number: Int { HelperNumber.allCases.count + rawValue }

  var helper: Helper {
    let effects: Effects = [.readsRegisters, .writesRegisters, .mayRaise, .readsClock]
    return switch self {
    case .accessCSR: unsafe Helper("csr", effects, accessCSRHelper)
    case .writeStatus:
      unsafe Helper("csr_status", [.readsRegisters, .writesRegisters, .readsClock], writeStatusHelper)
    case .readCounter: unsafe Helper("csr_counter", [.mayRaise, .readsClock], readCounterHelper)
    case .noticeInterrupts: unsafe Helper("notice_interrupts", [.readsRegisters, .readsClock], noticeInterruptsHelper)
    case .environmentCall: unsafe Helper("ecall", effects, environmentCallHelper)
    case .machineReturn: unsafe Helper("mret", effects, machineReturnHelper)
    case .supervisorReturn: unsafe Helper("sret", effects, supervisorReturnHelper)
    case .checkWait: unsafe Helper("check_wfi", [.readsRegisters, .mayRaise], checkWaitHelper)
    case .fenceTranslations: unsafe Helper("sfence_vma", effects, fenceTranslationsHelper)
    }
  }
}

extension Hart {
  fileprivate func raiseIllegal(_ encoding: UInt64) {
    cpu.raise(GuestException(cause: Cause.illegalInstruction, value: encoding & 0xFFFF_FFFF))
  }
}

private let accessCSRHelper: HelperFunction = { state, operand, _, _, encoding in
  let hart = unsafe Hart(VCPUState(state))
  let instruction = CSRInstruction(encoding: UInt32(truncatingIfNeeded: encoding))
  guard let old = hart.access(instruction, operand) else {
    hart.raiseIllegal(encoding)
    return 0
  }
  return old
}

private let writeStatusHelper: HelperFunction = { state, operand, _, _, encoding in
  let hart = unsafe Hart(VCPUState(state))
  return hart.access(CSRInstruction(encoding: UInt32(truncatingIfNeeded: encoding)), operand) ?? 0
}

private let readCounterHelper: HelperFunction = { state, _, _, _, encoding in
  let hart = unsafe Hart(VCPUState(state))
  let instruction = CSRInstruction(encoding: UInt32(truncatingIfNeeded: encoding))
  // Polled so often that the way through the table of CSRs would show.
  if instruction.number == CSR.time, hart.features.contains(.counters), hart.allowsCounter(CSR.time) {
    return hart.cpu.platformTime & hart.mask
  }
  return unsafe accessCSRHelper(state, 0, 0, 0, encoding)
}

private let machineReturnHelper: HelperFunction = { state, _, _, _, encoding in
  let hart = unsafe Hart(VCPUState(state))
  let target = hart.returnFromTrap(to: .machine)
  hart.cpu.context.modeChanged()
  hart.noticeInterrupts()
  return target
}

private let noticeInterruptsHelper: HelperFunction = { state, _, _, _, _ in
  unsafe Hart(VCPUState(state)).noticeInterrupts()
  return 0
}

private let environmentCallHelper: HelperFunction = { state, _, _, _, _ in
  let hart = unsafe Hart(VCPUState(state))
  let exception = GuestException(cause: Cause.callFromUser + hart.privilege.rawValue)
  if hart.cpu.context.enterHandler(of: exception) { return hart.cpu.pc }
  hart.cpu.raise(exception)
  return 0
}

private let supervisorReturnHelper: HelperFunction = { state, _, _, _, encoding in
  let hart = unsafe Hart(VCPUState(state))
  if hart.privilege == .supervisor, hart.status.contains(.tsr) {
    hart.raiseIllegal(encoding)
    return 0
  }
  let target = hart.returnFromTrap(to: .supervisor)
  hart.cpu.context.modeChanged()
  hart.noticeInterrupts()
  return target
}

private let checkWaitHelper: HelperFunction = { state, _, _, _, encoding in
  let hart = unsafe Hart(VCPUState(state))
  if hart.privilege < .machine, hart.status.contains(.tw) { hart.raiseIllegal(encoding) }
  return 0
}

private let fenceTranslationsHelper: HelperFunction = { state, address, space, _, encoding in
  let hart = unsafe Hart(VCPUState(state))
  if hart.privilege == .supervisor, hart.status.contains(.tvm) {
    hart.raiseIllegal(encoding)
    return 0
  }
  hart.cpu.context.flushTLB(
    TranslationFence(
      address: encoding >> 32 & 1 != 0 ? address : nil, space: encoding >> 33 & 1 != 0 ? space & 0xFFFF : nil))
  return 0
}
