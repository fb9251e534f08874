// Owns the tests of what fences on translations forget: by vCPU, by page size, by address space and virtual machine.

import Engine
import GuestKit
import Testing

@Suite struct FenceTests {
  /// Physical place of the page table whose first entry maps virtual page 0.
  private static let leaf = PrivilegedRig.base + 0x1_4000

  /// Two harts that load from the first word of virtual page 0 again and again, which leads to offset 0x6000.
  private func rig() throws -> PrivilegedRig {
    let rig = try PrivilegedRig(.quick, harts: 2)
    let satp = try rig.mapPages()
    try rig.put([Code.lw(12, 0, 0), Code.stop], at: 0)
    try rig.put([6], at: 0x6000)
    try rig.put([7], at: 0x7000)
    for hart in 0..<2 {
      try rig.start(hart, at: rig.ram, PrivilegedRig.openPMP + [("satp", satp)])
      #expect(try loaded(rig, hart) == 6)
    }
    // Nobody is told: until fenced, the old translation is as good.
    let entry = try rig.engine.space.read(Self.leaf, size: 8)
    try rig.engine.space.write(Self.leaf, size: 8, entry &+ 0x1000 >> 2)
    for hart in 0..<2 { #expect(try loaded(rig, hart) == 6) }
    return rig
  }

  private func loaded(_ rig: PrivilegedRig, _ hart: Int) throws -> UInt64 {
    let vcpu = rig.engine.vcpus[hart]
    vcpu.state.pc = rig.ram
    #expect(vcpu.run(until: vcpu.ticks + 100) == .deadline)
    return try rig.read("a2", hart)
  }

  @Test(arguments: [TranslationFence.Reach.own, .all]) func aFenceReachesWhomItNames(reach: TranslationFence.Reach)
    throws
  {
    let rig = try rig()
    rig.engine.vcpus[0].flushTLB(TranslationFence(reach: reach, address: 8))
    #expect(try loaded(rig, 0) == 7)
    #expect(try loaded(rig, 1) == (reach == .all ? 7 : 6))
  }

  /// Pages from the one at the end of the address space on: the first of them is not the one that changed.
  @Test(arguments: [(0x1000, false), (0x2000, true), (0x10_0000, true)] as [(UInt64, Bool)])
  func aFenceCoversItsSize(size: UInt64, isCovered: Bool) throws {
    let rig = try rig()
    rig.engine.vcpus[0].flushTLB(TranslationFence(address: 0 &- 0x1000, size: size))
    #expect(try loaded(rig, 0) == (isCovered ? 7 : 6))
  }

  @Test func aFenceForOtherTablesChangesNothing() throws {
    let rig = try rig()
    for other in [
      TranslationFence(space: 5), TranslationFence(machine: 1), TranslationFence(address: 0, space: 0, machine: 1),
    ] {
      rig.engine.vcpus[0].flushTLB(other)
      #expect(try loaded(rig, 0) == 6, "\(other)")
    }
    rig.engine.vcpus[0].flushTLB(TranslationFence(space: 0, machine: 0))
    #expect(try loaded(rig, 0) == 7)
  }
}
