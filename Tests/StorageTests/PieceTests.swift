// Tests of files that are written piece by piece: what was written is read, up to where a file was cut or damaged.

import Storage
import TestSupport
import Testing

@Suite struct PieceTests {
  private let pieces = [
    Piece(kind: 7, bytes: []), Piece(kind: 0, bytes: [1, 2, 3]),
    Piece(kind: 255, bytes: (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 7) }),
    Piece(kind: 1, bytes: [UInt8](repeating: 0, count: Piece.largest)),
  ]

  private func read(_ bytes: [UInt8]) -> (pieces: [Piece], error: PieceError?) {
    var reader = PieceReader(bytes)
    var pieces: [Piece] = []
    do throws(PieceError) {
      while let piece = try reader.next() { pieces.append(piece) }
    } catch { return (pieces, error) }
    return (pieces, nil)
  }

  @Test func whatWasPackedIsRead() {
    let (read, error) = read(pieces.flatMap { $0.packed() })
    #expect(read == pieces && error == nil)
  }

  @Test func aFileIsWholeUpToItsCut() {
    let packed = pieces.prefix(3).map { $0.packed() }
    let bytes = packed.flatMap(\.self)
    for length in 0..<bytes.count {
      let (read, error) = read(Array(bytes.prefix(length)))
      var (whole, start) = (0, 0)
      while whole < packed.count, start + packed[whole].count <= length {
        start += packed[whole].count
        whole += 1
      }
      #expect(read == Array(pieces.prefix(whole)))
      #expect(error == (start == length ? nil : .cut(offset: start)), "\(length)")
    }
  }

  @Test func damageIsFound() {
    let packed = pieces.prefix(3).map { $0.packed() }
    let bytes = packed.flatMap(\.self)
    var random = SplitMix(seed: 22)
    for _ in 0..<3000 {
      var broken = bytes
      broken[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      let (read, error) = read(broken)
      #expect(error != nil && read == Array(pieces.prefix(read.count)))
    }
  }

  @Test func aFingerprintIsSHA256() {
    #expect(sha256(Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(sha256([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }
}
