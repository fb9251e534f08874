// The reading half of the snapshot form; see `SnapshotCoder.swift`.

final class SnapshotReader {
  private let bytes: [UInt8]
  private(set) var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func get<T: Decodable>(_ type: T.Type) throws -> T {
    let start = position
    let value: Any
    if type == Bool.self {
      let byte = try integer(UInt8.self)
      guard byte <= 1 else { throw SnapshotError.malformed(type: "Bool", offset: start) }
      value = byte == 1
    } else if let type = type as? any FixedWidthInteger.Type {
      value = try integer(type)
    } else if type == Double.self {
      value = Double(bitPattern: try integer(UInt64.self))
    } else if type == Float.self {
      value = Float(bitPattern: try integer(UInt32.self))
    } else if type == String.self {
      guard let text = String(validating: try list(), as: UTF8.self) else {
        throw SnapshotError.malformed(type: "String", offset: start)
      }
      value = text
    } else if type == [UInt8].self {
      value = try list()
    } else {
      return try T(from: ValueDecoder(reader: self))
    }
    guard let value = value as? T else { throw SnapshotError.malformed(type: "\(type)", offset: start) }
    return value
  }

  func integer<T: FixedWidthInteger>(_ type: T.Type) throws(SnapshotError) -> T {
    guard bytes.count - position >= T.bitWidth / 8 else { throw .truncated(offset: bytes.count) }
    var value: T = 0
    for byte in 0..<T.bitWidth / 8 { value |= T(truncatingIfNeeded: bytes[position + byte]) << T(8 * byte) }
    position += T.bitWidth / 8
    return value
  }

  /// A count that the rest of the bytes could hold at one byte an element.
  func count() throws(SnapshotError) -> Int {
    let count = Int(try integer(UInt32.self))
    guard count <= bytes.count - position else { throw .truncated(offset: bytes.count) }
    return count
  }

  func list() throws(SnapshotError) -> [UInt8] {
    let count = try count()
    position += count
    return Array(bytes[position - count..<position])
  }
}

struct ValueDecoder: Decoder {
  let reader: SnapshotReader
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
    KeyedDecodingContainer(KeyedReader(reader: reader))
  }
  func unkeyedContainer() throws -> any UnkeyedDecodingContainer { try ListReader(reader: reader) }
  func singleValueContainer() -> any SingleValueDecodingContainer { SingleReader(reader: reader) }
}

struct KeyedReader<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let reader: SnapshotReader
  var codingPath: [any CodingKey] { [] }
  var allKeys: [Key] { [] }

  func contains(_ key: Key) -> Bool { true }
  func decodeNil(forKey key: Key) throws -> Bool { try !reader.get(Bool.self) }
  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try reader.get(type) }
  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedDecodingContainer<Nested>
  {
    ValueDecoder(reader: reader).container(keyedBy: type)
  }
  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { try ListReader(reader: reader) }
  func superDecoder() -> any Decoder { ValueDecoder(reader: reader) }
  func superDecoder(forKey key: Key) -> any Decoder { ValueDecoder(reader: reader) }
}

struct ListReader: UnkeyedDecodingContainer {
  let reader: SnapshotReader
  let total: Int
  var currentIndex = 0
  var count: Int? { total }
  var isAtEnd: Bool { currentIndex >= total }
  var codingPath: [any CodingKey] { [] }

  init(reader: SnapshotReader) throws {
    self.reader = reader
    total = try reader.count()
  }

  mutating func next() throws -> SnapshotReader {
    guard !isAtEnd else { throw SnapshotError.malformed(type: "list element", offset: reader.position) }
    currentIndex += 1
    return reader
  }
  mutating func decodeNil() -> Bool { false }
  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next().get(type) }
  mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws -> KeyedDecodingContainer<Nested> {
    ValueDecoder(reader: try next()).container(keyedBy: type)
  }
  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try ListReader(reader: next()) }
  mutating func superDecoder() throws -> any Decoder { ValueDecoder(reader: try next()) }
}

struct SingleReader: SingleValueDecodingContainer {
  let reader: SnapshotReader
  var codingPath: [any CodingKey] { [] }

  func decodeNil() -> Bool { false }
  func decode<T: Decodable>(_ type: T.Type) throws -> T { try reader.get(type) }
}
