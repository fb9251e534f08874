// Owns the numbers by which packed code names its operands.

/// Where an operand or a result of packed code lies.
public struct Place: RawRepresentable, Equatable, Sendable, BitwiseCopyable {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Reads as 0.
  @inlinable public static var none: Place { Place(rawValue: 0xFFFF) }
  /// A value that is used up by the next op.
  @inlinable public static var scratch: Place { Place(rawValue: 0xFFFE) }
  /// The op's own immediate, as operand `b`.
  @inlinable public static var immediate: Place { Place(rawValue: 0xFFFD) }
  /// A value, by its number below ``valueLimit``.
  @inlinable public static func value(_ id: ValueID) -> Place {
    id.isNone ? .none : Place(rawValue: 0x8000 | id.index)
  }
  @inlinable public static var valueLimit: Int { 0x7FFD }
  /// A guest register at a multiple of 8 bytes in the state block; what is beside it in the 8 bytes is 0.
  @inlinable public static func register(at offset: Int) -> Place {
    Place(rawValue: UInt16(truncatingIfNeeded: offset / 8))
  }

  @inlinable public var isValue: Bool { rawValue & 0x8000 != 0 }

  /// Where it lies, in 8 bytes from the state block's start: values lie before it. For ``none`` there is always 0.
  @inlinable @inline(__always)
  public var number: Int16 { Int16(bitPattern: rawValue) }
  /// The same for the upper half of 128 bits: behind the lower one's in a register, far before it in a value.
  @inlinable @inline(__always)
  public var upperNumber: Int { isValue ? Int(number) &- 1 << 15 : Int(number) &+ 1 }
  /// Bytes before a state block that values take; what is not touched costs nothing.
  @inlinable public static var valueBytes: Int { (1 << 16) * 8 }
}
