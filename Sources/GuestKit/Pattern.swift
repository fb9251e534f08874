// Owns the notation of instruction encodings: pattern strings compiled to mask, value and field layout.

/// A pattern string that cannot be compiled, or rows that contradict each other.
public struct PatternError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// The name of a field: a lower-case letter.
public struct PatternField: ExpressibleByUnicodeScalarLiteral, Hashable, Sendable, BitwiseCopyable {
  /// 0 for `a` to 25 for `z`.
  public let index: Int
  @inlinable public init(unicodeScalarLiteral letter: Unicode.Scalar) { index = Int(letter.value) &- 97 }
  @inlinable public init?(letter: UInt8) {
    guard letter >= 97, letter <= 122 else { return nil }
    index = Int(letter) - 97
  }
  @inlinable public static var count: Int { 26 }
  public var name: String { String(UnicodeScalar(UInt8(97 + index))) }
}

/// A run of neighbouring bits of a field: where they stand in the encoding, and where in the field's value.
public struct FieldRun: Equatable, Sendable {
  /// As many low ones as it has bits.
  var mask: UInt32 = 0
  var from: UInt8 = 0
  var to: UInt8 = 0
  /// Sign extension of the whole value: 64 less its width, 0 for none. Only in the first run.
  var signShift: UInt8 = 0
  /// Added to the whole value. Only in the first run.
  var add: Int32 = 0
}

/// A compiled pattern string.
///
/// The string gives 16 or 32 bits, the highest first: `0` and `1` are fixed, `.` is ignored, a lower-case letter is a
/// bit of the field of that name. Spaces are free. The bits of a field, highest first, make its value; after a
/// semicolon a field can be described further, in items divided by spaces:
/// - `i=12|10:5|4:1|11`: the places of the field's bits in its value, in the order of the encoding; the rest is 0. With
///   `u` before the first place the value is unsigned whatever its letter.
/// - `d+8`: a number is added to the value.
/// - `s=2`, `s=d`: a field the encoding lacks has a fixed value, or that of another.
/// - `d!=0`: encodings with this value do not belong to the pattern.
///
/// Letters of `signed` are sign-extended from their highest place.
public struct Pattern: Sendable {
  /// Bytes: 2 or 4.
  public private(set) var length = 0
  public private(set) var mask: UInt32 = 0
  public private(set) var value: UInt32 = 0
  /// Bits that are neither fixed nor part of a field.
  public private(set) var ignored: UInt32 = 0
  /// By ``PatternField/index``, each field's runs; empty for a field that is not there.
  public private(set) var fields: [[FieldRun]] = Array(repeating: [], count: PatternField.count)
  /// Values that fields must not have.
  public private(set) var exclusions: [(field: PatternField, value: Int)] = []

  public init(_ text: String, signed: String = "i") throws(PatternError) {
    let parts = text.split(separator: ";", maxSplits: 1)
    guard let bitText = parts.first else { throw PatternError("empty pattern") }
    var positions: [[Int]] = Array(repeating: [], count: PatternField.count)
    let bits = bitText.utf8.filter { $0 != UInt8(ascii: " ") }
    guard bits.count == 16 || bits.count == 32 else {
      throw PatternError("\(text): \(bits.count) bits, not 16 or 32")
    }
    length = bits.count / 8
    for (index, character) in bits.enumerated() {
      let bit = bits.count - 1 - index
      switch character {
      case UInt8(ascii: "0"): mask |= 1 << UInt32(bit)
      case UInt8(ascii: "1"):
        mask |= 1 << UInt32(bit)
        value |= 1 << UInt32(bit)
      case UInt8(ascii: "."): ignored |= 1 << UInt32(bit)
      default:
        guard let field = PatternField(letter: character) else {
          throw PatternError("\(text): unknown character in bits")
        }
        positions[field.index].append(bit)
      }
    }
    let items = parts.count > 1 ? parts[1].split(separator: " ") : []
    try place(positions, items, signed: signed, in: text)
    for item in items { try apply(item, present: positions, in: text) }
  }

  /// Lays out the fields that have bits of their own.
  private mutating func place(
    _ positions: [[Int]], _ items: [Substring], signed: String, in text: String
  ) throws(PatternError) {
    for index in positions.indices where !positions[index].isEmpty {
      let bits = positions[index]
      let letter = UInt8(97 + index)
      var places = Array((0..<bits.count).reversed())
      var isSigned = signed.utf8.contains(letter)
      if let item = items.first(where: { $0.utf8.starts(with: [letter, UInt8(ascii: "=")]) }) {
        var order = item.dropFirst(2)
        if order.first == "u" {
          isSigned = false
          order = order.dropFirst()
        }
        places = try Self.places(order, in: text)
        guard places.count == bits.count else {
          throw PatternError("\(text): \(item) has \(places.count) places for \(bits.count) bits")
        }
      }
      fields[index] = Self.runs(from: bits, to: places)
      if isSigned { fields[index][0].signShift = UInt8(63 - (places.max() ?? 0)) }
    }
  }

  private mutating func apply(_ item: Substring, present: [[Int]], in text: String) throws(PatternError) {
    guard let letter = item.utf8.first, let field = PatternField(letter: letter) else {
      throw PatternError("\(text): \(item)")
    }
    let rest = item.dropFirst()
    if rest.hasPrefix("!="), let number = Int(rest.dropFirst(2)) {
      exclusions.append((field, number))
    } else if rest.hasPrefix("+"), let number = Int32(rest.dropFirst()), !fields[field.index].isEmpty {
      fields[field.index][0].add = number
    } else if rest.hasPrefix("="), present[field.index].isEmpty {
      if let number = Int32(rest.dropFirst()) {
        fields[field.index] = [FieldRun(add: number)]
      } else if rest.count == 2, let other = PatternField(letter: rest.utf8.last!), !fields[other.index].isEmpty {
        fields[field.index] = fields[other.index]
      } else {
        throw PatternError("\(text): \(item)")
      }
    } else if !rest.hasPrefix("=") {
      throw PatternError("\(text): \(item)")
    }
  }

  /// `12|10:5` to [12, 10, 9, 8, 7, 6, 5].
  private static func places(_ order: Substring, in text: String) throws(PatternError) -> [Int] {
    var places: [Int] = []
    for part in order.split(separator: "|") {
      let ends = part.split(separator: ":").compactMap { Int($0) }
      guard let high = ends.first, let low = ends.last, ends.count <= 2, high >= low, high < 64 else {
        throw PatternError("\(text): places \(order)")
      }
      places += (low...high).reversed()
    }
    return places
  }

  private static func runs(from bits: [Int], to places: [Int]) -> [FieldRun] {
    var runs: [FieldRun] = []
    for (bit, place) in zip(bits, places) {
      if let last = runs.last, Int(last.from) == bit + 1, Int(last.to) == place + 1 {
        runs[runs.count - 1].from -= 1
        runs[runs.count - 1].to -= 1
        runs[runs.count - 1].mask = last.mask << 1 | 1
      } else {
        runs.append(FieldRun(mask: 1, from: UInt8(bit), to: UInt8(place)))
      }
    }
    return runs
  }

  /// Whether `bits` is an encoding of the pattern.
  public func matches(_ bits: UInt32) -> Bool {
    bits & mask == value && exclusions.allSatisfy { extract($0.field, from: bits) != $0.value }
  }

  /// The value of `field` in `bits`; 0 for a field that is not there.
  public func extract(_ field: PatternField, from bits: UInt32) -> Int {
    guard let first = fields[field.index].first else { return 0 }
    var value = 0
    for run in fields[field.index] { value |= run.bits(of: bits) }
    return first.finish(value)
  }

  /// Whether some encoding matches both patterns and neither is a special case of the other.
  public func conflicts(with other: Pattern) -> Bool {
    let shared = mask & other.mask
    guard length == other.length, (value ^ other.value) & shared == 0 else { return false }
    if excludes(other) || other.excludes(self) { return false }
    return mask == other.mask || (shared != mask && shared != other.mask)
  }

  /// Whether every encoding of `other` has a value that a field here must not have.
  private func excludes(_ other: Pattern) -> Bool {
    exclusions.contains { field, value in
      let bits = fields[field.index].reduce(UInt32(0)) { $0 | $1.encodingMask }
      return bits & ~other.mask == 0 && extract(field, from: other.value) == value
    }
  }

  /// An encoding with random fields; ignored bits are 0.
  public func randomEncoding(using generator: inout some RandomNumberGenerator) -> UInt32 {
    let all: UInt32 = length == 2 ? 0xFFFF : .max
    while true {
      let bits = (UInt32.random(in: 0...all, using: &generator) & ~(mask | ignored)) | value
      if matches(bits) { return bits }
    }
  }
}

extension FieldRun {
  /// The run's bits in the encoding.
  var encodingMask: UInt32 { mask << UInt32(from) }
  func bits(of encoding: UInt32) -> Int { Int(encoding &>> UInt32(from) & mask) &<< Int(to) }
  func finish(_ value: Int) -> Int {
    (value &<< Int(signShift)) &>> Int(signShift) &+ Int(add)
  }
}
