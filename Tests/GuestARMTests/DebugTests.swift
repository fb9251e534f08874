// Owns the tests of the debug units: comparators, vector catch, BKPT, patches, steps into and out of handlers
// (ARMv7-M manual, part C).

import Bus
import Engine
import GuestKit
import Testing

@Suite(.enabled(if: canAssemble)) struct DebugTests {
  private func reason(_ outcome: RunOutcome) -> String {
    if case .caught(let text) = outcome { text } else { "\(outcome)" }
  }

  // MARK: DWT

  /// CYCCNT counts while TRCENA and CYCCNTENA are set, stands else, and can be written.
  @Test(arguments: hosts) func theCycleCounterCountsWhenItMay(host: String) throws {
    let found = try notes(
      """
        ldr r4, =0xE0001000
        ldr r0, [r4, 4]
        note r0
        set 0xE000EDFC, 0x01000000
        ldr r0, [r4, 4]
        note r0
        movs r0, 1
        str r0, [r4]
        ldr r0, =1000
        str r0, [r4, 4]
        nop
        nop
        ldr r0, [r4, 4]
        note r0
        movs r0, 0
        str r0, [r4]
        ldr r5, [r4, 4]
        nop
        ldr r6, [r4, 4]
        subs r0, r6, r5
        note r0
        b end
      """, host: host)
    #expect(found == [0, 0, 1003, 0], "\(found)")
  }

  /// A comparator of DWT, with MON_EN, raises DebugMonitor after the access (or before the instruction).
  private func monitored(_ value: String, _ function: Int, _ body: String, host: String) throws -> [UInt32] {
    try notes(
      """
        set 0xE000EDFC, 0x01010000
        set 0xE0001020, \(value)
        set 0xE0001024, 0
        set 0xE0001028, \(function)
        isb
        ldr r4, =0x20002000
        movs r5, 5
      \(body)
        movs r0, 100
        note r0
        b end
      .thumb_func
      monitor:
        ldr r0, [r4]
        note r0
        ldr r6, =0xE000ED30
        ldr r0, [r6]
        note r0
        str r0, [r6]
        ldr r6, =0xE0001028
        ldr r0, [r6]
        lsrs r0, r0, 24
        note r0
        bx lr
      """, host: host)
  }

  @Test(arguments: hosts) func comparatorsWatchData(host: String) throws {
    let writes = try monitored("0x20002000", 6, "ldr r0, [r4]\n str r5, [r4]\n ldr r0, [r4]", host: host)
    #expect(writes == [5, 4, 1, 100], "\(writes)")
    let reads = try monitored("0x20002000", 5, "str r5, [r4]\n ldr r0, [r4]", host: host)
    #expect(reads == [5, 4, 1, 100], "\(reads)")
    let beside = try monitored("0x20002004", 7, "str r5, [r4]\n ldr r0, [r4]", host: host)
    #expect(beside == [100], "\(beside)")
    let off = try monitored("0x20002000", 0, "str r5, [r4]\n ldr r0, [r4]", host: host)
    #expect(off == [100], "\(off)")
  }

  /// Each time the instruction is come to, once: the return from the handler executes it.
  @Test(arguments: hosts) func comparatorsMatchInstructions(host: String) throws {
    let found = try monitored(
      "here", 4, "str r5, [r4]\n movs r7, 3\nagain:\nhere:\n subs r7, 1\n bne again", host: host)
    #expect(found == [5, 4, 1, 5, 4, 1, 5, 4, 1, 100], "\(found)")
  }

  /// Comparator 1 with DATAVMATCH: a value of a word, a halfword or a byte of an access, anywhere or at the address of a
  /// linked comparator.
  private func matched(_ value: String, _ function: Int, link: String = "0", _ body: String, host: String) throws
    -> [UInt32]
  {
    try notes(
      """
        set 0xE000EDFC, 0x01010000
        set 0xE0001040, \(link)
        set 0xE0001030, \(value)
        set 0xE0001038, \(function)
        isb
        ldr r4, =0x20002000
        ldr r5, =0x00070005
      \(body)
        movs r0, 100
        note r0
        b end
      .thumb_func
      monitor:
        ldr r6, =0xE0001038
        ldr r0, [r6]
        lsrs r0, r0, 24
        note r0
        movs r0, 0
        str r0, [r6]
        ldr r0, [r4]
        note r0
        ldr r0, [r4, 4]
        note r0
        bx lr
      """, host: host)
  }

  @Test(arguments: hosts) func comparatorsWatchValues(host: String) throws {
    let stores = "movs r6, 1\n str r6, [r4]\n str r5, [r4, 4]\n str r6, [r4, 4]"
    // A word of 0x70005, written anywhere.
    let anywhere = try matched("0x00070005", 0x11906, stores, host: host)
    #expect(anywhere == [1, 1, 0x7_0005, 100], "\(hexadecimal(anywhere))")
    // Halfwords and bytes within a word.
    let halfword = try matched("0x00070007", 0x11506, stores, host: host)
    #expect(halfword == [1, 1, 0x7_0005, 100], "\(hexadecimal(halfword))")
    let byte = try matched("0x05050505", 0x11106, stores, host: host)
    #expect(byte == [1, 1, 0x7_0005, 100], "\(hexadecimal(byte))")
    // At the address of comparator 2 alone.
    let linked = try matched("0x00000001", 0x22906, link: "0x20002004", stores, host: host)
    #expect(linked == [1, 1, 1, 100], "\(hexadecimal(linked))")
    let elsewhere = try matched("0x00070005", 0x22906, link: "0x20002000", stores, host: host)
    #expect(elsewhere == [100], "\(hexadecimal(elsewhere))")
    // Reads; the third of three registers.
    let read = try matched(
      "0x00000009", 0x22905, link: "0x20002008", "movs r6, 9\n str r6, [r4, 8]\n ldm r4, {r0, r1, r6}", host: host)
    #expect(read == [1, 0, 0, 100], "\(hexadecimal(read))")
  }

  /// Comparators 0, 2 and 3 have no values; what is not there is said.
  @Test func onlyOneComparatorHasValues() throws {
    let bench = try Bench(
      """
        set 0xE0001048, 0xFFFFFF86
        ldr r0, [r0]
        note r0
        set 0xE0001038, 0
        ldr r0, [r0]
        note r0
        set 0xE0001028, 0x85
        b end
      """)
    bench.run()
    #expect(try bench.notes == [6, 0x200])
    #expect(
      bench.log == ["interrupt-controller@e000e100: DWT_FUNCTION0: comparing cycles is not implemented"], "\(bench.log)"
    )
  }

  /// With a debugger and without MON_EN, a comparator stops the machine, and says which.
  @Test(arguments: hosts) func comparatorsStopForTheDebugger(host: String) throws {
    let bench = try Bench(
      """
        set 0xE000EDFC, 0x01000000
        set 0xE0001030, 0x20002000
        set 0xE0001038, 6
        isb
        ldr r4, =0x20002000
        movs r5, 5
        str r5, [r4]
        movs r0, 100
        note r0
        b end
      """, host: host)
    bench.guest.debuggerChanged(bench.cpu.state, isAttached: true)
    #expect(reason(bench.run()) == "DWT comparator 1 matched a write at 0x20002000")
    #expect(try bench.word(0x2000_2000) == 5)
    bench.run()
    #expect(try bench.notes == [100])
  }

  // MARK: Stops

  @Test(arguments: hosts) func vectorCatchStopsAtTheHandler(host: String) throws {
    let program = """
        nop
        udf 1
      .thumb_func
      hard:
        movs r0, 1
        note r0
        b end
      """
    let bench = try Bench(program, host: host)
    bench.guest.setCatches(bench.cpu.state, ["hard_err"])
    let text = reason(bench.run())
    #expect(text.hasPrefix("vector catch (VC_HARDERR): HardFault, forced by UsageFault (UNDEFINSTR) at 0x"), "\(text)")
    #expect(bench.guest.readRegister(bench.cpu.state, 16) & 0x1FF == 3)
    #expect(try bench.notes == [])
    bench.run()
    #expect(try bench.notes == [1])
    let other = try Bench(program, host: host)
    other.guest.setCatches(other.cpu.state, ["mm_err"])
    other.run()
    #expect(try other.notes == [1])
  }

  /// DEMCR's bits count while a debugger is attached, whoever sets them, and outlive a reset.
  @Test func theRegisterCatchesForADebugger() throws {
    let program = """
        set 0xE000EDFC, 0x400
        udf 1
      .thumb_func
      hard:
        movs r0, 1
        note r0
        b end
      """
    let alone = try Bench(program)
    alone.run()
    #expect(try alone.notes == [1])
    let bench = try Bench(program)
    bench.guest.debuggerChanged(bench.cpu.state, isAttached: true)
    #expect(reason(bench.run()).hasPrefix("vector catch (VC_HARDERR)"))
    #expect(bench.guest.catches(bench.cpu.state) == ["hard_err"])
    bench.guest.reset(bench.cpu.state, number: 0, pc: 0)
    #expect(bench.guest.catches(bench.cpu.state) == ["hard_err"])
    bench.guest.debuggerChanged(bench.cpu.state, isAttached: false)
    #expect(bench.guest.catches(bench.cpu.state) == [])
  }

  @Test func aResetCanBeCaught() throws {
    let bench = try Bench("movs r0, 1\n note r0\n b end") { $0.guest.setCatches($0.cpu.state, ["reset"]) }
    #expect(reason(bench.run()) == "vector catch (VC_CORERESET): reset")
    #expect(bench.cpu.retiredInstructions == 0)
    bench.run()
    #expect(try bench.notes == [1])
  }

  /// A BKPT stops for the debugger that is attached, and going on passes it; each time it is reached.
  @Test(arguments: hosts) func breakpointInstructionsStop(host: String) throws {
    let program = """
        movs r4, 2
      again:
        bkpt 7
        subs r4, 1
        bne again
        note r4
        b end
      .thumb_func
      hard:
        ldr r4, =0xE000ED2C
        ldr r0, [r4]
        note r0
        b end
      """
    let bench = try Bench(program, host: host)
    bench.guest.debuggerChanged(bench.cpu.state, isAttached: true)
    #expect(reason(bench.run()).hasPrefix("bkpt 7 at 0x"))
    #expect(reason(bench.run()).hasPrefix("bkpt 7 at 0x"))
    bench.run()
    #expect(try bench.notes == [0])
    let alone = try Bench(program, host: host)
    alone.run()
    #expect(try alone.notes == [1 << 31])
  }

  /// A semihosting call that nobody serves is said.
  @Test func unservedCallsOfTheHostAreSaid() throws {
    let bench = try Bench("bkpt 0xab\n.thumb_func\nhard:\n movs r0, 1\n note r0\n b end")
    bench.run()
    #expect(try bench.notes == [1])
    #expect(
      bench.log == ["interrupt-controller@e000e100: bkpt 0xab, a semihosting call: --semihosting serves it"],
      "\(bench.log)")
  }

  // MARK: Steps

  /// Each step executes one instruction; a step of SVC ends at the handler's first instruction, one of its return behind
  /// the SVC.
  @Test(arguments: hosts) func stepsGoIntoAndOutOfHandlers(host: String) throws {
    let bench = try Bench(
      """
        .org 0x200
        nop
        svc 0
        nop
        b end
        .org 0x300
      .thumb_func
      svcall:
        movs r0, 1
        bx lr
      """, host: host)
    bench.cpu.state.pc = 0x200
    var trace: [UInt64] = []
    for _ in 0..<6 {
      #expect(bench.cpu.step() == .stepped)
      trace.append(bench.cpu.state.pc)
    }
    #expect(trace.prefix(5) == [0x202, 0x300, 0x302, 0x204, 0x206], "\(trace.map { String($0, radix: 16) })")
  }

  /// A pending interrupt is entered by a step of its own, unless steps leave interrupts pending.
  @Test(arguments: hosts) func stepsCanLeaveInterruptsPending(host: String) throws {
    let program = """
        set 0xE000E100, 1
        ldr r0, =0xE000E200
        movs r1, 1
        b.w go
        .org 0x200
      go:
        str r1, [r0]
        isb
        b next
        .org 0x210
      next:
        nop
        nop
        b end
        .org 0x300
      .thumb_func
      irq0:
        bx lr
      """
    for masks in [false, true] {
      let bench = try Bench(program, host: host)
      bench.engine.insertBreakpoint(0x200)
      #expect(bench.run() == .breakpoint)
      bench.engine.debug.masksInterruptsInSteps = masks
      var trace: [UInt64] = []
      for _ in 0..<4 {
        _ = bench.cpu.step()
        trace.append(bench.cpu.state.pc)
      }
      #expect(trace.contains(0x300) != masks, "\(trace.map { String($0, radix: 16) })")
    }
  }

  /// While the machine stands still, so do SysTick and CYCCNT.
  @Test func countersStandStill() throws {
    let bench = try Bench(
      """
        set 0xE000EDFC, 0x01000000
        set 0xE0001000, 1
        set 0xE000E014, 0xFFFF
        set 0xE000E018, 0
        set 0xE000E010, 5
        b end
      """)
    bench.run(1000)
    let before = (try bench.word(0xE000_E018), try bench.word(0xE000_1004))
    let after = (try bench.word(0xE000_E018), try bench.word(0xE000_1004))
    #expect(before == after)
    #expect(before.0 > 0 && before.1 > 0)
    bench.run(100)
    #expect(try bench.word(0xE000_1004) == after.1 + 100)
    #expect(try bench.word(0xE000_E018) == after.0 - 100)
  }

  // MARK: Patches

  /// FPB is there, and leaves code alone.
  @Test func patchesAreStored() throws {
    let found = try notes(
      """
        set 0xE0002008, 0x48000001
        set 0xE0002000, 3
        ldr r0, =0xE0002000
        ldr r1, [r0]
        note r1
        ldr r0, =0xE0002008
        ldr r1, [r0]
        note r1
        b end
      """)
    #expect(found == [0x261, 0x4800_0001], "\(hexadecimal(found))")
  }
}
