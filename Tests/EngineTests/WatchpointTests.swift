// Owns the tests of watchpoints on one hart: where a stop is, what is done by then, what is reported next.

import Engine
import HostInterpreter
import HostKit
import HostX86_64
import Testing

@Suite struct WatchpointTests {
  static let hosts: [(any Host.Type, interpreter: (any PackedTier.Type)?)] = [
    (X86_64Host.self, nil), (InterpreterHost.self, nil), (X86_64Host.self, Interpreter.self),
  ]

  private static let base = Rig.base
  private static let data = Rig.base + 0x2000

  /// x6 points to data.
  private func rig(_ host: Int, _ program: [UInt32]) throws -> Rig {
    let (host, interpreter) = Self.hosts[host]
    let rig = try Rig(host, interpreter: interpreter, program)
    rig.engine.guest.writeRegister(rig.vcpu.state, 6, Self.data)
    return rig
  }

  /// x5 is stored twice, and loaded once.
  private static let program: [UInt32] = [
    Code.nop, Code.addi(5, 0, 7), Code.sw(5, 0, 6), Code.addi(5, 5, 1), Code.sw(5, 4, 6), Code.lw(7, 0, 6), Code.stop,
  ]

  /// The hart stands at the store, which has not been made; going on makes it, and the breakpoint behind it counts.
  @Test(arguments: 0..<3) func stopsBeforeTheAccess(host: Int) throws {
    let rig = try rig(host, Self.program)
    let (engine, cpu) = (rig.engine, rig.vcpu)
    engine.insert(Watchpoint(address: Self.data + 1, length: 1, onRead: false, onWrite: true))
    engine.insertBreakpoint(Self.base + 12)
    #expect(rig.run(1000) == .watchpoint)
    #expect(cpu.state.pc == Self.base + 8 && cpu.watchHit?.timing == .before && cpu.watchHit?.address == Self.data)
    #expect(try engine.space.read(Self.data, size: 4) == 0)
    #expect(rig.run(1000) == .breakpoint)
    #expect(cpu.state.pc == Self.base + 12)
    #expect(try engine.space.read(Self.data, size: 4) == 7)
  }

  /// A step makes the access that the hart was stopped before, and only that.
  @Test(arguments: 0..<3) func stepsOverTheAccess(host: Int) throws {
    let rig = try rig(host, Self.program)
    let (engine, cpu) = (rig.engine, rig.vcpu)
    engine.insert(Watchpoint(address: Self.data, length: 4, onRead: true, onWrite: true))
    #expect(rig.run(1000) == .watchpoint)
    #expect(cpu.step() == .stepped)
    #expect(cpu.state.pc == Self.base + 12)
    #expect(try engine.space.read(Self.data, size: 4) == 7)
    for _ in 0..<2 { #expect(cpu.step() == .stepped) }
    #expect(cpu.step() == .watchpoint, "the load")
    #expect(cpu.state.pc == Self.base + 20 && rig.x(7) == 0)
    #expect(cpu.step() == .stepped)
    #expect(rig.x(7) == 7)
  }

  /// Both kinds on one place: first the stop before the access, then that behind it, with what was and what is there.
  @Test(arguments: 0..<3) func stopsBehindShowBothValues(host: Int) throws {
    let rig = try rig(host, Self.program)
    let (engine, cpu) = (rig.engine, rig.vcpu)
    engine.insert(Watchpoint(address: Self.data, length: 8, onRead: false, onWrite: true, stopsBehind: true))
    engine.insert(Watchpoint(address: Self.data + 4, length: 4, onRead: false, onWrite: true))
    #expect(rig.run(1000) == .watchpoint)
    #expect(cpu.state.pc == Self.base + 12 && cpu.watchHit?.timing == .behind)
    #expect(cpu.watchHit?.before == 0 && cpu.watchHit?.after == 7)
    #expect(rig.run(1000) == .watchpoint)
    #expect(cpu.state.pc == Self.base + 16 && cpu.watchHit?.timing == .before)
    #expect(rig.run(1000) == .watchpoint)
    #expect(cpu.state.pc == Self.base + 20 && cpu.watchHit?.timing == .behind)
    #expect(cpu.watchHit?.before == 7 && cpu.watchHit?.after == 7 | 8 << 32)
  }

  /// A store-conditional that is stopped at keeps its reservation; one that fails is no access.
  @Test(arguments: 0..<3) func reservationsOutliveTheStop(host: Int) throws {
    let sc = Code.scw(8, 5, 6)
    let rig = try rig(host, [Code.nop, Code.addi(5, 0, 7), Code.lrw(7, 6), sc, sc, Code.stop])
    let (engine, cpu) = (rig.engine, rig.vcpu)
    engine.insert(Watchpoint(address: Self.data, length: 4, onRead: true, onWrite: true))
    for offset in [8, 12] as [UInt64] {
      #expect(rig.run(1000) == .watchpoint)
      #expect(cpu.state.pc == Self.base + offset)
    }
    #expect(cpu.step() == .stepped)
    #expect(rig.x(8) == 0)
    #expect(try engine.space.read(Self.data, size: 4) == 7)
    #expect(cpu.step() == .stepped, "it stores nothing")
    #expect(rig.x(8) == 1)
  }

  /// What a device does by itself stops the hart behind it.
  @Test(arguments: 0..<3) func transfersStopBehindThem(host: Int) throws {
    let rig = try rig(host, [Code.addi(5, 0, 7), Code.addi(5, 5, 1), Code.jal(0, -4)])
    let engine = rig.engine
    engine.insert(Watchpoint(address: Self.data + 2, length: 4, onRead: false, onWrite: true))
    #expect(rig.run(100) == .deadline)
    engine.space.willTransfer?(Self.data, 2, true)
    #expect(engine.takeTransferHit() == nil)
    engine.space.willTransfer?(Self.data, 4, false)
    #expect(engine.takeTransferHit() == nil)
    engine.space.willTransfer?(Self.data, 4, true)
    try engine.space.write(Self.data, size: 4, 0x0102_0304)
    #expect(rig.run(200) == .watchpoint)
    let hit = try #require(rig.vcpu.watchHit)
    #expect(hit.timing == .event && hit.address == Self.data + 2 && hit.before == 0 && hit.after == 0x0102)
    #expect(rig.run(200) == .deadline)
  }

  /// Code that has often accessed a watched page beside what is watched compares addresses itself. It stops at the first
  /// access that hits, and makes few accesses the slow way; five ranges are more than it compares with.
  @Test(arguments: 0..<3, [1, 2, 5]) func comparingCodeStopsWhereItHits(host: Int, count: Int) throws {
    // Stores word by word, and loads the word before.
    let rig = try rig(
      host,
      [Code.sw(5, 0, 6), Code.addi(5, 5, 1), Code.lw(7, 0, 6), Code.addi(6, 6, 4), Code.jal(0, -16)])
    let points = (0..<count).map { index in
      Watchpoint(
        address: Self.data + 0x320 + 0x100 * UInt64(index) + 2, length: 1, onRead: index == 1, onWrite: index != 1)
    }
    for point in points { rig.engine.insert(point) }
    for (index, point) in points.enumerated() {
      #expect(rig.run(1_000_000) == .watchpoint)
      let word = point.address & ~3
      #expect(rig.x(6) == word && rig.vcpu.state.pc == Rig.base + (index == 1 ? 8 : 0))
      #expect(rig.x(5) == (word - Self.data) / 4 + (index == 1 ? 1 : 0))
      #expect(try rig.engine.space.read(word, size: 4) == (index == 1 ? rig.x(5) - 1 : 0))
      #expect(try rig.engine.space.read(word - 4, size: 4) == (word - Self.data) / 4 - 1)
    }
    for point in points { rig.engine.remove(point) }
    #expect(rig.run(20_000) == .deadline)
    #expect(rig.x(7) + 1 == rig.x(5))
    if host == 0, count < 5 { #expect(rig.engine.statistics.slowAccesses < 200) }
  }

  /// A load that touches what is watched for writes is made; the store to the same place, which need not compare again, is
  /// stopped at all the same.
  @Test(arguments: 0..<3) func whatIsComparedOnceIsNotForgotten(host: Int) throws {
    let rig = try rig(
      host,
      [Code.lw(7, 0, 6), Code.addi(5, 5, 1), Code.sw(5, 0, 6), Code.lw(8, 0, 6), Code.addi(6, 6, 4), Code.jal(0, -20)])
    rig.engine.insert(Watchpoint(address: Self.data + 0x321, length: 1, onRead: false, onWrite: true))
    #expect(rig.run(1_000_000) == .watchpoint)
    #expect(rig.x(6) == Self.data + 0x320 && rig.vcpu.state.pc == Rig.base + 8 && rig.x(5) == 0x320 / 4 + 1)
    #expect(try rig.engine.space.read(Self.data + 0x320, size: 4) == 0)
    #expect(rig.run(2000) == .deadline)
    #expect(rig.x(8) == rig.x(5) && rig.x(7) == 0)
    #expect(try rig.engine.space.read(Self.data + 0x320, size: 4) == 0x320 / 4 + 1)
  }

  /// The same behind page tables, where the TLB finds pages.
  @Test(arguments: PrivilegedRig.tierPolicies) func comparingCodeStopsBehindPageTables(tiers: TierPolicy) throws {
    let rig = try PrivilegedRig(tiers)
    let data = PrivilegedRig.base + 0x40000
    try rig.put(
      [Code.sw(5, 0, 6), Code.addi(5, 5, 1), Code.lw(7, 0, 6), Code.addi(6, 6, 4), Code.jal(0, -16)], at: 0x8000)
    let registers = PrivilegedRig.openPMP + [("satp", try rig.mapPages()), ("t0", 0), ("t1", data)]
    try rig.start(at: PrivilegedRig.base + 0x8000, registers)
    let points = [0x322, 0xFFE, 0x1410].map {
      Watchpoint(address: data + $0, length: 4, onRead: false, onWrite: true)
    }
    for point in points { rig.engine.insert(point) }
    for address in [0x320, 0x324, 0xFFC, 0x1000, 0x1410] as [UInt64] {
      #expect(rig.run(1_000_000) == .watchpoint)
      #expect(try rig.read("t1") == data + address)
      #expect(try rig.read("t0") == address / 4)
      #expect(try rig.engine.space.read(data + address, size: 4) == 0)
    }
    #expect(rig.engine.statistics.slowAccesses < 1000)
  }
}
