// Owns the tests of what exceptions do with floating-point state: access control, the extended frame, lazy preservation
// (ARMv7-M Architecture Reference Manual, B1.5.6 and B1.5.7).

import GuestARM
import Testing

@Suite(.enabled(if: canAssemble)) struct FloatExceptionTests {
  private static let enable = """
      .fpu fpv4-sp-d16
      set 0xE000ED88, 0x00F00000
      isb

    """

  private func found(_ program: String, _ host: String, model: String = "cortex-m4f") throws -> [UInt32] {
    try notes(program, model: model, host: host)
  }

  /// NOCP in CFSR, at the instruction itself, which runs once access is given.
  @Test(arguments: hosts) func accessIsControlled(host: String) throws {
    let found = try found(
      """
        .fpu fpv4-sp-d16
        set 0xE000ED24, 0x00040000
        movs r4, 7
      here:
        vmov s1, r4
        vmov r5, s1
        note r5
        mrs r5, control
        note r5
        b end
      .thumb_func
      usage:
        ldr r0, =0xE000ED28
        ldr r1, [r0]
        note r1
        ldr r0, [sp, 24]
        ldr r1, =here
        subs r0, r0, r1
        note r0
        set 0xE000ED88, 0x00F00000
        bx lr
      """, host)
    #expect(found == [0x8_0000, 0, 7, 4], "\(hexadecimal(found))")
  }

  /// Privileged access alone: user mode is denied.
  @Test(arguments: hosts) func userModeIsDeniedWhatIsPrivileged(host: String) throws {
    let found = try found(
      """
        .fpu fpv4-sp-d16
        set 0xE000ED24, 0x00040000
        set 0xE000ED88, 0x00500000
        isb
        vmov.f32 s0, #1.0
        movs r0, 1
        msr control, r0
        isb
        vmov r5, s0
        b end
      .thumb_func
      usage:
        ldr r0, =0xE000ED28
        ldr r1, [r0]
        note r1
        b end
      """, host)
    #expect(found == [0x8_0000], "\(hexadecimal(found))")
  }

  private static let lazy =
    enable + """
        vmov.f32 s0, #1.0
        vmov.f32 s15, #2.0
        vmov.f32 s16, #3.0
        vcmp.f32 s0, s15
        svc 1
        vmov r4, s0
        note r4
        vmov r4, s15
        note r4
        vmov r4, s16
        note r4
        vmrs r4, fpscr
        note r4
        mrs r4, control
        note r4
        ldr r4, =0xE000EF34
        ldr r4, [r4]
        note r4
        mov r4, sp
        note r4
        b end
      .thumb_func
      svcall:
        note lr
        mov r4, sp
        note r4
        ldr r5, =0xE000EF34
        ldr r6, [r5]
        note r6
        ldr r6, [r5, 4]
        note r6
        mrs r6, control
        note r6
        ldr r6, [r4, 32]
        note r6

      """

  /// A handler that computes has the registers written to the reserved place first.
  @Test(arguments: hosts) func preservationIsLazy(host: String) throws {
    let found = try found(
      Self.lazy + """
          vmov.f32 s0, #4.0
          vmov.f32 s16, #5.0
          ldr r6, [r5]
          note r6
          ldr r6, [r4, 32]
          note r6
          ldr r6, [r4, 92]
          note r6
          ldr r6, [r4, 96]
          note r6
          mrs r6, control
          note r6
          bx lr
        """, host)
    #expect(
      found == [
        0xFFFF_FFE9, 0x2000_7F98, 0xC000_0019, 0x2000_7FB8, 0, 0, 0xC000_0018, 0x3F80_0000, 0x4000_0000, 0x8000_0000, 4,
        0x3F80_0000, 0x4000_0000, 0x40A0_0000, 0x8000_0000, 4, 0xC000_0018, 0x2000_8000,
      ], "\(hexadecimal(found))")
  }

  /// A handler that does not compute leaves the place unwritten and the registers as they are.
  @Test(arguments: hosts) func whatIsNotNeededIsNotPreserved(host: String) throws {
    let found = try found(
      Self.lazy + """
          ldr r6, =0x12345678
          str r6, [r4, 32]
          bx lr
        """, host)
    #expect(
      found == [
        0xFFFF_FFE9, 0x2000_7F98, 0xC000_0019, 0x2000_7FB8, 0, 0, 0x3F80_0000, 0x4000_0000, 0x4040_0000, 0x8000_0000, 4,
        0xC000_0018, 0x2000_8000,
      ], "\(hexadecimal(found))")
  }

  /// Without LSPEN the registers are stacked at once.
  @Test(arguments: hosts) func preservationMayBeEager(host: String) throws {
    let found = try found(
      Self.enable + """
          set 0xE000EF34, 0x80000000
          vmov.f32 s0, #1.0
          svc 1
          vmov r4, s0
          note r4
          b end
        .thumb_func
        svcall:
          note lr
          ldr r4, =0xE000EF34
          ldr r4, [r4]
          note r4
          ldr r4, [sp, 32]
          note r4
          ldr r4, =0x40000000
          str r4, [sp, 32]
          bx lr
        """, host)
    #expect(found == [0xFFFF_FFE9, 0x8000_0000, 0x3F80_0000, 0x4000_0000], "\(hexadecimal(found))")
  }

  /// Without ASPEN a frame has no floating-point part, and CONTROL.FPCA stays as software has it.
  @Test(arguments: hosts) func preservationMayBeOff(host: String) throws {
    let found = try found(
      Self.enable + """
          set 0xE000EF34, 0
          isb
          vmov.f32 s0, #1.0
          mrs r4, control
          note r4
          svc 1
          vmov r4, s0
          note r4
          b end
        .thumb_func
        svcall:
          note lr
          vmov.f32 s0, #2.0
          bx lr
        """, host)
    #expect(found == [0, 0xFFFF_FFF9, 0x4000_0000], "\(hexadecimal(found))")
  }

  /// A context begins with the modes of FPDSCR; the other's come back with its frame.
  @Test(arguments: hosts) func aContextBeginsWithDefaultModes(host: String) throws {
    let found = try found(
      Self.enable + """
          set 0xE000EF3C, 0x02400000
          isb
          vmrs r4, fpscr
          note r4
          ldr r4, =0x01C00000
          vmsr fpscr, r4
          svc 1
          vmrs r4, fpscr
          note r4
          b end
        .thumb_func
        svcall:
          vmov.f32 s1, #1.0
          vmrs r4, fpscr
          note r4
          bx lr
        """, host)
    #expect(found == [0x0240_0000, 0x0240_0000, 0x01C0_0000], "\(hexadecimal(found))")
  }

  /// A frame kept for nobody: a bus error at preservation is a fault with LSPERR.
  @Test(arguments: hosts) func aFailedPreservationFaults(host: String) throws {
    let found = try found(
      Self.enable + """
          set 0xE000ED24, 0x00020000
          vmov.f32 s0, #1.0
          svc 1
          b end
        .thumb_func
        svcall:
          set 0xE000EF38, 0x60000000
          isb
          vmov.f32 s0, #2.0
          b end
        .thumb_func
        bus:
          ldr r4, =0xE000ED28
          ldr r4, [r4]
          note r4
          b end
        .thumb_func
        hard:
          ldr r4, =0xE000ED28
          ldr r4, [r4]
          note r4
          b end
        """, host)
    #expect(found == [0x2000], "\(hexadecimal(found))")
  }

  @Test func coresHaveTheirUnits() throws {
    for (model, features, registers) in [
      ("cortex-m4", [0, 0, 0] as [UInt32], 0), ("cortex-m4f", [0x1011_0021, 0x1100_0011, 0], 17),
      ("cortex-m7", [0x1011_0221, 0x1200_0011, 0x40], 17), ("cortex-m33f", [0x1011_0021, 0x1100_0011, 0x40], 17),
    ] {
      let bench = try Bench("  b end\n", model: model)
      let read = (0..<3).map { UInt32(bench.system.read(region: 0, offset: 0xEF40 + 4 * $0, size: 4)) }
      #expect(read == features, "\(model)")
      let shown = bench.guest.registerFile.registers.filter { $0.feature == "org.gnu.gdb.arm.vfp" }
      #expect(shown.count == registers, "\(model)")
      guard registers > 0, let d3 = bench.guest.registerFile.index(of: "d3") else { continue }
      bench.guest.writeRegister(bench.cpu.state, d3, 0x4008_0000_1234_5678)
      let s6 = try #require(bench.guest.registerFile.index(of: "s6"))
      #expect(bench.guest.readRegister(bench.cpu.state, s6) == 0x1234_5678)
      #expect(bench.guest.readRegister(bench.cpu.state, d3) == 0x4008_0000_1234_5678)
    }
  }
}
