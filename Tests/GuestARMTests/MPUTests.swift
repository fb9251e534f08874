// Owns the tests of the Memory Protection Unit (ARMv7-M manual, B3.5; ARMv8-M manual, B9).

import Engine
import Testing

@Suite(.enabled(if: canAssemble)) struct MPUTests {
  /// A program that sets regions up (code readable by all, RAM for all), does `body`, and notes of a fault IPSR, CFSR
  /// and MMFAR, then goes on at `next`, with Thread mode privileged.
  private func run(
    _ setUp: String, _ body: String, control: Int = 1, model: String = "cortex-m4", host: String = "jit"
  ) throws -> [UInt32] {
    try notes(
      """
        set 0xE000ED24, 0x70000
        // Region 0: 256 KiB of code, all may read and execute; region 1: 64 KiB of RAM, all may do all.
        set 0xE000ED9C, 0x10
        set 0xE000EDA0, 0x06000023
        set 0xE000ED9C, 0x20000011
        set 0xE000EDA0, 0x0300001F
      \(setUp)
        set 0xE000ED94, \(control)
        dsb
        isb
      \(body)
        b done
        .align 2
      next:
        movs r0, 100
        note r0
      done:
        movs r0, 101
        note r0
        b end
      .thumb_func
      hard:
      .thumb_func
      bus:
      .thumb_func
      mem:
        ldr r4, =0xE000ED28
        mrs r0, ipsr
        note r0
        ldr r0, [r4]
        note r0
        str r0, [r4]
        lsls r0, r0, 24
        bpl 1f
        ldr r0, [r4, 12]
        note r0
      1:
        adr r0, next
        str r0, [sp, 24]
        movs r0, 0
        msr control, r0
        bx lr
      """, model: model, host: host)
  }

  private static let user = "movs r0, 1\n msr control, r0\n isb\n"
  /// RAM from 0x20002000 on as region 2, with attributes.
  private func region(_ attributes: String, base: String = "0x20002012") -> String {
    "set 0xE000ED9C, \(base)\n set 0xE000EDA0, \(attributes)"
  }

  /// Access permissions AP for 4 KiB: privileged write, user read, user write.
  @Test(arguments: [
    (0, false, false, false, false), (1, true, true, false, false), (2, true, true, true, false),
    (3, true, true, true, true), (5, true, false, false, false), (6, true, false, true, false),
    (7, true, false, true, false),
  ]) func permissionsHold(
    ap: Int, privilegedReads: Bool, privilegedWrites: Bool, userReads: Bool, userWrites: Bool
  ) throws {
    let cases = [
      ("", "ldr r1, [r0]", privilegedReads), ("", "str r1, [r0]", privilegedWrites),
      (Self.user, "ldr r1, [r0]", userReads), (Self.user, "str r1, [r0]", userWrites),
    ]
    for host in hosts {
      for (mode, access, isAllowed) in cases {
        let found = try run(
          region("\(ap << 24 | 0x17)"), mode + "ldr r0, =0x20002804\n" + access, host: host)
        let expected: [UInt32] = isAllowed ? [101] : [4, 0x82, 0x2000_2804, 100, 101]
        #expect(found == expected, "AP \(ap), \(mode) \(access), \(host): \(hexadecimal(found))")
      }
    }
  }

  /// A region of 32 bytes within a page denies exactly its bytes, on both sides of them nothing.
  @Test(arguments: hosts) func smallRegionsAreExact(host: String) throws {
    let guardRegion = region("0x00000009", base: "0x20002052")
    for (address, isAllowed) in [
      (0x2000_203C, true), (0x2000_2040, false), (0x2000_205C, false), (0x2000_2060, true), (0x2000_203D, false),
    ] {
      let found = try run(guardRegion, "ldr r0, =\(address)\n ldr r1, [r0]", host: host)
      #expect(isAllowed ? found == [101] : found.first == 4, "\(String(address, radix: 16)): \(hexadecimal(found))")
    }
  }

  /// Of regions on each other the one with the highest number decides; an eighth that is left out falls to the one below.
  @Test(arguments: hosts) func subregionsFallThrough(host: String) throws {
    // 2 KiB without access, of which the second eighth is left out.
    let hole = region("(0x00000015 | 2 << 8)")
    let denied = try run(hole, "ldr r0, =0x20002004\n ldr r1, [r0]", host: host)
    #expect(denied == [4, 0x82, 0x2000_2004, 100, 101], "\(hexadecimal(denied))")
    let open = try run(hole, "ldr r0, =0x20002104\n ldr r1, [r0]", host: host)
    #expect(open == [101], "\(hexadecimal(open))")
  }

  @Test(arguments: hosts) func executeNeverIsAFaultOfTheFetch(host: String) throws {
    let found = try run(region("0x13000017"), "ldr r0, =0x20002001\n bx r0", host: host)
    #expect(found == [4, 1, 100, 101], "\(hexadecimal(found))")
  }

  /// Code that has run may not run any more once its region says so, and may again after that.
  @Test(arguments: hosts) func executeNeverHoldsForCodeThatRan(host: String) throws {
    let found = try run(
      region("0x03000017"),
      """
        ldr r4, =0x20002000
        ldr r0, =0x47704770
        str r0, [r4]
        isb
        adds r4, 1
        blx r4
        blx r4
        movs r0, 1
        note r0
        set 0xE000EDA0, 0x13000017
        isb
        blx r4
      """, host: host)
    #expect(found == [1, 4, 1, 100, 101], "\(hexadecimal(found))")
  }

  /// Of a page, 32 bytes may not be executed: the code before them runs as fast as any other, up to there, and an
  /// instruction that reaches into them faults.
  @Test(arguments: hosts, [(0xBF00_BF00 as UInt32, 0x2000_2100 as UInt32), (0xF3AF_BF00, 0x2000_20FE)])
  func codeInPartsOfPagesIsKept(host: String, last: (bits: UInt32, place: UInt32)) throws {
    let bench = try Bench(
      """
        set 0xE000ED24, 0x70000
        // subs r1, 1; bne .-2; bx lr
        set 0x20002000, 0xD1FD3901
        set 0x20002004, 0x4770
        set 0x200020FC, \(last.bits)
        set 0x20002100, 0x8000
        set 0xE000ED9C, 0x20002110
        set 0xE000EDA0, 0x13000009
        set 0xE000ED94, 5
        isb
        ldr r4, =0x20002001
        ldr r1, =3000
        blx r4
        note r1
        adds r4, 0xFC
        bx r4
      .thumb_func
      mem:
        ldr r0, [sp, 24]
        note r0
        b end
      """, host: host)
    bench.run()
    #expect(try bench.notes == [0, last.place])
    #expect(bench.engine.statistics.quick.blocks < 60)
  }

  /// An access in the page of a guard costs a fault of the host's once; where the guard is gone, it goes straight again.
  @Test func accessesBesideAGuardFaultOnce() throws {
    let bench = try Bench(
      """
        set 0xE000ED9C, 0x20002050
        set 0xE000EDA0, 0x00000009
        set 0xE000ED94, 5
        isb
        ldr r4, =0x20002080
        ldr r5, =1000
        b.w again
        .org 0x200
      again:
        str r5, [r4]
        subs r5, 1
        bne again
        set 0xE000EDA0, 0
        isb
        ldr r5, =1000
        cmp r6, 0
        it eq
        moveq r6, 1
        beq again
        b end
      """)
    bench.engine.setCountsExecutions(true)
    bench.run()
    let events = bench.engine.slowBlocks().flatMap { bench.engine.slowInstructions(in: $0.id) }
    let store = try #require(events.first { $0.pc == 0x200 }).events
    #expect(store.faults <= 2, "\(store)")
    #expect((1000..<1200).contains(store.slowAccesses), "\(store)")
  }

  /// User mode reaches STIR where CCR.USERSETMPEND lets it, whatever the regions.
  @Test(arguments: hosts) func theMPULeavesThePrivateBusAlone(host: String) throws {
    let stir = "ldr r0, =0xE000EF00\n movs r1, 0\n str r1, [r0]"
    let open = try run("set 0xE000ED14, 0x202", Self.user + stir, host: host)
    #expect(open == [101], "\(hexadecimal(open))")
    let closed = try run("", Self.user + stir, host: host)
    #expect(closed.prefix(2) == [5, 0x8200], "\(hexadecimal(closed))")
  }

  /// Where no region matches, PRIVDEFENA gives privileged code the default map, and user mode nothing.
  @Test func thebackgroundIsPrivileged() throws {
    let access = "ldr r0, =0xE000ED00\n ldr r0, [r0]\n ldr r0, =0x30000000\n ldr r1, [r0]"
    let without = try run("", access)
    #expect(without == [4, 0x82, 0x3000_0000, 100, 101], "\(hexadecimal(without))")
    let with = try run("", access, control: 5)
    #expect(with.prefix(2) == [5, 0x8200], "\(hexadecimal(with))")
    let user = try run("", Self.user + "ldr r0, =0x30000000\n ldr r1, [r0]", control: 5)
    #expect(user == [4, 0x82, 0x3000_0000, 100, 101], "\(hexadecimal(user))")
  }

  /// The HardFault handler runs without the MPU unless HFNMIENA is set.
  @Test(arguments: [(1, [3, 7] as [UInt32]), (3, [3])]) func hardFaultsRunUnprotected(
    control: Int, expected: [UInt32]
  ) throws {
    let found = try notes(
      """
        set 0xE000ED9C, 0x10
        set 0xE000EDA0, 0x06000023
        set 0xE000ED9C, 0x20000011
        set 0xE000EDA0, 0x0300001F
        set 0xE000ED9C, 0x20002012
        set 0xE000EDA0, 0x00000017
        set 0xE000ED94, \(control)
        isb
        udf 0
      .thumb_func
      hard:
        movs r0, 3
        note r0
        ldr r0, =0x20002000
        str r0, [r0]
        movs r0, 7
        note r0
        b end
      """)
    #expect(found == expected, "\(hexadecimal(found))")
  }

  /// FAULTMASK lifts protection unless HFNMIENA is set, and the code behind the instruction that clears it knows.
  @Test(arguments: hosts) func theFaultMaskLiftsProtection(host: String) throws {
    let body = """
        ldr r4, =0x20002804
        movs r6, 40
        cpsid f
      1:
        subs r6, 1
        ite eq
        moveq r0, 0
        movne r0, 1
        msr faultmask, r0
        ldr r1, [r4]
        cmp r6, 0
        bne 1b
        note r6
      """
    let found = try run(region("0x00000017"), body, host: host)
    #expect(found == [4, 0x82, 0x2000_2804, 100, 101], "\(hexadecimal(found))")
  }

  /// A stack that runs into its guard: the frame cannot be written, MSTKERR.
  @Test(arguments: hosts) func stackingIntoAGuardFaults(host: String) throws {
    let found = try run(
      region("0x00000009"),
      """
        ldr r0, =0x20002030
        msr psp, r0
        movs r0, 2
        msr control, r0
        isb
        svc 0
      .thumb_func
      svcall:
        b end
      """, host: host)
    #expect(found.prefix(2) == [4, 0x10], "\(hexadecimal(found))")
  }

  /// ARMv6-M has regions of 256 bytes and more, and one fault for all.
  @Test(arguments: [(0x2000_2100, [100] as [UInt32]), (0x2000_20FC, [3, 100])]) func smallCoresHaveRegionsToo(
    address: Int, expected: [UInt32]
  ) throws {
    let found = try notes(
      """
        set 0xE000ED9C, 0x20002012
        set 0xE000EDA0, 0x0000000F
        set 0xE000ED94, 5
        isb
        ldr r0, =\(address)
        ldr r1, [r0]
      next:
        movs r0, 100
        note r0
        b end
      .thumb_func
      hard:
        mrs r0, ipsr
        note r0
        ldr r0, [sp, 24]
        adds r0, 2
        str r0, [sp, 24]
        bx lr
      """, model: "cortex-m0+")
    #expect(found == expected, "\(hexadecimal(found))")
  }

  /// A saved state brings its regions back, whatever they were meanwhile.
  @Test func regionsAreSavedAndRestored() throws {
    let bench = try Bench(
      """
        set 0xE000ED24, 0x10000
        set 0xE000ED9C, 0x20002012
        set 0xE000EDA0, 0x00000017
        set 0xE000ED94, 5
        isb
        nop
        ldr r0, =0x20002804
        str r0, [r0]
        movs r0, 1
        note r0
        b end
      .thumb_func
      mem:
        movs r0, 4
        note r0
        b end
      """)
    let start = try bench.system.saveState()
    bench.run()
    #expect(try bench.notes == [4])
    let protected = try bench.system.saveState()
    func again(_ state: [UInt8], at pc: UInt64) throws -> [UInt32] {
      bench.guest.reset(bench.cpu.state, number: 0, pc: 0)
      try bench.system.restoreState(state)
      bench.cpu.wasReset()
      bench.cpu.state.pc = pc
      try bench.space.write(0x2000_0000, size: 4, 0x2000_0100)
      bench.run()
      return try bench.notes
    }
    // The code from the access on, found by its literal load's place before the end.
    let access = try #require(
      stride(from: UInt64(0x50), to: 0x200, by: 2).first { (try? bench.space.read($0, size: 2)) == 0xBF00 })
    #expect(try again(start, at: access) == [1])
    #expect(try again(protected, at: access) != [1])
  }

  /// What there is (MPU_TYPE), and region numbers through RBAR.
  @Test func theRegistersReadBack() throws {
    let found = try notes(
      """
        ldr r4, =0xE000ED90
        ldr r0, [r4]
        note r0
        ldr r0, =0x20001015
        str r0, [r4, 12]
        ldr r0, [r4, 8]
        note r0
        ldr r0, [r4, 12]
        note r0
        ldr r0, =0x1306FF0B
        str r0, [r4, 16]
        ldr r0, [r4, 16]
        note r0
        b end
      """)
    #expect(found == [0x800, 5, 0x2000_1005, 0x1306_FF0B], "\(hexadecimal(found))")
  }

  /// Many regions, reprogrammed at each of many switches, as kernels do: each time the right bytes are denied.
  @Test(arguments: hosts) func guardsMoveWithTheThread(host: String) throws {
    let found = try run(
      region("0x00000009"),
      """
        movs r5, 0
        movs r6, 0
      again:
        ldr r0, =0x20002012
        ands r1, r5, 15
        lsls r1, r1, 7
        adds r4, r0, r1
        ldr r0, =0xE000ED9C
        str r4, [r0]
        isb
        bics r4, r4, 31
        subs r7, r4, 4
        ldr r1, [r7]
        ldr r1, [r4, 32]
        adds r6, 1
        adds r5, 1
        cmp r5, 200
        bne again
        note r6
        ldr r1, [r4, 28]
      """, host: host)
    #expect(found.prefix(3) == [200, 4, 0x82], "\(hexadecimal(found))")
  }
}
