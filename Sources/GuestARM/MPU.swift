// Owns the Memory Protection Unit: its regions and what they permit (ARMv7-M manual, B3.5; ARMv8-M manual, B9).

import Bus
import GuestKit
import IR

struct MPUState: Codable, Sendable, Equatable {
  /// MPU_CTRL: ENABLE, HFNMIENA, PRIVDEFENA.
  var control: UInt32 = 0
  /// MPU_RNR
  var number: UInt32 = 0
  /// MPU_RBAR of each region, without VALID and REGION.
  var base = [UInt32](repeating: 0, count: 16)
  /// MPU_RASR, or MPU_RLAR, of each region.
  var attributes = [UInt32](repeating: 0, count: 16)
  /// MPU_MAIR0 and MPU_MAIR1 of ARMv8-M: stored, as no memory here is cached.
  var memoryAttributes: [UInt32] = [0, 0]

  var isEnabled: Bool { control & 1 != 0 }
}

/// What may be done with memory.
struct Rights: OptionSet, Sendable, Equatable {
  let rawValue: UInt8
  static var read: Self { .init(rawValue: 1) }
  static var write: Self { .init(rawValue: 2) }
  static var execute: Self { .init(rawValue: 4) }
  static var all: Self { [.read, .write, .execute] }

  init(rawValue: UInt8) { self.rawValue = rawValue }
  init(_ kind: AccessKind) {
    switch kind {
    case .read: self = .read
    case .write: self = .write
    case .execute: self = .execute
    }
  }

  /// The rights of a region by its access permissions, AP and XN (ARMv7-M manual, table B3-15; ARMv8-M manual, D1.2).
  init(ap: UInt32, executeNever: Bool, privileged: Bool, isV8: Bool) {
    var rights: Rights
    if isV8 {
      let readOnly = ap & 2 != 0
      rights = privileged || ap & 1 != 0 ? (readOnly ? .read : [.read, .write]) : []
    } else {
      switch (ap, privileged) {
      case (1, true), (2, true), (3, _): rights = [.read, .write]
      case (2, false), (5, true), (6, _), (7, _): rights = .read
      default: rights = []
      }
    }
    if rights.contains(.read), !executeNever { rights.insert(.execute) }
    self = rights
  }
}

/// A stretch of addresses in which a region, or none, decides: from `start` to the next one's.
struct ProtectionSegment: Sendable, Equatable {
  var start: UInt64
  var privileged: Rights
  var user: Rights
}

extension SystemControl {
  /// Whether the MPU decides about accesses in the CPU's current mode.
  func protects(_ core: Core) -> Bool {
    state.mpu.isEnabled && (state.mpu.control & 2 != 0 || !core.hasNegativePriority)
  }

  /// First and last byte of region `index`; nil if it is disabled.
  private func region(_ index: Int) -> ClosedRange<UInt32>? {
    let (base, attributes) = (state.mpu.base[index], state.mpu.attributes[index])
    guard attributes & 1 != 0 else { return nil }
    if isV8 {
      let (first, last) = (base & ~31, attributes | 31)
      return first <= last ? first...last : nil
    }
    let bits = max(attributes >> 1 & 31, smallestRegionBits - 1)
    let mask: UInt32 = bits == 31 ? .max : 2 << bits &- 1
    return base & ~mask...base | mask
  }

  /// log2 of the smallest region: 32 bytes, 256 on ARMv6-M.
  var smallestRegionBits: UInt32 { features.contains(.main) || isV8 ? 5 : 8 }

  /// Whether region `index` decides about `address`; of ARMv7-M, one of its eighths may be left out.
  private func matches(_ index: Int, _ address: UInt32) -> Bool {
    guard let range = region(index), range.contains(address) else { return false }
    let size = range.upperBound - range.lowerBound
    guard !isV8, size >= 255 else { return true }
    let eighth = (address - range.lowerBound) / (size / 8 + 1)
    return state.mpu.attributes[index] >> (8 + eighth) & 1 == 0
  }

  private func rights(ofRegion index: Int, privileged: Bool) -> Rights {
    let (base, attributes) = (state.mpu.base[index], state.mpu.attributes[index])
    return isV8
      ? Rights(ap: base >> 1 & 3, executeNever: base & 1 != 0, privileged: privileged, isV8: true)
      : Rights(
        ap: attributes >> 24 & 7, executeNever: attributes >> 28 & 1 != 0, privileged: privileged, isV8: false)
  }

  /// The rights that regions and default map give at `address`, the MPU being on.
  private func rights(_ address: UInt32, privileged: Bool) -> Rights {
    // The Private Peripheral Bus answers by the default map always.
    if Self.isPrivate(address) { return privileged ? [.read, .write] : [] }
    var rights: Rights?
    if isV8 {
      // Overlapping regions permit nothing.
      for index in 0..<regionCount where matches(index, address) {
        rights = rights == nil ? self.rights(ofRegion: index, privileged: privileged) : []
      }
    } else if let index = (0..<regionCount).last(where: { matches($0, address) }) {
      rights = self.rights(ofRegion: index, privileged: privileged)
    }
    if let rights { return address < 0xE000_0000 ? rights : rights.subtracting(.execute) }
    guard privileged, state.mpu.control & 4 != 0 else { return [] }
    return Self.isExecuteNever(address) ? [.read, .write] : .all
  }

  /// Peripheral, device and system regions of the default map are execute-never (ARMv7-M manual, B3.1); of these the
  /// MPU can open all but the last.
  static func isExecuteNever(_ address: UInt32) -> Bool {
    (0x4000_0000..<0x6000_0000).contains(address) || address >= 0xA000_0000
  }

  /// Whether an address is of the Private Peripheral Bus.
  static func isPrivate(_ address: UInt32) -> Bool { address >> 20 == 0xE00 }

  /// Whether the MPU permits an access in the current mode. No region is smaller than an access, and none decides about
  /// loads and stores of the Private Peripheral Bus.
  func permits(_ address: UInt32, size: Int, _ kind: AccessKind, privileged: Bool, _ core: Core) -> Bool {
    guard protects(core), kind == .execute || !Self.isPrivate(address) else { return true }
    let wanted = Rights(kind)
    let last = address &+ UInt32(max(size, 1) - 1)
    return knownRights(address, privileged: privileged).contains(wanted)
      && (last & ~31 == address & ~31 || knownRights(last, privileged: privileged).contains(wanted))
  }

  /// As ``rights(_:privileged:)``, from the stretches that were made of the regions.
  private func knownRights(_ address: UInt32, privileged: Bool) -> Rights {
    var (low, high) = (0, segments.count)
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].start <= UInt64(address) { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return [] }
    return privileged ? segments[low - 1].privileged : segments[low - 1].user
  }

  /// The rights at an address in the current mode, and the one region that gives them (TT).
  func lookUp(_ address: UInt32, privileged: Bool, _ core: Core) -> (Rights, region: Int?) {
    guard protects(core) else {
      let isDenied = !privileged && Self.isPrivate(address)
      return (isDenied ? [] : .all, nil)
    }
    let matching = (0..<regionCount).filter { matches($0, address) }
    return (rights(address, privileged: privileged), matching.count == 1 ? matching[0] : nil)
  }

  /// The addresses around one, within its page, that may be accessed if it may.
  func stretch(around address: UInt32, _ kind: AccessKind, privileged: Bool) -> Range<UInt64> {
    let (segments, wanted) = (segments, Rights(kind))
    func permits(_ index: Int) -> Bool {
      (privileged ? segments[index].privileged : segments[index].user).contains(wanted)
    }
    let page = UInt64(address & ~0xFFF)..<UInt64(address & ~0xFFF) + 0x1000
    guard let index = segments.lastIndex(where: { $0.start <= address }) else { return page }
    var (first, end) = (index, index + 1)
    while first > 0, permits(first - 1) == permits(index) { first -= 1 }
    while end < segments.count, permits(end) == permits(index) { end += 1 }
    return page.clamped(to: segments[first].start..<(end < segments.count ? segments[end].start : .max))
  }

  /// All of the address space as stretches of equal rights.
  private func makeSegments() -> [ProtectionSegment] {
    var starts: Set<UInt64> = [0, 0x4000_0000, 0x6000_0000, 0xA000_0000, 0xE000_0000, 0xE010_0000]
    for index in 0..<regionCount {
      guard let range = region(index) else { continue }
      let (first, end) = (UInt64(range.lowerBound), UInt64(range.upperBound) + 1)
      let hasEighths = !isV8 && end - first >= 256 && state.mpu.attributes[index] >> 8 & 0xFF != 0
      let step = hasEighths ? (end - first) / 8 : end - first
      for start in stride(from: first, through: end, by: Int(step)) where start < 1 << 32 { starts.insert(start) }
    }
    var found: [ProtectionSegment] = []
    for start in starts.sorted() {
      let address = UInt32(start)
      let segment = ProtectionSegment(
        start: start, privileged: rights(address, privileged: true), user: rights(address, privileged: false))
      if let last = found.last, last.privileged == segment.privileged, last.user == segment.user { continue }
      found.append(segment)
    }
    return found
  }

  /// What the current mode may not reach, page by page.
  func restrictions(_ core: Core) -> [MemoryRestriction] {
    let privileged = core.isPrivileged
    guard protects(core) else {
      return privileged ? [] : [MemoryRestriction(first: 0xE000_0000, last: 0xE00F_FFFF, readable: false)]
    }
    var found: [MemoryRestriction] = []
    func add(_ first: UInt64, _ end: UInt64, _ rights: Rights) {
      guard first < end, !rights.isSuperset(of: [.read, .write]) else { return }
      let readable = rights.contains(.read)
      if let last = found.last, last.last + 1 == first, last.readable == readable {
        found[found.count - 1].last = end - 1
      } else {
        found.append(MemoryRestriction(first: first, last: end - 1, readable: readable))
      }
    }
    // Rights to the page that the stretches so far end in the middle of.
    var pending: (page: UInt64, rights: Rights)?
    for (index, segment) in segments.enumerated() {
      let rights = privileged ? segment.privileged : segment.user
      let end = index + 1 < segments.count ? segments[index + 1].start : 1 << 32
      var start = segment.start
      if let open = pending {
        let all = open.rights.intersection(rights)
        guard end >= open.page + 0x1000 else {
          pending = (open.page, all)
          continue
        }
        add(open.page, open.page + 0x1000, all)
        start = open.page + 0x1000
        pending = nil
      }
      add(start, end & ~0xFFF, rights)
      if end & 0xFFF != 0, end & ~0xFFF >= start { pending = (end & ~0xFFF, rights) }
    }
    return found
  }

  // MARK: Registers

  /// Regions changed, or whether they count: the copy for translation follows, and what translated code relies on.
  ///
  /// Accesses follow at the next context synchronisation at the latest, the right to execute at once.
  func protectionChanged() {
    let before = segments
    segments = state.mpu.isEnabled ? makeSegments() : []
    publishConfiguration()
    guard let context = core?.cpu.context, segments != before else { return }
    let sameCode =
      segments.map { ($0.start, $0.privileged.contains(.execute), $0.user.contains(.execute)) }.elementsEqual(
        before.map { ($0.start, $0.privileged.contains(.execute), $0.user.contains(.execute)) }, by: ==)
    if sameCode { context.dataProtectionChanged() } else { context.protectionChanged() }
  }

  static func protectionRegisters(_ features: Features) -> Registers {
    let (isMain, isV8) = (features.contains(.main), features.contains(.v8))
    // ARMv6-M has no TEX.
    let attributes: UInt32 = isV8 ? ~0x10 : isMain ? 0x173F_FF3F : 0x1707_FF3F
    var list: Registers = [
      Register("MPU_TYPE", 0xED90, .readOnly, [.field("DREGION", 8..<16)]).onRead { UInt32($0.regionCount) << 8 },
      Register("MPU_CTRL", 0xED94, [.field("ENABLE", 0), .field("HFNMIENA", 1), .field("PRIVDEFENA", 2)])
        .onRead { $0.state.mpu.control }
        .onWrite { system, value in
          system.state.mpu.control = value
          system.protectionChanged()
        }.inParts(),
      Register("MPU_RNR", 0xED98, [.field("REGION", 0..<8)])
        .onRead { $0.state.mpu.number }.onWrite { $0.state.mpu.number = $1 }.inParts(),
    ]
    // The aliases are of the Main Extension.
    for alias in 0..<UInt32(isMain ? 4 : 1) {
      let (suffix, offset) = (alias == 0 ? "" : "_A\(alias)", 0xED9C + 8 * UInt64(alias))
      list += [
        Register("MPU_RBAR" + suffix, offset)
          .onRead { $0.regionBase(alias) }.onWrite { $0.writeRegionBase(alias, $1) }.inParts(),
        Register((isV8 ? "MPU_RLAR" : "MPU_RASR") + suffix, offset + 4)
          .onRead { system in system.region(alias).map { system.state.mpu.attributes[$0] } ?? 0 }
          .onWrite { $0.writeRegionAttributes(alias, $1 & attributes) }.inParts(),
      ]
    }
    guard isV8 else { return list }
    return list + [
      Register("MPU_MAIR", 0xEDC0, count: 2)
        .onRead { $0.state.mpu.memoryAttributes[$1] }.onWrite { $0.state.mpu.memoryAttributes[$2] = $1 }.inParts()
    ]
  }

  /// The region that a pair of registers shows. Of ARMv8-M the aliases show the regions beside the chosen one.
  private func region(_ alias: UInt32) -> Int? {
    let index = isV8 && alias > 0 ? state.mpu.number & ~3 | alias : state.mpu.number
    return index < regionCount ? Int(index) : nil
  }

  private func regionBase(_ alias: UInt32) -> UInt32 {
    guard let index = region(alias) else { return 0 }
    return isV8 ? state.mpu.base[index] : state.mpu.base[index] | UInt32(index)
  }

  /// RBAR; of ARMv7-M it chooses the region as well, if VALID is set.
  private func writeRegionBase(_ alias: UInt32, _ value: UInt32) {
    if !isV8, value & 16 != 0 { state.mpu.number = value & 15 }
    if let index = region(alias) {
      state.mpu.base[index] = isV8 ? value : value & ~((1 << smallestRegionBits) - 1)
    }
    protectionChanged()
  }

  private func writeRegionAttributes(_ alias: UInt32, _ value: UInt32) {
    if let index = region(alias) { state.mpu.attributes[index] = value }
    protectionChanged()
  }
}

extension Core {
  /// Whether the execution priority is that of HardFault or NMI, or FAULTMASK raises it so.
  var hasNegativePriority: Bool {
    let exception = self[.ipsr]
    return exception == 2 || exception == 3 || self[.faultmask] != 0
  }
}
