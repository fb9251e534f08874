// Owns what a CSR is and the rules of access to CSRs; the tables are in CSRMachine.swift and CSRSupervisor.swift.

import GuestKit
import IR

/// One CSR. Its number says its lowest privilege (bits 8–9) and whether it is read-only (bits 10–11 both set).
final class CSR: Sendable {
  typealias Read = @Sendable (Hart) -> UInt64
  typealias Write = @Sendable (Hart, UInt64) -> Void

  /// A condition on access beside the privilege in the number.
  enum Guard: Sendable {
    case none
    /// `mstatus.FS` is not off.
    case float
    /// `mcounteren` and `scounteren` let the mode read the counter.
    case counter
    /// `mstatus.TVM` does not keep supervisor mode out.
    case translation
  }

  /// What a write does to translated code.
  enum Effect: Sendable {
    /// Nothing it depends on changes.
    case none
    /// Interrupts that were held off may have to be taken.
    case interrupts
    /// The same, and the translation flags or the address space may change.
    case mode
    /// The engine has to look at what changed.
    case state
    /// A counter takes the value, and the writing instruction is not counted.
    case counter(Slot)
  }

  /// A CSR that is no more than a slot.
  struct Storage: Sendable {
    var slot: Slot
    /// The bits that can be written.
    var writable: UInt64
    /// Whether it holds a PC, whose low bits read as zero as IALIGN demands.
    var isPC = false
  }

  let number: Int
  let name: String
  let needs: HartFeatures
  let `guard`: Guard
  let effect: Effect
  let read: Read
  /// Nil: writes are ignored (or illegal, if the number is read-only).
  let write: Write?
  /// What set and clear instructions start from, where that is not the value read.
  let modified: Read?
  /// Where translated code finds it, if it need not ask anybody.
  let storage: Storage?

  init(
    _ number: Int, _ name: String, needs: HartFeatures = [], guard: Guard = .none, effect: Effect = .none,
    modified: Read? = nil, storage: Storage? = nil, read: @escaping Read, write: Write? = nil
  ) {
    self.storage = storage
    self.number = number
    self.name = name
    self.needs = needs
    self.guard = `guard`
    self.effect = effect
    self.modified = modified
    self.read = read
    self.write = write
  }

  /// A CSR that is a slot, of which the bits of `mask` can be written.
  static func stored(
    _ number: Int, _ name: String, _ slot: Slot, mask: UInt64 = .max, needs: HartFeatures = [], effect: Effect = .none
  ) -> CSR {
    var isPlain: Bool { if case .none = effect { true } else { false } }
    return CSR(
      number, name, needs: needs, effect: effect, storage: isPlain ? Storage(slot: slot, writable: mask) : nil,
      read: { $0[slot] }, write: { $0[slot] = $0[slot] & ~mask | $1 & mask })
  }

  /// A CSR that holds a PC.
  static func exceptionPC(_ number: Int, _ name: String, _ slot: Slot, needs: HartFeatures = []) -> CSR {
    CSR(
      number, name, needs: needs, storage: Storage(slot: slot, writable: ~1, isPC: true),
      read: { $0.readExceptionPC(slot) }, write: { $0[slot] = $1 & ~1 })
  }

  /// A CSR that reads as `value` and ignores writes.
  static func constant(_ number: Int, _ name: String, _ value: UInt64 = 0, needs: HartFeatures = []) -> CSR {
    CSR(number, name, needs: needs, read: { _ in value })
  }

  /// Every CSR, whatever the model; numbers occur twice where RV32 and RV64 differ.
  static let rows: [CSR] = user + supervisor + machine + protection + counters

  private static let index: [[CSR]] = {
    var index = Array(repeating: [CSR](), count: 4096)
    for row in rows { index[row.number].append(row) }
    return index
  }()

  /// Any row of CSR `number`.
  static func row(_ number: Int) -> CSR? { number < 4096 ? index[number].first : nil }

  /// The CSR `number` of a hart with `features`.
  static func row(_ number: Int, _ features: HartFeatures) -> CSR? {
    index[number].first { features.isSuperset(of: $0.needs) }
  }
}

/// The fields of a CSR instruction's encoding (Zicsr, 7.1).
struct CSRInstruction {
  let encoding: UInt32
  var number: Int { Int(encoding >> 20) }
  var isReadOnly: Bool { number >> 10 == 3 }
  var lowestPrivilege: UInt64 { UInt64(number) >> 8 & 3 }
  /// 1 write, 2 set, 3 clear.
  var operation: UInt32 { encoding >> 12 & 3 }
  /// Number of the source register, or the immediate itself.
  var source: UInt32 { encoding >> 15 & 31 }
  var isImmediate: Bool { encoding >> 14 & 1 != 0 }
  /// Set and clear with x0 or 0 do not write at all.
  var writes: Bool { operation == 1 || source != 0 }
}

extension Hart {
  /// Carries out a CSR instruction with the value of its source.
  /// - Returns: the old value; nil if the instruction is illegal.
  func access(_ instruction: CSRInstruction, _ operand: UInt64) -> UInt64? {
    guard let row = CSR.row(instruction.number, features), privilege.rawValue >= instruction.lowestPrivilege,
      !(instruction.writes && instruction.isReadOnly), allows(row)
    else { return nil }
    let old = row.read(self) & mask
    if instruction.writes {
      let base = row.modified.map { $0(self) & mask } ?? old
      let new =
        switch instruction.operation {
        case 1: operand
        case 2: base | operand
        default: base & ~operand
        }
      row.write?(self, new & mask)
      switch row.effect {
      case .none, .state: break
      case .counter(let base): skipOne(base)
      case .interrupts: noticeInterrupts()
      case .mode:
        cpu.context.modeChanged()
        noticeInterrupts()
      }
    }
    return old
  }

  private func allows(_ row: CSR) -> Bool {
    switch row.guard {
    case .none: return true
    case .float: return status.fs != 0
    case .translation: return !(privilege == .supervisor && status.contains(.tvm))
    case .counter: return allowsCounter(row.number)
    }
  }

  /// Whether the privilege mode may read counter CSR `number`.
  func allowsCounter(_ number: Int) -> Bool {
    let bit = UInt64(number & 31)
    if privilege == .machine { return true }
    guard self[.mcounteren] >> bit & 1 != 0 else { return false }
    return privilege == .supervisor || !features.contains(.supervisor) || self[.scounteren] >> bit & 1 != 0
  }
}
