// Owns exception entry and return (ARMv7-M manual, B1.5.6 to B1.5.8 and B1.5.11; ARMv8-M manual, B3.18 to B3.22).

import GuestKit
import IR

extension Features {
  /// Jumps to here and above, in Handler mode, are exception returns.
  var lowestExceptionReturn: UInt64 { contains(.v8) ? 0xFF00_0000 : 0xF000_0000 }
}

/// The bits of EXC_RETURN that say where a handler returns to.
struct ExceptionReturn: RawRepresentable {
  let rawValue: UInt32

  /// Whether the architecture gives the value a meaning; without the Security Extension, bits S and ES are 0.
  ///
  /// Bit 4 is clear for a frame with a floating-point part.
  func isValid(_ features: Features) -> Bool {
    let base: UInt32 = features.contains(.v8) ? 0xFFFF_FFA0 : 0xFFFF_FFE1
    return rawValue & ~0x1C == base && (rawValue & 0xC != 4) && (!hasFloat || features.contains(.float))
  }

  var toThread: Bool { rawValue & 8 != 0 }
  var onProcessStack: Bool { rawValue & 4 != 0 }

  init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The frame has a floating-point part.
  var hasFloat: Bool { rawValue & 0x10 == 0 }

  /// The value that returns to the mode and stack in use.
  init(_ core: Core, _ features: Features) {
    let base: UInt32 = features.contains(.v8) ? 0xFFFF_FFB0 : 0xFFFF_FFF1
    rawValue = (core.hasFloatContext ? base & ~0x10 : base) | (core.isHandler ? 0 : core.usesProcessStack ? 12 : 8)
  }
}

extension Core {
  // MARK: Entry

  /// Stacks the caller-saved registers and enters the handler of exception `number`, or of one that the stacking
  /// raises and that is more urgent.
  func enter(_ number: Int, resume: UInt32, _ system: SystemControl) {
    cpu.context.clearReservation()
    let link = ExceptionReturn(self, system.features).rawValue
    var number = number
    if let fault = pushFrame(resume: resume, system) { number = late(fault, number, system) }
    startHandler(number, link: link, system)
  }

  /// Of an exception and the fault its entry raised, the one that is taken first; the other becomes pending.
  private func late(_ fault: Cause, _ number: Int, _ system: SystemControl) -> Int {
    guard var derived = system.note(fault, address: 0, self), derived != number else { return number }
    var priority = system.groupPriority(system.priority(derived))
    let original = system.groupPriority(system.priority(number))
    if priority > original, fault.status.contains(.stackOverflow) {
      // Nothing was stacked, so the handler of the original exception cannot run.
      system.state.hardFaultStatus |= 1 << 30
      derived = ExceptionNumber.hardFault.rawValue
      priority = -1
    }
    let isDerivedFirst = priority <= original
    system.state.pending[isDerivedFirst ? number : derived] = true
    return isDerivedFirst ? derived : number
  }

  /// Goes on at the vector of an exception (ExceptionTaken()).
  func startHandler(_ number: Int, link: UInt32, _ system: SystemControl) {
    setMode(exception: UInt32(number), control: self[.control] & ~4)
    self[r: ARMRegisters.lr] = link
    self[.itState] = 0
    self[.event] = 1
    if cpu.reportsHandlers { cpu.context.handlerBegins(system.cause(ofEntering: number)) }
    let vector = UInt64(system.state.vectorTable &+ 4 * UInt32(number))
    guard let target = cpu.context.readPhysical(vector, size: 4) else {
      system.state.hardFaultStatus |= 2
      system.state.unreadVector = UInt32(truncatingIfNeeded: vector)
      system.activate(number)
      if number <= ExceptionNumber.hardFault.rawValue { return lockUp(Cause(.hardFault, .vectorTable)) }
      // The exception stays pending behind the HardFault that its vector raises.
      system.deactivate(number)
      system.state.pending[number] = true
      return startHandler(ExceptionNumber.hardFault.rawValue, link: link, system)
    }
    system.activate(number)
    cpu.pc = target ^ 1
    if cpu.pc >= system.features.lowestExceptionReturn { system.state.startsNowhere = true }
    system.noteEntry(number)
  }

  // MARK: Return

  /// Leaves a handler by EXC_RETURN value `value`: to the next pending exception if one is urgent enough
  /// (tail-chaining), else to what the frame holds.
  func returnFromException(_ value: UInt32, _ system: SystemControl) {
    cpu.context.clearReservation()
    let number = Int(self[.ipsr])
    let target = ExceptionReturn(rawValue: value)
    let wasActive = system.state.active[number]
    let nesting = system.activeCount
    let isLegal =
      wasActive && target.isValid(system.features)
      && (!target.toThread || nesting == 1 || system.state.configuration & 1 != 0)
    system.deactivate(number)
    if number != ExceptionNumber.nmi.rawValue { self[.faultmask] = 0 }
    guard isLegal else { return refuse(Cause(.usageFault, .invalidPC), value, system) }
    if let next = system.interruptToTake(self) { return startHandler(next, link: value, system) }
    let place = target.onProcessStack ? processStack : mainStack
    let frame: Frame
    switch self.frame(at: place, toThread: target.toThread, hasFloat: target.hasFloat, system) {
    case .success(let read): frame = read
    case .failure(let fault): return refuse(fault.cause, value, system)
    }
    let exception = frame.status & 0x1FF
    guard target.toThread == (exception == 0) else { return refuse(Cause(.usageFault, .invalidPC), value, system) }
    if target.onProcessStack { processStack = frame.end } else { mainStack = frame.end }
    setMode(
      exception: exception,
      control: (target.toThread ? self[.control] & ~2 | (target.onProcessStack ? 2 : 0) : self[.control]) & ~4
        | (target.hasFloat ? 4 : 0))
    restore(frame)
    self[.event] = 1
    // SCR.SLEEPONEXIT
    if target.toThread, nesting == 1, system.state.systemControl & 2 != 0 {
      self[.waitsForEvent] = 0
      cpu.context.waitForInterrupt()
    }
  }

  /// A return that faults: the fault is taken with the frame left where it is, as by tail-chaining.
  private func refuse(_ cause: Cause, _ link: UInt32, _ system: SystemControl) {
    guard let number = system.note(cause, address: 0, self) else { return lockUp(cause) }
    startHandler(number, link: link, system)
  }
}
