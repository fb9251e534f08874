// Owns accesses to CSRs that translated code makes without a call: those that are slots, and the bits of `mstatus` that
// translation does not depend on, which critical sections and trap handlers change all the time.

import GuestKit
import IR

extension Translator {
  /// Translates a CSR instruction without a call, or with one on the way that is seldom taken.
  /// - Returns: false if that cannot be; nothing was emitted.
  mutating func accessInline(_ instruction: CSRInstruction, _ i: Instruction) -> Bool {
    let features = HartFeatures(xlen: xlen == .i64 ? 64 : 32, extensions)
    guard let row = CSR.row(instruction.number, features), flags.privilege.rawValue >= instruction.lowestPrivilege,
      !(instruction.writes && instruction.isReadOnly), row.guard == .none
    else { return false }
    if let storage = row.storage {
      accessSlot(storage, instruction, i)
      return true
    }
    let hart = StatusMasks(features)
    switch row.name {
    case "mstatus": accessStatus(instruction, i, shown: .max, writable: hart.machine, extra: hart.machineConstants)
    case "sstatus":
      accessStatus(instruction, i, shown: hart.supervisor, writable: hart.supervisor, extra: hart.supervisorConstants)
    default: return false
    }
    return true
  }

  private mutating func accessSlot(_ storage: CSR.Storage, _ instruction: CSRInstruction, _ i: Instruction) {
    let register = storage.slot.register
    let source = instruction.isImmediate ? const(i.i) : x(i.s)
    let kept = builder.getRegister(register, xlen)
    let old = storage.isPC ? and(kept, extensions.contains(.c) ? ~1 : ~3) : kept
    if instruction.writes, storage.writable != 0 {
      let new = and(combine(instruction, old, source), storage.writable)
      let isWhole = storage.isPC || address(storage.writable) == address(.max)
      builder.setRegister(register, isWhole ? new : builder.binary(.or, new, and(kept, ~storage.writable)))
    }
    setX(i.d, old)
  }

  /// What a CSR instruction writes.
  private mutating func combine(_ instruction: CSRInstruction, _ old: ValueID, _ source: ValueID) -> ValueID {
    switch instruction.operation {
    case 1: source
    case 2: builder.binary(.or, old, source)
    default: builder.binary(.andNot, old, source)
    }
  }

  private mutating func and(_ value: ValueID, _ mask: UInt64) -> ValueID {
    if address(mask) == address(.max) { return value }
    return builder.binary(.and, value, const(address: address(mask)))
  }

  // MARK: mstatus

  /// `mstatus` or `sstatus`: bits that translation does not depend on are written here; the helper is called if others
  /// change, or if there is an interrupt that may have to be taken.
  ///
  /// - Parameters:
  ///   - shown: the bits of the slot that are read.
  ///   - extra: bits that are read besides.
  private mutating func accessStatus(
    _ instruction: CSRInstruction, _ i: Instruction, shown: UInt64, writable: UInt64, extra: UInt64
  ) {
    let register = Slot.mstatus.register
    if instruction.writes { builder.retireBeforeCurrent() }
    let source = instruction.isImmediate ? const(i.i) : x(i.s)
    let old = builder.getRegister(register, xlen)
    let known = instruction.isImmediate && instruction.operation != 1 ? UInt64(i.i) & writable : nil
    let written = combine(instruction, old, source)
    if i.d != 0 { setX(i.d, statusRead(and(old, shown), extra)) }
    guard instruction.writes else { return }
    if let known, known & ~StatusMasks.inert == 0 {
      let bits = const(address: known)
      builder.setRegister(register, builder.binary(instruction.operation == 2 ? .or : .andNot, old, bits))
      if instruction.operation != 2 || known & StatusMasks.enables == 0 {
        return builder.exit(to: nextPC, [.checksBudget])
      }
      let isQuiet = builder.compare(.equal, readyInterrupts(), const(0))
      builder.exitIf(isQuiet, to: nextPC, [.checksBudget])
      _ = builder.call(PrivilegedHelper.noticeInterrupts.number, .i64)
      return builder.exit(to: nextPC, [.checksBudget])
    }
    let changed = and(builder.binary(.xor, old, written), writable)
    builder.setRegister(register, builder.binary(.xor, old, and(changed, StatusMasks.inert & writable)))
    let others = and(changed, ~StatusMasks.inert)
    let isDone = builder.compare(.equal, builder.binary(.or, others, readyInterrupts()), const(0))
    builder.exitIf(isDone, to: nextPC, [.checksBudget])
    _ = builder.call(PrivilegedHelper.writeStatus.number, .i64, source, imm: Int64(i.bits))
    builder.exit(to: nextPC, [.checksBudget, .unchainable])
  }

  /// What an instruction reads: SD follows from FS.
  private mutating func statusRead(_ status: ValueID, _ extra: UInt64) -> ValueID {
    var value = status
    if extensions.contains(.f) {
      let isDirty = builder.compare(
        .equal, and(status, Status.fsMask.rawValue), const(address: Status.fsMask.rawValue))
      let summary = builder.binary(
        .shiftLeft, builder.unary(.zeroExtend, isDirty, to: xlen), const(xlen.bits - 1))
      value = builder.binary(.or, value, summary)
    }
    return extra == 0 ? value : builder.binary(.or, value, const(address: extra))
  }

  /// Interrupts that are pending and enabled each by itself.
  private mutating func readyInterrupts() -> ValueID {
    var pending = builder.binary(
      .or, builder.getRegister(Slot.softwarePending.register, .i64),
      builder.getRegister(Slot.linePending.register, .i64))
    if xlen == .i32 { pending = builder.unary(.truncate, pending, to: .i32) }
    return builder.binary(.and, pending, builder.getRegister(Slot.mie.register, xlen))
  }
}

/// The bits of `mstatus` and `sstatus` by what may be done with them.
private struct StatusMasks {
  /// Bits that nothing but interrupts and traps depend on.
  static let inert = Status([.sie, .mie, .spie, .mpie, .spp]).rawValue
  /// Those that let interrupts be taken.
  static let enables = Status([.sie, .mie]).rawValue

  var machine: UInt64
  var supervisor: UInt64
  /// What `mstatus` and `sstatus` read besides the bits that are kept.
  var machineConstants: UInt64
  var supervisorConstants: UInt64

  init(_ features: HartFeatures) {
    machine = features.machineStatus.rawValue
    supervisor = features.supervisorStatus.rawValue
    machineConstants = features.fixedStatus(isMachine: true)
    supervisorConstants = features.fixedStatus(isMachine: false)
  }
}
