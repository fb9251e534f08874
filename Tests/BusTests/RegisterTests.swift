// Register declarations: decoding by offset and access.
import Bus
import Testing

@Suite struct RegisterTests {
  let map = RegisterMap([
    RegisterInfo("RBR", 0, width: 1, .readOnly, sideEffectOnRead: true),
    RegisterInfo("THR", 0, width: 1, .writeOnly),
    RegisterInfo("LCR", 3, width: 1, reset: 3, [.field("WLS", 0..<2), .unimplemented("SP", 5), .reserved(7..<8)]),
    RegisterInfo("PRI", 0x100, count: 4, stride: 8),
  ])

  @Test func accessTellsRegistersApart() throws {
    #expect(map.find(0, isWrite: false)?.number == 0)
    #expect(map.find(0, isWrite: true)?.number == 1)
    #expect(map.find(1, isWrite: true) == nil)
    let place = try #require(map.find(0x113, isWrite: true))
    #expect(map.registers[place.number].name(at: place.index) == "PRI[2]")
    #expect(place.byte == 3)
    #expect(map.find(0x114, isWrite: true) == nil)
    #expect(map.find(0x120, isWrite: true) == nil)
  }

  /// What is looked up in tables is what a search through the list finds, in small maps and in large ones.
  @Test(arguments: [0, 0x4000] as [UInt64]) func lookUpsFindWhatASearchFinds(base: UInt64) {
    let registers = [
      RegisterInfo("READ", base, width: 1, .readOnly), RegisterInfo("WRITTEN", base, width: 1, .writeOnly),
      RegisterInfo("WIDE", base + 8, width: 8, count: 3),
      RegisterInfo("SPARSE", base + 0x40, width: 2, count: 4, stride: 8),
      RegisterInfo("LATER", base + 0x10, width: 4, .readOnly), RegisterInfo("LAST", base + 0xF0, count: 4),
    ]
    let map = RegisterMap(registers)
    for offset in (base &- min(base, 16))..<base + 0x120 {
      for isWrite in [false, true] {
        let expected = registers.firstIndex { register in
          guard offset >= register.offset, register.access != (isWrite ? .readOnly : .writeOnly) else { return false }
          let (index, byte) = (offset - register.offset).quotientAndRemainder(dividingBy: register.stride)
          return index < register.count && byte < register.width
        }
        #expect(map.find(offset, isWrite: isWrite)?.number == expected, "\(offset)")
      }
    }
  }
}
