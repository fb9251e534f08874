// Owns the register values that random instructions start from: those where implementations go wrong.

import TestSupport

/// Values for integer and floating-point registers.
enum HardValues {
  private static let integers: [UInt64] = [
    0, 1, .max, 2, 3, 7, 8, 31, 32, 33, 63, 64, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000,
    0xFFFF_FFFF, 0x1_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_8000_0000,
    0xFFFF_FFFF_7FFF_FFFF, 0xFFFF_FFFF_0000_0000, 0x8000_0000_0000_0001, 0x5555_5555_5555_5555, 0xAAAA_AAAA_AAAA_AAAA,
    0x0102_0408_1020_4080, 0xFFFF_FFFF_FFFF_FF80, 0xFFFF_FFFF_FFFF_8000, 0x0000_8000_0000_8000,
  ]

  static func integer(using random: inout SplitMix) -> UInt64 {
    switch random.below(6) {
    case 0, 1, 2: integers[random.below(integers.count)]
    case 3: UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: random.next())))
    case 4: random.next() >> UInt64(random.below(64))
    default: random.next()
    }
  }

  private static let singles: [UInt32] = [
    0, 0x8000_0000, 1, 0x8000_0001, 0x007F_FFFF, 0x0080_0000, 0x8080_0000, 0x0080_0001, 0x3F80_0000, 0xBF80_0000,
    0x3F80_0001, 0x3F7F_FFFF, 0x4000_0000, 0x3F00_0000, 0x4B00_0000, 0x4B7F_FFFF, 0x4F00_0000, 0x4EFF_FFFF,
    0xCF00_0000, 0xCF00_0001, 0x4F80_0000, 0x4F7F_FFFF, 0x5F00_0000, 0x5EFF_FFFF, 0xDF00_0000, 0x5F80_0000,
    0x5F7F_FFFF, 0x7F7F_FFFF, 0xFF7F_FFFF, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0xFFC0_0000, 0x7F80_0001,
    0xFFA0_0000, 0x7FFF_FFFF, 0x3EFF_FFFF, 0x3FC0_0000, 0xBF00_0000, 0xBF7F_FFFF, 0x3300_0000, 0x0D80_0000,
  ]

  private static let doubles: [UInt64] = [
    0, 0x8000_0000_0000_0000, 1, 0x8000_0000_0000_0001, 0x000F_FFFF_FFFF_FFFF, 0x0010_0000_0000_0000,
    0x8010_0000_0000_0000, 0x0010_0000_0000_0001, 0x3FF0_0000_0000_0000, 0xBFF0_0000_0000_0000, 0x3FF0_0000_0000_0001,
    0x3FEF_FFFF_FFFF_FFFF, 0x4000_0000_0000_0000, 0x3FE0_0000_0000_0000, 0xBFE0_0000_0000_0000, 0x4330_0000_0000_0000,
    0x433F_FFFF_FFFF_FFFF, 0x41E0_0000_0000_0000, 0x41DF_FFFF_FFC0_0000, 0x41DF_FFFF_FFE0_0000, 0xC1E0_0000_0000_0000,
    0xC1E0_0000_0020_0000, 0x41F0_0000_0000_0000, 0x41EF_FFFF_FFE0_0000, 0x41EF_FFFF_FFF0_0000, 0x43E0_0000_0000_0000,
    0x43DF_FFFF_FFFF_FFFF, 0xC3E0_0000_0000_0000, 0x43F0_0000_0000_0000, 0x43EF_FFFF_FFFF_FFFF, 0x7FEF_FFFF_FFFF_FFFF,
    0xFFEF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0000, 0x7FF8_0000_0000_0000, 0xFFF8_0000_0000_0000,
    0x7FF0_0000_0000_0001, 0xFFF4_0000_0000_0000, 0x3810_0000_0000_0000, 0x380F_FFFF_FFFF_FFFF, 0x380F_FFFF_F000_0000,
    0x36A0_0000_0000_0000, 0x3690_0000_0000_0000, 0x47EF_FFFF_E000_0000, 0x47EF_FFFF_F000_0000, 0x3FF0_0000_1000_0000,
    0x3FF0_0000_1000_0001, 0x3FF0_0000_3000_0000, 0x2000_0000_0000_0000, 0x1FF0_0000_0000_0000,
  ]

  /// A whole 64-bit f register: a double, a NaN-boxed single, or a single that is not NaN-boxed.
  static func float(using random: inout SplitMix) -> UInt64 {
    let boxed: UInt64 = 0xFFFF_FFFF_0000_0000
    switch random.below(10) {
    case 0, 1: return doubles[random.below(doubles.count)]
    case 2, 3: return boxed | UInt64(singles[random.below(singles.count)])
    case 4: return UInt64(singles[random.below(singles.count)]) | random.next() << 32
    case 5: return random.next()
    case 6, 7:
      let exponent = UInt64(1023 + random.below(130) - 65)
      return random.next() & 0x800F_FFFF_FFFF_FFFF & trailing(using: &random) | exponent << 52
    default:
      let exponent = UInt64(127 + random.below(60) - 30)
      return boxed | random.next() & 0x807F_FFFF & trailing(using: &random) | exponent << 23
    }
  }

  /// A mask that leaves a fraction short, or whole.
  private static func trailing(using random: inout SplitMix) -> UInt64 {
    random.once(in: 2) ? .max : .max << UInt64(random.below(52))
  }
}
