// Owns the numbers by which packed code names its operands.

/// Where an operand or a result of packed code lies.
public struct Place: RawRepresentable, Equatable, Sendable, BitwiseCopyable {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Reads as 0.
  @inlinable public static var none: Place { Place(rawValue: 0xFFFF) }
  /// The op's own immediate, as operand `b`.
  @inlinable public static var immediate: Place { Place(rawValue: 0x7FFF) }
  /// A value that is used up by the next op.
  @inlinable public static var scratch: Place { Place(rawValue: 0xFFFE) }
  /// A value, by its number below ``valueLimit``.
  @inlinable public static func value(_ id: ValueID) -> Place {
    id.isNone ? .none : Place(rawValue: 0x8000 | id.index)
  }
  @inlinable public static var valueLimit: Int { 0x7FFE }
  /// A guest register at a multiple of 8 bytes in the state block; what is beside it in the 8 bytes is 0.
  @inlinable public static func register(at offset: Int) -> Place {
    Place(rawValue: UInt16(truncatingIfNeeded: offset / 8))
  }

  @inlinable public var isValue: Bool { rawValue & 0x8000 != 0 }
}
