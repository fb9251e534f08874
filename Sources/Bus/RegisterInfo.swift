// Descriptions of registers: what programs read and write at an offset, and how people speak of it.

import Bits

/// A named group of bits in a register.
public struct Field: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    case implemented, unimplemented, reserved
  }

  /// A name for what a field holds.
  public struct Value: Sendable, Equatable {
    public let name: String
    public let value: UInt64
    /// The bits that matter; none of them if the name is for all that has no other.
    public let mask: UInt64

    public init(_ name: String, _ value: UInt64, mask: UInt64 = .max) {
      self.name = name
      self.value = value
      self.mask = mask
    }
  }

  public let name: String
  public let bits: Range<Int>
  public let kind: Kind
  public private(set) var values: [Value] = []

  public static func field(_ name: String, _ bit: Int) -> Field { field(name, bit..<bit + 1) }
  public static func field(_ name: String, _ bits: Range<Int>, _ values: [Value] = []) -> Field {
    Field(name: name, bits: bits, kind: .implemented, values: values)
  }

  /// What `value` of the field is called.
  public func name(of value: UInt64) -> String? {
    values.first { value & $0.mask == $0.value & $0.mask }?.name
  }

  /// Bits the hardware has and the model has not: setting them is logged once.
  public static func unimplemented(_ name: String, _ bit: Int) -> Field { unimplemented(name, bit..<bit + 1) }
  public static func unimplemented(_ name: String, _ bits: Range<Int>) -> Field {
    Field(name: name, bits: bits, kind: .unimplemented)
  }
  public static func reserved(_ bits: Range<Int>) -> Field { Field(name: "-", bits: bits, kind: .reserved) }
}

/// A register, or an array of `count` equal ones `stride` bytes apart. Constant; a class, since each access to a device hands
/// one on.
public final class RegisterInfo: Sendable, Equatable {
  public enum Access: Sendable, Equatable {
    case readOnly, writeOnly, readWrite
  }

  public let name: String
  /// Bytes from the start of the region.
  public let offset: UInt64
  /// Bytes of one register.
  public let width: Int
  public let access: Access
  public let resetValue: UInt64
  public let sideEffectOnRead: Bool
  public let fields: [Field]
  public let count: Int
  public let stride: UInt64
  /// The bits that the hardware has and the model has not.
  public let unimplemented: UInt64
  /// The bits that exist: all of them where no fields are described.
  public let mask: UInt64

  public init(
    _ name: String, _ offset: UInt64, width: Int = 4, _ access: Access = .readWrite, reset: UInt64 = 0,
    sideEffectOnRead: Bool = false, count: Int = 1, stride: UInt64? = nil, _ fields: [Field] = []
  ) {
    self.name = name
    self.offset = offset
    self.width = width
    self.access = access
    self.resetValue = reset
    self.sideEffectOnRead = sideEffectOnRead
    self.fields = fields
    self.count = count
    self.stride = stride ?? UInt64(width)
    unimplemented = Self.bits(of: fields) { $0.kind == .unimplemented }
    mask = fields.isEmpty ? .max : Self.bits(of: fields) { $0.kind != .reserved }
  }

  /// A readable and writable register with these fields.
  public convenience init(
    _ name: String, _ offset: UInt64, width: Int = 4, reset: UInt64 = 0, sideEffectOnRead: Bool = false,
    count: Int = 1, stride: UInt64? = nil, _ fields: [Field]
  ) {
    self.init(
      name, offset, width: width, .readWrite, reset: reset, sideEffectOnRead: sideEffectOnRead, count: count,
      stride: stride, fields)
  }

  private static func bits(of fields: [Field], where isWanted: (Field) -> Bool) -> UInt64 {
    fields.reduce(0) { isWanted($1) ? $0.replacingBits($1.bits, with: .max) : $0 }
  }

  public static func == (a: RegisterInfo, b: RegisterInfo) -> Bool {
    a === b
      || a.name == b.name && a.offset == b.offset && a.width == b.width && a.access == b.access
        && a.resetValue == b.resetValue && a.sideEffectOnRead == b.sideEffectOnRead && a.fields == b.fields
        && a.count == b.count && a.stride == b.stride
  }

  /// The name of one register of an array.
  public func name(at index: Int) -> String { count == 1 ? name : "\(name)[\(index)]" }
}
