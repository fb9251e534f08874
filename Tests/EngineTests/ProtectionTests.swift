// Owns the tests of what memory protection does to translated code: pages that stores must not reach unseen, chains that
// other harts must not follow.

import Engine
import Testing

@Suite struct ProtectionTests {
  /// Stores t2 at t1, calls s1, stores s0 there, calls again: each value is an instruction, with a return behind it.
  private func rewriting(_ rig: PrivilegedRig, code: UInt64, stores: UInt64, _ registers: [(String, UInt64)]) throws {
    func jalr(_ d: UInt32, _ s: UInt32) -> UInt32 { Code.addi(d, s, 0) & ~0x7F | 0x67 }
    let program = [
      Code.sw(7, 0, 6), Code.sw(7, 0, 6), Code.fenceI, jalr(1, 9), Code.sw(8, 0, 6), Code.fenceI, jalr(1, 9), Code.stop,
    ]
    try rig.put(program, at: 0)
    try rig.put([jalr(0, 1)], at: code - rig.ram + 4)
    try rig.start(
      at: rig.ram,
      registers + [
        ("t1", stores), ("s1", code), ("t2", UInt64(Code.addi(10, 10, 1))), ("s0", UInt64(Code.addi(10, 10, 100))),
      ])
    #expect(rig.run(100) == .deadline)
    #expect(rig.engine.vcpus[0].state.pc == rig.ram + 28)
    #expect(try rig.read("a0") == 101)
  }

  /// Beyond the window stores go by the TLB of the interpreter, in modes with restrictions as well.
  @Test(arguments: PrivilegedRig.tierPolicies, [PrivilegedRig.base, 0x1_8000_0000])
  func codeIsGuardedBeyondTheWindow(tiers: TierPolicy, ram: UInt64) throws {
    let rig = try PrivilegedRig(tiers, ram: ram)
    let apart = (ram + 0xF000) >> 2 | 0x1FF
    try rewriting(
      rig, code: ram + 0x4000, stores: ram + 0x4000,
      [("pmpaddr0", apart), ("pmpaddr1", (1 << 54) - 1), ("pmpcfg0", 0x1F18)])
  }

  /// Stores by another physical address of the same memory, which the TLB knows already.
  @Test(arguments: PrivilegedRig.tierPolicies)
  func codeIsGuardedInMirrors(tiers: TierPolicy) throws {
    let rig = try PrivilegedRig(tiers, mirror: 0x9000_0000)
    try rewriting(
      rig, code: 0x8000_4000, stores: 0x9000_4000, PrivilegedRig.openPMP + [("satp", try rig.mapPages())])
  }

  /// What one hart may execute, and has chained, another may not.
  @Test(arguments: PrivilegedRig.tierPolicies)
  func chainsAreEachHartsOwn(tiers: TierPolicy) throws {
    let rig = try PrivilegedRig(tiers, harts: 2)
    let page = rig.ram + 0x4000
    try rig.put([Code.addi(5, 5, 1), Code.jal(0, 0x3FFC)], at: 0)
    try rig.put([Code.addi(10, 10, 1), Code.jal(0, 8), Code.nop, Code.stop], at: 0x4000)
    for hart in 0..<2 {
      let rights: UInt64 = hart == 0 ? 0x1F1F : 0x1F19
      try rig.start(
        hart, at: rig.ram, [("pmpaddr0", page >> 2 | 0x1FF), ("pmpaddr1", (1 << 54) - 1), ("pmpcfg0", rights)])
    }
    for turn in 1...3 {
      rig.engine.vcpus[0].state.pc = rig.ram
      #expect(rig.run(UInt64(turn) * 100) == .deadline)
    }
    #expect(try rig.read("a0") == 3)
    #expect(rig.run(100, 1) == .deadline)
    #expect(try rig.read("a0", 1) == 0)
    // An instruction access fault.
    #expect(try rig.read("mcause", 1) == 1)
    #expect(try rig.read("mepc", 1) == page)
  }
}
