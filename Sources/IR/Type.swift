// Owns the types of IR values and what they imply for widths.

/// The type of an IR value.
///
/// `i1` is a truth value, always 0 or 1. The bits of a host register above an `i8`, `i16` or `i32` value are
/// unspecified: an op that needs them clean extends first.
public enum Type: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  case none
  case i1, i8, i16, i32, i64
  case v128
  case f32, f64

  /// Width in bits; 0 for `none`.
  @inlinable @inline(__always) public var bits: Int {
    // By raw value, a byte each: a switch would be a jump through a table, wherever it is asked for.
    self == .f64 ? 64 : Int(0x20_80_40_20_10_08_01_00 as UInt64 &>> UInt64(rawValue &* 8) & 0xFF)
  }

  /// Bytes the value takes in memory or in guest state.
  @inlinable public var bytes: Int { (bits + 7) / 8 }

  /// A mask of the value's bits within 64 (all ones for `i64` and wider).
  @inlinable @inline(__always)
  public var mask: UInt64 { bits >= 64 ? .max : (1 << UInt64(bits)) &- 1 }

  @inlinable public var isInteger: Bool { self.rawValue >= Type.i1.rawValue && self.rawValue <= Type.i64.rawValue }
  @inlinable public var isFloat: Bool { rawValue >= Type.f32.rawValue }

  /// Whether hosts keep such values in vector registers.
  @inlinable public var usesVectorRegister: Bool { rawValue >= Type.v128.rawValue }

  public var name: String {
    switch self {
    case .none: "none"
    case .i1: "i1"
    case .i8: "i8"
    case .i16: "i16"
    case .i32: "i32"
    case .i64: "i64"
    case .v128: "v128"
    case .f32: "f32"
    case .f64: "f64"
    }
  }

  public init?(name: some StringProtocol) {
    guard let match = Type.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }
}
