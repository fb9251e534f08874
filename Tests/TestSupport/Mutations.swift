// Owns the random damage that tests do to files, packets and lines, and how much of it there is.

import Foundation

public enum Mutations {
  /// How many damaged inputs a test tries: `MARTLET_MUTATIONS` if that is set, else as many as suit every run.
  public static func count(_ usual: Int) -> Int {
    ProcessInfo.processInfo.environment["MARTLET_MUTATIONS"].flatMap { Int($0) } ?? usual
  }

  /// `MARTLET_SEED`, or the same every time.
  public static var random: SplitMix {
    SplitMix(seed: ProcessInfo.processInfo.environment["MARTLET_SEED"].flatMap { UInt64($0) } ?? 1)
  }

  /// Bytes that mean something in numbers or in text.
  private static let favourites: [UInt8] =
    [0, 1, 0x7F, 0x80, 0xFE, 0xFF] + Array("09afx%s<>/&#;:,*=\"'()[]{}-+ \n".utf8)

  /// Damages bytes in one to six places: changed, removed, repeated, exchanged, cut off.
  public static func damage(_ bytes: inout [UInt8], _ random: inout SplitMix) {
    for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &random)
      let count = min(bytes.count - place, Int.random(in: 1...16, using: &random))
      switch Int.random(in: 0..<16, using: &random) {
      case 0..<4: bytes[place] = favourites.randomElement(using: &random) ?? 0
      case 4..<7: bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 7..<10: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 10: bytes.removeSubrange(place..<place + count)
      case 11: bytes.insert(contentsOf: bytes[place..<place + count], at: place)
      case 12: for index in place..<place + count { bytes[index] = 0xFF }
      case 13:
        let other = Int.random(in: 0..<bytes.count, using: &random)
        bytes.swapAt(place, other)
      case 14: bytes.insert(favourites.randomElement(using: &random) ?? 0, at: place)
      default: if Int.random(in: 0..<4, using: &random) == 0 { bytes.removeSubrange(place...) }
      }
    }
  }
}
