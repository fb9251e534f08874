// Owns sets of exceptions, as the interrupt controller's registers show them.

/// A set of exception numbers below 512.
struct ExceptionSet: Codable, Sendable, Equatable {
  private var words = [UInt64](repeating: 0, count: 8)

  subscript(_ number: Int) -> Bool {
    get { words[number >> 6] >> UInt64(number & 63) & 1 != 0 }
    set {
      let bit = UInt64(1) << UInt64(number & 63)
      if newValue { words[number >> 6] |= bit } else { words[number >> 6] &= ~bit }
    }
  }

  var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

  /// External interrupts 32 × `index` and the following, a bit each.
  func interrupts(_ index: Int) -> UInt32 {
    let first = ExceptionNumber.firstInterrupt + 32 * index
    let low = words[first >> 6] >> UInt64(first & 63)
    let high = first & 63 > 32 && first >> 6 < 7 ? words[first >> 6 + 1] << UInt64(64 - first & 63) : 0
    return UInt32(truncatingIfNeeded: low | high)
  }

  /// Whether any external interrupt is in it.
  var hasInterrupts: Bool {
    words[0] >> UInt64(ExceptionNumber.firstInterrupt) != 0 || words.dropFirst().contains { $0 != 0 }
  }

  var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

  /// Calls `body` with each number that is in both sets.
  func forEach(with other: ExceptionSet, _ body: (Int) -> Void) {
    for index in words.indices {
      var left = words[index] & other.words[index]
      while left != 0 {
        body(index << 6 + left.trailingZeroBitCount)
        left &= left &- 1
      }
    }
  }

  /// Whether any number is in both sets.
  func intersects(_ other: ExceptionSet) -> Bool {
    for index in words.indices where words[index] & other.words[index] != 0 { return true }
    return false
  }

  mutating func removeAll() { words = [UInt64](repeating: 0, count: 8) }
}
