// Tests of ranges of addresses whose numbers may be anything, and of maps made region by region.
import Bus
import TestSupport
import Testing

@Suite struct AddressRangeTests {
  private static let edges: [UInt64] = [0, 1, 2, 0xFFF, 0x1000, 1 << 32, 1 << 63, .max - 0x1000, .max - 1, .max]

  /// As numbers too wide to overflow say.
  @Test func rangesAreExactUpToTheLastAddress() {
    for base in Self.edges {
      for size in Self.edges {
        let range = AddressRange(base: base, size: size)
        let (start, end) = (UInt128(base), min(UInt128(base) + UInt128(size), 1 << 64))
        #expect(range.isCut == (UInt128(base) + UInt128(size) > 1 << 64))
        #expect(UInt128(range.last) == (size == 0 ? start : end - 1))
        for address in Self.edges {
          #expect(range.contains(address) == (start..<end).contains(UInt128(address)), "\(range) \(address)")
          for count in Self.edges where count > 0 {
            let other = AddressRange(base: address, size: count)
            let (first, past) = (UInt128(address), UInt128(address) + UInt128(count))
            #expect(range.contains(other) == (first >= start && past <= end && first < end), "\(range) \(other)")
            #expect(range.overlaps(other) == (first < end && start < past && size > 0), "\(range) \(other)")
          }
        }
      }
    }
  }

  /// Regions in any order, with overlays among them, answer as those of the list do.
  @Test func mapsAreTheSameInAnyOrder() throws {
    var random = SplitMix(seed: 3)
    for _ in 0..<200 {
      let space = AddressSpace()
      var known: [(range: AddressRange, name: String, overlay: Bool)] = []
      for number in 0..<24 {
        let range = AddressRange(
          base: UInt64.random(in: 0..<64, using: &random) * 16, size: UInt64.random(in: 1...6, using: &random) * 16)
        let overlay = Int.random(in: 0..<4, using: &random) == 0
        let isFree = !known.contains { $0.overlay == overlay && $0.range.overlaps(range) }
        let device = FakeDevice()
        let made: Void? = try? space.map(
          "\(number)", at: range.base, size: range.size, .device(device, index: 0), overlay: overlay)
        #expect((made != nil) == isFree)
        if isFree { known.append((range, "\(number)", overlay)) }
      }
      for address in stride(from: UInt64(0), to: 1200, by: 8) {
        let here = known.filter { $0.range.contains(address) }
        let expected = (here.first { $0.overlay } ?? here.first)?.name
        #expect(space.region(at: address)?.name == expected)
        #expect(space.layout.first { $0.first <= address && address <= $0.last }?.region.name == expected)
      }
    }
  }
}
