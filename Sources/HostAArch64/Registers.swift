// The operands of AArch64 instructions: registers and conditions (Arm ARM, DDI 0487, C1.2).

import HostKit

/// A general-purpose register by its number; 31 is the stack pointer in addresses and zero elsewhere.
public enum Register: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  case x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15
  case x16, x17, x18, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30
  case zero

  public static var sp: Register { .zero }
}

/// A SIMD and floating-point register by its number.
public struct VectorRegister: HostRegister, CustomStringConvertible {
  public let number: UInt8
  public init(number: UInt8) { self.number = number & 31 }
  public var description: String { "v\(number)" }
}

extension Register: HostRegister {
  public var number: UInt8 { rawValue }
  public init(number: UInt8) { self = unsafe unsafeBitCast(number & 31, to: Register.self) }
}

/// A condition by its number in `b.cond`, `csel` and `csinc` (DDI 0487, C1.2.4).
public enum ConditionCode: UInt8, Sendable, CaseIterable {
  case eq, ne, hs, lo, mi, pl, vs, vc, hi, ls, ge, lt, gt, le

  /// The condition that holds exactly when this one does not.
  public var inverted: ConditionCode { ConditionCode(rawValue: rawValue ^ 1) ?? .eq }
}
