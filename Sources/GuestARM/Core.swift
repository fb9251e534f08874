// Owns typed access to the state of one CPU in its state block.

import GuestKit
import IR

/// A CPU's state.
struct Core {
  let cpu: VCPUState

  init(_ cpu: VCPUState) { self.cpu = cpu }

  subscript(slot: Slot) -> UInt32 {
    get { cpu.load(slot.offset) }
    nonmutating set { cpu.store(UInt64(newValue), at: slot.offset) }
  }

  /// r0–r14, r13 being the stack pointer in use.
  subscript(r number: Int) -> UInt32 {
    get { cpu.load(StateOffset.registers + 8 * number) }
    nonmutating set { cpu.store(UInt64(newValue), at: StateOffset.registers + 8 * number) }
  }

  /// Where a locked-up CPU's PC stands (ARMv7-M manual, B1.5.15 "Unrecoverable exception cases").
  static let lockupAddress: UInt64 = 0xFFFF_FFFE

  /// The interrupt controller and system control block; nil for a CPU outside of a board.
  var system: SystemControl? { cpu.context.companion(SystemControl.self) }

  var isHandler: Bool { self[.ipsr] != 0 }
  var isPrivileged: Bool { isHandler || self[.control] & 1 == 0 }
  /// Whether r13 is the process stack pointer.
  var usesProcessStack: Bool { !isHandler && self[.control] & 2 != 0 }

  var configuration: Configuration {
    get { Configuration(rawValue: self[.configuration]) }
    nonmutating set { self[.configuration] = newValue.rawValue }
  }

  // MARK: Stack pointers

  var mainStack: UInt32 {
    get { usesProcessStack ? self[.msp] : self[r: ARMRegisters.sp] }
    nonmutating set {
      if usesProcessStack { self[.msp] = newValue & ~3 } else { self[r: ARMRegisters.sp] = newValue & ~3 }
    }
  }

  var processStack: UInt32 {
    get { usesProcessStack ? self[r: ARMRegisters.sp] : self[.psp] }
    nonmutating set {
      if usesProcessStack { self[r: ARMRegisters.sp] = newValue & ~3 } else { self[.psp] = newValue & ~3 }
    }
  }

  /// The limit of the stack pointer in use; 0 where there is none.
  var stackLimit: UInt32 {
    let limit = self[usesProcessStack ? .psplim : .msplim]
    return limit != 0 && hasNegativePriority && configuration.contains(.freesFaultHandlers) ? 0 : limit
  }

  /// Changes mode and stack choice, and makes r13 the stack pointer they call for.
  func setMode(exception: UInt32, control: UInt32) {
    let (main, process) = (mainStack, processStack)
    self[.ipsr] = exception
    self[.control] = control
    (self[.msp], self[.psp]) = (main, process)
    self[r: ARMRegisters.sp] = usesProcessStack ? process : main
  }

  /// CONTROL as MRS shows it: SPSEL is 0 in Handler mode.
  var control: UInt32 {
    get { isHandler ? self[.control] & ~2 : self[.control] }
    nonmutating set {
      let kept = isHandler ? self[.control] & 2 : newValue & 2
      setMode(exception: self[.ipsr], control: newValue & 5 | kept)
    }
  }

  // MARK: Program status

  /// N, Z, C, V, Q and GE in their places in APSR.
  var apsr: UInt32 {
    get {
      self[.negative] & 1 << 31 | (self[.zero] == 0 ? 1 << 30 : 0) | (self[.carry] & 1) << 29
        | (self[.overflow] >> 31) << 28 | (self[.saturated] & 1) << 27 | (self[.greaterEqual] & 15) << 16
    }
    nonmutating set {
      self[.negative] = newValue
      self[.zero] = ~newValue & 1 << 30
      self[.carry] = newValue >> 29 & 1
      self[.overflow] = newValue << 3
      self[.saturated] = newValue >> 27 & 1
      self[.greaterEqual] = newValue >> 16 & 15
    }
  }

  /// APSR, IPSR and EPSR together (ARMv7-M manual, B1.4.2). The T bit is
  /// clear where PC is odd; writes leave it and IPSR alone.
  var xpsr: UInt32 {
    get {
      let it = self[.itState]
      return apsr | (it & 3) << 25 | (it >> 2 & 0x3F) << 10 | (cpu.pc & 1 == 0 ? 1 << 24 : 0)
        | self[.ipsr] & 0x1FF
    }
    nonmutating set {
      apsr = newValue
      self[.itState] = newValue >> 25 & 3 | (newValue >> 10 & 0x3F) << 2
    }
  }
}
