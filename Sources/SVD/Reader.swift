// Owns the way from a CMSIS-SVD file to a register description.
//
// Source: Arm, "CMSIS-SVD description format" 1.3 (open-cmsis-pack.github.io/svd-spec): device, peripherals, registers
// level, dim, derivedFrom; the fields' three ways to say their bits.

import Bus

extension RegisterDescription {
  /// Reads a file's bytes. Anything may be in them.
  public init(svd bytes: [UInt8]) throws(SVDError) {
    let root = try XMLTree.read(bytes)
    guard root.name == "device" else {
      throw SVDError(line: root.line, message: "<\(root.name)> is not the <device> that an SVD file begins with")
    }
    guard let list = root.child("peripherals") else {
      throw SVDError(line: root.line, message: "<device> has no <peripherals>")
    }
    var reader = SVDReader(list.children.filter { $0.name == "peripheral" })
    let defaults = try SVDReader.Defaults(root, SVDReader.Defaults())
    self.init(name: root.child("name")?.text.trimmed ?? "", peripherals: try reader.peripherals(defaults))
  }
}

struct SVDReader {
  /// Registers that a file may come to with all its arrays; the largest chips have some ten thousand.
  private static let mostRegisters = 1 << 18
  private static let mostFields = 1 << 20

  /// What registers have unless they say otherwise.
  struct Defaults {
    /// Bits.
    var size: UInt64 = 32
    var access = Register.Access.readWrite
    var reset: UInt64 = 0

    init() {}

    init(_ element: XMLElement, _ outer: Defaults) throws(SVDError) {
      self = outer
      if let value = try element.number("size") { size = value }
      if let value = try element.number("resetValue") { reset = value }
      switch element.child("access")?.text.trimmed {
      case nil: break
      case "read-only": access = .readOnly
      case "write-only", "writeOnce": access = .writeOnly
      case "read-write", "read-writeOnce": access = .readWrite
      case let word?:
        throw SVDError(line: element.line, message: "access '\(word)' is none of read-only, write-only, read-write")
      }
    }
  }

  private let elements: [XMLElement]
  private var count = 0
  private var fieldCount = 0

  init(_ elements: [XMLElement]) { self.elements = elements }

  mutating func peripherals(_ defaults: Defaults) throws(SVDError) -> [RegisterDescription.Peripheral] {
    var named: [String: XMLElement] = [:]
    for element in elements { named[element.child("name")?.text.trimmed ?? ""] = element }
    var result: [RegisterDescription.Peripheral] = []
    for element in elements {
      let whole = try derived(element, named)
      for copy in try copies(of: whole, "peripheral") {
        let base = try whole.required("baseAddress", of: copy.name)
        var registers: [Register] = []
        if let list = whole.child("registers") {
          try add(list.children, to: &registers, prefix: "", offset: 0, Defaults(whole, defaults))
        }
        registers.sort { ($0.offset, $0.name) < ($1.offset, $1.name) }
        var size = registers.map { $0.offset + UInt64($0.width) }.max() ?? 0
        for block in whole.children where block.name == "addressBlock" {
          let end = (try block.number("offset") ?? 0).addingReportingOverflow(try block.number("size") ?? 0)
          if !end.overflow { size = max(size, end.partialValue) }
        }
        let start = base.addingReportingOverflow(copy.offset)
        guard !start.overflow, size == 0 || start.partialValue <= UInt64.max - (size - 1) else {
          throw SVDError(line: element.line, message: "peripheral \(copy.name) goes beyond the last address")
        }
        result.append(
          .init(
            name: copy.name, base: start.partialValue, size: size, summary: whole.child("description")?.text.line ?? "",
            registers: registers))
      }
    }
    return result
  }

  /// An element with what it takes over from the one it is derived from.
  private func derived(
    _ element: XMLElement, _ named: [String: XMLElement], depth: Int = 0
  ) throws(SVDError) -> XMLElement {
    guard let name = element.attributes["derivedFrom"] else { return element }
    guard depth < 16 else {
      throw SVDError(line: element.line, message: "derivedFrom '\(name)' goes round in a circle")
    }
    guard let other = named[name.split(separator: ".").last.map(String.init) ?? name] else {
      throw SVDError(line: element.line, message: "derivedFrom '\(name)': there is none of that name")
    }
    let origin = try derived(other, named, depth: depth + 1)
    var whole = element
    let own = Set(element.children.map(\.name))
    // An array's dimensions are its own.
    whole.children += origin.children.filter { !own.contains($0.name) && !$0.name.hasPrefix("dim") }
    return whole
  }

  // MARK: Registers

  private mutating func add(
    _ elements: [XMLElement], to registers: inout [Register], prefix: String, offset: UInt64, _ defaults: Defaults
  ) throws(SVDError) {
    var named: [String: XMLElement] = [:]
    for element in elements { named[element.child("name")?.text.trimmed ?? ""] = element }
    for element in elements where element.name == "register" || element.name == "cluster" {
      let whole = try derived(element, named)
      let inner = try Defaults(whole, defaults)
      for copy in try copies(of: whole, element.name) {
        let own = try whole.number("addressOffset") ?? 0
        let name = prefix + copy.name
        let place = offset.addingReportingOverflow(own)
        let start = place.partialValue.addingReportingOverflow(copy.offset)
        guard !place.overflow, !start.overflow, start.partialValue < 1 << 48 else {
          throw SVDError(line: element.line, message: "\(name) has no possible addressOffset")
        }
        if element.name == "cluster" {
          let inside = whole.children.filter { $0.name == "register" || $0.name == "cluster" }
          try add(inside, to: &registers, prefix: name + "_", offset: start.partialValue, inner)
        } else {
          registers.append(try register(whole, name, start.partialValue, inner))
        }
      }
    }
  }

  private mutating func register(
    _ element: XMLElement, _ name: String, _ offset: UInt64, _ defaults: Defaults
  ) throws(SVDError) -> Register {
    count += 1
    guard count <= Self.mostRegisters else {
      throw SVDError(line: element.line, message: "more than \(Self.mostRegisters) registers")
    }
    guard [8, 16, 32, 64].contains(defaults.size) else {
      throw SVDError(line: element.line, message: "register \(name) has \(defaults.size) bits, not 8, 16, 32 or 64")
    }
    var fields: [Field] = []
    for field in element.child("fields")?.children ?? [] where field.name == "field" {
      for copy in try copies(of: field, "field") {
        let bits = try bits(of: field, copy.name)
        let low = UInt64(bits.lowerBound) &+ copy.offset
        guard low + UInt64(bits.count) <= defaults.size else {
          throw SVDError(
            line: field.line, message: "field \(name).\(copy.name) is outside of its register's \(defaults.size) bits")
        }
        fieldCount += 1
        guard fieldCount <= Self.mostFields else {
          throw SVDError(line: field.line, message: "more than \(Self.mostFields) fields")
        }
        fields.append(.field(copy.name, Int(low)..<Int(low) + bits.count))
      }
    }
    let hasEffect = element.child("readAction") != nil
    return Register(
      name, offset, width: Int(defaults.size / 8), defaults.access, reset: defaults.reset,
      sideEffectOnRead: hasEffect, fields.sorted { $0.bits.lowerBound < $1.bits.lowerBound })
  }

  /// `bitOffset` and `bitWidth`, or `lsb` and `msb`, or `bitRange` such as `[7:4]`.
  private func bits(of field: XMLElement, _ name: String) throws(SVDError) -> Range<Int> {
    var low = try field.number("bitOffset")
    var high: UInt64?
    if let low {
      let width = try field.number("bitWidth") ?? 1
      high = low &+ width &- 1
    } else {
      low = try field.number("lsb")
      high = try field.number("msb")
    }
    if let range = field.child("bitRange")?.text.trimmed {
      let parts = range.dropFirst().dropLast().split(separator: ":")
      (high, low) = parts.count == 2 ? (UInt64(parts[0]), UInt64(parts[1])) : (nil, nil)
    }
    guard let low, let high, low <= high, high < 64 else {
      throw SVDError(line: field.line, message: "field \(name) does not say which bits it has")
    }
    return Int(low)..<Int(high) + 1
  }

  // MARK: Arrays

  /// The names that an element stands for, and their distances: one, or `dim` of them.
  private func copies(of element: XMLElement, _ kind: String) throws(SVDError) -> [(name: String, offset: UInt64)] {
    let name = element.child("name")?.text.trimmed ?? ""
    guard !name.isEmpty else { throw SVDError(line: element.line, message: "a \(kind) without a <name>") }
    guard let dim = try element.number("dim") else { return [(name, 0)] }
    let step = try element.required("dimIncrement", of: name)
    guard (1...65536).contains(dim), step <= 1 << 32 else {
      throw SVDError(line: element.line, message: "\(name) is an array of \(dim), \(step) apart")
    }
    let indices = try indices(element.child("dimIndex")?.text.trimmed, Int(dim), element)
    return indices.enumerated().map { number, index in
      let text =
        name.contains("[%s]") ? name.replacing("[%s]", with: "[\(index)]") : name.replacing("%s", with: index)
      return (name.contains("%s") ? text : "\(name)[\(index)]", UInt64(number) * step)
    }
  }

  /// `0-3`, `A-D` or `A,B,C`; numbers from 0 if nothing is said.
  private func indices(_ text: String?, _ count: Int, _ element: XMLElement) throws(SVDError) -> [String] {
    guard let text else { return (0..<count).map(String.init) }
    let words = text.split(separator: ",").map { String($0).trimmed }
    if words.count == count, count > 1 || !text.contains("-") { return words }
    let ends = text.split(separator: "-").map { String($0).trimmed }
    if ends.count == 2 {
      if let first = Int(ends[0]), let last = Int(ends[1]), last &- first == count - 1, last >= first {
        return (first...last).map(String.init)
      }
      let letters = ends.map { Array($0.unicodeScalars) }
      if letters.allSatisfy({ $0.count == 1 }), letters[1][0].value &- letters[0][0].value == UInt32(count - 1) {
        return (0..<UInt32(count)).compactMap { Unicode.Scalar(letters[0][0].value + $0).map { String($0) } }
      }
    }
    throw SVDError(line: element.line, message: "dimIndex '\(text)' does not name \(count) elements")
  }
}

extension XMLElement {
  /// The number in a child: decimal, `0x…`, `#…` or `0b…` (binary; `x` for bits that do not matter).
  func number(_ name: String) throws(SVDError) -> UInt64? {
    guard let child = child(name) else { return nil }
    let text = child.text.trimmed.lowercased()
    let digits = text.hasPrefix("+") ? text.dropFirst() : text[...]
    let value: UInt64? =
      if digits.hasPrefix("0x") {
        UInt64(digits.dropFirst(2), radix: 16)
      } else if digits.hasPrefix("#") || digits.hasPrefix("0b") {
        UInt64(digits.dropFirst(digits.hasPrefix("#") ? 1 : 2).replacing("x", with: "0"), radix: 2)
      } else {
        UInt64(digits)
      }
    guard let value else { throw SVDError(line: child.line, message: "<\(name)> '\(child.text.trimmed)' is no number") }
    return value
  }

  func required(_ name: String, of owner: String) throws(SVDError) -> UInt64 {
    guard let value = try number(name) else {
      throw SVDError(line: line, message: "\(owner) has no <\(name)>")
    }
    return value
  }
}

extension String {
  var trimmed: String {
    let start = firstIndex { !$0.isWhitespace } ?? endIndex
    let end = lastIndex { !$0.isWhitespace }.map { index(after: $0) } ?? endIndex
    return start < end ? String(self[start..<end]) : ""
  }

  /// In one line.
  var line: String { split(whereSeparator: \.isWhitespace).joined(separator: " ") }
}
