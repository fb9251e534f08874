// Owns what the generator of random instructions knows of a row of the decode table: what it writes, and how to put
// values into its fields.

import GuestKit
import GuestRISCV
import TestSupport

/// A row of the decode table as something to generate.
struct InstructionForm {
  enum Kind { case plain, memory, branch, indirectJump }

  let name: String
  /// Bytes.
  let length: Int
  let pattern: Pattern
  let kind: Kind
  /// The destination is an integer register.
  let writesInteger: Bool
  /// Per field, the places of its bits: in the encoding, and in the value (less what the pattern adds).
  private let places: [[(encoding: UInt32, value: Int)]]

  init(_ row: InstructionRow<Translator>, _ pattern: Pattern) {
    name = row.name
    length = pattern.length
    self.pattern = pattern
    let mnemonic = row.shown ?? row.name
    kind =
      mnemonic == "jalr"
      ? .indirectJump : row.operands.contains("P") ? .branch : row.operands.contains("(s)") ? .memory : .plain
    writesInteger = row.operands.contains("d")
    let free = ~(pattern.mask | pattern.ignored) & (pattern.length == 2 ? 0xFFFF : .max)
    places = (0..<UInt8(PatternField.count)).map { index in
      guard let field = PatternField(letter: 97 + index) else { return [] }
      let base = pattern.extract(field, from: 0)
      return (0..<UInt32(32)).compactMap { bit in
        guard free >> bit & 1 != 0 else { return nil }
        let change = pattern.extract(field, from: 1 << bit) - base
        return change == 0 ? nil : (bit, change.trailingZeroBitCount)
      }
    }
  }

  /// `bits` with `field` set to `value`; nil if the field cannot hold it.
  func setting(_ field: PatternField, to value: Int, in bits: UInt32) -> UInt32? {
    let stored = value - pattern.extract(field, from: 0)
    var bits = bits
    for place in places[field.index] {
      bits = bits & ~(1 << place.encoding) | UInt32(truncatingIfNeeded: stored >> place.value & 1) << place.encoding
    }
    return pattern.extract(field, from: bits) == value ? bits : nil
  }

  /// `bits` with `field` set to one of `values` that fits, chosen at random; nil if none does.
  func choosing(
    _ field: PatternField, from values: [Int], in bits: UInt32, using random: inout SplitMix
  ) -> UInt32? {
    let fitting = values.compactMap { setting(field, to: $0, in: bits) }.filter(pattern.matches)
    return fitting.randomElement(using: &random)
  }

  func has(_ field: PatternField) -> Bool { !places[field.index].isEmpty }
}

extension SplitMix {
  mutating func below(_ limit: Int) -> Int { Int(truncatingIfNeeded: next() >> 33) % limit }
  /// True once in `count` times.
  mutating func once(in count: Int) -> Bool { below(count) == 0 }
}
