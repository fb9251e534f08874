// Owns the tests of what the Cuckoo has and other guests lack, on every host.

import Bits
import Bus
import Engine
import GuestKit
import TestSupport
import Testing

/// Encodings.
private func encode(_ operation: CuckooOperation, _ operands: UInt8..., prefixes: Int = 0) -> [UInt8] {
  [UInt8](repeating: CuckooOperation.prefix, count: prefixes) + [operation.rawValue] + operands
}
private func set(_ d: UInt8, _ value: UInt32, prefixes: Int = 0) -> [UInt8] {
  encode(.set, d, prefixes: prefixes) + Endianness.big.bytes(UInt64(value), count: 4)
}
private func setWide(_ d: UInt8, _ value: UInt64, prefixes: Int = 0) -> [UInt8] {
  encode(.setWide, d, prefixes: prefixes) + Endianness.big.bytes(value, count: 8)
}
/// A branch from behind `body` back to its start while `r[d]` is not 0.
private func repeats(_ d: UInt8, _ body: [UInt8]) -> [UInt8] {
  body + encode(.branch, d, UInt8(bitPattern: -Int8(body.count)))
}

@Suite struct CuckooTests {
  private typealias Register = Cuckoo.Register

  private func rig(_ runner: Runner, _ program: [[UInt8]], pc: UInt64 = 0x1000) throws -> ToyRig {
    let rig = try ToyRig(runner, Cuckoo(), program.flatMap { $0 } + encode(.stop), pc: pc) { space in
      let ports = try RAMRegion(name: "ports", size: 0x1000)
      try space.map("ports", at: Cuckoo.ports, size: 0x1000, .ram(ports, offset: 0))
    }
    try rig.engine.space.copyIn(encode(.stop), at: Cuckoo.handler)
    return rig
  }

  /// Loads and stores of every size, over and over, so that every tier makes them: once in the window, once by the TLB.
  @Test(arguments: Runner.allCases, [false, true]) func bytesAreInTheirOrder(_ runner: Runner, isPaged: Bool) throws {
    let body =
      encode(.storeWide, 1, 0) + encode(.loadWide, 0, 0) + encode(.loadFloat, 0) + encode(.storeFloat, 0)
      + encode(.load, 2, 0, 1, prefixes: 1) + encode(.store, 2, 0, 0) + encode(.load, 1, 0, 2) + encode(.add, 3, 3)
    let rig = try rig(
      runner,
      (isPaged ? [setWide(0, Cuckoo.isPaged), encode(.mode)] : []) + [
        setWide(1, 0x8182_8384_8586_8788), set(0, 0x3003), set(3, 1), repeats(3, body),
        encode(.load, 3, 0, 0, prefixes: 1), encode(.store, 1, 0, 2), encode(.store, 2, 0, 1),
      ])
    try mapPages(rig, 0..<8)
    #expect(rig.run(10_000) == .waiting)
    #expect(rig[Register.w0.rawValue] == 0x8182_8384_8586_8788 && rig[Register.f0.rawValue] == 0x8182_8384_8586_8788)
    let narrow = [Register.r1, .r2, .r3].map { rig[$0.rawValue] }
    #expect(narrow == [0x8282_8384, 0xFFFF_8182, 0xFFFF_FF82])
    #expect((0..<8).map { rig.memory.load(0x3003 + $0, size: 1) } == [0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88])
    // Seven in each of 32 turns.
    #expect(rig.engine.statistics.slowAccesses < 24)
  }

  /// 16 bytes at once, over and over, on a page and across two of them.
  @Test(arguments: Runner.allCases, [false, true]) func vectorsAreInMemory(_ runner: Runner, isPaged: Bool) throws {
    let body =
      encode(.mix) + encode(.storeVector, 0) + encode(.loadVector, 0) + encode(.storeVector, 1) + encode(.add, 3, 3)
    let rig = try rig(
      runner,
      (isPaged ? [setWide(0, Cuckoo.isPaged), encode(.mode)] : []) + [
        setWide(0, 0x090A_0B0C_0D0E_0F10), setWide(1, 0x0102_0304_0506_0708), set(0, 0x3003), set(1, 0x3FF9), set(3, 2),
        repeats(3, body),
      ])
    try mapPages(rig, 0..<8)
    #expect(rig.run(10_000) == .waiting)
    // An odd number of turns.
    let vector = (1...16).map { UInt64($0) }
    #expect(rig.engine.guest.registerBytes(rig.vcpu.state, Register.v0.rawValue) == vector.reversed().map { UInt8($0) })
    for place in [0x3003, 0x3FF9] {
      #expect((0..<16).map { rig.memory.load(place + $0, size: 1) } == vector)
    }
  }

  private func mapPages(_ rig: ToyRig, _ pages: Range<UInt64>) throws {
    rig[Register.lowerTable.rawValue] = 0x4000
    for page in pages {
      try rig.engine.space.copyIn(Endianness.big.bytes(page << 12 | 1, count: 4), at: 0x4000 + 4 * page)
    }
  }

  /// What cannot be stored whole is not stored at all.
  @Test(arguments: Runner.allCases) func vectorsAreStoredWholeOrNot(_ runner: Runner) throws {
    for first in 0x4FF1...0x4FFF as ClosedRange<UInt32> {
      let rig = try rig(
        runner,
        [
          setWide(0, .max), encode(.mix), setWide(0, Cuckoo.isPaged), encode(.mode), set(0, first),
          encode(.storeVector, 0),
        ])
      try mapPages(rig, 0..<5)
      let before = (0..<16).map { rig.memory.load(Int(first) + $0, size: 1) }
      #expect(rig.run(100) == .waiting)
      #expect(rig[Register.cause.rawValue] == Cuckoo.Cause.page.rawValue)
      #expect(
        rig[Register.value.rawValue] >> 12 == 5 && rig[Register.detail.rawValue] == UInt64(AccessKind.write.rawValue))
      #expect((0..<16).map { rig.memory.load(Int(first) + $0, size: 1) } == before)
    }
  }

  /// A store of 16 bytes changes the instructions right behind it.
  @Test(arguments: Runner.allCases) func vectorsChangeCode(_ runner: Runner) throws {
    let changed = set(2, 7) + set(3, 8) + encode(.nop) + encode(.nop) + encode(.nop) + encode(.nop)
    let start = [set(0, 0x5000), encode(.loadVector, 0), set(0, 0x1000 + 16), encode(.storeVector, 0)]
    #expect(start.flatMap { $0 }.count == 16 && changed.count == 16)
    let rig = try rig(
      runner, start + [set(2, 1), set(3, 2), [UInt8](repeating: CuckooOperation.nop.rawValue, count: 4)])
    try rig.engine.space.copyIn(changed, at: 0x5000)
    for _ in 0..<3 {
      try rig.engine.space.copyIn(set(2, 1) + set(3, 2), at: 0x1010)
      rig[Register.pc.rawValue] = 0x1000
      rig.vcpu.endWait()
      #expect(rig.run(rig.vcpu.now + 100) == .waiting)
      #expect(rig[Register.r2.rawValue] == 7 && rig[Register.r3.rawValue] == 8)
    }
  }

  /// An instruction of 15 bytes whose page ends behind each of its bytes, among short ones.
  @Test(arguments: Runner.allCases) func instructionsReachIntoTheNextPage(_ runner: Runner) throws {
    for split in 1...15 as ClosedRange<UInt64> {
      let rig = try rig(
        runner,
        [encode(.nop), setWide(0, 0x0102_0304_0506_0708, prefixes: 5), set(1, 0x1122_3344, prefixes: 2), encode(.nop)],
        pc: 0x2000 - split - 1)
      #expect(rig.run(100) == .waiting)
      #expect(rig[Register.w0.rawValue] == 0x0102_0304_0506_0708 && rig[Register.r1.rawValue] == 0x1122_3344)
      #expect(rig.vcpu.retiredInstructions == 5 && rig.vcpu.state.pc == 0x2000 - split + 25)
      // Changed where it goes on, it is another one.
      try rig.engine.space.copyIn([0x99], at: 0x2000 - split + 14)
      rig[Register.pc.rawValue] = 0x2000 - split
      rig.vcpu.endWait()
      #expect(rig.run(rig.vcpu.now + 100) == .waiting)
      #expect(rig[Register.w0.rawValue] == 0x0102_0304_0506_0799)
    }
  }

  /// Only who needs bytes of a missing page faults, there, with all that is to be told.
  @Test(arguments: Runner.allCases) func instructionsEndWithTheirPage(_ runner: Runner) throws {
    for length in [1, 9] as [UInt64] {
      let rig = try rig(runner, [[0x66, 0x66]], pc: 0x3000 - length)
      try rig.engine.space.copyIn(
        length == 1 ? encode(.nop) : [0x66] + encode(.setWide, 0, 1, 2, 3, 4, 5, 6), at: 0x3000 - length)
      rig[Register.lowerTable.rawValue] = 0x4000
      try rig.engine.space.copyIn([0, 0, 0x20, 1], at: 0x4008)
      rig[Register.mode.rawValue] = Cuckoo.isPaged
      #expect(rig.run(100) == .waiting)
      #expect(rig[Register.cause.rawValue] == Cuckoo.Cause.page.rawValue && rig[Register.value.rawValue] == 0x3000)
      #expect(rig[Register.detail.rawValue] == UInt64(AccessKind.execute.rawValue))
      #expect(rig[Register.moreDetail.rawValue] == 0x4000)
      #expect(rig[Register.epc.rawValue] == (length == 1 ? 0x3000 : 0x3000 - length))
      #expect(rig.vcpu.retiredInstructions == (length == 1 ? 2 : 1))
    }
  }

  @Test(arguments: Runner.allCases) func tooLongIsNoInstruction(_ runner: Runner) throws {
    let rig = try rig(runner, [set(0, 1, prefixes: 10)])
    #expect(rig.run(100) == .waiting && rig[Register.cause.rawValue] == Cuckoo.Cause.illegal.rawValue)
    let prefixes = try self.rig(runner, [[UInt8](repeating: CuckooOperation.prefix, count: 20)])
    #expect(prefixes.run(100) == .waiting && prefixes[Register.cause.rawValue] == Cuckoo.Cause.illegal.rawValue)
  }

  /// The same code means something else under another of 64 flags, and the same again after the way back.
  @Test(arguments: Runner.allCases) func flagsHave64Bits(_ runner: Runner) throws {
    let rig = try rig(runner, [set(1, 5), encode(.mode), set(2, 5)])
    for (mode, values) in [
      (0, [5, 5]), (Cuckoo.addsOne, [5, 6]), (Cuckoo.addsOne, [6, 6]), (0, [6, 5]), (0, [5, 5]),
    ]
      as [(UInt64, [UInt64])]
    {
      rig[Register.w0.rawValue] = mode
      rig[Register.pc.rawValue] = 0x1000
      rig.vcpu.endWait()
      #expect(rig.run(rig.vcpu.now + 100) == .waiting)
      #expect([rig[Register.r1.rawValue], rig[Register.r2.rawValue]] == values)
    }
  }

  /// Two tables are in force: each changes its own half of the addresses, and what was known under others comes back.
  @Test(arguments: Runner.allCases) func tablesHaveTwoRoots(_ runner: Runner) throws {
    let rig = try rig(
      runner,
      [
        encode(.tables), set(0, 0x5800), set(1, 0x8000_5800), encode(.load, 2, 0, 2), encode(.load, 3, 1, 2),
      ])
    for page in 0..<8 as Range<UInt64> {
      try rig.engine.space.copyIn([1, UInt8(page), 2, 3], at: page << 12 | 0x800)
      for (table, target) in [(0x4000, page), (0x4100, page == 5 ? 6 : page), (0x4200, 7 - page)] as [(UInt64, UInt64)]
      {
        try rig.engine.space.copyIn(Endianness.big.bytes(target << 12 | 1, count: 4), at: table + 4 * page)
      }
    }
    rig[Register.mode.rawValue] = Cuckoo.isPaged
    for _ in 0..<3 {
      for (lower, upper, pages) in [(0x4000, 0x4200, [5, 2]), (0x4000, 0x4100, [5, 6]), (0x4100, 0x4100, [6, 6])]
        as [(UInt64, UInt64, [UInt64])]
      {
        rig[Register.r0.rawValue] = lower
        rig[Register.r1.rawValue] = upper
        rig[Register.lowerTable.rawValue] = 0x4000
        rig[Register.pc.rawValue] = 0x1000
        rig.vcpu.endWait()
        #expect(rig.run(rig.vcpu.now + 100) == .waiting)
        #expect([rig[Register.r2.rawValue], rig[Register.r3.rawValue]] == pages.map { 0x0100_0203 | $0 << 16 })
      }
    }
  }

  @Test(arguments: Runner.allCases) func exceptionsHaveMoreThanOneValue(_ runner: Runner) throws {
    let rig = try rig(
      runner, [set(0, 7), setWide(0, 1 << 50), setWide(1, 3), encode(.trap)])
    #expect(rig.run(100) == .waiting)
    let found = [Register.cause, .value, .detail, .moreDetail].map { rig[$0.rawValue] }
    #expect(found == [Cuckoo.Cause.trap.rawValue, 7, 1 << 50, 3])
    // The next exception has none of them.
    try rig.engine.space.copyIn([0], at: 0x1000)
    rig[Register.pc.rawValue] = 0x1000
    rig.vcpu.endWait()
    #expect(rig.run(rig.vcpu.now + 100) == .waiting)
    #expect(rig[Register.cause.rawValue] == Cuckoo.Cause.illegal.rawValue && rig[Register.detail.rawValue] == 0)
  }

  /// Ports are no memory, whatever their addresses and numbers.
  @Test(arguments: Runner.allCases) func portsAreASpaceOfTheirOwn(_ runner: Runner) throws {
    let body = encode(.output, 1, 0) + encode(.input, 2, 3)
    let rig = try rig(runner, [set(0, 0x24), set(1, 0x0102_0304), set(3, 0x20), body, encode(.load, 1, 0, 2)])
    for _ in 0..<20 {
      rig[Register.pc.rawValue] = 0x1000
      rig.vcpu.endWait()
      #expect(rig.run(rig.vcpu.now + 100) == .waiting)
      #expect(rig[Register.r2.rawValue] == 0x0102_0304 && rig[Register.r1.rawValue] == 0)
    }
    #expect(try rig.engine.space.read(Cuckoo.ports + 0x24, size: 1) == 1)
    #expect(rig.memory.load(0x24, size: 4) == 0)
  }

  /// All bytes of a wide register are read and written, by the guest and by debuggers.
  @Test(arguments: Runner.allCases) func registersHave128Bits(_ runner: Runner) throws {
    let rig = try rig(runner, [setWide(0, 0x0807_0605_0403_0201), setWide(1, 0x100F_0E0D_0C0B_0A09), encode(.mix)])
    let (guest, state, v0) = (rig.engine.guest, rig.vcpu.state, Register.v0.rawValue)
    guest.setRegister(state, v0, bytes: [UInt8](repeating: 0xF0, count: 16))
    #expect(rig.run(100) == .waiting)
    #expect(guest.registerBytes(state, v0) == (1...16).map { $0 ^ 0xF0 })
    guest.setRegister(state, v0, bytes: [9])
    #expect(guest.registerBytes(state, v0) == [9] + [UInt8](repeating: 0, count: 15))
    #expect(guest.registerBytes(state, Register.w0.rawValue) == [1, 2, 3, 4, 5, 6, 7, 8])
  }
}
