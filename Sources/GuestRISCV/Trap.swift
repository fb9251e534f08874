// Owns traps (Privileged Architecture, 3.1.6–3.1.9 and 3.1.15): entry, return, delegation and interrupts.

import GuestKit
import IR

extension Cause {
  /// What `medeleg` can delegate: all but calls from machine mode.
  static let delegable: UInt64 = 0xB3FF
}

/// Bits of `mip`, `mie` and `mideleg`.
enum InterruptBit {
  static let supervisorSoftware: UInt64 = 1 << 1
  static let supervisorTimer: UInt64 = 1 << 5
  static let supervisorExternal: UInt64 = 1 << 9
  static let supervisor = supervisorSoftware | supervisorTimer | supervisorExternal
  static let machine: UInt64 = 1 << 3 | 1 << 7 | 1 << 11
}

extension Hart {
  /// `mip`
  var pending: UInt64 { self[.softwarePending] | self[.linePending] }

  /// Enters the trap handler for `cause` (interrupts carry the top bit) at `pc`.
  func enterTrap(_ cause: UInt64, value: UInt64) {
    if cpu.reportsHandlers { cpu.context.handlerBegins(cause) }
    let top = UInt64(1) << UInt64(xlen - 1)
    let isInterrupt = cause & top != 0
    let code = cause & ~top
    let from = privilege
    let delegation = self[isInterrupt ? .mideleg : .medeleg]
    var status = self.status
    let toSupervisor = from <= .supervisor && code < 64 && delegation >> code & 1 != 0
    if toSupervisor {
      self[.scause] = cause
      self[.sepc] = cpu.pc
      self[.stval] = value & mask
      status.move(.sie, to: .spie)
      status.set(.spp, from == .supervisor)
      privilege = .supervisor
    } else {
      self[.mcause] = cause
      self[.mepc] = cpu.pc
      self[.mtval] = value & mask
      status.move(.mie, to: .mpie)
      status.mpp = from.rawValue
      privilege = .machine
    }
    self.status = status
    let vector = self[toSupervisor ? .stvec : .mtvec]
    let base = vector & ~3
    cpu.pc = (isInterrupt && vector & 1 != 0 ? base &+ 4 * code : base) & mask
  }

  /// MRET and SRET: restores the mode and interrupt enable from before the trap.
  /// - Returns: the PC to go on at.
  func returnFromTrap(to level: Privilege) -> UInt64 {
    var status = self.status
    let target: Privilege
    if level == .machine {
      status.set(.mie, status.contains(.mpie))
      status.insert(.mpie)
      target = Privilege(rawValue: status.mpp) ?? .machine
      status.mpp = features.contains(.user) ? Privilege.user.rawValue : Privilege.machine.rawValue
    } else {
      status.set(.sie, status.contains(.spie))
      status.insert(.spie)
      target = status.contains(.spp) ? .supervisor : .user
      status.remove(.spp)
    }
    if target != .machine { status.remove(.mprv) }
    self.status = status
    privilege = target
    return readExceptionPC(level == .machine ? .mepc : .sepc)
  }

  /// `mepc` or `sepc`, whose low bits read as zero as IALIGN demands.
  func readExceptionPC(_ slot: Slot) -> UInt64 {
    self[slot] & (features.contains(.compressed) ? ~1 : ~3)
  }

  /// Has interrupts that may be taken now taken at the next exit that checks the budget.
  func noticeInterrupts() {
    if interruptToTake != nil { cpu.context.stateChanged() }
  }

  /// The most urgent interrupt that is pending, enabled and not masked by mode or delegation; its `mcause`.
  var interruptToTake: UInt64? {
    let ready = pending & self[.mie]
    guard ready != 0 else { return nil }
    let status = self.status
    let mode = privilege
    let delegated = self[.mideleg]
    let machineEnabled = mode < .machine || status.contains(.mie)
    let supervisorEnabled = mode < .supervisor || (mode == .supervisor && status.contains(.sie))
    let machine = machineEnabled ? ready & ~delegated : 0
    let taken = machine != 0 ? machine : supervisorEnabled ? ready & delegated : 0
    let urgency: [UInt64] = [11, 3, 7, 9, 1, 5]
    guard let number = urgency.first(where: { taken >> $0 & 1 != 0 }) else { return nil }
    return UInt64(1) << UInt64(xlen - 1) | number
  }
}

extension Status {
  mutating func set(_ field: Status, _ on: Bool) {
    if on { insert(field) } else { remove(field) }
  }

  /// Copies one bit to another and clears it.
  mutating func move(_ field: Status, to other: Status) {
    set(other, contains(field))
    remove(field)
  }
}

extension RISCVGuest {
  public func enterException(_ cpu: VCPUState, _ exception: GuestException) {
    Hart(cpu).enterTrap(exception.cause, value: exception.value)
  }

  public func pendingInterrupt(_ cpu: VCPUState) -> GuestException? {
    Hart(cpu).interruptToTake.map { GuestException(cause: $0) }
  }

  public func wakesFromWait(_ cpu: VCPUState) -> Bool {
    let hart = Hart(cpu)
    return hart.pending & hart[.mie] != 0
  }

  public func setInterruptLine(_ cpu: VCPUState, _ line: Int, _ level: Bool) {
    let hart = Hart(cpu)
    let bit = UInt64(1) << UInt64(line & 63)
    hart[.linePending] = level ? hart[.linePending] | bit : hart[.linePending] & ~bit
  }

  public func exceptionID(_ cause: UInt64) -> ExceptionID {
    let top = UInt64(1) << UInt64(xlen - 1)
    return ExceptionID(number: cause & ~top, isInterrupt: cause & top != 0)
  }

  public var namedCauses: [UInt64] {
    let top = UInt64(1) << UInt64(xlen - 1)
    return (0..<16).filter { Cause.delegable >> $0 & 1 != 0 || $0 == Cause.callFromMachine }
      + (0..<16).filter { (InterruptBit.machine | InterruptBit.supervisor) >> $0 & 1 != 0 }.map { top | $0 }
  }

  public func exceptionName(_ cause: UInt64) -> String {
    let code = cause & 0x7FFF_FFFF
    if cause >> 63 != 0 || (cause >> 31 & 1 != 0 && cause >> 32 == 0) {
      return switch code {
      case 1: "supervisor software interrupt"
      case 3: "machine software interrupt"
      case 5: "supervisor timer interrupt"
      case 7: "machine timer interrupt"
      case 9: "supervisor external interrupt"
      case 11: "machine external interrupt"
      default: "interrupt \(code)"
      }
    }
    return switch cause {
    case Cause.instructionMisaligned: "instruction address misaligned"
    case Cause.instructionFault: "instruction access fault"
    case Cause.illegalInstruction: "illegal instruction"
    case Cause.breakpoint: "breakpoint"
    case Cause.loadMisaligned: "load address misaligned"
    case Cause.loadFault: "load access fault"
    case Cause.storeMisaligned: "store address misaligned"
    case Cause.storeFault: "store access fault"
    case Cause.callFromUser: "environment call from U-mode"
    case Cause.callFromSupervisor: "environment call from S-mode"
    case Cause.callFromMachine: "environment call from M-mode"
    case Cause.instructionPageFault: "instruction page fault"
    case Cause.loadPageFault: "load page fault"
    case Cause.storePageFault: "store page fault"
    default: "exception \(cause)"
    }
  }
}
