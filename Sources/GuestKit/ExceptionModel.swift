// Owns the facet of a guest that says what exceptions and interrupts do.

import IR

/// How a guest enters its handlers, and what interrupts it takes.
public protocol ExceptionModel: AnyObject {
  /// Puts `cpu` in its reset state, about to run at `pc` (or at what the vector table there says), as hart number
  /// `number`.
  func reset(_ cpu: VCPUState, number: Int, pc: UInt64)
  /// Enters the guest's handler for `exception`, raised by the instruction at `cpu.pc`.
  func enterException(_ cpu: VCPUState, _ exception: GuestException)
  /// The interrupt to take now, if any is pending and enabled.
  func pendingInterrupt(_ cpu: VCPUState) -> GuestException?
  /// Whether a waiting vCPU goes on (an interrupt is pending, whether or not it would be taken).
  func wakesFromWait(_ cpu: VCPUState) -> Bool
  /// An interrupt input of the vCPU changed: the architecture's own numbering (RISC-V: the bit in `mip`).
  func setInterruptLine(_ cpu: VCPUState, _ line: Int, _ level: Bool)
  /// A short name for a trap cause, for logs and the monitor.
  func exceptionName(_ cause: UInt64) -> String
  /// What a trap cause is numbered as by people.
  func exceptionID(_ cause: UInt64) -> ExceptionID
  /// The causes that have names, for debuggers.
  var namedCauses: [UInt64] { get }
  /// The registers that decide which interrupts are taken, by name, for the monitor.
  var interruptRegisters: [String] { get }
}

extension ExceptionModel {
  public func exceptionID(_ cause: UInt64) -> ExceptionID { ExceptionID(number: cause, isInterrupt: false) }
  public var namedCauses: [UInt64] { [] }
  public var interruptRegisters: [String] { [] }
}

/// An exception or interrupt as the architecture's manual numbers it.
public struct ExceptionID: Hashable, Sendable {
  public var number: UInt64
  public var isInterrupt: Bool

  public init(number: UInt64, isInterrupt: Bool) {
    self.number = number
    self.isInterrupt = isInterrupt
  }
}

/// A guest whose exceptions come and go by more than their handlers' instructions.
public protocol ExceptionHardware: AnyObject {
  /// What the instruction that led to PC still does: a jump to a magic address that is an exception return. Taken before
  /// anything else happens.
  func pendingTransition(_ cpu: VCPUState) -> GuestException?
  /// Whether a store to a physical address, of a device, may make an interrupt takeable: it is then taken before the next
  /// instruction.
  func storeDecidesInterrupts(_ address: UInt64) -> Bool
  /// Why the CPU cannot go on, if it cannot: a fault that the architecture has no handler for.
  func lockUp(_ cpu: VCPUState) -> String?
}

/// A guest exception or interrupt: the architecture's own cause number, and the values that go with it.
public struct GuestException: Error, Equatable, Sendable {
  public var cause: UInt64
  public var value: UInt64
  /// What else handlers are told (x86: an error code beside the address; RISC-V: `htval` and `htinst`). IR's `raise` has
  /// none of them: a helper raises such exceptions.
  public var details: SIMD2<UInt64>

  @inlinable public init(cause: UInt64, value: UInt64 = 0, details: SIMD2<UInt64> = .zero) {
    self.cause = cause
    self.value = value
    self.details = details
  }
}

extension VCPUState {
  /// Makes the instruction that calls a helper, or accesses memory, raise `exception`.
  @inlinable public func raise(_ exception: GuestException) {
    exceptionCause = exception.cause
    exceptionValue = exception.value
    if exception.details != .zero { context.exceptionDetails = exception.details }
    exitReason = .exception
  }
}
