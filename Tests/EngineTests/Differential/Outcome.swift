// Owns what a case leaves behind, and how two such outcomes are compared.

/// The state after a case, as 64-bit words with names.
struct Outcome: Equatable {
  static let memoryWords = Place.scratchSize / 8
  /// The part that any emulator can show: x, f, fcsr, scratch memory.
  static let userCount = 65 + memoryWords
  /// What the engine shows beyond that.
  static let machineNames = ["outcome", "retired", "ticks", "pc", "mstatus", "mcause", "mepc", "mtval"]

  var words: [UInt64]

  static func name(_ index: Int) -> String {
    switch index {
    case 0..<32: "x\(index)"
    case 32..<64: "f\(index - 32)"
    case 64: "fcsr"
    case 65..<userCount: "memory at \(hex(Place.scratch + UInt64(8 * (index - 65))))"
    default: machineNames[index - userCount]
    }
  }

  var cause: UInt64 { words[Self.userCount + 5] }
  var exceptionPC: UInt64 { words[Self.userCount + 6] }

  /// Where `self`, the expected one, and `other` differ, in the words that both have.
  func differences(from other: Outcome) -> [String] {
    zip(words, other.words).enumerated().filter { $1.0 != $1.1 }.map {
      "\(Self.name($0)): expected \(hex($1.0)), found \(hex($1.1))"
    }
  }

  func agrees(with other: Outcome) -> Bool {
    other.words.count == words.count ? words == other.words : differences(from: other).isEmpty
  }
}

/// 64-bit words of little-endian bytes.
func wordsOf(_ bytes: [UInt8]) -> [UInt64] {
  var words = Array(repeating: UInt64(0), count: bytes.count / 8)
  for index in words.indices {
    for byte in (0..<8).reversed() { words[index] = words[index] << 8 | UInt64(bytes[index * 8 + byte]) }
  }
  return words
}
