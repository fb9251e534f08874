// Owns what stops the machine for a debugger: vector catch and BKPT (ARMv7-M manual, C1.4 and C1.6.5 "DEMCR").

import Bits
import GuestKit
import IR

/// The exceptions that stop the machine as their handlers begin: DEMCR's bits.
struct VectorCatch: OptionSet, Sendable {
  let rawValue: UInt32
  static var coreReset: Self { .init(rawValue: 1 << 0) }
  static var memManage: Self { .init(rawValue: 1 << 4) }
  static var noCoprocessor: Self { .init(rawValue: 1 << 5) }
  static var check: Self { .init(rawValue: 1 << 6) }
  static var state: Self { .init(rawValue: 1 << 7) }
  static var bus: Self { .init(rawValue: 1 << 8) }
  static var interrupt: Self { .init(rawValue: 1 << 9) }
  static var hardFault: Self { .init(rawValue: 1 << 10) }

  /// The words of debuggers, and the manual's names.
  static let words: [(word: String, name: String, bit: VectorCatch)] = [
    ("reset", "VC_CORERESET", .coreReset), ("mm_err", "VC_MMERR", .memManage),
    ("nocp_err", "VC_NOCPERR", .noCoprocessor), ("chk_err", "VC_CHKERR", .check),
    ("state_err", "VC_STATERR", .state), ("bus_err", "VC_BUSERR", .bus), ("int_err", "VC_INTERR", .interrupt),
    ("hard_err", "VC_HARDERR", .hardFault),
  ]

  init(rawValue: UInt32) { self.rawValue = rawValue & 0x7F1 }

  /// What catches a fault with these status bits.
  init(_ status: FaultStatus) {
    self = []
    if !status.isDisjoint(with: [.instructionAccess, .dataAccess]) { insert(.memManage) }
    if status.contains(.noCoprocessor) { insert(.noCoprocessor) }
    if !status.isDisjoint(with: [.unaligned, .divideByZero]) { insert(.check) }
    if !status.isDisjoint(with: [.undefinedInstruction, .invalidState, .invalidPC]) { insert(.state) }
    if !status.isDisjoint(with: [.instructionBus, .preciseBus]) { insert(.bus) }
    let entry: FaultStatus = [
      .stackingBus, .unstackingBus, .stackingAccess, .unstackingAccess, .stackOverflow, .vectorTable,
    ]
    if !status.isDisjoint(with: entry) { insert(.interrupt) }
  }
}

extension ARMGuest: DebugUnit {
  public func takeDebugStop(_ cpu: VCPUState) -> String? { Core(cpu).system?.takeStop() }

  public func debuggerChanged(_ cpu: VCPUState, isAttached: Bool) {
    guard let system = Core(cpu).system else { return }
    system.isDebugged = isAttached
    system.publishComparators()
  }

  public var catchWords: [String] { VectorCatch.words.map(\.word) }

  public func setCatches(_ cpu: VCPUState, _ words: [String]) {
    let bits = VectorCatch.words.filter { words.contains($0.word) }.map(\.bit)
    Core(cpu).system?.catches = VectorCatch(bits)
  }

  public func catches(_ cpu: VCPUState) -> [String] {
    let catches = Core(cpu).system?.effectiveCatches ?? []
    return VectorCatch.words.filter { catches.contains($0.bit) }.map(\.word)
  }
}

extension SystemControl {
  /// The debugger's own, and while one is attached those of DEMCR.
  var effectiveCatches: VectorCatch {
    isDebugged ? catches.union(VectorCatch(rawValue: state.debugControl)) : catches
  }

  func takeStop() -> String? {
    defer { stopReason = nil }
    return stopReason
  }

  /// An exception with the fault that it is taken for, one that HardFault was forced by too.
  func cause(ofEntering number: Int) -> UInt64 {
    let fault = Cause(rawValue: state.notedFault)
    let isIts = fault.number == number || number == ExceptionNumber.hardFault.rawValue
    return UInt64(number) | (isIts ? UInt64(fault.status.rawValue) << 32 : 0)
  }

  /// A handler begins: is it one to stop at?
  func noteEntry(_ number: Int) {
    let fault = Cause(rawValue: state.notedFault)
    state.notedFault = 0
    let catches = effectiveCatches
    guard !catches.isEmpty, number <= ExceptionNumber.usageFault.rawValue else { return }
    var causes = VectorCatch(fault.status)
    if number == ExceptionNumber.hardFault.rawValue { causes.insert(.hardFault) }
    guard let found = VectorCatch.words.last(where: { catches.contains($0.bit) && causes.contains($0.bit) }) else {
      return
    }
    state.debugFaultStatus |= 1 << 3
    let name = exceptionName(number)
    let isForced = fault.rawValue != 0 && fault.number != number
    let cause = isForced ? ", forced by \(fault.description)" : fault.rawValue == 0 ? "" : ": \(fault.description)"
    stopReason = "vector catch (\(found.name)): \(name)\(cause) at \((state.lastFaultAddress & ~1).hex0x())"
  }

  /// A reset is over: is it one to stop at?
  func noteReset() {
    guard effectiveCatches.contains(.coreReset) else { return }
    state.debugFaultStatus |= 1 << 3
    stopReason = "vector catch (VC_CORERESET): reset"
    notice()
  }

  /// BKPT while a debugger is attached stops the machine at it. Going on from there executes what follows.
  ///
  /// - Returns: whether the instruction is dealt with.
  func stopsAtBreakpoint(_ core: Core) -> Bool {
    guard isDebugged, state.debugControl & 1 << 16 == 0 else { return false }
    let pc = core.cpu.pc
    let time = core.cpu.context.retiredInstructions
    guard passedBreakpoint?.pc != pc || passedBreakpoint?.retired != time else {
      passedBreakpoint = nil
      core.skipInstruction()
      return true
    }
    passedBreakpoint = (pc, time)
    state.debugFaultStatus |= 1 << 1
    let half = core.cpu.context.readPhysical(pc & ~1, size: 2) ?? 0
    stopReason = "bkpt \(half & 0xFF) at \(pc.hex0x())"
    return true
  }
}
