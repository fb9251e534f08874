// Owns the tests of what the system control block decides: priorities, faults and their registers
// (ARMv7-M manual, B1.5 and B3.2).

import Engine
import Testing

@Suite(.enabled(if: canAssemble)) struct SystemTests {
  // MARK: Priorities

  private static let twoInterrupts = """
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
      movs r0, 1
      note r0
      bx lr
    """

  /// Of priorities 0x40 (IRQ 1) and 0x60 (IRQ 0), the more urgent preempts unless PRIGROUP makes them one group.
  @Test(arguments: [(4, [0, 1, 10] as [UInt32]), (5, [0, 10, 1]), (6, [0, 10, 1])]) func groupsDecidePreemption(
    group: Int, expected: [UInt32]
  ) throws {
    let found = try notes(
      """
        set 0xE000ED0C, (0x05FA0000 | \(group) << 8)
        set 0xE000E400, 0x4060
        set 0xE000E100, 3
        set 0xE000E200, 1
        isb
      """ + "\n" + Self.twoInterrupts)
    #expect(found == expected, "\(hexadecimal(found))")
  }

  /// Within a group, the subpriority decides which of two pending interrupts comes first.
  @Test func subprioritiesDecideTheOrder() throws {
    let found = try notes(
      """
        set 0xE000ED0C, 0x05FA0700
        set 0xE000E400, 0x4060
        set 0xE000E100, 3
        cpsid i
        set 0xE000E200, 3
        cpsie i
      """ + "\n" + Self.twoInterrupts)
    #expect(found == [1, 0, 10, 1], "\(hexadecimal(found))")
  }

  /// The board says that there are 4 bits of priority: the lower ones read as 0.
  @Test func prioritiesHaveTheBitsThereAre() throws {
    let found = try notes(
      """
        set 0xE000E400, 0xFFFFFFFF
        ldr r1, [r0]
        note r1
        movs r0, 0xFF
        msr basepri, r0
        mrs r0, basepri
        note r0
        b end
      """)
    #expect(found == [0xF0F0_F0F0, 0xF0], "\(hexadecimal(found))")
  }

  /// FAULTMASK holds off all but NMI, and a return clears it, except one from NMI.
  @Test func theFaultMaskEndsWithTheHandler() throws {
    let found = try notes(
      """
        set 0xE000E100, 1
        cpsid f
        set 0xE000E200, 1
        set 0xE000ED04, 0x80000000
        isb
        mrs r0, faultmask
        note r0
        cpsie f
        mrs r0, faultmask
        note r0
        b end
      .thumb_func
      nmi:
        movs r0, 2
        note r0
        bx lr
      .thumb_func
      irq0:
        movs r0, 16
        note r0
        cpsid f
        bx lr
      """)
    #expect(found == [2, 1, 16, 0], "\(hexadecimal(found))")
  }

  // MARK: Faults

  /// Makes configurable faults exceptions of their own, then runs `faulting`; the handler notes IPSR, CFSR, MMFAR and
  /// BFAR.
  private func fault(_ faulting: String, model: String = "cortex-m4", host: String = "jit") throws -> [UInt32] {
    try notes(
      """
        set 0xE000ED24, 0x70000
        set 0xE000ED14, 0x218
        isb
      \(faulting)
        b end
      .thumb_func
      mem:
      .thumb_func
      bus:
      .thumb_func
      usage:
      .thumb_func
      hard:
        mrs r0, ipsr
        note r0
        ldr r4, =0xE000ED28
        ldr r0, [r4]
        note r0
        ldr r0, [r4, 12]
        note r0
        ldr r0, [r4, 16]
        note r0
        b end
      """, model: model, host: host)
  }

  @Test(arguments: hosts) func unalignedWordsTrap(host: String) throws {
    let found = try fault("ldr r0, =0x20000201\n ldr r1, [r0]", host: host)
    #expect(found == [6, 1 << 24, 0, 0], "\(hexadecimal(found))")
  }

  @Test(arguments: hosts) func unalignedPairsTrapAlways(host: String) throws {
    let found = try fault("set 0xE000ED14, 0x200\n ldr r0, =0x20000202\n ldrd r4, r5, [r0]", host: host)
    #expect(found == [6, 1 << 24, 0, 0], "\(hexadecimal(found))")
  }

  @Test(arguments: hosts) func divisionByZeroTraps(host: String) throws {
    let found = try fault("movs r0, 0\n udiv r1, r1, r0", host: host)
    #expect(found == [6, 1 << 25, 0, 0], "\(hexadecimal(found))")
  }

  @Test func coprocessorsAreNotThere() throws {
    let found = try fault("mrc p5, 0, r0, c1, c2")
    #expect(found == [6, 1 << 19, 0, 0], "\(hexadecimal(found))")
  }

  @Test(arguments: hosts) func busFaultsSayWhere(host: String) throws {
    let found = try fault("ldr r0, =0x30000010\n str r0, [r0]", host: host)
    #expect(found == [5, 0x8200, 0, 0x3000_0010], "\(hexadecimal(found))")
  }

  @Test func fetchesFromNothingAreBusFaults() throws {
    let found = try fault("ldr r0, =0x08000001\n bx r0")
    #expect(found == [5, 0x100, 0, 0], "\(hexadecimal(found))")
  }

  @Test func peripheralsAreNeverExecuted() throws {
    let found = try fault("ldr r0, =0x40000001\n bx r0")
    #expect(found == [4, 1, 0, 0], "\(hexadecimal(found))")
  }

  /// An EXC_RETURN value in Thread mode is an address like any other, and execute-never.
  @Test func threadsCannotReturnFromExceptions() throws {
    let found = try fault("ldr r0, =0xFFFFFFF9\n bx r0")
    #expect(found == [4, 1, 0, 0], "\(hexadecimal(found))")
  }

  /// An EXC_RETURN value without meaning: INVPC.
  @Test(arguments: hosts) func returnsWithoutMeaningFault(host: String) throws {
    let found = try fault(
      """
        svc 0
        b end
      .thumb_func
      svcall:
        ldr r0, =0xFFFFFFF5
        bx r0
      """, host: host)
    #expect(found == [6, 1 << 18, 0, 0], "\(hexadecimal(found))")
  }

  /// A return to Thread mode while another handler is active needs CCR.NONBASETHRDENA.
  @Test(arguments: [(0x200, [6, 1 << 18, 0, 0] as [UInt32]), (0x201, [77])]) func returnsToTheBaseLevel(
    control: Int, expected: [UInt32]
  ) throws {
    let found = try fault(
      """
        set 0xE000ED14, \(control)
        set 0xE000ED1C, 0x80000000
        svc 0
      .thumb_func
      svcall:
        set 0xE000ED04, 0x80000000
        isb
        b end
      .thumb_func
      nmi:
        adr r0, thread
        str r0, [sp, 24]
        movs r0, 0
        ldr r1, [sp, 28]
        ldr r2, =0xFFFFFE00
        ands r1, r2
        str r1, [sp, 28]
        ldr lr, =0xFFFFFFF9
        bx lr
        .align 2
      thread:
        movs r0, 77
        note r0
        b end
      """)
    #expect(found == expected, "\(hexadecimal(found))")
  }

  /// A stack outside of memory: the fault of stacking comes with the HardFault that was to be entered.
  @Test(arguments: hosts) func stackingFaults(host: String) throws {
    let found = try notes(
      """
        ldr r0, =0x30001000
        mov sp, r0
        udf 0
      .thumb_func
      hard:
        ldr r0, =0x20008000
        mov sp, r0
        ldr r4, =0xE000ED28
        ldr r0, [r4]
        note r0
        ldr r0, [r4, 4]
        note r0
        b end
      """, host: host)
    #expect(found == [1 << 12 | 1 << 16, 1 << 30], "\(hexadecimal(found))")
  }

  /// The BusFault of stacking, if it is enabled and more urgent, is taken before the interrupt, which stays pending.
  @Test func aMoreUrgentFaultOfStackingArrivesLate() throws {
    let program = { (busPriority: Int) in
      """
        set 0xE000ED24, 0x70000
        set 0xE000ED18, \(busPriority << 8)
        set 0xE000E400, 0x40
        set 0xE000E100, 1
        ldr r0, =0x30001000
        msr psp, r0
        movs r0, 2
        msr control, r0
        isb
        set 0xE000E200, 1
        isb
        b end
      .thumb_func
      bus:
        movs r0, 5
        note r0
        ldr r0, =0x20006000
        msr psp, r0
        adr r1, out
        str r1, [r0, 24]
        ldr r1, =0x01000000
        str r1, [r0, 28]
        bx lr
      .thumb_func
      irq0:
        movs r0, 16
        note r0
        bx lr
        .align 2
      out:
        movs r0, 100
        note r0
        b end
      """
    }
    #expect(try notes(program(0x20)) == [5, 16, 100])
    #expect(try notes(program(0x80)) == [16, 5, 100])
  }

  /// A frame that cannot be read is a fault of the return.
  @Test(arguments: hosts) func unstackingFaults(host: String) throws {
    let found = try fault(
      """
        svc 0
        b end
      .thumb_func
      svcall:
        ldr r0, =0x30000000
        msr psp, r0
        ldr lr, =0xFFFFFFFD
        bx lr
      """, host: host)
    #expect(found == [5, 1 << 11, 0, 0], "\(hexadecimal(found))")
  }

  /// A vector table outside of memory: VECTTBL, and the HardFault vector is not there either.
  @Test func aVectorTableInTheWeedsLocksUp() throws {
    var ending: RunOutcome?
    _ = try notes("set 0xE000ED08, 0x30000000\n svc 0") { ending = $0 }
    guard case .lockedUp(let text) = try #require(ending) else {
      Issue.record("ended by \(String(describing: ending))")
      return
    }
    #expect(text.contains("the vector at 0x3000000c cannot be read"), "\(text)")
  }

  /// CCR.BFHFNMIGN: the HardFault handler may probe addresses where nothing answers.
  @Test(arguments: hosts) func faultHandlersMayProbe(host: String) throws {
    let found = try notes(
      """
        set 0xE000ED14, 0x300
        udf 0
      .thumb_func
      hard:
        ldr r0, =0x30000000
        movs r1, 9
        str.w r1, [r0, 4]
        note r1
        b end
      """, host: host)
    #expect(found == [9], "\(hexadecimal(found))")
  }

  // MARK: User mode

  /// User mode may not reach the Private Peripheral Bus, except STIR if CCR.USERSETMPEND allows it.
  @Test(arguments: hosts) func usersAreKeptFromTheSystem(host: String) throws {
    let user = "movs r0, 1\n msr control, r0\n isb\n"
    let denied = try fault(user + "ldr r0, =0xE000ED00\n ldr r1, [r0]", host: host)
    #expect(denied == [5, 0x8200, 0, 0xE000_ED00], "\(hexadecimal(denied))")
    let refused = try fault(user + "ldr r0, =0xE000EF00\n str r0, [r0]", host: host)
    #expect(refused.prefix(2) == [5, 0x8200], "\(hexadecimal(refused))")
    let allowed = try fault(
      """
        set 0xE000ED14, 0x202
        set 0xE000E100, 1
      \(user)
        ldr r0, =0xE000EF00
        movs r1, 0
        str r1, [r0]
        isb
        movs r0, 100
        note r0
        b end
      .thumb_func
      irq0:
        movs r0, 16
        note r0
        bx lr
      """, host: host)
    #expect(allowed == [16, 100], "\(hexadecimal(allowed))")
    // What was allowed for one register holds for no other of its page.
    let other = try fault(
      "set 0xE000ED14, 0x202\n" + user + "ldr r0, =0xE000EF00\n movs r1, 15\n str r1, [r0]\n ldr r0, =0xE000ED08\n"
        + "str r1, [r0]", host: host)
    #expect(other.prefix(2) == [5, 0x8200], "\(hexadecimal(other))")
  }

  /// LDRT in privileged code has the rights of user mode.
  @Test func unprivilegedLoadsAreKeptFromTheSystem() throws {
    let found = try fault("ldr r0, =0xE000ED00\n ldrt r1, [r0]")
    #expect(found == [5, 0x8200, 0, 0xE000_ED00], "\(hexadecimal(found))")
  }

  @Test func theSystemCanBeReset() throws {
    let bench = try Bench("set 0xE000ED0C, 0x05FA0004\n dsb\n b end")
    bench.run()
    #expect(bench.wantsReset)
    let keyless = try Bench("set 0xE000ED0C, 4\n dsb\n b end")
    keyless.run()
    #expect(!keyless.wantsReset)
  }

  /// There are no caches: their registers read as 0, and maintenance does nothing, without a word.
  @Test func cachesAreAbsent() throws {
    let bench = try Bench(
      """
        set 0xE000ED84, 0
        ldr r0, =0xE000ED78
        ldr r1, [r0]
        ldr r0, [r0, 8]
        orr r0, r1
        note r0
        set 0xE000EF50, 0
        set 0xE000EF60, 0x20
        b end
      """, model: "cortex-m7")
    bench.run()
    #expect(try bench.notes == [0])
    #expect(bench.log.isEmpty, "\(bench.log)")
  }
}
