// Owns the way from a CMSIS-SVD file to a register description.
//
// Source: Arm, "CMSIS-SVD description format" 1.3 (open-cmsis-pack.github.io/svd-spec): device, peripherals, registers
// level, dim, enumerated values.

import Bus

extension RegisterDescription {
  /// Reads a file's bytes. Anything may be in them: what cannot be used is left out and stands in ``problems``.
  ///
  /// - Throws: what makes the whole file useless: it is no XML, no SVD file, or too large in what it comes to.
  public init(svd bytes: [UInt8]) throws(SVDError) {
    let root = try XMLTree.read(bytes)
    guard root.name == "device" else {
      throw SVDError(line: root.line, message: "<\(root.name)> is not the <device> that an SVD file begins with")
    }
    guard let list = root.child("peripherals") else {
      throw SVDError(line: root.line, message: "<device> has no <peripherals>")
    }
    var reader = SVDReader(list.children.filter { $0.name == "peripheral" })
    let peripherals = try reader.peripherals(root)
    self.init(name: root.title, peripherals: peripherals, problems: reader.problems)
  }
}

struct SVDReader {
  /// Registers that a file may come to with all its arrays; the largest chips have some ten thousand.
  private static let mostRegisters = 1 << 18
  private static let mostPeripherals = 1 << 14
  /// Elements to look at, those of derived ones each time.
  private static let mostElements = 1 << 21
  /// Bits of a register.
  static let widest = 1 << 16
  /// Bytes, with the names of the clusters around.
  static let longestName = 1024

  /// What registers have unless they say otherwise.
  private struct Defaults: Hashable {
    /// Bits.
    var size: UInt64 = 32
    var access = RegisterInfo.Access.readWrite
    var reset: UInt64 = 0
  }

  /// What an element was read for: the same list of registers under other names is read once.
  private struct Key: Hashable {
    var place: Int
    var defaults: Defaults
  }

  private(set) var problems: [SVDError] = []
  private let level: SVDLevel
  private let derivations: SVDDerivations
  private var known: [Key: [RegisterInfo]] = [:]
  private var elementCount = 0

  init(_ peripherals: [XMLElement]) {
    level = SVDLevel(peripherals, in: nil)
    derivations = SVDDerivations(level)
  }

  /// Notes what is odd about an element; what is too much for this program ends the reading.
  private mutating func skip(_ problem: SVDError, _ owner: String = "") throws(SVDError) {
    guard !problem.isFatal else { throw problem }
    let prefix = owner.isEmpty ? "" : owner + ": "
    problems.append(SVDError(line: problem.line, message: prefix + problem.message))
  }

  private mutating func count(_ element: XMLElement) throws(SVDError) {
    elementCount += 1
    guard elementCount <= Self.mostElements else {
      throw SVDError(line: element.line, message: "more than \(Self.mostElements) elements", isFatal: true)
    }
  }

  private mutating func defaults(
    _ element: XMLElement, _ outer: Defaults, _ owner: String
  ) throws(SVDError) -> Defaults {
    var result = outer
    do throws(SVDError) {
      if let value = try element.number("size") { result.size = value }
    } catch { try skip(error, owner) }
    do throws(SVDError) {
      if let value = try element.number("resetValue") { result.reset = value }
    } catch { try skip(error, owner) }
    switch element.child("access")?.text.trimmed.lowercased() {
    case nil: break
    case "read-only": result.access = .readOnly
    case "write-only", "writeonce": result.access = .writeOnly
    case "read-write", "read-writeonce": result.access = .readWrite
    case let word?:
      try skip(
        SVDError(
          line: element.line, message: "access '\(word.excerpt)' is none of read-only, write-only, read-write"), owner)
    }
    return result
  }

  // MARK: Peripherals

  mutating func peripherals(_ device: XMLElement) throws(SVDError) -> [RegisterDescription.Peripheral] {
    let defaults = try defaults(device, Defaults(), "")
    var result: [RegisterDescription.Peripheral] = []
    for element in level.elements {
      do throws(SVDError) {
        try count(element)
        try add(element, defaults, to: &result)
      } catch { try skip(error, element.title.excerpt) }
    }
    return result
  }

  private mutating func add(
    _ element: XMLElement, _ defaults: Defaults, to result: inout [RegisterDescription.Peripheral]
  ) throws(SVDError) {
    let whole = try derivations.whole(element, in: level)
    let base = try whole.required("baseAddress", of: "it")
    var registers: [RegisterInfo] = []
    if let list = whole.child("registers") {
      let inner = try self.defaults(whole, defaults, whole.title.excerpt)
      let key = Key(place: list.place, defaults: inner)
      if let same = known[key] {
        registers = same
      } else {
        registers = try self.registers(SVDLevel(list.members, in: level), inner, whole.title.excerpt)
        registers.sort { ($0.offset, $0.name) < ($1.offset, $1.name) }
        known[key] = registers
      }
    }
    var size = registers.map { $0.offset + UInt64($0.width) }.max() ?? 0
    for block in whole.children where block.name == "addressBlock" {
      do throws(SVDError) {
        let end = (try block.number("offset") ?? 0).addingReportingOverflow(try block.number("size") ?? 0)
        if !end.overflow { size = max(size, end.partialValue) }
      } catch { try skip(error, whole.title.excerpt) }
    }
    for copy in try whole.copies() {
      let start = base.addingReportingOverflow(copy.offset)
      guard !start.overflow, size == 0 || start.partialValue <= UInt64.max - (size - 1) else {
        throw SVDError(line: element.line, message: "peripheral \(copy.name) goes beyond the last address")
      }
      guard result.count < Self.mostPeripherals else {
        throw SVDError(line: element.line, message: "more than \(Self.mostPeripherals) peripherals", isFatal: true)
      }
      result.append(
        .init(
          name: copy.name, base: start.partialValue, size: size, summary: whole.child("description")?.text.line ?? "",
          registers: registers))
    }
  }

  // MARK: Registers

  /// The registers of a level and of the clusters in it, at offsets and with names from there.
  private mutating func registers(
    _ level: SVDLevel, _ defaults: Defaults, _ owner: String
  ) throws(SVDError) -> [RegisterInfo] {
    var result: [RegisterInfo] = []
    for element in level.elements {
      try count(element)
      do throws(SVDError) {
        try add(element, in: level, defaults, owner, to: &result)
      } catch { try skip(error, "\(owner).\(element.title.excerpt)") }
    }
    return result
  }

  private mutating func add(
    _ element: XMLElement, in level: SVDLevel, _ defaults: Defaults, _ owner: String, to result: inout [RegisterInfo]
  ) throws(SVDError) {
    let whole = try derivations.whole(element, in: level)
    let name = "\(owner).\(whole.title.excerpt)"
    let inner = try self.defaults(whole, defaults, name)
    let offset = try whole.number("addressOffset") ?? 0
    let inside =
      element.name == "cluster"
      ? try registers(SVDLevel(whole.members, in: level), inner, name)
      : [try register(whole, in: level, inner, name)]
    // A cluster of nothing is nothing, however often.
    guard !inside.isEmpty else { return }
    for copy in try whole.copies() {
      let start = offset.addingReportingOverflow(copy.offset)
      guard !start.overflow, start.partialValue < 1 << 48 else {
        throw SVDError(line: element.line, message: "no possible addressOffset")
      }
      guard result.count + inside.count <= Self.mostRegisters else {
        throw SVDError(line: element.line, message: "more than \(Self.mostRegisters) registers", isFatal: true)
      }
      for register in inside {
        let name = element.name == "cluster" ? copy.name + "_" + register.name : copy.name
        guard name.utf8.count <= Self.longestName else {
          throw SVDError(
            line: element.line, message: "a name of \(name.utf8.count) bytes; \(Self.longestName) are the most")
        }
        result.append(
          RegisterInfo(
            name, start.partialValue + register.offset, width: register.width, register.access,
            reset: register.resetValue, sideEffectOnRead: register.sideEffectOnRead, register.fields))
      }
    }
  }

  /// A register at offset 0, without its name.
  private mutating func register(
    _ element: XMLElement, in level: SVDLevel, _ defaults: Defaults, _ name: String
  ) throws(SVDError) -> RegisterInfo {
    guard (1...UInt64(Self.widest)).contains(defaults.size) else {
      throw SVDError(line: element.line, message: "a register of \(defaults.size) bits")
    }
    var fields: [Field] = []
    var hasEffect = element.child("readAction") != nil
    let fieldLevel = SVDLevel(element.members, in: level)
    for field in fieldLevel.elements {
      try count(field)
      do throws(SVDError) {
        let whole = try derivations.whole(field, in: fieldLevel)
        hasEffect = hasEffect || whole.child("readAction") != nil
        try add(
          whole, Int(defaults.size), SVDLevel(whole.members, in: fieldLevel), "\(name).\(whole.title)", to: &fields)
      } catch { try skip(error, "\(name).\(field.title.excerpt)") }
    }
    return RegisterInfo(
      "", 0, width: (Int(defaults.size) + 7) / 8, defaults.access, reset: defaults.reset, sideEffectOnRead: hasEffect,
      fields.sorted { $0.bits.lowerBound < $1.bits.lowerBound })
  }

  private mutating func add(
    _ field: XMLElement, _ size: Int, _ level: SVDLevel, _ name: String, to fields: inout [Field]
  ) throws(SVDError) {
    let bits = try field.bits(field.title.excerpt)
    let copies = try field.copies()
    let values = try values(level, name)
    for copy in copies {
      let low = UInt64(bits.lowerBound) + copy.offset
      guard low + UInt64(bits.count) <= UInt64(size) else {
        throw SVDError(line: field.line, message: "it is outside of its register's \(size) bits")
      }
      fields.append(.field(copy.name, Int(low)..<Int(low) + bits.count, values))
    }
  }

  // MARK: Enumerated values

  /// What a field's values are called when it is read, or else when it is written.
  private mutating func values(_ level: SVDLevel, _ owner: String) throws(SVDError) -> [Field.Value] {
    var found: (read: [Field.Value], written: [Field.Value]) = ([], [])
    for element in level.elements {
      try count(element)
      do throws(SVDError) {
        let whole = try derivations.whole(element, in: level)
        var values: [Field.Value] = []
        for value in whole.children where value.name == "enumeratedValue" {
          try count(value)
          do throws(SVDError) { values.append(try self.value(value)) } catch { try skip(error, owner) }
        }
        // What is meant for all others comes last.
        values = values.filter { $0.mask != 0 } + values.filter { $0.mask == 0 }
        if whole.child("usage")?.text.trimmed == "write" { found.written += values } else { found.read += values }
      } catch { try skip(error, owner) }
    }
    return found.read.isEmpty ? found.written : found.read
  }

  private func value(_ element: XMLElement) throws(SVDError) -> Field.Value {
    let name = element.title.isEmpty ? element.child("description")?.text.line ?? "" : element.title
    if ["true", "1"].contains(element.child("isDefault")?.text.trimmed) { return Field.Value(name, 0, mask: 0) }
    guard let text = element.child("value")?.text.trimmed, let number = text.svdNumber else {
      throw SVDError(line: element.line, message: "the enumerated value '\(name.excerpt)' has no number")
    }
    return Field.Value(name, number.value, mask: number.mask)
  }
}
