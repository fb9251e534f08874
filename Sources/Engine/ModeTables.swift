// Owns the rows of the tables that a mode's context consists of.

import IR

/// Memory that loads, or stores, may reach although the window denies its page for the sake of what is beside it.
struct OpenStretch {
  var first: UInt64 = 1
  var last: UInt64 = 0
  var isWrite = false
  /// Host address less guest address.
  var addend: UInt64 = 0

  static var count: Int { 8 }
}

/// What was found for accesses to a virtual page that the TLB does not hold: registers, code, watched memory.
struct KnownPage: BitwiseCopyable {
  /// The virtual page; `.max` for none.
  var virtual = UInt64.max
  var physical: UInt64 = 0
  var readable = false
  var writable = false

  static var count: Int { 64 }
}

/// A page of code: the virtual address, and the physical one.
struct CodePage: BitwiseCopyable {
  var tag = UInt64.max
  var physical: UInt64 = 0
}

/// Numbers of entries in a table: quickly cleared, and gone through in the time that the ones in it take.
struct SlotSet {
  private var words: [UInt64]

  /// - Parameter count: of all entries, a multiple of 64.
  init(_ count: Int) { words = Array(repeating: 0, count: count / 64) }

  mutating func insert(_ slot: Int) { words[slot / 64] |= 1 << UInt64(slot % 64) }

  mutating func removeAll() { for index in words.indices { words[index] = 0 } }

  func forEach(_ body: (Int) -> Void) { forEach(in: 0..<words.count * 64, body) }

  /// - Parameter range: multiples of 64.
  func forEach(in range: Range<Int>, _ body: (Int) -> Void) {
    for index in range.lowerBound / 64..<range.upperBound / 64 {
      var rest = words[index]
      while rest != 0 {
        body(index * 64 + rest.trailingZeroBitCount)
        rest &= rest - 1
      }
    }
  }
}
