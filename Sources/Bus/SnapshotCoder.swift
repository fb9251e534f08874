// A deterministic binary form of `Codable` values, without Foundation.
//
// Values follow each other in declaration order, little endian, without keys: a snapshot is read by the same build of
// the program that wrote it. Supported are structs, arrays, strings, numbers, enums with raw values, and optional
// properties; anything else throws `SnapshotError.unsupported`.

public enum SnapshotError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The bytes end within a value.
  case truncated(offset: Int)
  /// The bytes at `offset` are no value of the expected type.
  case malformed(type: String, offset: Int)
  /// Bytes are left over after the value.
  case trailingBytes(offset: Int)
  /// A type this form cannot express.
  case unsupported(String)

  public var description: String {
    switch self {
    case .truncated(let offset): "snapshot ends at byte \(offset), within a value"
    case .malformed(let type, let offset): "snapshot byte \(offset) does not start a \(type)"
    case .trailingBytes(let offset): "snapshot has bytes left over from byte \(offset)"
    case .unsupported(let type): "\(type) cannot be part of a snapshot"
    }
  }
}

/// `value` as bytes.
public func encodeSnapshot(_ value: some Encodable) throws(SnapshotError) -> [UInt8] {
  let writer = SnapshotWriter()
  do {
    try writer.put(value)
  } catch let error as SnapshotError {
    throw error
  } catch {
    throw .unsupported("\(type(of: value))")
  }
  return writer.bytes
}

/// The value that `bytes` hold, all of them.
public func decodeSnapshot<T: Decodable>(_ type: T.Type, from bytes: [UInt8]) throws(SnapshotError) -> T {
  let reader = SnapshotReader(bytes)
  let value: T
  do {
    value = try reader.get(type)
  } catch let error as SnapshotError {
    throw error
  } catch {
    throw .malformed(type: "\(type)", offset: reader.position)
  }
  guard reader.position == bytes.count else { throw .trailingBytes(offset: reader.position) }
  return value
}

// MARK: Encoding

final class SnapshotWriter {
  var bytes: [UInt8] = []

  func put<T: Encodable>(_ value: T) throws {
    switch value {
    case let value as Bool: bytes.append(value ? 1 : 0)
    case let value as any FixedWidthInteger: put(integer: value)
    case let value as Double: put(integer: value.bitPattern)
    case let value as Float: put(integer: value.bitPattern)
    case let value as String: put(bytes: Array(value.utf8))
    default:
      if T.self == [UInt8].self, let value = value as? [UInt8] {
        put(bytes: value)
      } else {
        try value.encode(to: ValueEncoder(writer: self))
      }
    }
  }

  func put<T: FixedWidthInteger>(integer: T) {
    for byte in 0..<T.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: integer >> T(8 * byte))) }
  }

  func put(bytes content: [UInt8]) {
    put(integer: UInt32(content.count))
    bytes += content
  }
}

struct ValueEncoder: Encoder {
  let writer: SnapshotWriter
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    KeyedEncodingContainer(KeyedValues(writer: writer))
  }
  func unkeyedContainer() -> any UnkeyedEncodingContainer { ListValues(writer: writer) }
  func singleValueContainer() -> any SingleValueEncodingContainer { SingleValue(writer: writer) }
}

struct KeyedValues<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let writer: SnapshotWriter
  var codingPath: [any CodingKey] { [] }

  func encodeNil(forKey key: Key) { writer.bytes.append(0) }
  func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try writer.put(value) }
  func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws { try optional(value) }
  // The protocol has an overload for each of these, with a default that leaves no trace of nil.
  func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: String?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try optional(value) }
  func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try optional(value) }
  private func optional<T: Encodable>(_ value: T?) throws {
    writer.bytes.append(value == nil ? 0 : 1)
    if let value { try writer.put(value) }
  }
  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested>
  {
    ValueEncoder(writer: writer).container(keyedBy: type)
  }
  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { ListValues(writer: writer) }
  func superEncoder() -> any Encoder { ValueEncoder(writer: writer) }
  func superEncoder(forKey key: Key) -> any Encoder { ValueEncoder(writer: writer) }
}

/// A list: 4 bytes of count, kept up to date, then the elements.
struct ListValues: UnkeyedEncodingContainer {
  let writer: SnapshotWriter
  let start: Int
  var count = 0
  var codingPath: [any CodingKey] { [] }

  init(writer: SnapshotWriter) {
    self.writer = writer
    start = writer.bytes.count
    writer.put(integer: UInt32(0))
  }

  mutating func addOne() -> SnapshotWriter {
    count += 1
    for byte in 0..<4 { writer.bytes[start + byte] = UInt8(truncatingIfNeeded: count >> (8 * byte)) }
    return writer
  }
  mutating func encodeNil() throws { throw SnapshotError.unsupported("a list with nil in it") }
  mutating func encode<T: Encodable>(_ value: T) throws { try addOne().put(value) }
  mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    ValueEncoder(writer: addOne()).container(keyedBy: type)
  }
  mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { ListValues(writer: addOne()) }
  mutating func superEncoder() -> any Encoder { ValueEncoder(writer: addOne()) }
}

struct SingleValue: SingleValueEncodingContainer {
  let writer: SnapshotWriter
  var codingPath: [any CodingKey] { [] }

  func encodeNil() throws { throw SnapshotError.unsupported("nil outside of a property") }
  func encode<T: Encodable>(_ value: T) throws { try writer.put(value) }
}
