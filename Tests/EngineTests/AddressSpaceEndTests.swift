// Owns the tests of code and data where addresses end: behind the last one comes the first.

import Engine
import Testing

@Suite struct AddressSpaceEndTests {
  /// Two additions and a jump back to the second, up to the last byte.
  private static let loop = [Code.addi(10, 10, 1), Code.addi(11, 11, 1), Code.jal(0, -4)]

  private func rig(_ tiers: TierPolicy, _ pmp: [(String, UInt64)] = PrivilegedRig.openPMP) throws -> PrivilegedRig {
    let rig = try PrivilegedRig(tiers)
    try rig.put(Self.loop, at: 0x5FF4)
    try rig.start(at: ~11, pmp + [("satp", try rig.mapPages())])
    return rig
  }

  /// Hot enough for a region, which has no end there.
  @Test(arguments: PrivilegedRig.tierPolicies)
  func codeMayEndThere(tiers: TierPolicy) throws {
    let rig = try rig(tiers)
    #expect(rig.run(1_000_001) == .deadline)
    #expect(try rig.read("a1") == 500_000)
    let id = try #require(rig.engine.blocks(at: .max).first)
    #expect(rig.engine.store[id].contains(.max))
    #expect(rig.engine.flush(.max - 3 ... .max) > 0)
  }

  @Test(arguments: PrivilegedRig.tierPolicies)
  func breakpointsSplitIt(tiers: TierPolicy) throws {
    let rig = try rig(tiers)
    #expect(rig.run(3) == .deadline)
    rig.engine.insertBreakpoint(~7)
    #expect(rig.run(100) == .breakpoint)
  }

  /// Rights that differ within the page make instructions be fetched one by one.
  @Test(arguments: PrivilegedRig.tierPolicies)
  func partsMayBeProtected(tiers: TierPolicy) throws {
    let apart = (PrivilegedRig.base + 0x5000) >> 2 | 1
    let rig = try rig(tiers, [("pmpaddr0", apart), ("pmpaddr1", (1 << 54) - 1), ("pmpcfg0", 0x1F18)])
    #expect(rig.run(1001) == .deadline)
    #expect(try rig.read("a1") == 500)
  }

  /// A loop that closes by running on over the end is left like any other.
  @Test(arguments: PrivilegedRig.tierPolicies)
  func loopsGoOverIt(tiers: TierPolicy) throws {
    let rig = try rig(tiers)
    try rig.put([Code.addi(10, 10, 1), Code.addi(11, 11, 1), Code.nop], at: 0x5FF4)
    try rig.put([Code.nop, Code.jal(0, -16)], at: 0x6000)
    #expect(rig.run(100_000) == .deadline)
    #expect(try rig.read("a0") >= 20_000)
  }

  @Test(arguments: PrivilegedRig.tierPolicies)
  func storesGoOverIt(tiers: TierPolicy) throws {
    let rig = try rig(tiers)
    try rig.put([Code.sw(7, 0, 6), Code.stop], at: 0)
    try rig.start(
      at: PrivilegedRig.base,
      PrivilegedRig.openPMP + [("satp", try rig.mapPages()), ("t1", ~1), ("t2", 0x1122_3344)])
    #expect(rig.run(100) == .deadline)
    #expect(try rig.engine.space.read(PrivilegedRig.base + 0x5FFE, size: 2) == 0x3344)
    #expect(try rig.engine.space.read(PrivilegedRig.base + 0x6000, size: 2) == 0x1122)
  }

  /// Only a debugger or a file can ask for it.
  @Test(arguments: PrivilegedRig.tierPolicies)
  func oddPCsAreEven(tiers: TierPolicy) throws {
    let rig = try PrivilegedRig(tiers)
    try rig.start(at: PrivilegedRig.base, PrivilegedRig.openPMP)
    let guest = rig.engine.guest
    guest.writeRegister(rig.engine.vcpus[0].state, try rig.register("pc"), PrivilegedRig.base + 0xFFF)
    #expect(try rig.read("pc") == PrivilegedRig.base + 0xFFE)
    guest.reset(rig.engine.vcpus[0].state, number: 0, pc: PrivilegedRig.base + 0xFFF)
    #expect(try rig.read("pc") == PrivilegedRig.base + 0xFFE)
  }
}
