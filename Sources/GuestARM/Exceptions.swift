// Owns what the engine asks about exceptions, escalation and lock-up (ARMv7-M manual, B1.5.14 and B1.5.15).

import Bits
import GuestKit
import IR

extension ARMGuest: ExceptionHardware {
  public func pendingInterrupt(_ cpu: VCPUState) -> GuestException? {
    let core = Core(cpu)
    guard core[.lockup] == 0, let number = core.system?.interruptToTake(core) else { return nil }
    return GuestException(cause: UInt64(number))
  }

  /// A jump to an EXC_RETURN value in Handler mode: the return is part of the instruction that jumps. Or the end of a step
  /// by DebugMonitor. A vector that is such a value (erased flash) is no jump: nothing can be fetched there.
  public func pendingTransition(_ cpu: VCPUState) -> GuestException? {
    let pc = cpu.pc
    let core = Core(cpu)
    if pc >= model.features.lowestExceptionReturn, core.isHandler, core[.lockup] == 0, let system = core.system {
      guard !system.state.startsNowhere else {
        system.state.startsNowhere = false
        return GuestException(cause: Cause(.memManage, .instructionAccess).rawValue, value: pc)
      }
      return GuestException(cause: Cause.exceptionReturn.rawValue, value: pc)
    }
    return core.configuration.contains(.steps) ? core.system?.completedStep(core) : nil
  }

  public func wakesFromWait(_ cpu: VCPUState) -> Bool {
    let core = Core(cpu)
    return core[.waitsForEvent] != 0 && core[.event] != 0 || core.system?.wakes(core) ?? false
  }

  /// Stores that pend or enable interrupts, or change priorities: NVIC_ISER to NVIC_ICPR, NVIC_IPR, ICSR, AIRCR, SHPR,
  /// SHCSR, DEMCR, STIR.
  public func storeDecidesInterrupts(_ address: UInt64) -> Bool {
    guard address >> 12 == 0xE000E else { return false }
    switch address & 0xFFC {
    case 0x100..<0x300, 0x400..<0x800, 0xD04, 0xD0C, 0xD18...0xD24, 0xDFC, 0xF00: return true
    default: return false
    }
  }

  /// Lines end at the interrupt controller, which is a device.
  public func setInterruptLine(_ cpu: VCPUState, _ line: Int, _ level: Bool) {
    Core(cpu).system?.setLevel(line, level)
  }

  public func lockUp(_ cpu: VCPUState) -> String? {
    let core = Core(cpu)
    guard core[.lockup] != 0 else { return nil }
    guard let system = core.system else { return "a fault, and there is no interrupt controller" }
    return system.lockUpReason
  }

  public func enterException(_ cpu: VCPUState, _ exception: GuestException) {
    let core = Core(cpu)
    let cause = Cause(rawValue: exception.cause)
    guard let system = core.system else { return core.lockUp(cause) }
    guard core[.lockup] == 0 else { return }
    if cause.rawValue == Cause.exceptionReturn.rawValue {
      core.returnFromException(UInt32(truncatingIfNeeded: exception.value) ^ 1, system)
      return system.beginStep(core)
    }
    if cause.status.contains(.breakpoint) {
      if system.stopsAtBreakpoint(core) { return }
      if cpu.context.readPhysical(cpu.pc & ~1, size: 2) == 0xBEAB {
        system.unimplemented.once("bkpt 0xab, a semihosting call: --semihosting serves it", system.context)
      }
    }
    if cause.number == ExceptionNumber.busFault.rawValue, system.ignores(cause, core) {
      return core.skipInstruction()
    }
    var number = cause.number
    if number < ExceptionNumber.firstInterrupt {
      guard let escalated = system.note(cause, address: exception.value, core) else { return core.lockUp(cause) }
      number = escalated
    }
    // SVC returns behind itself, as HardFault too where it escalates, and so does what a comparator stopped after. An odd
    // PC is one reached with the T bit clear.
    var resume = UInt32(truncatingIfNeeded: cpu.pc) & ~1
    if cause.number == ExceptionNumber.svCall.rawValue {
      resume &+= 2
      core[.itState] = UInt32(Translator.advance(UInt8(truncatingIfNeeded: core[.itState])))
    }
    core.enter(number, resume: resume, system)
    let isRaised = cause.number == ExceptionNumber.svCall.rawValue || !cause.status.isEmpty
    system.noteStep(into: number, isRaised: isRaised, core)
  }
}

extension SystemControl {
  /// Whether a bus fault of data is passed over: CCR.BFHFNMIGN, in handlers of NMI and HardFault and under FAULTMASK.
  func ignores(_ cause: Cause, _ core: Core) -> Bool {
    guard state.configuration & 1 << 8 != 0, cause.status.contains(.preciseBus), executionPriority(core) < 0 else {
      return false
    }
    state.faultStatus |= FaultStatus.preciseBus.rawValue
    return true
  }

  /// Records a system exception in the fault registers.
  ///
  /// - Returns: the exception that is taken: the one given, HardFault in its place, or nil for lock-up.
  func note(_ cause: Cause, address: UInt64, _ core: Core) -> Int? {
    let status = cause.status
    record(status, address: address)
    var number = cause.number
    guard (3...12).contains(number) else { return number }
    state.lastFault = cause.rawValue
    state.notedFault = cause.rawValue
    state.lastFaultAddress = UInt32(truncatingIfNeeded: core.cpu.pc)
    if status.contains(.breakpoint) {
      state.debugFaultStatus |= 1 << 1
      if features.contains(.main) { number = ExceptionNumber.debugMonitor.rawValue }
    }
    let current = executionPriority(core)
    if state.enabled[number], groupPriority(priority(number)) < current { return number }
    guard current > -1 else { return nil }
    state.hardFaultStatus |= status.contains(.breakpoint) ? 1 << 31 : 1 << 30
    return ExceptionNumber.hardFault.rawValue
  }

  private func record(_ status: FaultStatus, address: UInt64) {
    guard features.contains(.main) else { return }
    state.faultStatus |= status.subtracting(.internalBits).rawValue
    if status.contains(.busAddressValid) { state.busFaultAddress = UInt32(truncatingIfNeeded: address) }
    if status.contains(.memManageAddressValid) { state.memManageAddress = UInt32(truncatingIfNeeded: address) }
  }

  /// Why the CPU is locked up, in words.
  var lockUpReason: String {
    let cause = Cause(rawValue: state.lastFault)
    let handler = Int(core?[.ipsr] ?? 0)
    if cause.status.contains(.vectorTable) {
      return cause.number == ExceptionNumber.reset.rawValue
        ? "there is no vector table at \(state.unreadVector.hex0x()): nothing answers there"
        : "the vector at \(state.unreadVector.hex0x()) cannot be read"
    }
    let place = handler == 0 ? "before its first handler could be entered" : "in its \(exceptionName(handler)) handler"
    var registers = ""
    if features.contains(.main) {
      registers = "; CFSR \(state.faultStatus.hex0x()), HFSR \(state.hardFaultStatus.hex0x())"
      if state.faultStatus & FaultStatus.busAddressValid.rawValue != 0 {
        registers += ", BFAR \(state.busFaultAddress.hex0x())"
      }
      if state.faultStatus & FaultStatus.memManageAddressValid.rawValue != 0 {
        registers += ", MMFAR \(state.memManageAddress.hex0x())"
      }
    }
    return "a fault \(place): \(cause.description) at \((state.lastFaultAddress & ~1).hex0x())\(registers)"
  }
}

extension Core {
  func lockUp(_ cause: Cause) {
    system?.state.lastFault = cause.rawValue
    system?.state.lastFaultAddress = UInt32(truncatingIfNeeded: cpu.pc)
    self[.lockup] = 1
    cpu.pc = Self.lockupAddress
  }

  /// Goes on behind the instruction at PC as if it had been executed, its result being unknown.
  func skipInstruction() {
    let half = cpu.context.readPhysical(cpu.pc & ~1, size: 2) ?? 0
    cpu.pc = (cpu.pc &+ (half < 0xE800 ? 2 : 4)) & 0xFFFF_FFFF
    self[.itState] = UInt32(Translator.advance(UInt8(truncatingIfNeeded: self[.itState])))
  }
}
