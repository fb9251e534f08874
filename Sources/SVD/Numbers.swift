// Owns the small languages inside of SVD elements: numbers, bits of fields, indices of arrays.

import Bus

extension XMLElement {
  /// The number in a child: decimal, `0x…`, `#…` or `0b…` (binary; `x` for bits that do not matter), with `k`, `m`, `g`
  /// or `t` behind it for powers of 1024 (the schema's scaledNonNegativeInteger).
  func number(_ name: String) throws(SVDError) -> UInt64? {
    guard let child = child(name) else { return nil }
    guard let value = child.text.trimmed.svdNumber?.value else {
      throw SVDError(line: child.line, message: "<\(name)> '\(child.text.excerpt)' is no number")
    }
    return value
  }

  func required(_ name: String, of owner: String) throws(SVDError) -> UInt64 {
    guard let value = try number(name) else {
      throw SVDError(line: line, message: "\(owner) has no <\(name)>")
    }
    return value
  }

  /// What `derivedFrom` calls it.
  var title: String { child("name")?.text.trimmed ?? "" }

  /// The bits of a field: `bitOffset` and `bitWidth`, or `lsb` and `msb`, or `bitRange` such as `[7:4]`.
  func bits(_ name: String) throws(SVDError) -> Range<Int> {
    var low = try number("bitOffset")
    var high: UInt64?
    if let low {
      let width = try number("bitWidth") ?? 1
      high = low &+ width &- 1
    } else {
      low = try number("lsb")
      high = try number("msb")
    }
    if let range = child("bitRange")?.text.trimmed {
      let parts = range.dropFirst().dropLast().split(separator: ":").map { String($0).trimmed.svdNumber?.value }
      (high, low) = parts.count == 2 ? (parts[0], parts[1]) : (nil, nil)
    }
    guard let low, let high, low <= high, high < UInt64(SVDReader.widest) else {
      throw SVDError(line: line, message: "field \(name) does not say which bits it has")
    }
    return Int(low)..<Int(high) + 1
  }

  // MARK: Arrays

  /// The names that an element stands for, and their distances: one, or `dim` of them.
  func copies() throws(SVDError) -> [(name: String, offset: UInt64)] {
    let name = title
    guard !name.isEmpty else { throw SVDError(line: line, message: "a \(self.name) without a <name>") }
    guard name.utf8.count <= SVDReader.longestName else {
      throw SVDError(line: line, message: "a name of \(name.utf8.count) bytes; \(SVDReader.longestName) are the most")
    }
    guard let dim = try number("dim") else { return [(name, 0)] }
    let step = try required("dimIncrement", of: name)
    guard (1...65536).contains(dim), step <= 1 << 32 else {
      throw SVDError(line: line, message: "\(name) is an array of \(dim), \(step) apart")
    }
    let indices = try indices(child("dimIndex")?.text.trimmed, Int(dim))
    return indices.enumerated().map { number, index in
      let text =
        name.contains("[%s]") ? name.replacing("[%s]", with: "[\(index)]") : name.replacing("%s", with: index)
      return (name.contains("%s") ? text : "\(name)[\(index)]", UInt64(number) * step)
    }
  }

  /// `0-3`, `A-D` or `A,B,C`; numbers from 0 if nothing is said.
  private func indices(_ text: String?, _ count: Int) throws(SVDError) -> [String] {
    guard let text, !text.isEmpty else { return (0..<count).map(String.init) }
    let words = text.split(separator: ",").map { String($0).trimmed }
    if words.count == count, count > 1 || !text.contains("-") { return words }
    let ends = text.split(separator: "-").map { String($0).trimmed }
    if ends.count == 2 {
      if let first = Int(ends[0]), let last = Int(ends[1]), last >= first, last - first == count - 1 {
        return (first...last).map(String.init)
      }
      let letters = ends.map { Array($0.unicodeScalars) }
      if letters.allSatisfy({ $0.count == 1 }), letters[1][0].value &- letters[0][0].value == UInt32(count - 1) {
        return (0..<UInt32(count)).compactMap { Unicode.Scalar(letters[0][0].value + $0).map { String($0) } }
      }
    }
    throw SVDError(line: line, message: "dimIndex '\(text.excerpt)' does not name \(count) elements")
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

  /// The beginning, for messages.
  var excerpt: String { trimmed.count > 40 ? trimmed.prefix(40) + "…" : trimmed }

  /// A number, and which of its bits matter.
  var svdNumber: (value: UInt64, mask: UInt64)? {
    var digits = lowercased()[...]
    if digits.hasPrefix("+") { digits.removeFirst() }
    let units: [Character: UInt64] = ["k": 10, "m": 20, "g": 30, "t": 40]
    let shift = digits.last.flatMap { units[$0] }
    if shift != nil { digits.removeLast() }
    var mask = UInt64.max
    var value: UInt64?
    if digits.hasPrefix("0x") {
      value = UInt64(digits.dropFirst(2), radix: 16)
    } else if digits.hasPrefix("#") || digits.hasPrefix("0b") {
      digits.removeFirst(digits.hasPrefix("#") ? 1 : 2)
      value = UInt64(digits.replacing("x", with: "0"), radix: 2)
      mask = ~(UInt64(digits.replacing("1", with: "0").replacing("x", with: "1"), radix: 2) ?? 0)
    } else {
      value = UInt64(digits)
    }
    guard let value, shift.map({ value <= UInt64.max >> $0 }) ?? true else { return nil }
    return (value << (shift ?? 0), mask)
  }
}
