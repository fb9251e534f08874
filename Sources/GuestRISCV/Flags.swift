// Owns the translation flags: the hart state that translated code depends on.

import GuestKit
import IR

/// The hart's mode as far as translated code was specialised for it.
public struct Flags: RawRepresentable, Equatable, Sendable {
  public var rawValue: TranslationFlags
  public init(rawValue: TranslationFlags) { self.rawValue = rawValue }

  private func bit(_ number: TranslationFlags) -> Bool { rawValue >> number & 1 != 0 }

  /// Of instruction fetch and of privileged instructions.
  var privilege: Privilege { Privilege(rawValue: rawValue & 3) ?? .machine }
  /// Of loads and stores.
  var dataPrivilege: Privilege { Privilege(rawValue: rawValue >> 2 & 3) ?? .machine }
  /// Loads and stores go through page tables; `SUM` and `MXR` count only then.
  var dataPaged: Bool { bit(4) }
  /// Instruction fetch goes through page tables.
  var isPaged: Bool { bit(5) }
  /// `mstatus.FS` is off: floating-point instructions are illegal.
  var floatOff: Bool { bit(8) }
  /// `mstatus.FS` is dirty already.
  var floatDirty: Bool { bit(9) }
  /// `frm`, while floating point is on.
  var rounding: Int { Int(rawValue >> 10 & 7) }
  /// `frm` holds a reserved value: dynamically rounding instructions are illegal.
  var roundingInvalid: Bool { rounding > 4 }
  /// PMP restricts some loads and stores.
  var dataRestricted: Bool { bit(13) }

  init(_ hart: Hart) {
    let status = hart.status
    let (privilege, data) = (hart.privilege, hart.dataPrivilege)
    let paged = hart.isPaged
    var bits = privilege.rawValue | data.rawValue << 2
    if paged, data != .machine {
      bits |= 1 << 4
      if status.contains(.sum) { bits |= 1 << 6 }
      if status.contains(.mxr) { bits |= 1 << 7 }
    }
    if paged, privilege != .machine { bits |= 1 << 5 }
    if status.fs == 0 { bits |= 1 << 8 }
    if status.fs == 3 { bits |= 1 << 9 }
    if status.fs != 0 { bits |= (hart[.frm] & 7) << 10 }
    if hart.isRestricted(data) { bits |= 1 << 13 }
    rawValue = bits
  }
}

extension Flags {
  /// For listings: what holds, leaving out what is usual.
  var words: [String] {
    var words = ["\(privilege) mode"]
    if dataPrivilege != privilege { words.append("loads and stores as \(dataPrivilege)") }
    if isPaged { words.append("paged") }
    if dataPaged != isPaged { words.append(dataPaged ? "data paged" : "data not paged") }
    if bit(6) { words.append("SUM") }
    if bit(7) { words.append("MXR") }
    if dataRestricted { words.append("PMP restricts data") }
    if floatOff { return words + ["FS off"] }
    words.append(floatDirty ? "FS dirty" : "FS clean")
    if roundingInvalid {
      words.append("frm reserved")
    } else if let mode = FloatRounding(rawValue: UInt16(rounding)), mode != .nearestEven {
      words.append("rounds by \(mode.name)")
    }
    return words
  }
}

extension RISCVGuest {
  public func describe(_ flags: TranslationFlags) -> [String] { Flags(rawValue: flags).words }

  public func translationFlags(_ cpu: VCPUState) -> TranslationFlags { Flags(Hart(cpu)).rawValue }

  public func memoryMode(_ flags: TranslationFlags) -> MemoryMode {
    let mode = Flags(rawValue: flags)
    return mode.dataPaged ? .tlb : mode.dataRestricted ? .restrictedWindow : .window
  }
}

extension RISCVGuest: MemoryProtection {
  public func memoryRestrictions(_ cpu: VCPUState) -> [MemoryRestriction] {
    let hart = Hart(cpu)
    return hart.pmpRestrictions(hart.dataPrivilege)
  }

  public func protectionState(_ cpu: VCPUState) -> [UInt64] { Hart(cpu).pmpState }
}
