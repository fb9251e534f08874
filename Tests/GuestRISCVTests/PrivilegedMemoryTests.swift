// PMP matching and page walks on a fake memory.

import GuestKit
import GuestRISCV
import IR
import TestSupport
import Testing

@Suite struct PMPTests {
  @Test func withoutEntriesOnlyMachineModeHasMemory() throws {
    let hart = try TestHart()
    #expect(hart.cause(0x8000_0000, .read) == nil)
    #expect(hart.guest.memoryMode(hart.guest.translationFlags(hart.cpu)) == .window)
    hart["priv"] = 1
    #expect(hart.cause(0x8000_0000, .read) == 5)
    #expect(hart.cause(0x8000_0000, .write) == 7)
    #expect(hart.cause(0x8000_0000, .execute) == 1)
    hart["priv"] = 3
    hart.openMemory()
    hart["priv"] = 1
    #expect(hart.cause(0x8000_0000, .write) == nil)
    #expect(hart.guest.memoryMode(hart.guest.translationFlags(hart.cpu)) == .window)
  }

  /// What is kept of the entries, so that not all have to be matched each time, changes nothing.
  @Test(arguments: 0..<40 as Range<UInt64>) func randomEntriesDecideAsTheManualSays(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let hart = try TestHart()
    let base: UInt64 = 0x8000_0000 >> 2
    var entries: [(first: UInt64, end: UInt64, rights: UInt64)] = []
    var (configuration, previous): (UInt64, UInt64) = (0, 0)
    for number in 0..<8 {
      let address = random.next() & 7 == 0 ? (1 << 54) - 1 : base + random.next() & 0x3FFF | (random.next() & 1) * 0xFF
      let (kind, rights) = (random.next() & 3, [0, 1, 3, 4, 5, 7, 7, 7][Int(random.next() & 7)] as UInt64)
      hart["pmpaddr\(number)"] = address
      configuration |= (kind << 3 | rights) << UInt64(8 * number)
      let span: UInt64 = 8 << UInt64((~address).trailingZeroBitCount)
      switch kind {
      case 1: entries.append((previous << 2, address << 2, rights))
      case 2: entries.append((address << 2, address << 2 + 4, rights))
      case 3: entries.append((address << 2 & ~(span - 1), address << 2 & ~(span - 1) + span, rights))
      default: break
      }
      previous = address
    }
    hart["pmpcfg0"] = configuration
    hart["priv"] = 1
    let edges: [UInt64] = entries.map(\.first) + entries.map(\.end) + [0x8000_0000, 0x8000_8000, 1 << 40]
    let distances: [Int64] = [-9, -8, -4, -1, 0, 4, 8, 0x1000]
    let kinds: [(AccessKind, UInt64)] = [(.read, 1), (.write, 2), (.execute, 4)]
    for edge in edges where edge < 1 << 55 {
      for distance in distances {
        let address: UInt64 = (edge &+ UInt64(bitPattern: distance)) & ~3
        guard address < 1 << 55 else { continue }
        let size: UInt64 = address & 4 == 0 ? 8 : 4
        let match = entries.first { $0.first < address + size && address < $0.end }
        let isWhole = match.map { $0.first <= address && address + size <= $0.end } ?? false
        for (kind, bit) in kinds {
          let isAllowed = isWhole && match.map { $0.rights & bit != 0 } ?? false
          #expect((hart.cause(address, kind, size: Int(size)) == nil) == isAllowed, "\(address) \(kind)")
        }
      }
    }
  }

  @Test func lowestEntryDecidesAndMustCoverTheAccess() throws {
    let hart = try TestHart()
    // Entry 0: NAPOT, 8 bytes at 0x80001000, read-only. Entry 1: TOR up to 0x80002000, all.
    hart["pmpaddr0"] = 0x8000_1000 >> 2
    hart["pmpaddr1"] = 0x8000_2000 >> 2
    hart["pmpcfg0"] = 0x0F << 8 | 0x19
    hart["priv"] = 1
    #expect(hart.cause(0x8000_1000, .read, size: 8) == nil)
    #expect(hart.cause(0x8000_1000, .write) == 7)
    #expect(hart.cause(0x8000_1004, .read, size: 8) == 5)
    #expect(hart.cause(0x8000_1008, .write, size: 8) == nil)
    #expect(hart.cause(0x8000_2000, .read) == 5)
    #expect(hart.guest.memoryMode(hart.guest.translationFlags(hart.cpu)) == .restrictedWindow)
    #expect(try hart.translate(0x8000_1100, .read).get().wholePage == false)
    // Rights change within the page at 0x80001000, and 0x80000000 is read-only, if matched at all.
    #expect(
      hart.guest.memoryRestrictions(hart.cpu) == [
        MemoryRestriction(first: 0, last: 0x8000_0FFF, readable: false),
        MemoryRestriction(first: 0x8000_1000, last: 0x8000_1FFF, readable: false),
        MemoryRestriction(first: 0x8000_2000, last: 0xFFFF_FFFF, readable: false),
      ])
    // TOR entry 1 starts where entry 0's address ends.
    #expect(hart.cause(0x8000_0F00, .read) == 5)
  }

  @Test func uniformPagesMayBeCached() throws {
    let hart = try TestHart()
    hart["pmpaddr0"] = 0x8000_0000 >> 2 | 0x1FF
    hart["pmpcfg0"] = 0x19
    hart["priv"] = 1
    let page = try hart.translate(0x8000_0010, .read).get()
    #expect(page.wholePage && page.readable && !page.writable && !page.executable)
    let restrictions = hart.guest.memoryRestrictions(hart.cpu)
    #expect(restrictions.contains(MemoryRestriction(first: 0x8000_0000, last: 0x8000_0FFF, readable: true)))
    #expect(restrictions.allSatisfy { $0.readable == ($0.first == 0x8000_0000) })
  }

  @Test func lockedEntriesBindMachineModeAndStay() throws {
    let hart = try TestHart()
    hart["pmpaddr0"] = 0x8000_1000 >> 2
    hart["pmpcfg0"] = 0x91
    #expect(hart.cause(0x8000_1000, .write) == 7)
    #expect(hart.cause(0x8000_1004, .write) == nil)
    #expect(hart.guest.memoryMode(hart.guest.translationFlags(hart.cpu)) == .restrictedWindow)
    hart["pmpcfg0"] = 0
    hart["pmpaddr0"] = 0
    #expect(hart["pmpcfg0"] == 0x91)
    #expect(hart["pmpaddr0"] == 0x2000_0400)
  }

  @Test func configurationIsPackedByXLEN() throws {
    let wide = try TestHart()
    wide["pmpcfg0"] = 0x0807_0605_0403_0201
    #expect(wide["pmpcfg0"] == 0x0807_0405_0403_0001)
    let narrow = try TestHart("rv32")
    narrow["pmpcfg1"] = 0x1F
    narrow["pmpcfg3"] = 0x1900_0000
    #expect(narrow["pmpcfg1"] == 0x1F)
    #expect(narrow["pmpcfg0"] == 0)
    #expect(narrow["pmpcfg3"] == 0x1900_0000)
  }
}

@Suite struct PagingTests {
  static let root: UInt64 = 0x8000_0000

  /// Sv39, supervisor mode: one gigapage at 0, a 4 KiB page at 0x4000_0000 and a 2 MiB page at 0x4020_0000.
  private func pagedHart(leaf: UInt64) throws -> TestHart {
    let hart = try TestHart()
    hart.openMemory()
    hart.context.words = [
      Self.root: 0x8000_0000 >> 2 | leaf,
      Self.root + 8: 0x8000_1000 >> 2 | 1,
      0x8000_1000: 0x8000_2000 >> 2 | 1,
      0x8000_1008: 0x8060_0000 >> 2 | leaf,
      0x8000_2000: 0x8001_2000 >> 2 | leaf,
      0x8000_2008: 0x8001_3000 >> 2 | 0x5,
      Self.root + 16: 0x8020_0000 >> 2 | leaf,
      Self.root + 511 * 8: 0x8000_0000 >> 2 | leaf,
    ]
    hart["satp"] = 8 << 60 | Self.root >> 12
    hart["priv"] = 1
    return hart
  }

  @Test func pagesOfAllSizesTranslate() throws {
    let hart = try pagedHart(leaf: 0xCF)
    #expect(try hart.translate(0x1234_5678, .read).get().physical == 0x9234_5678)
    #expect(try hart.translate(0x4000_0123, .read).get().physical == 0x8001_2123)
    #expect(try hart.translate(0x4021_0123, .read).get().physical == 0x8061_0123)
    #expect(try hart.translate(0xFFFF_FFFF_FFFF_F000, .read).get().physical == 0xBFFF_F000)
    #expect(hart.guest.memoryMode(hart.guest.translationFlags(hart.cpu)) == .tlb)
    #expect(hart.guest.debugTranslate(hart.cpu, 0x4000_0123, memory: hart.context) == 0x8001_2123)
  }

  @Test func badTablesFault() throws {
    let hart = try pagedHart(leaf: 0xCF)
    // Not canonical; reserved W without R; misaligned superpage; invalid; table outside memory.
    #expect(hart.cause(0x40_0000_0000, .read) == 13)
    #expect(hart.cause(0x4000_1000, .write) == 15)
    #expect(hart.cause(0x8000_0000, .execute) == 12)
    hart.context.words[0x8000_1008] = 0
    #expect(hart.cause(0x4020_0000, .read) == 13)
    hart.context.words[0x8000_1008] = 0x1_0000_0000 >> 2 | 1
    #expect(hart.cause(0x4020_0000, .write) == 7)
  }

  @Test func walkerSetsAccessedAndDirty() throws {
    let hart = try pagedHart(leaf: 0x0F)
    let read = try hart.translate(0x4000_0000, .read).get()
    #expect(!read.writable && read.readable)
    #expect(hart.context.words[0x8000_2000]! & 0xFF == 0x4F)
    #expect(try hart.translate(0x4000_0000, .write).get().writable)
    #expect(hart.context.words[0x8000_2000]! & 0xFF == 0xCF)
  }

  @Test func userPagesNeedSUMAndAreNeverExecutedBySupervisor() throws {
    let hart = try pagedHart(leaf: 0xDF)
    #expect(hart.cause(0x4000_0000, .read) == 13)
    let plain = hart.guest.translationFlags(hart.cpu)
    hart["mstatus"] = 1 << 18
    #expect(hart.guest.translationFlags(hart.cpu) != plain)
    #expect(hart.cause(0x4000_0000, .read) == nil)
    #expect(hart.cause(0x4000_0000, .execute) == 12)
    hart["priv"] = 0
    #expect(hart.cause(0x4000_0000, .execute) == nil)
  }

  @Test func executableReadsNeedMXR() throws {
    let hart = try pagedHart(leaf: 0xC9)
    #expect(hart.cause(0x4000_0000, .read) == 13)
    hart["mstatus"] = 1 << 19
    #expect(hart.cause(0x4000_0000, .read) == nil)
  }

  @Test func modifiedPrivilegeAppliesToDataOnly() throws {
    let hart = try pagedHart(leaf: 0xCF)
    hart["priv"] = 3
    #expect(try hart.translate(0x8000_0000, .read).get().physical == 0x8000_0000)
    hart["mstatus"] = 1 << 17 | 1 << 11
    #expect(try hart.translate(0x4000_0000, .read).get().physical == 0x8001_2000)
    #expect(try hart.translate(0x4000_0000, .execute).get().physical == 0x4000_0000)
  }

  @Test func walksAreCheckedByPMP() throws {
    let hart = try pagedHart(leaf: 0xCF)
    hart["pmpaddr0"] = 0x8000_1000 >> 2 | 0x1FF
    hart["pmpaddr1"] = (1 << 54) - 1
    hart["pmpcfg0"] = 0x1F << 8 | 0x18
    #expect(hart.cause(0x2000, .read) == nil)
    #expect(hart.cause(0x4000_0000, .execute) == 1)
  }

  @Test func narrowHartsReach34Bits() throws {
    let hart = try TestHart("rv32")
    hart.openMemory()
    hart.context.words = [0x8000_0000: 0xC0_0000 << 8 | 0xCF, 0x8000_0008: 0]
    hart["satp"] = 1 << 31 | 0x8_0000
    hart["priv"] = 1
    #expect(try hart.translate(0x12_3456, .read).get().physical == 0x3_0012_3456)
    #expect(hart.cause(0x80_0000, .read) == 13)
  }
}
