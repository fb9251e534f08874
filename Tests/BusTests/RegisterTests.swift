// Register declarations: decoding by offset and access.
import Bus
import Testing

@Suite struct RegisterTests {
  let map = RegisterMap([
    Register("RBR", 0, width: 1, .readOnly, sideEffectOnRead: true),
    Register("THR", 0, width: 1, .writeOnly),
    Register("LCR", 3, width: 1, reset: 3, [.field("WLS", 0..<2), .unimplemented("SP", 5), .reserved(7..<8)]),
    Register("PRI", 0x100, count: 4, stride: 8),
  ])

  @Test func accessTellsRegistersApart() throws {
    #expect(map.match(0, isWrite: false)?.register.name == "RBR")
    #expect(map.match(0, isWrite: true)?.register.name == "THR")
    #expect(map.match(1, isWrite: true) == nil)
    let match = try #require(map.match(0x113, isWrite: true))
    #expect(match.register.name(at: match.index) == "PRI[2]")
    #expect(match.byte == 3)
    #expect(map.match(0x114, isWrite: true) == nil)
    #expect(map.match(0x120, isWrite: true) == nil)
  }
}
