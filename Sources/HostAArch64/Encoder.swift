// The instructions that the lowering uses, in the order of the manual (DDI 0487, C4.1).
//
// `wide` says whether an operation has 64 bits or 32.

import HostKit

/// `and`, `orr`, `eor`, `ands` on registers.
public enum Logic: UInt32, Sendable, CaseIterable {
  case and = 0x0A00_0000
  case orr = 0x2A00_0000
  case eor = 0x4A00_0000
  case ands = 0x6A00_0000
}

/// Shifts by a register, of which the low bits count.
public enum VariableShift: UInt32, Sendable, CaseIterable {
  case lslv = 0x1AC0_2000
  case lsrv = 0x1AC0_2400
  case asrv = 0x1AC0_2800
}

/// Loads and stores of a size: bits 30 and 31 of the encoding, and the operation in bits 22 and 23.
public enum Transfer: UInt32, Sendable, CaseIterable {
  case strb = 0x0000_0000
  case ldrb = 0x0040_0000
  /// To 64 bits.
  case ldrsb = 0x0080_0000
  case strh = 0x4000_0000
  case ldrh = 0x4040_0000
  case ldrsh = 0x4080_0000
  case strw = 0x8000_0000
  case ldrw = 0x8040_0000
  case ldrsw = 0x8080_0000
  case str = 0xC000_0000
  case ldr = 0xC040_0000

  /// log2 of the bytes.
  var scale: UInt32 { rawValue >> 30 }
}

private func width(_ wide: Bool) -> UInt32 { wide ? 1 << 31 : 0 }

extension Register {
  fileprivate var d: UInt32 { UInt32(rawValue) }
  fileprivate var n: UInt32 { UInt32(rawValue) << 5 }
  fileprivate var m: UInt32 { UInt32(rawValue) << 16 }
}

extension Assembler {
  // MARK: Immediates

  /// `register = the address offset bytes from the first byte of the code`, within 1 MiB.
  public mutating func adr(_ register: Register, offset: Int) {
    let distance = UInt32(truncatingIfNeeded: offset - count) & 0x1F_FFFF
    put(0x1000_0000 | (distance & 3) << 29 | (distance >> 2) << 5 | register.d)
  }

  /// `register = source ± amount`, of 0 to 4095; register 31 is the stack pointer unless the flags are set.
  public mutating func add(_ register: Register, _ source: Register, _ amount: Int, wide: Bool = true) {
    let isSum = amount >= 0
    put((isSum ? 0x1100_0000 : 0x5100_0000) | width(wide) | immediate(amount) | source.n | register.d)
  }
  /// The same, setting the flags.
  public mutating func subs(_ register: Register, _ source: Register, _ amount: Int, wide: Bool = true) {
    put((amount >= 0 ? 0x7100_0000 : 0x3100_0000) | width(wide) | immediate(amount) | source.n | register.d)
  }
  private func immediate(_ amount: Int) -> UInt32 {
    precondition(Self.isShort(Int64(amount)))
    return UInt32(amount.magnitude) << 10
  }
  /// Whether `add` and `subs` take it.
  public static func isShort(_ amount: Int64) -> Bool { -4095...4095 ~= amount }

  /// `register = value`, by one to four instructions.
  public mutating func mov(_ register: Register, _ value: Int64) {
    let bits = UInt64(bitPattern: value)
    let parts = (0..<4).map { UInt32(truncatingIfNeeded: bits >> UInt64(16 * $0)) & 0xFFFF }
    let isMostlyOnes = parts.count { $0 == 0xFFFF } > parts.count { $0 == 0 }
    let filler: UInt32 = isMostlyOnes ? 0xFFFF : 0
    let first = parts.firstIndex { $0 != filler } ?? 0
    // `movn` or `movz`, which fill the other bits, then `movk`.
    let start: UInt32 = isMostlyOnes ? 0x9280_0000 : 0xD280_0000
    put(start | UInt32(first) << 21 | (parts[first] ^ filler) << 5 | register.d)
    for index in first + 1..<4 where parts[index] != filler {
      put(0xF280_0000 | UInt32(index) << 21 | parts[index] << 5 | register.d)
    }
  }

  /// The low `bits` of `source`, extended to 64 bits if signed or `wide`, else to 32.
  public mutating func extract(_ register: Register, _ source: Register, bits: Int, signed: Bool, wide: Bool) {
    let opcode: UInt32 = (signed ? 0x1300_0000 : 0x5300_0000) | (wide ? 0x8040_0000 : 0)
    put(opcode | UInt32(bits - 1) << 10 | source.n | register.d)
  }
  /// `register = source >> shift`, of which the low `bits`.
  public mutating func ubfx(_ register: Register, _ source: Register, shift: Int, bits: Int) {
    put(0xD340_0000 | UInt32(shift) << 16 | UInt32(shift + bits - 1) << 10 | source.n | register.d)
  }
  /// Sets the flags by bit 0.
  public mutating func testLowest(_ register: Register) { put(0x7200_001F | register.n) }

  // MARK: Branches

  public mutating func b(_ label: Label) { put(0x1400_0000, .long, to: label) }
  public mutating func b(toOffset offset: Int) { put(0x1400_0000, .long, toOffset: offset) }
  public mutating func bl(toOffset offset: Int) { put(0x9400_0000, .long, toOffset: offset) }
  public mutating func b(_ condition: ConditionCode, _ label: Label) {
    put(0x5400_0000 | UInt32(condition.rawValue), .short, to: label)
  }
  public mutating func br(_ register: Register) { put(0xD61F_0000 | register.n) }
  public mutating func ret() { put(0xD65F_03C0) }
  public mutating func brk() { put(0xD420_0000) }
  public mutating func svc() { put(0xD400_0001) }
  public mutating func nop() { put(0xD503_201F) }

  // MARK: Loads and stores

  /// At byte `offset` of `base`, a multiple of the size below 4096 of them.
  public mutating func transfer(_ kind: Transfer, _ register: Register, _ base: Register, _ offset: Int) {
    precondition(offset >= 0 && offset & ((1 << Int(kind.scale)) - 1) == 0 && offset >> Int(kind.scale) < 4096)
    put(0x3900_0000 | kind.rawValue | UInt32(offset >> Int(kind.scale)) << 10 | base.n | register.d)
  }
  /// At `base + index`, of which 64 bits count, or the low 32.
  public mutating func transfer(
    _ kind: Transfer, _ register: Register, _ base: Register, index: Register, wide: Bool
  ) {
    put(0x3820_0800 | kind.rawValue | (wide ? 0x6000 : 0x4000) | index.m | base.n | register.d)
  }
  /// Stores or loads two registers at byte `offset` of the stack, a multiple of 8 from 0 to 504.
  public mutating func pair(loads: Bool, _ first: Register, _ second: Register, _ offset: Int) {
    put(
      (loads ? 0xA940_0000 : 0xA900_0000) | UInt32(offset / 8) << 15 | UInt32(second.rawValue) << 10 | Register.sp.n
        | first.d)
  }
  /// 4, 8 or 16 bytes.
  public mutating func transfer(_ register: VectorRegister, _ base: Register, _ offset: Int, loads: Bool, bytes: Int) {
    let scale = bytes.trailingZeroBitCount
    precondition(offset >= 0 && offset & (bytes - 1) == 0 && offset >> scale < 4096)
    let opcode: UInt32 = [0xBD00_0000, 0xFD00_0000, 0x3D80_0000][scale - 2] | (loads ? 0x40_0000 : 0)
    put(opcode | UInt32(offset >> scale) << 10 | base.n | UInt32(register.number))
  }

  // MARK: Registers

  public mutating func logic(_ kind: Logic, _ register: Register, _ a: Register, _ b: Register, wide: Bool) {
    put(kind.rawValue | width(wide) | b.m | a.n | register.d)
  }
  public mutating func mov(_ register: Register, _ source: Register, wide: Bool) {
    logic(.orr, register, .zero, source, wide: wide)
  }
  /// `register = a + (b << shift)`
  public mutating func add(_ register: Register, _ a: Register, _ b: Register, shift: Int = 0, wide: Bool = true) {
    put(0x0B00_0000 | width(wide) | b.m | UInt32(shift) << 10 | a.n | register.d)
  }
  public mutating func sub(_ register: Register, _ a: Register, _ b: Register, wide: Bool = true) {
    put(0x4B00_0000 | width(wide) | b.m | a.n | register.d)
  }
  public mutating func cmp(_ a: Register, _ b: Register, wide: Bool) {
    put(0x6B00_001F | width(wide) | b.m | a.n)
  }
  public mutating func shift(_ kind: VariableShift, _ register: Register, _ a: Register, by b: Register, wide: Bool) {
    put(kind.rawValue | width(wide) | b.m | a.n | register.d)
  }
  /// 1 if `condition` holds, else 0.
  public mutating func cset(_ register: Register, _ condition: ConditionCode) {
    put(0x1A9F_07E0 | UInt32(condition.inverted.rawValue) << 12 | register.d)
  }

  // MARK: Floating point

  /// All of its bits.
  public mutating func mov(_ register: VectorRegister, _ source: VectorRegister) {
    put(0x4EA0_1C00 | UInt32(source.number) << 16 | UInt32(source.number) << 5 | UInt32(register.number))
  }
  public mutating func fmov(_ register: VectorRegister, _ source: Register, wide: Bool) {
    put((wide ? 0x9E67_0000 : 0x1E27_0000) | source.n | UInt32(register.number))
  }
  public mutating func fmov(_ register: Register, _ source: VectorRegister, wide: Bool) {
    put((wide ? 0x9E66_0000 : 0x1E26_0000) | UInt32(source.number) << 5 | register.d)
  }
}
