// Owns the tests of which registers of the System Control Space each architecture has, and which of their bits (ARMv6-M
// manual, B3.2 to B3.4; ARMv7-M manual, B3.2; ARMv8-M manual, D1.2).

import Bus
import GuestARM
import Testing

@Suite(.enabled(if: canAssemble)) struct ArchitectureTests {
  static let models = ["cortex-m0", "cortex-m0+", "cortex-m3", "cortex-m4f", "cortex-m7", "cortex-m23", "cortex-m33"]

  /// A register, what is written to it, if anything, and what it reads as on a CPU of each architecture: ARMv6-M, ARMv7-M,
  /// ARMv8-M Baseline and Mainline.
  struct Row: CustomTestStringConvertible, Sendable {
    var name: String
    var offset: UInt64
    var written: UInt64?
    var v6, v7, base, main: UInt64
    /// Of the Cortex-M0, where it has less than the Cortex-M0+.
    var least: UInt64?
    var testDescription: String { name }

    init(
      _ name: String, _ offset: UInt64, _ written: UInt64?, v6: UInt64, v7: UInt64, base: UInt64, main: UInt64,
      least: UInt64? = nil
    ) {
      (self.name, self.offset, self.written) = (name, offset, written)
      (self.v6, self.v7, self.base, self.main, self.least) = (v6, v7, base, main, least)
    }

    func expected(_ model: String) -> UInt64 {
      switch model {
      case "cortex-m0": least ?? v6
      case "cortex-m0+": v6
      case "cortex-m23": base
      case "cortex-m33": main
      default: v7
      }
    }
  }

  static let rows: [Row] = [
    Row("ICSR at reset", 0xED04, nil, v6: 0, v7: 1 << 11, base: 0, main: 1 << 11),
    Row(
      "VTOR", 0xED08, 0x2000_0180, v6: 0x2000_0100, v7: 0x2000_0180, base: 0x2000_0180, main: 0x2000_0180, least: 0),
    Row(
      "AIRCR", 0xED0C, 0x05FA_0700, v6: 0xFA05_0000, v7: 0xFA05_0700, base: 0xFA05_0000, main: 0xFA05_0700),
    Row("SCR", 0xED10, .max, v6: 0x16, v7: 0x16, base: 0x16, main: 0x16),
    Row("CCR at reset", 0xED14, nil, v6: 0x208, v7: 0x200, base: 0x209, main: 0x201),
    Row("CCR cleared", 0xED14, 0, v6: 0x208, v7: 0, base: 0x209, main: 0x201),
    Row("CCR set", 0xED14, .max, v6: 0x208, v7: 0x31B, base: 0x209, main: 0x71B),
    Row("SHPR1", 0xED18, .max, v6: 0, v7: 0xF0F0_F0F0, base: 0, main: 0xF0F0_F0F0),
    Row("SHPR2", 0xED1C, .max, v6: 0xC000_0000, v7: 0xF0F0_F0F0, base: 0xC000_0000, main: 0xF0F0_F0F0),
    Row("SHPR3", 0xED20, .max, v6: 0xC0C0_0000, v7: 0xF0F0_F0F0, base: 0xC0C0_0000, main: 0xF0F0_F0F0),
    Row("SHCSR", 0xED24, 0x7_8000, v6: 0x8000, v7: 0x7_8000, base: 0x8000, main: 0x7_8000),
    Row("MMFAR", 0xED34, 0x1234_5678, v6: 0, v7: 0x1234_5678, base: 0, main: 0x1234_5678),
    Row("BFAR", 0xED38, 0x1234_5678, v6: 0, v7: 0x1234_5678, base: 0, main: 0x1234_5678),
    Row("DEMCR", 0xEDFC, 0xFFFD_FFFF, v6: 0x0100_0401, v7: 0x010D_07F1, base: 0x0100_0401, main: 0x010D_07F1),
    Row("NVIC_ISER0", 0xE100, .max, v6: 0xFFFF, v7: 0xFFFF, base: 0xFFFF, main: 0xFFFF),
    Row("NVIC_ISER1", 0xE104, .max, v6: 0, v7: 0, base: 0, main: 0),
    Row("NVIC_IPR0", 0xE400, .max, v6: 0xC0C0_C0C0, v7: 0xF0F0_F0F0, base: 0xC0C0_C0C0, main: 0xF0F0_F0F0),
    Row("NVIC_IPR4", 0xE410, .max, v6: 0, v7: 0, base: 0, main: 0),
    Row("MPU_TYPE", 0xED90, nil, v6: 0x800, v7: 0x800, base: 0x800, main: 0x800, least: 0),
    Row("MPU_RASR", 0xEDA0, .max, v6: 0x1707_FF3F, v7: 0x173F_FF3F, base: 0xFFFF_FFEF, main: 0xFFFF_FFEF, least: 0),
    Row("MPU_RASR_A1", 0xEDA8, .max, v6: 0, v7: 0x173F_FF3F, base: 0, main: 0xFFFF_FFEF, least: 0),
    Row("DWT_CYCCNT", 0x1004, 77, v6: 0, v7: 77, base: 0, main: 77),
    Row("ITM_TER", 0x0E00, .max, v6: 0, v7: 0xFFFF_FFFF, base: 0, main: 0xFFFF_FFFF),
  ]

  @Test(arguments: models, rows) func registersAreTheArchitectures(model: String, row: Row) throws {
    let bench = try Bench("b end", model: model)
    let written = row.written.map { $0 & 0xFFFF_FFFF }
    if let written { bench.system.write(region: 0, offset: row.offset, size: 4, value: written) }
    let found = bench.system.read(region: 0, offset: row.offset, size: 4)
    #expect(found == row.expected(model), "\(String(found, radix: 16))")
    let peeked = bench.system.peek(region: 0, offset: row.offset, size: 4)
    #expect(peeked == row.expected(model))
  }

  /// ICSR's RETTOBASE and VECTACTIVE, and the active bits, in a handler.
  @Test(arguments: models) func handlersAreSeen(model: String) throws {
    let found = try notes(
      """
        set 0xE000E100, 1
        set 0xE000E200, 1
        isb
        b end
      .thumb_func
      irq0:
        ldr r0, =0xE000ED04
        ldr r1, [r0]
        note r1
        ldr r0, =0xE000E300
        ldr r1, [r0]
        note r1
        bx lr
      """, model: model)
    let hasBase = !["cortex-m0", "cortex-m0+", "cortex-m23"].contains(model)
    let hasActive = !["cortex-m0", "cortex-m0+"].contains(model)
    #expect(found == [hasBase ? 0x810 : 0x10, hasActive ? 1 : 0], "\(hexadecimal(found))")
  }

  /// STIR pends an interrupt where there is one; the pending NMI can be taken back in ARMv8-M.
  @Test(arguments: models) func pendingBySoftware(model: String) throws {
    let bench = try Bench("b end", model: model)
    bench.system.write(region: 0, offset: 0xEF00, size: 4, value: 3)
    let isMain = !["cortex-m0", "cortex-m0+", "cortex-m23"].contains(model)
    #expect(bench.system.read(region: 0, offset: 0xE200, size: 4) == (isMain ? 8 : 0))
    bench.system.write(region: 0, offset: 0xED04, size: 4, value: 1 << 31)
    bench.system.write(region: 0, offset: 0xED04, size: 4, value: 1 << 30)
    let isV8 = ["cortex-m23", "cortex-m33"].contains(model)
    #expect(bench.system.read(region: 0, offset: 0xED04, size: 4) >> 31 == (isV8 ? 0 : 1))
  }

  /// BASEPRI and FAULTMASK are of the Main Extension: elsewhere they hold nothing and hold nothing off.
  @Test(arguments: models) func masksAreTheArchitectures(model: String) throws {
    let isMain = !["cortex-m0", "cortex-m0+", "cortex-m23"].contains(model)
    // MSR and MRS of BASEPRI, which assemblers for the smaller ones refuse.
    let found = try notes(
      """
        set 0xE000E400, 0xC0
        set 0xE000E100, 1
        movs r0, 0x80
        .short 0xF380, 0x8811
        .short 0xF3EF, 0x8411
        set 0xE000E200, 1
        isb
        note r4
        b end
      .thumb_func
      irq0:
        movs r0, 1
        note r0
        bx lr
      """, model: model)
    #expect(found == (isMain ? [0x80] : [1, 0]), "\(hexadecimal(found))")
  }

  /// ARMv6-M's priorities are of words: a store of a byte is a mistake, which is said.
  @Test(arguments: models) func prioritiesByTheByte(model: String) throws {
    let bench = try Bench("b end", model: model)
    bench.system.write(region: 0, offset: 0xE401, size: 1, value: 0xC0)
    let isV6 = model.hasPrefix("cortex-m0")
    #expect(bench.system.read(region: 0, offset: 0xE400, size: 4) == (isV6 ? 0 : 0xC000))
    #expect(bench.log.isEmpty == !isV6)
    #expect(bench.system.read(region: 0, offset: 0xE401, size: 1) == (isV6 ? 0 : 0xC0))
  }

}
