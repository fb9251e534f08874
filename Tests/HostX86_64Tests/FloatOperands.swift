// Operands at which floating-point implementations go wrong.

/// Values by type: zeros, subnormals, limits of formats and of integers, halves that tie, infinities and NaNs.
enum FloatOperands {
  static let singles: [UInt32] = [
    0, 0x8000_0000, 1, 0x8000_0001, 0x007F_FFFF, 0x0080_0000, 0x8080_0000, 0x0080_0001, 0x3F80_0000, 0xBF80_0000,
    0x3F80_0001, 0x3F7F_FFFF, 0x4000_0000, 0x3F00_0000, 0xBF00_0000, 0x3FC0_0000, 0xC020_0000, 0x4B00_0001, 0x4B7F_FFFF,
    0x4F00_0000, 0x4EFF_FFFF, 0xCF00_0000, 0xCF00_0001, 0x4F80_0000, 0x4F7F_FFFF, 0x5F00_0000, 0x5EFF_FFFF, 0xDF00_0000,
    0x5F80_0000, 0x5F7F_FFFF, 0x7F7F_FFFF, 0xFF7F_FFFF, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0xFFC0_1234, 0x7F80_0001,
    0xFFA0_0000, 0x3EFF_FFFF, 0x3300_0000, 0x0D80_0000, 0x1F80_0000, 0x2000_0000,
  ]

  static let doubles: [UInt64] = [
    0, 0x8000_0000_0000_0000, 1, 0x8000_0000_0000_0001, 0x000F_FFFF_FFFF_FFFF, 0x0010_0000_0000_0000,
    0x8010_0000_0000_0000, 0x0010_0000_0000_0001, 0x3FF0_0000_0000_0000, 0xBFF0_0000_0000_0000, 0x3FF0_0000_0000_0001,
    0x3FEF_FFFF_FFFF_FFFF, 0x4000_0000_0000_0000, 0x3FE0_0000_0000_0000, 0xBFE0_0000_0000_0000, 0x3FF8_0000_0000_0000,
    0xC004_0000_0000_0000, 0x4330_0000_0000_0001, 0x41E0_0000_0000_0000, 0x41DF_FFFF_FFC0_0000, 0x41DF_FFFF_FFE0_0000,
    0xC1E0_0000_0000_0000, 0xC1E0_0000_0010_0000, 0xC1E0_0000_0020_0000, 0x41F0_0000_0000_0000, 0x41EF_FFFF_FFE0_0000,
    0x41EF_FFFF_FFF0_0000, 0x41EF_FFFF_FFF8_0000, 0x43E0_0000_0000_0000, 0x43DF_FFFF_FFFF_FFFF, 0xC3E0_0000_0000_0000,
    0x43F0_0000_0000_0000, 0x43EF_FFFF_FFFF_FFFF, 0x7FEF_FFFF_FFFF_FFFF, 0xFFEF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000,
    0xFFF0_0000_0000_0000, 0x7FF8_0000_0000_0000, 0xFFF8_0000_0000_1234, 0x7FF0_0000_0000_0001, 0xFFF4_0000_0000_0000,
    0x3810_0000_0000_0000, 0x380F_FFFF_FFFF_FFFF, 0x380F_FFFF_F000_0000, 0x36A0_0000_0000_0000, 0x3690_0000_0000_0000,
    0x47EF_FFFF_E000_0000, 0x47EF_FFFF_F000_0000, 0x3FF0_0000_1000_0000, 0x3FF0_0000_3000_0000, 0x2000_0000_0000_0000,
    0x1FF0_0000_0000_0000, 0xFFFF_FFFF_3F80_0000,
  ]

  static let integers: [UInt64] = [
    0, 1, .max, 2, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000,
    0x8000_0000_0000_0001, 0xFFFF_FFFF_8000_0000, 0x0100_0001, 0x0100_0003, 0xFFFF_FF7F, 0xFFFF_FF80,
    0xFFFF_FFFF_FFFF_FC00,
    0xFFFF_FFFF_FFFF_FBFF, 0x8000_0000_0000_0400, 0x8000_0000_0000_0401, 0x20_0000_0000_0001, 0x20_0000_0000_0003,
    0x7FFF_FFFF_FFFF_FDFF, 0x7FFF_FFFF_FFFF_FE00, 0x7FFF_FF40_0000_0000, 0xFFFF_FF80_0000_0000,
  ]

  /// A number near others of its kind, so that sums cancel and products round.
  static func random(_ isDouble: Bool, using generator: inout some RandomNumberGenerator) -> UInt64 {
    let choice = Int.random(in: 0..<8, using: &generator)
    let bits = UInt64.random(in: 0...UInt64.max, using: &generator)
    let mask: UInt64 = choice & 1 == 0 ? .max : .max << UInt64.random(in: 0..<52, using: &generator)
    if isDouble {
      if choice == 0 { return doubles.randomElement(using: &generator)! }
      if choice == 1 { return bits }
      let range: ClosedRange<UInt64> = choice < 4 ? 1000...1046 : choice < 6 ? 1...60 : 1990...2046
      return bits & mask & 0x800F_FFFF_FFFF_FFFF | UInt64.random(in: range, using: &generator) << 52
    }
    if choice == 0 { return UInt64(singles.randomElement(using: &generator)!) }
    if choice == 1 { return bits & 0xFFFF_FFFF }
    let range: ClosedRange<UInt64> = choice < 4 ? 110...150 : choice < 6 ? 1...30 : 240...254
    return bits & mask & 0x807F_FFFF | UInt64.random(in: range, using: &generator) << 23
  }
}
