// Owns the tests of what ARMv8-M adds (ARMv8-M manual, B3.21, B9, C2.4), without the Security Extension.

import Engine
import Testing

@Suite(.enabled(if: canAssemble)) struct V8Tests {
  @Test(arguments: hosts) func acquireAndReleaseMoveAllSizes(host: String) throws {
    for model in ["cortex-m23", "cortex-m33"] {
      let found = try notes(
        """
          ldr r4, =0x20002000
          ldr r5, =0x89ABCDEF
          stl r5, [r4]
          lda r0, [r4]
          note r0
          ldab r0, [r4]
          note r0
          ldah r0, [r4]
          note r0
          ldr r5, =0x1234
          stlb r5, [r4]
          ldr r0, [r4]
          note r0
          stlh r5, [r4]
          ldr r0, [r4]
          note r0
          b end
        """, model: model, host: host)
      #expect(
        found == [0x89AB_CDEF, 0xEF, 0xCDEF, 0x89AB_CD34, 0x89AB_1234], "\(model): \(hexadecimal(found))")
    }
  }

  /// A store-exclusive succeeds once after its load, and not after CLREX or an exception.
  @Test(arguments: hosts) func exclusivesPair(host: String) throws {
    let found = try notes(
      """
        ldr r4, =0x20002000
        movs r5, 7
        ldaex r0, [r4]
        stlex r0, r5, [r4]
        note r0
        stlex r0, r5, [r4]
        note r0
        ldaexh r0, [r4]
        clrex
        stlexh r0, r5, [r4]
        note r0
        ldaexb r0, [r4]
        svc 0
        stlexb r0, r5, [r4]
        note r0
        ldr r0, [r4]
        note r0
        b end
      .thumb_func
      svcall:
        bx lr
      """, model: "cortex-m33", host: host)
    #expect(found == [0, 1, 1, 1, 7], "\(hexadecimal(found))")
  }

  @Test func acquiringNeedsAlignment() throws {
    let found = try notes(
      """
        set 0xE000ED24, 0x70000
        ldr r4, =0x20002002
        lda r0, [r4]
      .thumb_func
      usage:
        ldr r4, =0xE000ED28
        ldr r0, [r4]
        note r0
        b end
      """, model: "cortex-m33")
    #expect(found == [1 << 24], "\(hexadecimal(found))")
  }

  /// EXC_RETURN has other low bits than in ARMv7-M.
  @Test(arguments: hosts) func returnsHaveTheirOwnValues(host: String) throws {
    let found = try notes(
      """
        ldr r0, =0x20006000
        msr psp, r0
        svc 0
        movs r0, 2
        msr control, r0
        isb
        svc 0
        mrs r0, control
        note r0
        b end
      .thumb_func
      svcall:
        note lr
        ldr r0, =0xE000ED04
        ldr r1, =0x80000000
        str r1, [r0]
        isb
        bx lr
      .thumb_func
      nmi:
        note lr
        bx lr
      """, model: "cortex-m33", host: host)
    #expect(found == [0xFFFF_FFB8, 0xFFFF_FFB0, 0xFFFF_FFBC, 0xFFFF_FFB0, 2], "\(hexadecimal(found))")
  }

  // MARK: Stack limits

  private func overflow(_ body: String, host: String = "jit") throws -> [UInt32] {
    try notes(
      """
        set 0xE000ED24, 0x70000
        ldr r0, =0x20007F00
        msr msplim, r0
        ldr r0, =0x20006003
        msr psplim, r0
        mrs r0, psplim
        note r0
        ldr r0, =0x20006080
        msr psp, r0
        movs r0, 2
        msr control, r0
        isb
        movs r1, 0
        ldr r4, =0x20005FF0
      \(body)
        movs r0, 1
        note r0
        b end
      .thumb_func
      usage:
        ldr r4, =0xE000ED28
        ldr r0, [r4]
        note r0
        mrs r0, psp
        note r0
        ldr r4, =0x20005FF0
        ldr r0, [r4]
        note r0
        b end
      """, model: "cortex-m33", host: host)
  }

  /// What would go below the limit faults before anything is stored. The frame fits above it.
  @Test(arguments: [
    "ldr r0, =0x20006030\n mov sp, r0\n sub sp, 0x40", "ldr r0, =0x20006030\n mov sp, r0\n subw sp, sp, 0x41",
    "ldr r0, =0x20006030\n mov sp, r0\n movs r1, 9\n str r1, [sp, #-0x40]!", "mov sp, r4",
    "ldr r0, =0x20006030\n mov sp, r0\n ldr r5, =-0x40\n add sp, r5",
    "ldr r0, =0x20006028\n mov sp, r0\n push {r0-r11}", "ldr r0, =0x20006028\n mov sp, r0\n stmdb sp!, {r0-r11}",
    "ldr r0, =0x20006030\n mov sp, r0\n strd r0, r1, [sp, #-0x40]!",
  ]) func goingBelowTheLimitFaults(body: String) throws {
    for host in hosts {
      let found = try overflow(body, host: host)
      #expect(found.count == 4 && found[1] == 1 << 20, "\(host): \(hexadecimal(found))")
      #expect(found.last == 0, "\(host): \(hexadecimal(found))")
      #expect(found.count > 2 && found[2] >= 0x2000_6000, "\(host): \(hexadecimal(found))")
    }
  }

  @Test func upToTheLimitIsFine() throws {
    let found = try overflow("ldr r0, =0x20006010\n mov sp, r0\n push {r0-r3}\n pop {r0-r3}\n it ne\n subne sp, 0")
    #expect(found == [0x2000_6000, 1], "\(hexadecimal(found))")
  }

  /// A frame that does not fit is not stacked; the stack pointer is left at the limit.
  @Test(arguments: hosts) func framesRespectTheLimit(host: String) throws {
    let found = try overflow("ldr r0, =0x20006010\n mov sp, r0\n svc 0", host: host)
    #expect(found == [0x2000_6000, 1 << 20, 0x2000_6000, 0], "\(hexadecimal(found))")
  }

  /// CCR.STKOFHFNMIGN takes the limits from the HardFault handler.
  @Test(arguments: [(0x600, [7] as [UInt32]), (0x200, [])]) func faultHandlersMayBeFree(
    control: Int, expected: [UInt32]
  ) throws {
    let found = try notes(
      """
        set 0xE000ED14, \(control)
        ldr r0, =0x20007F80
        msr msplim, r0
        isb
        udf 0
      .thumb_func
      hard:
        sub sp, 0x100
        movs r0, 7
        note r0
        b end
      """, model: "cortex-m33")
    #expect(found == expected, "\(hexadecimal(found))")
  }

  // MARK: MPU

  /// A program with code as region 0 and RAM as region 1; then `body`.
  private func protected(_ body: String, host: String = "jit") throws -> [UInt32] {
    try notes(
      """
        set 0xE000ED24, 0x70000
        set 0xE000ED98, 0
        set 0xE000ED9C, 0x00000006
        set 0xE000EDA0, 0x0003FFE1
        set 0xE000EDA4, 0x20000002
        set 0xE000EDA8, 0x20003FE1
        set 0xE000EDAC, 0x20004005
        set 0xE000EDB0, 0x200040E1
        set 0xE000EDB4, 0x20004103
        set 0xE000EDB8, 0x2000FFE1
        set 0xE000ED94, 1
        isb
      \(body)
        movs r0, 1
        note r0
        b end
      .thumb_func
      mem:
        ldr r4, =0xE000ED28
        ldr r0, [r4]
        note r0
        ldr r0, [r4, 12]
        note r0
        b end
      """, model: "cortex-m33", host: host)
  }

  /// Regions with base and limit: read-only for privileged code, exact to 32 bytes.
  @Test(arguments: [
    ("ldr r0, =0x20004000\n ldr r1, [r0]", [1] as [UInt32]),
    ("ldr r0, =0x20004000\n str r1, [r0]", [0x82, 0x2000_4000]),
    ("ldr r0, =0x200040FC\n str r1, [r0]", [0x82, 0x2000_40FC]), ("ldr r0, =0x20004100\n str r1, [r0]", [1]),
    ("ldr r0, =0x20003FFC\n str r1, [r0]", [1]),
    ("movs r0, 1\n msr control, r0\n isb\n ldr r0, =0x20004000\n ldr r1, [r0]", [0x82, 0x2000_4000]),
    ("ldr r0, =0x20004101\n bx r0", [1, 0]), ("ldr r0, =0x30000000\n ldr r1, [r0]", [0x82, 0x3000_0000]),
  ]) func regionsHaveLimits(body: String, expected: [UInt32]) throws {
    for host in hosts {
      let found = try protected(body, host: host)
      #expect(found == expected, "\(host): \(hexadecimal(found))")
    }
  }

  /// Where regions overlap, nothing may be reached.
  @Test(arguments: hosts) func overlapsPermitNothing(host: String) throws {
    let found = try protected(
      "set 0xE000ED98, 4\n set 0xE000ED9C, 0x20002003\n set 0xE000EDA0, 0x20002FE1\n isb\n ldr r0, =0x20002004\n ldr r1, [r0]",
      host: host)
    #expect(found == [0x82, 0x2000_2004], "\(hexadecimal(found))")
  }

  /// TT tells region and rights: of code, of the read-only region, of nothing; TTT those of user mode.
  @Test(arguments: hosts) func targetsAreTested(host: String) throws {
    let found = try protected(
      """
        movs r4, 0
        tt r0, r4
        note r0
        ldr r4, =0x20004000
        tt r0, r4
        note r0
        ttt r0, r4
        note r0
        ldr r4, =0x30000000
        tt r0, r4
        note r0
      """, host: host)
    #expect(found == [0x5_0000, 0x5_0002, 0x1_0002, 0, 1], "\(hexadecimal(found))")
  }

  // MARK: The Security Extension

  /// Where memory is not Secure, SG is a NOP, in IT blocks and out of them.
  @Test(arguments: hosts) func theGatewayDoesNothing(host: String) throws {
    let found = try notes(
      """
        movs r0, 3
        movs r1, 0
        .inst.w 0xe97fe97f
        note r0
        mrs r1, apsr
        note r1
        cmp r0, 3
        itt eq
        .inst.w 0xe97fe97f
        addeq r0, 1
        note r0
        b end
      """, model: "cortex-m33", host: host)
    #expect(found == [3, 0x4000_0000, 4], "\(hexadecimal(found))")
  }

  @Test(arguments: [("bxns lr", "bxns"), ("blxns r0", "blxns"), ("tta r0, r1", "tta"), (".inst.w 0xe840f0c0", "ttat")])
  func itsInstructionsAreNamed(instruction: String, name: String) throws {
    let bench = try Bench(
      """
        set 0xE000ED24, 0x70000
      \(instruction)
      .thumb_func
      usage:
        ldr r4, =0xE000ED28
        ldr r0, [r4]
        note r0
        b end
      """, model: "cortex-m33")
    bench.run()
    #expect(try bench.notes == [1 << 16])
    #expect(bench.log.contains { $0.contains("\(name): the Security Extension is not implemented") }, "\(bench.log)")
  }
}
