// Owns physical memory protection (Privileged Architecture, 3.7): the entries' WARL rules and matching.

import GuestKit
import IR

/// What the PMP entries amount to, kept so that the common case, no restriction, is one test.
struct PMPSummary: OptionSet, Sendable {
  let rawValue: UInt64
  /// A locked entry binds machine mode.
  static var restrictsMachine: Self { .init(rawValue: 1) }
  /// Not all of memory is open to supervisor and user mode.
  static var restrictsOthers: Self { .init(rawValue: 2) }
}

/// Rights to physical memory.
struct PMPRights: OptionSet, Sendable {
  let rawValue: UInt8
  static var read: Self { .init(rawValue: 1) }
  static var write: Self { .init(rawValue: 2) }
  static var execute: Self { .init(rawValue: 4) }
  static var all: Self { [.read, .write, .execute] }

  /// The right that an access of `kind` needs.
  init(_ kind: AccessKind) {
    switch kind {
    case .read: self = .read
    case .write: self = .write
    case .execute: self = .execute
    }
  }
  init(rawValue: UInt8) { self.rawValue = rawValue }
}

extension Hart {
  static let pmpEntries = 16

  /// Whether PMP may deny something to `privilege`.
  func isRestricted(_ privilege: Privilege) -> Bool {
    let summary = PMPSummary(rawValue: self[.pmpSummary])
    return summary.contains(privilege == .machine ? .restrictsMachine : .restrictsOthers)
  }

  func pmpConfiguration(_ entry: Int) -> UInt8 {
    let word = self[entry < 8 ? .pmpConfigurationLow : .pmpConfigurationHigh]
    return UInt8(truncatingIfNeeded: word >> (UInt64(entry & 7) * 8))
  }

  private func pmpAddress(_ entry: Int) -> UInt64 {
    cpu.load(Slot.pmpaddr0.offset + 8 * entry)
  }

  /// All that the entries hold.
  var pmpState: [UInt64] {
    [self[.pmpConfigurationLow], self[.pmpConfigurationHigh]] + (0..<Hart.pmpEntries).map(pmpAddress)
  }

  private func isPMPLocked(_ entry: Int) -> Bool { pmpConfiguration(entry) & 0x80 != 0 }

  /// First and last byte of an entry's region; nil if the entry is off or empty.
  func pmpRegion(_ entry: Int) -> ClosedRange<UInt64>? {
    let address = pmpAddress(entry)
    switch pmpConfiguration(entry) >> 3 & 3 {
    case 1:
      let bottom = entry == 0 ? 0 : pmpAddress(entry - 1) << 2
      let top = address << 2
      return bottom < top ? bottom...(top - 1) : nil
    case 2: return address << 2...(address << 2 | 3)
    case 3:
      let ones = UInt64((~address).trailingZeroBitCount)
      let span = UInt64(8) << ones &- 1
      let bottom = address << 2 & ~span
      return bottom...(bottom | span)
    default: return nil
    }
  }

  /// The rights of `privilege` to the bytes of `range`: those of the lowest-numbered entry that matches any of them,
  /// none if it does not match all. Without a match, machine mode may do all and the others nothing.
  func pmpRights(_ range: ClosedRange<UInt64>, _ privilege: Privilege) -> PMPRights {
    guard isRestricted(privilege), !isOpen(range, privilege) else { return .all }
    guard let (entry, whole) = pmpMatch(range) else { return privilege == .machine ? .all : [] }
    guard whole else { return [] }
    let configuration = pmpConfiguration(entry)
    if privilege == .machine, configuration & 0x80 == 0 { return .all }
    return PMPRights(rawValue: configuration & 7)
  }

  /// Whether a range lies in the stretch in which `privilege` is known to be free.
  private func isOpen(_ range: ClosedRange<UInt64>, _ privilege: Privilege) -> Bool {
    privilege != .machine && self[.pmpOpenStart] <= range.lowerBound && range.upperBound < self[.pmpOpenEnd]
  }

  /// The lowest-numbered entry that matches any byte of `range`, and whether it matches all.
  private func pmpMatch(_ range: ClosedRange<UInt64>) -> (entry: Int, whole: Bool)? {
    for entry in 0..<Hart.pmpEntries {
      guard let region = pmpRegion(entry), region.overlaps(range) else { continue }
      return (entry, region.contains(range.lowerBound) && region.contains(range.upperBound))
    }
    return nil
  }

  /// Whether the rights of `privilege` are the same all over the 4 KiB page of `address`.
  func pmpIsUniform(pageOf address: UInt64, _ privilege: Privilege) -> Bool {
    let page = address & ~0xFFF...address | 0xFFF
    guard isRestricted(privilege), !isOpen(page, privilege) else { return true }
    return pmpMatch(page)?.whole ?? true
  }

  /// What PMP denies to `privilege` below 4 GiB, page by page.
  func pmpRestrictions(_ privilege: Privilege) -> [MemoryRestriction] {
    let end: UInt64 = 1 << 32
    var cuts: Set<UInt64> = [0]
    for entry in 0..<Hart.pmpEntries {
      guard let region = pmpRegion(entry) else { continue }
      // A boundary within a page sets that page apart.
      for boundary in [region.lowerBound, region.upperBound &+ 1] where boundary < end {
        cuts.formUnion([boundary & ~0xFFF, (boundary &+ 0xFFF) & ~0xFFF])
      }
    }
    let starts = cuts.filter { $0 < end }.sorted()
    var found: [MemoryRestriction] = []
    for (index, start) in starts.enumerated() {
      let last = (index + 1 < starts.count ? starts[index + 1] : end) - 1
      let rights = pmpRights(start...start | 0xFFF, privilege)
      guard !rights.isSuperset(of: [.read, .write]) else { continue }
      found.append(MemoryRestriction(first: start, last: last, readable: rights.contains(.read)))
    }
    return found
  }

  // MARK: CSRs

  /// `pmpcfg` register `index` as this XLEN packs it: 8 entries from an even index on RV64, 4 on RV32.
  func readPMPConfiguration(_ index: Int) -> UInt64 {
    let word = self[index < 2 ? .pmpConfigurationLow : .pmpConfigurationHigh]
    return index & 1 == 0 ? word & mask : word >> 32
  }

  func writePMPConfiguration(_ index: Int, _ value: UInt64) {
    for byte in 0..<xlen / 8 {
      let entry = index * 4 + byte
      guard !isPMPLocked(entry) else { continue }
      var new = value >> UInt64(byte * 8) & 0x9F
      // R = 0 with W = 1 is reserved.
      if new & 3 == 2 { new &= ~2 }
      let slot: Slot = entry < 8 ? .pmpConfigurationLow : .pmpConfigurationHigh
      let shift = UInt64(entry & 7) * 8
      self[slot] = self[slot] & ~(0xFF << shift) | new << shift
    }
    protectionChanged()
  }

  func readPMPAddress(_ entry: Int) -> UInt64 { pmpAddress(entry) }

  func writePMPAddress(_ entry: Int, _ value: UInt64) {
    if isPMPLocked(entry) { return }
    if entry + 1 < Hart.pmpEntries, isPMPLocked(entry + 1), pmpConfiguration(entry + 1) >> 3 & 3 == 1 { return }
    cpu.store(value & (xlen == 64 ? (1 << 54) - 1 : 0xFFFF_FFFF), at: Slot.pmpaddr0.offset + 8 * entry)
    protectionChanged()
  }

  private func protectionChanged() {
    summarizePMP()
    cpu.context.protectionChanged()
  }

  /// Brings the summary up to date with the entries.
  func summarizePMP() {
    var summary: PMPSummary = .restrictsOthers
    let everything: UInt64 = xlen == 64 ? (1 << 56) - 1 : (1 << 34) - 1
    var isFirst = true
    for entry in 0..<Hart.pmpEntries {
      guard let region = pmpRegion(entry) else { continue }
      if isPMPLocked(entry) { summary.insert(.restrictsMachine) }
      if isFirst, region.lowerBound == 0, region.upperBound >= everything, pmpConfiguration(entry) & 7 == 7 {
        summary.remove(.restrictsOthers)
      }
      isFirst = false
    }
    self[.pmpSummary] = summary.rawValue
    noteOpenStretch(everything)
  }

  private func noteOpenStretch(_ everything: UInt64) {
    var cuts: [UInt64] = [0, everything + 1]
    for entry in 0..<Hart.pmpEntries {
      guard let region = pmpRegion(entry) else { continue }
      cuts += [region.lowerBound, region.upperBound &+ 1].filter { $0 <= everything }
    }
    cuts.sort()
    (self[.pmpOpenStart], self[.pmpOpenEnd]) = (0, 0)
    for (start, end) in zip(cuts, cuts.dropFirst()) where end - start > self[.pmpOpenEnd] - self[.pmpOpenStart] {
      guard let (entry, _) = pmpMatch(start...(end - 1)), pmpConfiguration(entry) & 7 == 7 else { continue }
      (self[.pmpOpenStart], self[.pmpOpenEnd]) = (start, end)
    }
  }
}
