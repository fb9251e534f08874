// Owns the small part of JSON Schema (draft 2020-12) that listings need: what values are like, and whether one is so.

import Foundation

/// What JSON values look like.
indirect enum Schema: Equatable {
  case null, boolean, integer, number, string
  /// A number in hexadecimal, in a string.
  case hex
  case array(Schema?)
  case object([String: Schema], required: Set<String>)
  /// An object with any keys.
  case map(Schema?)
  case any([Schema])

  /// What one value looks like.
  /// - Parameter maps: objects down to this depth have any keys.
  init(of value: Any, maps: Int = 0) {
    switch value {
    case is NSNull: self = .null
    case let number as NSNumber where isBoolean(number): self = .boolean
    case let number as NSNumber: self = isReal(number) ? .number : .integer
    case let text as String: self = text.wholeMatch(of: /0x[0-9a-f]+/) == nil ? .string : .hex
    case let list as [Any]: self = .array(Self.merged(list.map { Schema(of: $0, maps: maps) }))
    case let object as [String: Any] where maps > 0:
      self = .map(Self.merged(object.values.map { Schema(of: $0, maps: maps - 1) }))
    case let object as [String: Any]:
      self = .object(object.mapValues { Schema(of: $0) }, required: Set(object.keys))
    default: self = .any([])
    }
  }

  static func merged(_ schemas: [Schema]) -> Schema? {
    schemas.dropFirst().reduce(schemas.first) { $0?.merged(with: $1) }
  }

  /// What fits both.
  func merged(with other: Schema) -> Schema {
    var choices = self.choices
    for new in other.choices {
      if let place = choices.firstIndex(where: { $0.kind == new.kind }) {
        choices[place] = choices[place].mergedAsKind(with: new)
      } else {
        choices.append(new)
      }
    }
    return choices.count == 1 ? choices[0] : .any(choices.sorted { $0.kind < $1.kind })
  }

  private var choices: [Schema] { if case .any(let list) = self { list } else { [self] } }

  /// Of schemas of a kind, one fits all.
  private var kind: String {
    switch self {
    case .null: "null"
    case .boolean: "boolean"
    case .integer, .number: "number"
    case .string, .hex: "string"
    case .array: "array"
    case .object, .map: "object"
    case .any: ""
    }
  }

  private func mergedAsKind(with other: Schema) -> Schema {
    switch (self, other) {
    case _ where self == other: self
    case (.array(let one), .array(let two)): .array(Self.merged([one, two].compactMap { $0 }))
    case (.map(let one), .map(let two)): .map(Self.merged([one, two].compactMap { $0 }))
    case (.object(let one, let first), .object(let two, let second)):
      .object(one.merging(two) { $0.merged(with: $1) }, required: first.intersection(second))
    case (.map(let one), .object(let two, _)), (.object(let two, _), .map(let one)):
      .map(Self.merged([one].compactMap { $0 } + two.values))
    case (.integer, _), (.number, _): .number
    default: .string
    }
  }

  func accepts(_ value: Any) -> Bool {
    switch self {
    case .null: return value is NSNull
    case .any(let choices): return choices.contains { $0.accepts(value) }
    case .array(let element):
      guard let list = value as? [Any] else { return false }
      return list.allSatisfy { element?.accepts($0) ?? false }
    case .map(let element):
      guard let object = value as? [String: Any] else { return false }
      return object.values.allSatisfy { element?.accepts($0) ?? false }
    case .object(let properties, let required):
      guard let object = value as? [String: Any], required.isSubset(of: object.keys) else { return false }
      return object.allSatisfy { properties[$0.key]?.accepts($0.value) ?? false }
    case .string: return value is String
    case .boolean, .integer, .number, .hex:
      return Schema(of: value) == self || self == .number && Schema(of: value) == .integer
    }
  }
}

private func isReal(_ number: NSNumber) -> Bool { unsafe number.objCType.pointee == CChar(UInt8(ascii: "d")) }
private func isBoolean(_ number: NSNumber) -> Bool { unsafe number.objCType.pointee == CChar(UInt8(ascii: "c")) }

// MARK: Text

extension Schema {
  /// As a schema file has it, keys in order.
  func text(_ indentation: String = "") -> String {
    let inner = indentation + "  "
    func type(_ name: String) -> String { "{\"type\": \"\(name)\"}" }
    switch self {
    case .null: return type("null")
    case .boolean: return type("boolean")
    case .integer: return type("integer")
    case .number: return type("number")
    case .string: return type("string")
    case .hex: return "{\"type\": \"string\", \"pattern\": \"^0x[0-9a-f]+$\"}"
    case .array(nil): return "{\"type\": \"array\", \"maxItems\": 0}"
    case .array(let element?): return "{\"type\": \"array\", \"items\": \(element.text(indentation))}"
    case .map(let element):
      return "{\"type\": \"object\", \"additionalProperties\": \(element?.text(indentation) ?? "false")}"
    case .any(let choices):
      return "{\"anyOf\": [" + choices.map { $0.text(indentation) }.joined(separator: ", ") + "]}"
    case .object(let properties, let required):
      let rows = properties.sorted { $0.key < $1.key }.map { "\(inner)  \"\($0.key)\": \($0.value.text(inner + "  "))" }
      let names = required.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
      return "{\n\(inner)\"type\": \"object\",\n\(inner)\"properties\": {\n" + rows.joined(separator: ",\n")
        + "\n\(inner)},\n\(inner)\"required\": [\(names)],\n\(inner)\"additionalProperties\": false\n\(indentation)}"
    }
  }

  /// Reads what ``text(_:)`` has written.
  init?(file value: Any) {
    guard let object = value as? [String: Any] else { return nil }
    if let choices = object["anyOf"] as? [Any] {
      self = .any(choices.compactMap(Schema.init(file:)))
      return
    }
    switch object["type"] as? String {
    case "null": self = .null
    case "boolean": self = .boolean
    case "integer": self = .integer
    case "number": self = .number
    case "string": self = object["pattern"] == nil ? .string : .hex
    case "array": self = .array(object["items"].flatMap(Schema.init(file:)))
    case "object":
      guard let properties = object["properties"] as? [String: Any] else {
        self = .map(object["additionalProperties"].flatMap(Schema.init(file:)))
        return
      }
      self = .object(
        properties.compactMapValues(Schema.init(file:)), required: Set(object["required"] as? [String] ?? []))
    default: return nil
    }
  }
}
