// Owns what is done to each byte of large packets, several at a time: memory is read by the megabyte.

enum Bytes {
  private typealias Chunk = SIMD16<UInt8>

  /// Whether a byte has to be escaped.
  static func isSpecial(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "}"), UInt8(ascii: "*"): true
    default: false
    }
  }

  /// The index of the first byte from `start` on that has to be escaped; the end of the array if there is none.
  static func firstSpecial(_ bytes: [UInt8], from start: Int) -> Int {
    unsafe bytes.withUnsafeBytes { bytes in
      var index = start
      while index + 8 <= bytes.count {
        let word = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        if hasByte(UInt8(ascii: "#"), word) | hasByte(UInt8(ascii: "$"), word) | hasByte(UInt8(ascii: "}"), word)
          | hasByte(UInt8(ascii: "*"), word) != 0
        {
          break
        }
        index += 8
      }
      while index < bytes.count, unsafe !Self.isSpecial(bytes[index]) { index += 1 }
      return index
    }
  }

  /// Not zero if one of a word's bytes is `byte`.
  private static func hasByte(_ byte: UInt8, _ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let difference = word ^ ones &* UInt64(byte)
    return (difference &- ones) & ~difference & ones << 7
  }

  /// The sum of the bytes from `start` on, modulo 256.
  static func sum(_ bytes: [UInt8], from start: Int) -> UInt8 {
    unsafe bytes.withUnsafeBytes { bytes in
      var index = start
      var sums = Chunk.zero
      while index + Chunk.scalarCount <= bytes.count {
        sums &+= unsafe bytes.loadUnaligned(fromByteOffset: index, as: Chunk.self)
        index += Chunk.scalarCount
      }
      var sum = sums.wrappedSum()
      while index < bytes.count {
        sum &+= unsafe bytes[index]
        index += 1
      }
      return sum
    }
  }
}
