// Owns the tests of sleep and events: WFI, WFE, SEV, SLEEPONEXIT and what wakes (ARMv7-M manual, B1.5).

import Engine
import Testing

@Suite(.enabled(if: canAssemble)) struct SleepTests {
  /// SCR.SLEEPONEXIT: the return from the only handler sleeps; Thread mode does not go on.
  @Test(arguments: hosts) func sleepOnExitNeverReturnsToThreadMode(host: String) throws {
    let found = try notes(
      """
        set 0xE000ED10, 2
        set 0xE000E014, 499
        set 0xE000E018, 0
        set 0xE000E010, 7
        wfi
        movs r0, 100
        note r0
        b end
      .thumb_func
      systick:
        movs r0, 1
        note r0
        bx lr
      """, host: host, instructions: 5000)
    #expect(found.count >= 8 && found.allSatisfy { $0 == 1 }, "\(hexadecimal(found))")
  }

  /// Clearing SLEEPONEXIT in the handler lets Thread mode go on.
  @Test func sleepOnExitEndsWhenItIsCleared() throws {
    let found = try notes(
      """
        set 0xE000ED10, 2
        set 0xE000ED04, 0x10000000
        isb
        movs r0, 100
        note r0
        b end
      .thumb_func
      pendsv:
        movs r0, 0
        ldr r1, =0xE000ED10
        str r0, [r1]
        movs r0, 1
        note r0
        bx lr
      """)
    #expect(found == [1, 100], "\(hexadecimal(found))")
  }

  /// The rest of an IT block stays conditional behind a wait.
  @Test(arguments: hosts, ["wfe", "wfi", "yield"]) func waitsMayStandInITBlocks(host: String, wait: String) throws {
    let found = try notes(
      """
        set 0xE000E014, 499
        set 0xE000E018, 0
        set 0xE000E010, 7
        movs r0, 0
        cmp r0, 0
        itee eq
        \(wait)eq
        addne r0, 5
        addne r0, 6
        note r0
        b end
      .thumb_func
      systick:
        bx lr
      """, host: host, instructions: 5000)
    #expect(found == [0], "\(hexadecimal(found))")
  }

  /// SEV sets the event register, which one WFE takes; the next one sleeps.
  @Test(arguments: hosts) func anEventLetsOneWaitPass(host: String) throws {
    let found = try notes(
      """
        sev
        wfe
        movs r0, 1
        note r0
        wfe
        movs r0, 2
        note r0
        b end
      """, host: host)
    #expect(found == [1], "\(hexadecimal(found))")
  }

  /// SCR.SEVONPEND: an interrupt that becomes pending is an event though it is not enabled. Without it, WFE sleeps on.
  @Test(arguments: [(16, [1, 2] as [UInt32]), (0, [1])]) func pendingMayBeAnEvent(
    control: Int, expected: [UInt32]
  ) throws {
    let found = try notes(
      """
        sev
        wfe
        set 0xE000ED10, \(control)
        set 0xE000E014, 499
        set 0xE000E018, 0
        movs r0, 1
        note r0
        set 0xE000E200, 1
        wfe
        movs r0, 2
        note r0
        b end
      """)
    #expect(found == expected, "\(hexadecimal(found))")
  }

  /// WFI ends for an interrupt that PRIMASK holds off; it is taken when PRIMASK is cleared.
  @Test(arguments: hosts) func maskedInterruptsEndTheWait(host: String) throws {
    let found = try notes(
      """
        cpsid i
        set 0xE000E014, 499
        set 0xE000E018, 0
        set 0xE000E010, 7
        wfi
        movs r0, 1
        note r0
        cpsie i
        movs r0, 3
        note r0
        b end
      .thumb_func
      systick:
        ldr r1, =0xE000E010
        movs r0, 0
        str r0, [r1]
        movs r0, 2
        note r0
        bx lr
      """, host: host)
    #expect(found == [1, 2, 3], "\(hexadecimal(found))")
  }
}
