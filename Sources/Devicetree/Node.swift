// Nodes and properties of a devicetree as values, with typed views of property bytes.
//
// Source: Devicetree Specification v0.4, section 2.2 (structure) and 2.2.4 (property values).

/// The contents of a property, as they are written.
public enum PropertyValue: Sendable, Equatable {
  /// A property that only exists.
  case empty
  case bytes([UInt8])
  case string(String)
  case strings([String])
  /// 32-bit big-endian cells.
  case cells([UInt32])
  /// One 64-bit big-endian number.
  case u64(UInt64)

  /// The bytes as they stand in a blob.
  public var encoded: [UInt8] {
    switch self {
    case .empty: []
    case .bytes(let bytes): bytes
    case .string(let text): Array(text.utf8) + [0]
    case .strings(let list): list.flatMap { Array($0.utf8) + [0] }
    case .cells(let cells): cells.flatMap(\.bigEndianBytes)
    case .u64(let value): UInt32(value >> 32).bigEndianBytes + UInt32(truncatingIfNeeded: value).bigEndianBytes
    }
  }
}

extension UInt32 {
  var bigEndianBytes: [UInt8] {
    [UInt8(self >> 24), UInt8(truncatingIfNeeded: self >> 16), UInt8(truncatingIfNeeded: self >> 8)]
      + [UInt8(truncatingIfNeeded: self)]
  }
}

/// A named property and its bytes.
public struct Property: Sendable, Equatable {
  public let name: String
  public var bytes: [UInt8]

  public init(_ name: String, _ value: PropertyValue) {
    self.name = name
    bytes = value.encoded
  }

  /// The bytes as 32-bit big-endian cells; nil when their count is no multiple of 4.
  public var cells: [UInt32]? {
    guard bytes.count % 4 == 0 else { return nil }
    return stride(from: 0, to: bytes.count, by: 4).map { index in
      bytes[index..<index + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
  }

  /// The first cell.
  public var u32: UInt32? { cells?.first }

  /// The value of one cell, or of two with the high cell first; nil for any other length.
  public var number: UInt64? {
    guard let cells, cells.count == 1 || cells.count == 2 else { return nil }
    return cells.reduce(0) { $0 << 32 | UInt64($1) }
  }

  /// The bytes as strings that each end in NUL; nil when they are no such text.
  public var strings: [String]? {
    guard let last = bytes.last, last == 0 else { return nil }
    var list: [String] = []
    for part in bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false) {
      guard let text = String(validating: part, as: UTF8.self) else { return nil }
      list.append(text)
    }
    return list
  }

  /// The first string.
  public var string: String? { strings?.first }
}

/// A node: its name with unit address, its properties and its children, each in order.
public struct Node: Sendable, Equatable {
  public var name: String
  public private(set) var properties: [Property]
  public var children: [Node]

  public init(_ name: String, _ properties: [Property] = [], children: [Node] = []) {
    self.name = name
    self.properties = properties
    self.children = children
  }

  /// The property of this name.
  public func property(_ name: String) -> Property? { properties.first { $0.name == name } }
  public func has(_ name: String) -> Bool { property(name) != nil }
  public func cells(_ name: String) -> [UInt32]? { property(name)?.cells }
  public func u32(_ name: String) -> UInt32? { property(name)?.u32 }
  public func number(_ name: String) -> UInt64? { property(name)?.number }
  public func strings(_ name: String) -> [String]? { property(name)?.strings }
  public func string(_ name: String) -> String? { property(name)?.string }

  /// The `compatible` strings, most specific first.
  public var compatible: [String] { strings("compatible") ?? [] }
  /// Whether `status` is absent or `okay` (`ok` in old trees).
  public var isEnabled: Bool { ["okay", "ok"].contains(string("status") ?? "okay") }
  /// The number other nodes refer to this one by.
  public var phandle: UInt32? { u32("phandle") ?? u32("linux,phandle") }

  /// Adds a property or replaces its value in place.
  public mutating func set(_ name: String, _ value: PropertyValue) {
    if let index = properties.firstIndex(where: { $0.name == name }) {
      properties[index].bytes = value.encoded
    } else {
      properties.append(Property(name, value))
    }
  }

  /// Removes a property; returns whether it was there.
  @discardableResult
  public mutating func remove(_ name: String) -> Bool {
    let before = properties.count
    properties.removeAll { $0.name == name }
    return properties.count != before
  }

  /// Position of the child that a path component names: in full, or without its unit address.
  func childIndex(_ component: some StringProtocol) -> Int? {
    children.firstIndex { $0.name == component }
      ?? children.firstIndex { $0.name.prefix { $0 != "@" } == component }
  }
}
