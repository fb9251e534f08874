// The snapshot form: round trips, and bytes that are none.
import Bus
import Testing

@Suite struct SnapshotCoderTests {
  enum Mode: UInt8, Codable { case idle = 3, busy = 7 }
  struct Inner: Codable, Equatable { var a: UInt16, b: [Int8] }
  struct Outer: Codable, Equatable {
    var flag = true
    var mode = Mode.busy
    var bytes: [UInt8] = [1, 2, 3]
    var words: [UInt32] = []
    var inner = [Inner(a: 5, b: [-1, 2]), Inner(a: 6, b: [])]
    var name = "π"
    var some: UInt64? = 9
    var none: Int?
    var optional: Inner? = Inner(a: 1, b: [])
    var real = 1.5
  }

  @Test func valuesComeBack() throws {
    let value = Outer()
    let bytes = try encodeSnapshot(value)
    #expect(try decodeSnapshot(Outer.self, from: bytes) == value)
    #expect(Array(bytes.prefix(9)) == [1, 7, 3, 0, 0, 0, 1, 2, 3])
    #expect(try encodeSnapshot(value) == bytes)
  }

  @Test func everyTruncationThrows() throws {
    let bytes = try encodeSnapshot(Outer())
    for count in 0..<bytes.count {
      #expect(throws: SnapshotError.self) { try decodeSnapshot(Outer.self, from: Array(bytes.prefix(count))) }
    }
    #expect(throws: SnapshotError.trailingBytes(offset: bytes.count)) {
      try decodeSnapshot(Outer.self, from: bytes + [0])
    }
  }

  @Test func corruptBytesNeverCrash() throws {
    var random = SystemRandomNumberGenerator()
    let bytes = try encodeSnapshot(Outer())
    for _ in 0..<2000 {
      var broken = bytes
      for _ in 0..<3 { broken[Int.random(in: 0..<broken.count, using: &random)] = .random(in: 0...255, using: &random) }
      _ = try? decodeSnapshot(Outer.self, from: broken)
    }
  }

  @Test func unsupportedValuesSayso() {
    #expect(throws: SnapshotError.self) { try encodeSnapshot([1, nil] as [Int?]) }
  }
}
