// Owns exception entry and return (ARMv7-M manual, B1.5.6 to B1.5.8), escalation and lock-up (B1.5.14, B1.5.15).

import GuestKit
import IR

extension ARMGuest {
  public func pendingInterrupt(_ cpu: VCPUState) -> GuestException? {
    let core = Core(cpu)
    guard core[.lockup] == 0, let number = core.system?.interruptToTake(core) else { return nil }
    return GuestException(cause: UInt64(number))
  }

  public func wakesFromWait(_ cpu: VCPUState) -> Bool {
    let core = Core(cpu)
    return core[.waitsForEvent] != 0 && core[.event] != 0 || core.system?.wakes(core) ?? false
  }

  /// Lines end at the interrupt controller, which is a device.
  public func setInterruptLine(_ cpu: VCPUState, _ line: Int, _ level: Bool) {
    Core(cpu).system?.setLevel(line, level)
  }

  public func lockUp(_ cpu: VCPUState) -> String? {
    let core = Core(cpu)
    guard core[.lockup] != 0 else { return nil }
    let handler = exceptionName(UInt64(core[.ipsr]))
    return core[.ipsr] == 0 ? "a fault before its first handler could be entered" : "a fault in its \(handler) handler"
  }

  public func enterException(_ cpu: VCPUState, _ exception: GuestException) {
    let core = Core(cpu)
    let cause = Cause(rawValue: exception.cause)
    guard core[.lockup] == 0, let system = core.system else { return core.lockUp() }
    if cause.rawValue == Cause.exceptionReturn.rawValue {
      return core.returnFromException(UInt32(truncatingIfNeeded: exception.value), system)
    }
    var number = cause.number
    if number < ExceptionNumber.firstInterrupt {
      guard let escalated = system.note(cause, address: exception.value, core) else { return core.lockUp() }
      number = escalated
    }
    // SVC returns behind itself. An odd PC is one reached with the T bit clear.
    var resume = UInt32(truncatingIfNeeded: cpu.pc) & ~1
    if number == ExceptionNumber.svCall.rawValue {
      resume &+= 2
      core[.itState] = UInt32(Translator.advance(UInt8(truncatingIfNeeded: core[.itState])))
    }
    core.enter(number, resume: resume, system)
  }
}

extension SystemControl {
  /// Records a system exception in the fault registers.
  ///
  /// - Returns: the exception that is taken: the one given, HardFault in its place, or nil for lock-up.
  func note(_ cause: Cause, address: UInt64, _ core: Core) -> Int? {
    let status = cause.status
    if features.contains(.main) {
      state.faultStatus |= status.subtracting(.breakpoint).rawValue
      if status.contains(.busAddressValid) { state.busFaultAddress = UInt32(truncatingIfNeeded: address) }
      if status.contains(.memManageAddressValid) { state.memManageAddress = UInt32(truncatingIfNeeded: address) }
    }
    let number = cause.number
    guard (3...12).contains(number) else { return number }
    let current = executionPriority(core)
    let isEnabled: Bool =
      switch ExceptionNumber(rawValue: number) {
      case .memManage: state.handlerControl & 1 << 16 != 0
      case .busFault: state.handlerControl & 1 << 17 != 0
      case .usageFault: state.handlerControl & 1 << 18 != 0
      default: true
      }
    if isEnabled, groupPriority(priority(number)) < current { return number }
    guard current > -1 else { return nil }
    if status.contains(.breakpoint) {
      state.hardFaultStatus |= 1 << 31
    } else {
      state.hardFaultStatus |= 1 << 30
    }
    return ExceptionNumber.hardFault.rawValue
  }
}

extension Core {
  func lockUp() {
    self[.lockup] = 1
    cpu.pc = Self.lockupAddress
  }

  // MARK: Entry

  /// Stacks the caller-saved registers and enters the handler of exception `number`.
  func enter(_ number: Int, resume: UInt32, _ system: SystemControl) {
    cpu.context.clearReservation()
    let wasHandler = isHandler
    let onProcessStack = usesProcessStack
    let stack = self[r: ARMRegisters.sp]
    let realigns = stack & 4 != 0 && system.state.configuration & 0x200 != 0
    let frame = (stack &- 32) & (system.state.configuration & 0x200 != 0 ? ~7 : ~3)
    let status = xpsr & ~(1 << 9) | (realigns ? 1 << 9 : 0)
    let words = [0, 1, 2, 3, 12, 14].map { self[r: $0] } + [resume, status]
    var isWritten = true
    for (index, word) in words.enumerated() {
      let address = UInt64(frame &+ 4 * UInt32(index))
      isWritten = cpu.context.writePhysical(address, size: 4, UInt64(word)) && isWritten
    }
    self[r: ARMRegisters.sp] = frame
    let link: UInt32 = wasHandler ? 0xFFFF_FFF1 : onProcessStack ? 0xFFFF_FFFD : 0xFFFF_FFF9
    guard isWritten else {
      guard let fault = system.note(Cause(.busFault, .stackingBus), address: 0, self) else { return lockUp() }
      // The frame is lost; the derived fault is taken in place of the exception, which stays pending.
      if number >= ExceptionNumber.firstInterrupt { system.state.pending[number] = true }
      return startHandler(fault, link: link, system)
    }
    startHandler(number, link: link, system)
  }

  /// Goes on at the vector of an exception (ExceptionTaken()).
  private func startHandler(_ number: Int, link: UInt32, _ system: SystemControl) {
    setMode(exception: UInt32(number), control: self[.control])
    self[r: ARMRegisters.lr] = link
    self[.itState] = 0
    self[.event] = 1
    system.activate(number)
    let vector = UInt64(system.state.vectorTable &+ 4 * UInt32(number))
    guard let target = cpu.context.readPhysical(vector, size: 4) else {
      system.state.hardFaultStatus |= 2
      if number == ExceptionNumber.hardFault.rawValue || number == ExceptionNumber.nmi.rawValue { return lockUp() }
      return startHandler(ExceptionNumber.hardFault.rawValue, link: link, system)
    }
    cpu.pc = target ^ 1
  }

  // MARK: Return

  /// Leaves a handler by EXC_RETURN value `value`: to the next pending exception if one is urgent enough
  /// (tail-chaining), else to what the frame holds.
  func returnFromException(_ value: UInt32, _ system: SystemControl) {
    let value = value | 1
    cpu.context.clearReservation()
    guard isHandler else { return refuse(Cause(.memManage, .instructionAccess), value, system) }
    let number = Int(self[.ipsr])
    let toThread = value & 8 != 0
    let isKnown = [0xFFFF_FFF1, 0xFFFF_FFF9, 0xFFFF_FFFD].contains(value)
    system.deactivate(number)
    if number != ExceptionNumber.nmi.rawValue { self[.faultmask] = 0 }
    self[.event] = 1
    guard isKnown else { return refuse(Cause(.usageFault, .invalidPC), value, system) }
    if let next = system.interruptToTake(self) { return startHandler(next, link: value, system) }
    let onProcessStack = value & 4 != 0
    let frame = onProcessStack ? self[.psp] : self[r: ARMRegisters.sp]
    var words: [UInt32] = []
    for index in 0..<8 {
      guard let word = cpu.context.readPhysical(UInt64(frame &+ 4 * UInt32(index)), size: 4) else {
        return refuse(Cause(.busFault, .unstackingBus), value, system)
      }
      words.append(UInt32(word))
    }
    let end = frame &+ 32 &+ (words[7] >> 9 & 1 != 0 && system.state.configuration & 0x200 != 0 ? 4 : 0)
    let exception = words[7] & 0x1FF
    guard toThread == (exception == 0) || toThread && system.state.configuration & 1 != 0 else {
      return refuse(Cause(.usageFault, .invalidPC), value, system)
    }
    if onProcessStack { self[.psp] = end } else { self[r: ARMRegisters.sp] = end }
    setMode(
      exception: toThread ? 0 : exception,
      control: toThread ? self[.control] & ~2 | (onProcessStack ? 2 : 0) : self[.control])
    for (index, register) in [0, 1, 2, 3, 12, 14].enumerated() { self[r: register] = words[index] }
    xpsr = words[7]
    cpu.pc = UInt64(words[6] & ~1 | (words[7] >> 24 & 1 ^ 1))
  }

  /// A return that faults: the fault is taken with the frame left where it is, as by tail-chaining.
  private func refuse(_ cause: Cause, _ link: UInt32, _ system: SystemControl) {
    guard let number = system.note(cause, address: 0, self) else { return lockUp() }
    if isHandler {
      startHandler(number, link: link, system)
    } else {
      enter(number, resume: UInt32(truncatingIfNeeded: cpu.pc), system)
    }
  }
}
