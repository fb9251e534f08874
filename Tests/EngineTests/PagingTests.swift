// Owns the tests of paged memory in translated code: shared look-ups at the edges of pages, translations kept for each
// address space, and fences that end exactly what they name.

import Bus
import Engine
import GuestKit
import GuestRISCV
import HostKit
import HostX86_64
import Testing

/// A hart in supervisor mode behind Sv39, with code mapped to itself.
private struct PagedRig {
  static let data: UInt64 = 0x4000_0000
  /// By page of `data`; neighbours lie apart.
  static let frames: [UInt64] = [0x8004_3000, 0x8004_1000, 0x8004_5000]
  static let roots: [UInt64] = [0x8001_0000, 0x8002_0000]
  let rig: Rig

  init(_ program: [UInt32], _ tiers: TierPolicy = .quick) throws {
    var options = EngineOptions()
    options.tiers = tiers
    rig = try Rig(X86_64Host.self, program, options: options)
    for root in Self.roots {
      try write(root + 8 * 2, 0x8000_0000 >> 2 | 0xCF)
      try write(root + 8, (root + 0x1000) >> 2 | 1)
      try write(root + 0x1000, (root + 0x2000) >> 2 | 1)
      for (page, frame) in Self.frames.enumerated() { try map(root, page, frame) }
    }
    try set("pmpaddr0", (1 << 54) - 1)
    try set("pmpcfg0", 0x1F)
    try set("mtvec", Rig.base + 0xF000)
    try set("satp", Self.satp(0))
    try set("priv", 1)
    rig.vcpu.wasReset()
  }

  static func satp(_ number: Int) -> UInt64 { 8 << 60 | UInt64(number) << 44 | roots[number] >> 12 }

  func write(_ address: UInt64, _ value: UInt64) throws { try rig.engine.space.write(address, size: 8, value) }
  func read(_ address: UInt64) throws -> UInt64 { try rig.engine.space.read(address, size: 4) }

  /// Lets page number `page` of the data lead to `frame`.
  func map(_ root: UInt64, _ page: Int, _ frame: UInt64, rights: UInt64 = 0xC7) throws {
    try write(root + 0x2000 + UInt64(page) * 8, frame >> 2 | rights)
  }

  func set(_ name: String, _ value: UInt64) throws {
    let file = rig.engine.guest.registerFile
    rig.engine.guest.writeRegister(rig.vcpu.state, try #require(file.index(of: name)), value)
  }

  /// Runs the program from its start until it stays at its end.
  func run(_ ticks: UInt64 = 1000) {
    rig.vcpu.state.pc = Rig.base
    #expect(rig.run(rig.vcpu.ticks + ticks) == .deadline)
  }
}

extension Code {
  static func writeSATP(_ s: UInt32) -> UInt32 { 0x180 << 20 | s << 15 | 1 << 12 | 0x73 }
  static func fence(address: UInt32, space: UInt32 = 0) -> UInt32 { 9 << 25 | space << 20 | address << 15 | 0x73 }
}

@Suite struct PagingTests {
  private static let tiers: [TierPolicy] = [.quick, .thorough]

  @Test(arguments: tiers, [-8, -4, 0, 4, 2048] as [Int64])
  func neighboursInTheNextPageAreFoundThere(tiers: TierPolicy, distance: Int64) throws {
    let offsets: [Int32] = [4, -8, 0, 12, -4, 8]
    var program = offsets.enumerated().map { Code.sw(UInt32(10 + $0), $1, 5) }
    program += offsets.enumerated().map { Code.lw(UInt32(20 + $0), $1, 5) } + [Code.stop]
    let paged = try PagedRig(program, tiers)
    let base = PagedRig.data + 0x1000 &+ UInt64(bitPattern: distance)
    try paged.set("t0", base)
    for round in 0..<3 as Range<UInt64> {
      for index in offsets.indices {
        try paged.set(["a0", "a1", "a2", "a3", "a4", "a5"][index], 100 * round + UInt64(index))
      }
      paged.run()
      for (index, offset) in offsets.enumerated() {
        let address = base &+ UInt64(bitPattern: Int64(offset)) &- PagedRig.data
        let expected = 100 * round + UInt64(index)
        #expect(try paged.read(PagedRig.frames[Int(address >> 12)] + address & 0xFFF) == expected)
        #expect(paged.rig.x(20 + index) == expected)
      }
    }
  }

  /// Addresses that the translator knows, and the same ones from registers.
  @Test(arguments: tiers) func knownAndUnknownAddressesShareLookUps(tiers: TierPolicy) throws {
    let paged = try PagedRig(
      [
        Code.lui(5, 0x40001), Code.sw(10, 16, 5), Code.addi(6, 5, 16), Code.lw(11, 0, 6), Code.sw(11, 4, 6),
        Code.lw(12, 20, 5), Code.sw(12, -20, 6), Code.addi(6, 6, -20), Code.lw(13, 0, 6), Code.stop,
      ], tiers)
    for round in 1...3 as ClosedRange<UInt64> {
      try paged.set("a0", round)
      paged.run()
      #expect(try paged.read(PagedRig.frames[1] + 16) == round && paged.read(PagedRig.frames[1] + 20) == round)
      #expect(try paged.read(PagedRig.frames[0] + 0xFFC) == round)
      #expect((11...13).allSatisfy { paged.rig.x($0) == round })
    }
  }

  /// An access that crosses pages, between others that share a look-up.
  @Test(arguments: tiers) func accessesThatCrossPagesAreMadeInBoth(tiers: TierPolicy) throws {
    let paged = try PagedRig(
      [Code.sw(0, -4, 5), Code.sw(0, 4, 5), Code.sw(10, 0, 5), Code.lw(11, 0, 5), Code.lw(12, 4, 5), Code.stop], tiers)
    try paged.set("t0", PagedRig.data + 0xFFE)
    try paged.set("a0", 0x1234_5678)
    for _ in 0..<2 {
      paged.run()
      #expect(try paged.read(PagedRig.frames[0] + 0xFFC) == 0x5678_0000)
      #expect(try paged.read(PagedRig.frames[1]) == 0x1234)
      #expect(paged.rig.x(11) == 0x1234_5678 && paged.rig.x(12) == 0)
    }
  }

  /// What may only be read is read, and the store behind it raises its exception, as exactly as ever.
  @Test(arguments: tiers) func aStoreThatSharesALookUpStillFaults(tiers: TierPolicy) throws {
    let paged = try PagedRig([Code.lw(10, 0, 5), Code.lw(11, 4, 5), Code.sw(11, 8, 5), Code.stop], tiers)
    try paged.map(PagedRig.roots[0], 0, PagedRig.frames[0], rights: 0x43)
    try paged.write(PagedRig.frames[0], 0x0000_0007_0000_0005)
    try paged.set("t0", PagedRig.data)
    paged.rig.engine.insertBreakpoint(Rig.base + 0xF000)
    for _ in 0..<3 {
      try paged.set("priv", 1)
      paged.rig.vcpu.state.pc = Rig.base
      #expect(paged.rig.run(paged.rig.vcpu.ticks + 1000) == .breakpoint)
      let file = paged.rig.engine.guest.registerFile
      func csr(_ name: String) throws -> UInt64 {
        paged.rig.engine.guest.readRegister(paged.rig.vcpu.state, try #require(file.index(of: name)))
      }
      #expect(try csr("mcause") == 15 && csr("mtval") == PagedRig.data + 8 && csr("mepc") == Rig.base + 8)
      #expect(paged.rig.x(10) == 5 && paged.rig.x(11) == 7)
    }
    #expect(try paged.read(PagedRig.frames[0] + 8) == 0)
  }

  @Test func addressSpacesKeepTheirTranslations() throws {
    let paged = try PagedRig([
      Code.writeSATP(10), Code.lw(12, 0, 5), Code.writeSATP(11), Code.lw(13, 0, 5), Code.jal(0, -16),
    ])
    try paged.map(PagedRig.roots[1], 0, PagedRig.frames[2])
    try paged.write(PagedRig.frames[0], 3)
    try paged.write(PagedRig.frames[2], 4)
    try paged.set("t0", PagedRig.data)
    try paged.set("a0", PagedRig.satp(0))
    try paged.set("a1", PagedRig.satp(1))
    paged.run()
    #expect(paged.rig.x(12) == 3 && paged.rig.x(13) == 4)
    #expect(paged.rig.engine.statistics.tlbFills == 2)
  }

  /// `fence` has `t0` for the address and `a0` for the number of the address space, if any.
  @Test(arguments: [Code.fence(address: 5), Code.fence(address: 0), Code.fence(address: 5, space: 10)])
  func fencesEndWhatTheyName(fence: UInt32) throws {
    let paged = try PagedRig([Code.lw(12, 0, 5), fence, Code.lw(13, 0, 5), Code.lw(14, 0, 6), Code.stop])
    for (index, frame) in PagedRig.frames.enumerated() { try paged.write(frame, UInt64(index)) }
    try paged.set("t0", PagedRig.data)
    try paged.set("t1", PagedRig.data + 0x1000)
    paged.run()
    #expect(paged.rig.x(13) == 0 && paged.rig.x(14) == 1)
    try paged.map(PagedRig.roots[0], 0, PagedRig.frames[2])
    let fills = paged.rig.engine.statistics.tlbFills
    paged.run()
    #expect(paged.rig.x(12) == 0 && paged.rig.x(13) == 2 && paged.rig.x(14) == 1)
    // The other page is looked up anew only where its translation was to end.
    let isForAll = fence == Code.fence(address: 0)
    #expect(paged.rig.engine.statistics.tlbFills - fills == (isForAll ? 2 : 1))
  }

  @Test func aFenceForAnotherSpaceChangesNothing() throws {
    let paged = try PagedRig([Code.lw(12, 0, 5), Code.fence(address: 0, space: 10), Code.lw(13, 0, 5), Code.stop])
    try paged.set("t0", PagedRig.data)
    try paged.set("a0", 1)
    paged.run()
    #expect(paged.rig.engine.statistics.tlbFills == 1)
  }

  /// The fence names one address of a large page; the leaf stands for all of them.
  @Test func aFenceEndsAllOfALargePage() throws {
    let paged = try PagedRig([Code.lw(12, 0, 5), Code.fence(address: 6), Code.lw(13, 0, 5), Code.stop])
    let entry = PagedRig.roots[0] + 0x1000 + 8
    try paged.write(entry, 0x8000_0000 >> 2 | 0xC7)
    try paged.write(0x8005_0000, 8)
    try paged.write(PagedRig.frames[2], 9)
    try paged.set("t0", PagedRig.data + 0x25_0000)
    try paged.set("t1", PagedRig.data + 0x20_3000)
    paged.run()
    #expect(paged.rig.x(13) == 8)
    // The same addresses by a table of small pages.
    try paged.write(0x8003_0000 + 0x50 * 8, PagedRig.frames[2] >> 2 | 0xC7)
    try paged.write(entry, 0x8003_0000 >> 2 | 1)
    paged.run()
    #expect(paged.rig.x(12) == 8 && paged.rig.x(13) == 9)
  }
}
