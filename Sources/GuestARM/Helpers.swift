// Owns the functions that translated Arm code calls.

import GuestKit
import IR

/// A helper's number in `call` ops.
enum HelperNumber: Int, CaseIterable {
  /// MRS of special register `imm`, and MSR of `a` to the special register in bits 0–7 of `imm`, bits 8–9 being the
  /// mask of the parts of APSR to write.
  case readSpecial, writeSpecial
  /// Makes the next exit that checks the budget leave if an interrupt is to be taken.
  case noticeInterrupts
  /// CPSID f
  case setFaultMask
  /// CLREX
  case clearExclusive
  /// Raises the fault of a division by `a` if that is 0.
  case checkDivisor
  /// A parallel addition or subtraction of `a` and `b`; the immediate is ``ParallelKind`` and ``ParallelOperation``.
  case parallel
  /// The sum of the absolute differences of the bytes of `a` and `b`.
  case sumDifferences
  /// Raises the fault of a stack pointer `a` that is below its limit.
  case checkStackLimit
  /// TT of address `a`; the immediate is 1 for user mode's rights.
  case testTarget
  /// Logs that an instruction, the immediate, needs the Security Extension.
  case lacksSecurity

  var helper: Helper {
    switch self {
    case .readSpecial: unsafe Helper("mrs", [.readsRegisters, .readsClock], readSpecialHelper)
    case .writeSpecial:
      unsafe Helper("msr", [.readsRegisters, .writesRegisters, .readsClock], writeSpecialHelper)
    case .noticeInterrupts: unsafe Helper("notice_interrupts", [.readsRegisters, .readsClock], noticeHelper)
    case .setFaultMask:
      unsafe Helper("cpsid_f", [.readsRegisters, .writesRegisters], setFaultMaskHelper)
    case .clearExclusive: unsafe Helper("clrex", [.writesMemory], clearExclusiveHelper)
    case .parallel: unsafe Helper("parallel", [], parallelHelper)
    case .sumDifferences: unsafe Helper("usad8", [], sumDifferencesHelper)
    case .checkStackLimit:
      unsafe Helper("check_stack_limit", [.mayRaise, .readsRegisters], checkStackLimitHelper)
    case .testTarget: unsafe Helper("test_target", [.readsRegisters], testTargetHelper)
    case .lacksSecurity: unsafe Helper("lacks_security", [.readsRegisters, .keep], lacksSecurityHelper)
    case .checkDivisor: unsafe Helper("check_divisor", [.mayRaise], checkDivisorHelper)
    }
  }
}

/// The special registers of MRS and MSR (ARMv7-M manual, B5.1.1).
enum SpecialRegister: Int {
  case apsr = 0, iapsr, eapsr, xpsr
  case ipsr = 5, epsr, iepsr
  case msp, psp, msplim, psplim
  case primask = 16, basepri, basepriMax, faultmask, control

  /// Whether only the Main Extension has it.
  var isOfMain: Bool { [.basepri, .basepriMax, .faultmask].contains(self) }

  static func name(_ number: Int) -> String {
    switch SpecialRegister(rawValue: number) {
    case .apsr: "APSR"
    case .iapsr: "IAPSR"
    case .eapsr: "EAPSR"
    case .xpsr: "XPSR"
    case .ipsr: "IPSR"
    case .epsr: "EPSR"
    case .iepsr: "IEPSR"
    case .msp: "MSP"
    case .psp: "PSP"
    case .msplim: "MSPLIM"
    case .psplim: "PSPLIM"
    case .primask: "PRIMASK"
    case .basepri: "BASEPRI"
    case .basepriMax: "BASEPRI_MAX"
    case .faultmask: "FAULTMASK"
    case .control: "CONTROL"
    case nil: String(number)
    }
  }
}

extension Core {
  /// MRS. What user mode may not see reads as 0; EPSR always does.
  func read(_ register: SpecialRegister) -> UInt32 {
    switch register {
    case .apsr, .iapsr, .eapsr, .xpsr, .ipsr, .epsr, .iepsr:
      let number = register.rawValue
      var value: UInt32 = number & 4 == 0 ? apsr : 0
      if number & 1 != 0, isPrivileged { value |= self[.ipsr] & 0x1FF }
      return value
    case .control: return control
    case _ where !isPrivileged: return 0
    case .msp: return mainStack
    case .psp: return processStack
    case .msplim: return self[.msplim]
    case .psplim: return self[.psplim]
    case .primask: return self[.primask]
    case .basepri, .basepriMax: return self[.basepri]
    case .faultmask: return self[.faultmask]
    }
  }

  /// MSR. What user mode may not change stays.
  ///
  /// - Parameter mask: bit 1 for N, Z, C, V and Q, bit 0 for GE.
  func write(_ register: SpecialRegister, _ value: UInt32, mask: Int, features: Features) {
    switch register {
    case .apsr, .iapsr, .eapsr, .xpsr:
      let kept = apsr
      let part: UInt32 = (mask & 2 != 0 ? 0xF800_0000 : 0) | (mask & 1 != 0 && features.contains(.dsp) ? 0xF_0000 : 0)
      let bits = features.contains(.main) ? part : part & 0xF000_0000
      apsr = kept & ~bits | value & bits
    case _ where !isPrivileged || register.isOfMain && !features.contains(.main): break
    case .msp: mainStack = value
    case .psp: processStack = value
    case .msplim, .psplim:
      guard features.isSuperset(of: Slot.msplim.needs) else { break }
      self[register == .msplim ? .msplim : .psplim] = value & ~7
    case .primask: self[.primask] = value & 1
    case .basepri: self[.basepri] = value & (system?.priorityMask ?? 0xFF)
    case .basepriMax:
      let value = value & (system?.priorityMask ?? 0xFF)
      if value != 0, value < self[.basepri] || self[.basepri] == 0 { self[.basepri] = value }
    case .faultmask: setFaultMask(value & 1)
    case .control:
      control = value & (features.contains(.unprivileged) ? 3 : 2) | (features.contains(.float) ? value & 4 : 0)
    case .ipsr, .epsr, .iepsr: break
    }
  }

  /// FAULTMASK can be set only below the priority it gives.
  func setFaultMask(_ value: UInt32) {
    if value == 0 || (system?.executionPriority(self) ?? 256) > -1 { self[.faultmask] = value }
  }
}

private let readSpecialHelper: HelperFunction = { state, _, _, _, register in
  let core = unsafe Core(VCPUState(state))
  return SpecialRegister(rawValue: Int(register)).map { UInt64(core.read($0)) } ?? 0
}

private let writeSpecialHelper: HelperFunction = { state, value, _, _, selection in
  let core = unsafe Core(VCPUState(state))
  guard let register = SpecialRegister(rawValue: Int(selection & 0xFF)) else { return 0 }
  core.write(
    register, UInt32(truncatingIfNeeded: value), mask: Int(selection >> 8 & 3),
    features: core.system?.features ?? [.main, .unprivileged, .dsp])
  core.noticeInterrupts()
  return 0
}

private let noticeHelper: HelperFunction = { state, _, _, _, _ in
  unsafe Core(VCPUState(state)).noticeInterrupts()
  return 0
}

private let setFaultMaskHelper: HelperFunction = { state, _, _, _, _ in
  unsafe Core(VCPUState(state)).setFaultMask(1)
  return 0
}

extension Core {
  /// Asks the engine to come back if there is an interrupt to take.
  func noticeInterrupts() {
    if let system, system.interruptToTake(self) != nil { cpu.context.stateChanged() }
  }
}

private let clearExclusiveHelper: HelperFunction = { state, _, _, _, _ in
  unsafe VCPUState(state).context.clearReservation()
  return 0
}

private let checkDivisorHelper: HelperFunction = { state, divisor, _, _, _ in
  if divisor == 0 { unsafe VCPUState(state).raise(GuestException(cause: Cause(.usageFault, .divideByZero).rawValue)) }
  return 0
}

private let parallelHelper: HelperFunction = { _, n, m, _, selection in
  guard let kind = ParallelKind(rawValue: Int(selection >> 8)),
    let operation = ParallelOperation(rawValue: Int(selection & 0xFF))
  else { return 0 }
  return operation.apply(kind, UInt32(truncatingIfNeeded: n), UInt32(truncatingIfNeeded: m))
}

private let sumDifferencesHelper: HelperFunction = { _, n, m, _, _ in
  (0..<4).reduce(0) { sum, byte in
    let (a, b) = (n >> UInt64(8 * byte) & 0xFF, m >> UInt64(8 * byte) & 0xFF)
    return sum + (a > b ? a - b : b - a)
  }
}
