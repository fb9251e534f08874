// Declarations of device registers: one list drives decoding, dumps, and logs of what is not implemented.

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
public final class Register: Sendable, Equatable {
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
    unimplemented = fields.reduce(0) {
      $1.kind == .unimplemented ? $0 | UInt64(0).replacingBits($1.bits, with: .max) : $0
    }
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

  public static func == (a: Register, b: Register) -> Bool {
    a === b
      || a.name == b.name && a.offset == b.offset && a.width == b.width && a.access == b.access
        && a.resetValue == b.resetValue && a.sideEffectOnRead == b.sideEffectOnRead && a.fields == b.fields
        && a.count == b.count && a.stride == b.stride
  }

  /// The name of one register of an array.
  public func name(at index: Int) -> String { count == 1 ? name : "\(name)[\(index)]" }
}

/// The registers of one region.
public final class RegisterMap: Sendable {
  public let registers: [Register]
  /// What accesses are compared with, by number.
  private let spans: [Span]
  /// By offset in units of `1 << granule` bytes, the number of the first register there, or how many registers there are.
  private let starts: [UInt16]
  private let granule: UInt64
  /// By offset, of the first bytes: 1 where a register may be read, 2 where one may be written.
  private let permissions: [UInt8]
  /// Offsets behind the table are looked for from the first register on.
  private static let longestTable: UInt64 = 0x1000

  private struct Span: Sendable {
    var first, end, stride, width: UInt64
    var isReadable, isWritable: Bool
  }

  public init(_ registers: [Register]) {
    self.registers = registers
    spans = registers.map { register in
      let (bytes, overflows) = register.stride.multipliedReportingOverflow(by: UInt64(max(0, register.count)))
      let (end, wraps) = register.offset.addingReportingOverflow(bytes)
      return Span(
        first: register.offset, end: overflows || wraps ? .max : end, stride: max(1, register.stride),
        width: UInt64(register.width), isReadable: register.access != .writeOnly,
        isWritable: register.access != .readOnly)
    }
    granule = spans.allSatisfy { $0.end <= 0x100 } ? 0 : 2
    var starts: [UInt16] = []
    for (number, span) in spans.enumerated() where span.first < span.end {
      let last = min((span.end - 1) >> granule, Self.longestTable - 1)
      guard span.first >> granule <= last else { continue }
      if starts.count <= Int(last) {
        starts += repeatElement(UInt16(clamping: spans.count), count: Int(last) + 1 - starts.count)
      }
      for unit in Int(span.first >> granule)...Int(last) { starts[unit] = min(starts[unit], UInt16(clamping: number)) }
    }
    self.starts = starts
    var permissions = [UInt8](repeating: 0, count: granule == 0 ? starts.count : 0)
    for span in spans where granule == 0 {
      for first in stride(from: span.first, to: span.end, by: Int(span.stride)) {
        for offset in first..<min(first + min(span.width, span.stride), span.end) {
          permissions[Int(offset)] |= (span.isReadable ? 1 : 0) | (span.isWritable ? 2 : 0)
        }
      }
    }
    self.permissions = permissions
  }

  /// A register found by its offset.
  public struct Match: Sendable {
    public let register: Register
    /// Position in `registers`.
    public let number: Int
    /// Which one of an array, 0 otherwise.
    public let index: Int
    /// Byte within the register.
    public let byte: Int

    /// What an access of `size` bytes reads of a register that holds `value`; bytes past the register are zero.
    public func extract(_ value: UInt64, size: Int) -> UInt64 {
      (value & .mask(8 * register.width)).bits(8 * byte..<8 * byte + 8 * min(size, 8 - byte))
    }

    /// What a register that holds `old` holds after an access wrote the low `size` bytes of `value`.
    public func insert(_ value: UInt64, size: Int, into old: UInt64) -> UInt64 {
      old.replacingBits(8 * byte..<8 * min(byte + size, register.width), with: value)
    }
  }

  /// The first register in the list that contains the byte at `offset` and permits the access; registers that share an
  /// offset (read one, write another) are told apart by their access.
  public func match(_ offset: UInt64, isWrite: Bool) -> Match? {
    find(offset, isWrite: isWrite).map {
      Match(register: registers[$0.number], number: $0.number, index: $0.index, byte: $0.byte)
    }
  }

  /// Whether a register permits the access.
  public func contains(_ offset: UInt64, isWrite: Bool) -> Bool {
    guard offset < UInt64(permissions.count) else { return find(offset, isWrite: isWrite) != nil }
    return permissions[Int(offset)] & (isWrite ? 2 : 1) != 0
  }

  private func find(_ offset: UInt64, isWrite: Bool) -> (number: Int, index: Int, byte: Int)? {
    let unit = offset >> granule
    var number = unit < UInt64(starts.count) ? Int(starts[Int(unit)]) : 0
    while number < spans.count {
      defer { number += 1 }
      let span = spans[number]
      guard span.first <= offset, offset < span.end, isWrite ? span.isWritable : span.isReadable else { continue }
      var (index, byte) = (UInt64(0), offset &- span.first)
      if byte >= span.stride { (index, byte) = byte.quotientAndRemainder(dividingBy: span.stride) }
      if byte < span.width { return (number, Int(index), Int(byte)) }
    }
    return nil
  }
}

/// Says once each what a guest uses that a model lacks.
public struct UnimplementedLog {
  private var said: Set<String> = []

  public init() {}

  /// Names the unimplemented fields of `register` that `value` sets.
  public mutating func write(_ value: UInt64, to match: RegisterMap.Match, of context: DeviceContext) {
    guard value & match.register.unimplemented != 0 else { return }
    for field in match.register.fields where field.kind == .unimplemented && value.bits(field.bits) != 0 {
      once("\(match.register.name(at: match.index)).\(field.name) is not implemented", context)
    }
  }

  /// Names an access that no register answers.
  public mutating func unknown(offset: UInt64, isWrite: Bool, of context: DeviceContext) {
    let address = (context.node.regions.first?.base ?? 0) &+ offset
    let name = context.registerName(address, isWrite ? 0 : nil).map { " (\($0))" } ?? ""
    once("\(isWrite ? "write to" : "read of") offset \(offset.hex0x())\(name), where there is no register", context)
  }

  /// Logs a message the first time it, or its `key`, comes.
  public mutating func once(_ message: String, key: String? = nil, _ context: DeviceContext) {
    if said.insert(key ?? message).inserted { context.log(.unimplemented, message) }
  }
}
