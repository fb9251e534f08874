// Owns the tests that code which is translated for other flags, or changes what interrupts are let through, is reached within
// the code cache.

import Engine
import Testing

@Suite(.enabled(if: canAssemble)) struct ChainingTests {
  /// Lets a loop run until all of it is translated, and then on.
  /// - Returns: how often code was entered meanwhile.
  private func entries(_ loop: String, after setUp: String = "", model: String = "cortex-m4") throws -> UInt64 {
    let bench = try Bench(
      "\(setUp)\n  ldr r5, =0x20000200\n ldr r6, =0x50\n movs r4, #0\n loop:\n\(loop)\n b loop", model: model)
    bench.run(10_000)
    let (before, retired) = (bench.engine.statistics.entries, bench.cpu.retired)
    bench.run(50_000)
    #expect(bench.cpu.retired - retired > 40_000)
    return bench.engine.statistics.entries - before
  }

  @Test(arguments: [
    "adds r4, #1\n tst r4, #1\n ite ne\n strne r4, [r5]\n lsleq r1, r4, #1",
    "adds r4, #1\n tst r4, #3\n ittet eq\n ldreq r1, [r5]\n streq r1, [r5, #4]\n strne r4, [r5]\n ldreq r2, [r5]",
    "adds r4, #1\n tst r4, #1\n itt ne\n vldrne s0, [r5]\n vstrne s0, [r5, #4]",
  ]) func itBlocksStayInTheCache(loop: String) throws {
    let access = loop.contains("vldr") ? "set 0xE000ED88, 0xF00000\n isb" : ""
    #expect(try entries(loop, after: access, model: access.isEmpty ? "cortex-m4" : "cortex-m4f") <= 5)
  }

  @Test(arguments: [
    ("cortex-m4", "mrs r0, basepri\n msr basepri, r6\n isb\n msr basepri, r0\n msr basepri_max, r6\n msr basepri, r0"),
    ("cortex-m4", "mrs r0, primask\n cpsid i\n msr primask, r0"), ("cortex-m0", "cpsid i\n cpsie i\n isb"),
  ]) func criticalSectionsStayInTheCache(model: String, loop: String) throws {
    #expect(try entries(loop, model: model) <= 5)
  }

  /// An interrupt that is pending comes right behind the instruction that lets it come, in IT blocks as well.
  @Test(
    arguments: hosts,
    [
      ("movs r0, #0x80\n msr basepri, r0", "movs r0, #0\n msr basepri, r0"), ("cpsid i", "cpsie i"),
      ("cpsid i", "movs r0, #0\n msr primask, r0"),
      ("cpsid i", "cmp r0, r0\n ite eq\n msreq primask, r7\n addne r4, #9"),
      ("cpsid f", "cpsie f"), ("cpsid f", "movs r0, #0\n msr faultmask, r0"),
    ]) func interruptsComeWhereTheyAreEnabled(host: String, masks: (off: String, on: String)) throws
  {
    let found = try notes(
      """
        set 0xE000E400, 0x80
        set 0xE000E100, 1
        movs r4, #0
        movs r7, #0
        \(masks.off)
        set 0xE000E200, 1
        dsb
        isb
        adds r4, #1
        \(masks.on)
        adds r4, #1
        note r4
        b end
      .thumb_func
      irq0:
        note r4
        bx lr
      """, host: host)
    #expect(found == [1, 2], "\(masks.on): \(hexadecimal(found))")
  }

  /// What a BASEPRI that is not urgent enough lets through, and BASEPRI_MAX, which 0 does not lower.
  @Test(arguments: hosts) func basePriorityIsKeptToItsBits(host: String) throws {
    let found = try notes(
      """
        movs r0, #0xff
        msr basepri, r0
        mrs r1, basepri
        note r1
        movs r0, #0x4f
        msr basepri_max, r0
        mrs r1, basepri
        note r1
        movs r0, #0x60
        msr basepri_max, r0
        mrs r1, basepri
        note r1
        movs r0, #0
        msr basepri_max, r0
        mrs r1, basepri
        note r1
        msr basepri, r0
        movs r0, #0x70
        msr basepri_max, r0
        mrs r1, basepri
        note r1
        b end
      """, host: host)
    #expect(found == [0xF0, 0x40, 0x40, 0x40, 0x70], "\(hexadecimal(found))")
  }
}
