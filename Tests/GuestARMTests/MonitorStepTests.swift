// Owns the tests of single-stepping by the DebugMonitor exception, without a debugger (ARMv7-M manual, C1.6).

import Testing

@Suite(.enabled(if: canAssemble)) struct MonitorStepTests {
  /// DebugMonitor, of priority 0x40, is pending from the instruction at 0x200 on, notes where it came from, DFSR and r5,
  /// and steps; `steps` times in all.
  private func stepped(_ body: String, steps: Int, svcPriority: Int = 0x80, host: String) throws -> [UInt32] {
    try notes(
      """
        movs r7, \(steps)
        set 0xE000EDFC, 0x10000
        set 0xE000ED1C, \(svcPriority << 24)
        set 0xE000ED20, 0x40
        set 0xE000E400, 0x8020
        set 0xE000E100, 3
        movs r5, 0
        movs r6, 0
        ldr r0, =0xE000EDFC
        ldr r1, =0x30000
        ldr r4, =0xE000E200
        b.w body
        .org 0x200
      body:
        str r1, [r0]
      \(body)
        b end
        .org 0x300
      .thumb_func
      svcall:
        adds r5, 1
        bx lr
        .org 0x400
      .thumb_func
      irq0:
        adds r5, 1
        bx lr
        .org 0x500
      .thumb_func
      irq1:
        adds r5, 1
        bx lr
        .org 0x600
      .thumb_func
      monitor:
        ldr r0, [sp, 24]
        note r0
        ldr r1, =0xE000ED30
        ldr r0, [r1]
        note r0
        str r0, [r1]
        note r5
        ldr r1, =0xE000EDFC
        ldr r0, =0x50000
        subs r7, 1
        it eq
        ldreq r0, =0x10000
        str r0, [r1]
        bx lr
      """, host: host)
  }

  /// One instruction after the other, through an IT block and over a branch.
  @Test(arguments: hosts) func theMonitorSteps(host: String) throws {
    let body = """
        adds r6, 1
        cmp r6, 1
        ite eq
        addeq r6, 2
        addne r6, 4
        b next
        nop
      next:
        adds r6, 8
        adds r6, 16
        note r6
      """
    let found = try stepped(body, steps: 7, host: host)
    let places: [UInt32] = [0x202, 0x204, 0x206, 0x208, 0x20A, 0x20C, 0x210]
    #expect(found == places.flatMap { [$0, $0 == 0x202 ? 0 : 1, 0] } + [27], "\(hexadecimal(found))")
  }

  /// A call of the supervisor is stepped into if DebugMonitor preempts its handler, over if not.
  @Test(arguments: hosts) func theMonitorStepsIntoHandlers(host: String) throws {
    let body = "svc 0\n nop\n nop\n note r5"
    let into = try stepped(body, steps: 5, host: host)
    #expect(
      into == [0x202, 0, 0, 0x300, 1, 0, 0x302, 1, 1, 0x204, 1, 1, 0x206, 1, 1, 1], "\(hexadecimal(into))")
    let over = try stepped(body, steps: 3, svcPriority: 0x20, host: host)
    #expect(over == [0x202, 0, 0, 0x204, 1, 1, 0x206, 1, 1, 1], "\(hexadecimal(over))")
  }

  /// An interrupt that the stepped instruction raises comes first if it is more urgent; one that is less so is stepped
  /// through.
  @Test(arguments: hosts) func theMonitorStepsAmongInterrupts(host: String) throws {
    let urgent = try stepped("movs r6, 1\n str r6, [r4]\n nop\n nop\n note r5", steps: 4, host: host)
    #expect(
      urgent == [0x202, 0, 0, 0x204, 1, 0, 0x206, 1, 1, 0x208, 1, 1, 1], "\(hexadecimal(urgent))")
    let other = try stepped("movs r6, 2\n str r6, [r4]\n nop\n nop\n note r5", steps: 6, host: host)
    #expect(
      other == [0x202, 0, 0, 0x204, 1, 0, 0x206, 1, 0, 0x502, 1, 1, 0x206, 1, 1, 0x208, 1, 1, 1],
      "\(hexadecimal(other))")
  }
}
