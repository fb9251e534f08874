// Owns the tests of the M-profile exception model: programs in assembly that note what they see, against what the
// ARMv7-M Architecture Reference Manual says in B1.5.

import Engine
import Testing

@Suite(.enabled(if: canAssemble)) struct ExceptionTests {
  /// A frame of r0–r3, r12, lr, the address after the call, and xPSR; LR is EXC_RETURN; CONTROL and IPSR.
  @Test(arguments: hosts) func aCallOfTheSupervisorStacksAFrame(host: String) throws {
    let found = try notes(
      """
        movs r0, 10
        movs r1, 11
        mov r12, 12
        ldr r5, =14
        mov lr, r5
        cmp r0, r0
        svc 5
      after:
        note r0
        mrs r0, ipsr
        note r0
        b end
      .thumb_func
      svcall:
        mov r4, sp
        note lr
        note r4
        ldr r0, [r4]
        note r0
        ldr r0, [r4, 4]
        note r0
        ldr r0, [r4, 16]
        note r0
        ldr r0, [r4, 20]
        note r0
        ldr r0, [r4, 24]
        ldr r1, =after
        subs r0, r0, r1
        note r0
        ldr r0, [r4, 28]
        note r0
        mrs r0, ipsr
        note r0
        movs r0, 99
        str r0, [r4]
        bx lr
      """, host: host)
    #expect(
      found == [0xFFFF_FFF9, 0x2000_7FE0, 10, 11, 12, 14, 0, 0x6100_0000, 11, 99, 0],
      "\(hexadecimal(found))")
  }

  /// Pending interrupts run in the order of their priorities, and of their numbers among equals; what is tail-chained
  /// finds the same frame.
  @Test(arguments: hosts) func prioritiesDecideTheOrder(host: String) throws {
    let found = try notes(
      """
        ldr r0, =0xE000E400
        ldr r1, =0x40802080
        str r1, [r0]
        ldr r0, =0xE000E100
        movs r1, 15
        str r1, [r0]
        cpsid i
        ldr r0, =0xE000E200
        str r1, [r0]
        cpsie i
        movs r0, 100
        note r0
        b end
      .thumb_func
      irq0:
        movs r0, 0
        b handled
      .thumb_func
      irq1:
        movs r0, 1
        b handled
      .thumb_func
      irq2:
        movs r0, 2
        b handled
      .thumb_func
      irq3:
        movs r0, 3
      handled:
        note r0
        mov r0, sp
        note r0
        bx lr
      """, host: host)
    let frame: UInt32 = 0x2000_7FE0
    #expect(found == [1, frame, 3, frame, 0, frame, 2, frame, 100], "\(hexadecimal(found))")
  }

  /// A more urgent interrupt preempts a handler, and returns to Handler mode; an equal one waits.
  @Test(arguments: hosts) func moreUrgentInterruptsPreempt(host: String) throws {
    let found = try notes(
      """
        ldr r0, =0xE000E400
        ldr r1, =0x00404080
        str r1, [r0]
        ldr r0, =0xE000E100
        movs r1, 7
        str r1, [r0]
        ldr r0, =0xE000E200
        movs r1, 1
        str r1, [r0]
        isb
        movs r0, 100
        note r0
        b end
      .thumb_func
      irq0:
        movs r0, 0
        note r0
        ldr r0, =0xE000E200
        movs r1, 2
        str r1, [r0]
        isb
        movs r0, 10
        note r0
        bx lr
      .thumb_func
      irq1:
        note lr
        ldr r0, =0xE000E200
        movs r1, 4
        str r1, [r0]
        isb
        movs r0, 11
        note r0
        bx lr
      .thumb_func
      irq2:
        movs r0, 2
        note r0
        bx lr
      """, host: host)
    #expect(found == [0, 0xFFFF_FFF1, 11, 2, 10, 100], "\(hexadecimal(found))")
  }

  /// BASEPRI holds off what is not more urgent than it.
  @Test func basePriorityMasks() throws {
    let found = try notes(
      """
        ldr r0, =0xE000E400
        ldr r1, =0x00002080
        str r1, [r0]
        ldr r0, =0xE000E100
        movs r1, 3
        str r1, [r0]
        movs r0, 0x40
        msr basepri, r0
        ldr r0, =0xE000E200
        str r1, [r0]
        isb
        movs r0, 100
        note r0
        movs r0, 0
        msr basepri, r0
        movs r0, 101
        note r0
        b end
      .thumb_func
      irq0:
        movs r0, 0
        note r0
        bx lr
      .thumb_func
      irq1:
        movs r0, 1
        note r0
        bx lr
      """)
    #expect(found == [1, 100, 0, 101], "\(hexadecimal(found))")
  }

  /// A fault that is not enabled becomes a HardFault, and the status registers say why.
  @Test(arguments: hosts) func disabledFaultsEscalate(host: String) throws {
    let found = try notes(
      """
        udf 1
      .thumb_func
      hard:
        ldr r0, =0xE000ED28
        ldr r1, [r0]
        note r1
        ldr r1, [r0, 4]
        note r1
        ldr r0, [sp, 24]
        ldr r1, [sp, 24]
        ldrh r1, [r1]
        note r1
        ldr r0, =0xE000ED24
        ldr r1, =0x70000
        str r1, [r0]
        adr r0, second
        adds r0, 1
        str r0, [sp, 24]
        bx lr
        .align 2
      second:
        ldr r0, =0x30000000
        ldr r1, [r0, 8]
      .thumb_func
      bus:
        mrs r0, ipsr
        note r0
        ldr r0, =0xE000ED28
        ldr r1, [r0]
        note r1
        ldr r1, [r0, 16]
        note r1
        b end
      """, host: host)
    #expect(
      found == [1 << 16, 1 << 30, 0xDE01, 5, 1 << 16 | 0x8200, 0x3000_0008], "\(hexadecimal(found))")
  }

  /// A branch to an even address faults at its target.
  @Test func clearingTheThumbBitFaults() throws {
    let found = try notes(
      """
        ldr r0, =0xE000ED24
        ldr r1, =0x70000
        str r1, [r0]
        ldr r0, =0x100
        bx r0
      .thumb_func
      usage:
        ldr r0, =0xE000ED28
        ldr r1, [r0]
        note r1
        ldr r0, [sp, 24]
        note r0
        ldr r0, [sp, 28]
        note r0
        b end
      """)
    #expect(found == [1 << 17, 0x100, 0], "\(hexadecimal(found))")
  }

  /// A call of the supervisor that cannot be taken escalates; its frame leads behind it, as that of SVCall does.
  @Test(arguments: ["cortex-m0", "cortex-m4"]) func callsOfTheSupervisorEscalate(model: String) throws {
    let found = try notes(
      """
        cpsid i
        svc 0
      after:
        nop
      .thumb_func
      hard:
        ldr r0, [sp, 24]
        ldr r1, =after
        subs r0, r0, r1
        note r0
        mrs r0, ipsr
        note r0
        b end
      """, model: model)
    #expect(found == [0, 3], "\(hexadecimal(found))")
  }

  /// An interrupt that a store pends, enables or makes urgent enough is taken before the next instruction.
  @Test(
    arguments: hosts,
    [
      "ldr r0, =0xE000EF00\n movs r1, 0\n str r1, [r0]", "ldr r0, =0xE000E200\n movs r1, 1\n str r1, [r0]",
      "ldr r0, =0xE000E180\n movs r1, 1\n str r1, [r0]\n str r1, [r0, 128]\n subs r0, 128\n str r1, [r0]",
      "movs r1, 32\n msr basepri, r1\n ldr r0, =0xE000E200\n movs r1, 1\n str r1, [r0]\n ldr r0, =0xE000E400\n"
        + "movs r1, 16\n strb r1, [r0]",
    ]) func interruptsFollowTheStore(host: String, body: String) throws
  {
    let found = try notes(
      """
        set 0xE000E400, 0x40
        set 0xE000E100, 1
        movs r4, 0
      \(body)
        movs r5, r4
        note r5
        b end
      .thumb_func
      irq0:
        adds r4, 1
        bx lr
      """, host: host)
    #expect(found == [1], "\(hexadecimal(found))")
  }

  /// Such a store may be one of an IT block.
  @Test(arguments: hosts) func interruptsFollowAStoreInAnITBlock(host: String) throws {
    let found = try notes(
      """
        set 0xE000E100, 1
        movs r4, 0
        movs r5, 0
        ldr r0, =0xE000E000
        movs r1, 1
        cmp r1, 1
        itete eq
        addeq r0, 0x200
        addne r5, 1
        streq r1, [r0]
        addne r5, 2
        adds r5, 4
        note r5
        note r4
        b end
      .thumb_func
      irq0:
        adds r4, 1
        bx lr
      """, host: host)
    #expect(found == [4, 1], "\(hexadecimal(found))")
  }

  /// A fault in the HardFault handler locks the CPU up, which ends the run with a message.
  @Test(arguments: hosts) func aFaultInAFaultHandlerLocksUp(host: String) throws {
    var ending: RunOutcome?
    _ = try notes(
      """
        udf 1
      .thumb_func
      hard:
        udf 2
      """, host: host
    ) { ending = $0 }
    guard case .lockedUp(let text) = try #require(ending) else {
      Issue.record("ended by \(String(describing: ending))")
      return
    }
    #expect(text.contains("a fault in its HardFault handler: UsageFault (UNDEFINSTR)"), "\(text)")
  }

  /// Vectors of erased flash lead where nothing can be fetched: they are no exception returns, but fault, and in HardFault's
  /// place lock up.
  @Test(arguments: hosts, [true, false]) func vectorsOfErasedFlashFault(host: String, hasHandler: Bool) throws {
    var ending: RunOutcome?
    let found = try notes(
      """
        ldr r0, =0x20001000
        movs r1, 0
        mvns r1, r1
        movs r2, 64
      1:
        str r1, [r0]
        adds r0, 4
        subs r2, 1
        bne 1b
        \(hasHandler ? "set 0x2000100C, hard + 1" : "")
        set 0xE000ED08, 0x20001000
        set 0xE000E100, 1
        set 0xE000E200, 1
        isb
        b end
      hard:
        ldr r0, =0xE000ED28
        ldr r1, [r0]
        note r1
        b end
      """, host: host
    ) { ending = $0 }
    if hasHandler { return #expect(found == [1], "IACCVIOL: \(hexadecimal(found))") }
    guard case .lockedUp(let text) = try #require(ending) else {
      Issue.record("ended by \(String(describing: ending))")
      return
    }
    #expect(text.contains("a fault in its HardFault handler: MemManage (IACCVIOL)"), "\(text)")
  }

  /// Threads on the process stack return to it; PendSV switches; MSP stays with handlers.
  @Test(arguments: hosts) func threadsHaveAStackOfTheirOwn(host: String) throws {
    let found = try notes(
      """
        ldr r0, =0x20006000
        msr psp, r0
        movs r0, 2
        msr control, r0
        isb
        mov r0, sp
        note r0
        ldr r0, =0xE000ED04
        ldr r1, =0x10000000
        str r1, [r0]
        isb
        mov r0, sp
        note r0
        mrs r0, control
        note r0
        b end
      .thumb_func
      pendsv:
        note lr
        mov r0, sp
        note r0
        mrs r0, psp
        note r0
        mrs r0, control
        note r0
        bx lr
      """, host: host)
    #expect(
      found == [0x2000_6000, 0xFFFF_FFFD, 0x2000_8000, 0x2000_5FE0, 0, 0x2000_6000, 2],
      "\(hexadecimal(found))")
  }

  /// SysTick counts down at the CPU's clock and raises its exception.
  @Test(arguments: hosts) func theTickComesInItsPeriod(host: String) throws {
    let found = try notes(
      """
        set 0xE000EDFC, 0x01000000
        set 0xE0001000, 1
        ldr r4, =0xE000E010
        ldr r0, =999
        str r0, [r4, 4]
        movs r0, 0
        str r0, [r4, 8]
        movs r0, 7
        str r0, [r4]
      wait:
        wfi
        b wait
      .thumb_func
      systick:
        ldr r0, =0xE0001004
        ldr r0, [r0]
        note r0
        bx lr
      """, host: host, instructions: 100_000)
    let distances = zip(found.dropFirst(), found).map { $0 - $1 }
    #expect(distances.count > 20)
    #expect(distances.allSatisfy { (998...1002).contains($0) }, "\(distances)")
  }

  /// IT blocks are interrupted and faulted in exactly where they are: the rest of the block runs after the return.
  @Test(arguments: hosts) func aFaultInAnITBlockReturnsIntoIt(host: String) throws {
    let found = try notes(
      """
        ldr r0, =0xE000ED24
        ldr r1, =0x70000
        str r1, [r0]
        ldr r4, =0x30000000
        ldr r5, =0x20000200
        movs r6, 1
        movs r7, 0
        cmp r6, 1
        itete eq
        ldreq r1, [r4]
        movne r7, 1
        addeq r7, 2
        addne r7, 4
        note r7
        b end
      .thumb_func
      bus:
        ldr r0, [sp, 28]
        note r0
        mov r4, r5
        bx lr
      """, host: host)
    // ITSTATE 0b0000_0110 with condition eq, in bits 26:25 and 15:10.
    #expect(found.count == 2 && found[1] == 2, "\(hexadecimal(found))")
    #expect(found[0] & 0x0600_FC00 != 0, "\(String(found[0], radix: 16))")
  }
}
