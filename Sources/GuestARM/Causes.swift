// Owns the numbers of exceptions and the causes that go with them.

import GuestKit
import IR

/// Exception numbers (ARMv7-M manual, B1.5.2). From 16 on they are external interrupts.
public enum ExceptionNumber: Int, Sendable {
  case reset = 1, nmi, hardFault, memManage, busFault, usageFault
  case svCall = 11, debugMonitor
  case pendSV = 14, sysTick

  /// The number of the first external interrupt.
  static let firstInterrupt = 16
}

/// Bits of the Configurable Fault Status Register (ARMv7-M manual, B3.2.15). All bus faults are precise here, so
/// IMPRECISERR is never set.
struct FaultStatus: OptionSet, Sendable {
  let rawValue: UInt32
  static var instructionAccess: Self { .init(rawValue: 1 << 0) }
  static var dataAccess: Self { .init(rawValue: 1 << 1) }
  static var unstackingAccess: Self { .init(rawValue: 1 << 3) }
  static var stackingAccess: Self { .init(rawValue: 1 << 4) }
  static var memManageAddressValid: Self { .init(rawValue: 1 << 7) }
  static var instructionBus: Self { .init(rawValue: 1 << 8) }
  static var preciseBus: Self { .init(rawValue: 1 << 9) }
  static var unstackingBus: Self { .init(rawValue: 1 << 11) }
  static var stackingBus: Self { .init(rawValue: 1 << 12) }
  static var busAddressValid: Self { .init(rawValue: 1 << 15) }
  static var undefinedInstruction: Self { .init(rawValue: 1 << 16) }
  static var invalidState: Self { .init(rawValue: 1 << 17) }
  static var invalidPC: Self { .init(rawValue: 1 << 18) }
  static var noCoprocessor: Self { .init(rawValue: 1 << 19) }
  /// ARMv8-M: the stack pointer went below its limit.
  static var stackOverflow: Self { .init(rawValue: 1 << 20) }
  static var unaligned: Self { .init(rawValue: 1 << 24) }
  static var divideByZero: Self { .init(rawValue: 1 << 25) }
  /// Not of the register: a BKPT that no debugger takes. DebugMonitor, or HardFault with HFSR.DEBUGEVT.
  static var breakpoint: Self { .init(rawValue: 1 << 31) }
  /// Not of the register: a vector that cannot be read, HFSR.VECTTBL.
  static var vectorTable: Self { .init(rawValue: 1 << 30) }
  static var internalBits: Self { [.breakpoint, .vectorTable] }

  /// Names of the bits, for logs.
  var names: [String] {
    let all: [(FaultStatus, String)] = [
      (.instructionAccess, "IACCVIOL"), (.dataAccess, "DACCVIOL"), (.unstackingAccess, "MUNSTKERR"),
      (.stackingAccess, "MSTKERR"), (.instructionBus, "IBUSERR"),
      (.preciseBus, "PRECISERR"), (.unstackingBus, "UNSTKERR"), (.stackingBus, "STKERR"),
      (.undefinedInstruction, "UNDEFINSTR"), (.invalidState, "INVSTATE"), (.invalidPC, "INVPC"),
      (.noCoprocessor, "NOCP"), (.unaligned, "UNALIGNED"), (.divideByZero, "DIVBYZERO"), (.stackOverflow, "STKOF"),
      (.breakpoint, "BKPT"), (.vectorTable, "VECTTBL"),
    ]
    return all.filter { contains($0.0) }.map(\.1)
  }
}

/// An exception as the engine carries it: the number in the low half, fault status bits in the high half.
struct Cause: RawRepresentable, Sendable {
  let rawValue: UInt64
  init(rawValue: UInt64) { self.rawValue = rawValue }
  init(_ number: ExceptionNumber, _ status: FaultStatus = []) {
    rawValue = UInt64(number.rawValue) | UInt64(status.rawValue) << 32
  }

  /// Not an exception: a jump to an EXC_RETURN value, which is the exception's value.
  static var exceptionReturn: Cause { Cause(rawValue: 0x200) }

  var number: Int { Int(rawValue & 0xFFFF_FFFF) }
  var status: FaultStatus { FaultStatus(rawValue: UInt32(rawValue >> 32)) }

  var description: String {
    let bits = status.names
    return bits.isEmpty
      ? exceptionName(number) : "\(exceptionName(number)) (\(bits.joined(separator: " ")))"
  }
}

/// The manual's name of an exception.
func exceptionName(_ number: Int) -> String {
  switch ExceptionNumber(rawValue: number) {
  case .reset: "Reset"
  case .nmi: "NMI"
  case .hardFault: "HardFault"
  case .memManage: "MemManage"
  case .busFault: "BusFault"
  case .usageFault: "UsageFault"
  case .svCall: "SVCall"
  case .debugMonitor: "DebugMonitor"
  case .pendSV: "PendSV"
  case .sysTick: "SysTick"
  case nil: number >= ExceptionNumber.firstInterrupt ? "IRQ \(number - 16)" : "exception \(number)"
  }
}

extension ARMGuest {
  public func accessFault(_ kind: AccessKind, _ address: UInt64) -> GuestException {
    let cause = Cause(.busFault, kind == .execute ? .instructionBus : [.preciseBus, .busAddressValid])
    return GuestException(cause: cause.rawValue, value: address)
  }

  public func misalignedFault(_ kind: AccessKind, _ address: UInt64) -> GuestException {
    GuestException(cause: Cause(.usageFault, .unaligned).rawValue, value: address)
  }

  /// External interrupts have numbers of their own.
  public func exceptionID(_ cause: UInt64) -> ExceptionID {
    let number = Cause(rawValue: cause).number
    if number >= ExceptionNumber.firstInterrupt {
      return ExceptionID(number: UInt64(number - ExceptionNumber.firstInterrupt), isInterrupt: true)
    }
    return ExceptionID(number: UInt64(number), isInterrupt: false)
  }

  public var namedCauses: [UInt64] {
    let all: [ExceptionNumber] = [
      .nmi, .hardFault, .memManage, .busFault, .usageFault, .svCall, .debugMonitor, .pendSV, .sysTick,
    ]
    let isMain = model.features.contains(.main)
    return all.filter { isMain || ![.memManage, .busFault, .usageFault, .debugMonitor].contains($0) }.map {
      UInt64($0.rawValue)
    }
  }

  public func exceptionName(_ cause: UInt64) -> String {
    let cause = Cause(rawValue: cause)
    return cause.rawValue == Cause.exceptionReturn.rawValue ? "exception return" : cause.description
  }
}
