// Owns a bare machine whose harts run in supervisor mode, with page tables and PMP as a test wants them.

import Bus
import Engine
import GuestRISCV
import HostInterpreter
import HostX86_64
import Testing

/// An engine with RV64 harts and RAM, set up by register names.
struct PrivilegedRig {
  static let base: UInt64 = 0x8000_0000
  static let tierPolicies: [TierPolicy] = [.adaptive, .quick]
  /// Everything may be done everywhere.
  static let openPMP: [(String, UInt64)] = [("pmpaddr0", (1 << 54) - 1), ("pmpcfg0", 0x1F)]
  /// Offset of a handler that never comes back.
  static let handler: UInt64 = 0xE000
  private static let root: UInt64 = 0x10000

  let engine: Engine
  let ram: UInt64

  /// - Parameters:
  ///   - ram: where memory is.
  ///   - mirror: where it is once more.
  init(_ tiers: TierPolicy, harts: Int = 1, ram: UInt64 = base, mirror: UInt64? = nil) throws {
    self.ram = ram
    let memory = try RAMRegion(name: "ram", size: 1 << 20)
    let space = AddressSpace()
    try space.map("ram", at: ram, size: 1 << 20, .ram(memory, offset: 0))
    if let mirror { try space.map("mirror", at: mirror, size: 1 << 20, .ram(memory, offset: 0)) }
    var options = EngineOptions()
    options.tiers = tiers
    engine = try Engine(
      guest: RISCVGuest(model: "rv64"), host: X86_64Host.self, interpreter: Interpreter.self, space: space,
      clock: VirtualClock(), events: EventQueue(), vcpuCount: harts, options: options)
    try put([Code.stop], at: Self.handler)
  }

  /// Puts instructions at an offset in memory.
  func put(_ program: [UInt32], at offset: UInt64) throws {
    try engine.space.copyIn(
      program.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }, at: ram + offset)
  }

  /// Resets a hart, gives it registers in order, and stands in supervisor mode at `pc`.
  func start(_ hart: Int = 0, at pc: UInt64, _ registers: [(String, UInt64)]) throws {
    let vcpu = engine.vcpus[hart]
    engine.guest.reset(vcpu.state, number: hart, pc: pc)
    for (name, value) in [("mtvec", ram + Self.handler)] + registers + [("priv", 1)] {
      engine.guest.writeRegister(vcpu.state, try register(name), value)
    }
    vcpu.wasReset()
    vcpu.state.pc = pc
  }

  func register(_ name: String) throws -> Int { try #require(engine.guest.registerFile.index(of: name)) }

  func read(_ name: String, _ hart: Int = 0) throws -> UInt64 {
    engine.guest.readRegister(engine.vcpus[hart].state, try register(name))
  }

  func run(_ ticks: UInt64, _ hart: Int = 0) -> RunOutcome { engine.vcpus[hart].run(until: ticks) }

  /// Builds Sv39 tables: memory and what is 256 MiB behind it where they are, the last page of the address space at offset
  /// 0x5000, the first at 0x6000.
  /// - Returns: what `satp` has to be.
  func mapPages() throws -> UInt64 {
    let root = ram + Self.root
    func entry(_ table: UInt64, _ index: UInt64, _ target: UInt64, leaf: Bool) throws {
      try engine.space.write(root + table << 12 + 8 * index, size: 8, target >> 2 | (leaf ? 0xCF : 1))
    }
    try entry(0, 2, 0x8000_0000, leaf: true)
    for (index, table) in [(511, 1), (0, 3)] as [(UInt64, UInt64)] {
      try entry(0, index, root + table << 12, leaf: false)
      try entry(table, index, root + (table + 1) << 12, leaf: false)
      try entry(table + 1, index, ram + (index == 0 ? 0x6000 : 0x5000), leaf: true)
    }
    return 8 << 60 | root >> 12
  }
}
