// Tests of the tracking of writes to guest memory, through windows and without.
import Bus
import Glibc
import TestSupport
import Testing

@Suite struct DirtyPagesTests {
  private let ram: RAMRegion
  private let space = AddressSpace()
  private let windows: [MemoryWindow]
  private static let base: UInt64 = 0x8000_0000
  private static let pages = 1024

  init() throws {
    ram = try RAMRegion(name: "ram", size: Self.pages * pageSize)
    try space.map("ram", at: Self.base, size: UInt64(Self.pages * pageSize), .ram(ram, offset: 0))
    windows = [try MemoryWindow(), try MemoryWindow()]
    for window in windows { try window.mapAll(of: space.flat) }
  }

  private func store(_ page: Int, through window: MemoryWindow?) {
    let byte = UInt8.random(in: 1...255)
    guard let window else { return ram.store(UInt64(byte), at: page * pageSize + 7, size: 1) }
    unsafe (window.base + Int(Self.base) + page * pageSize + 7).storeBytes(of: byte, as: UInt8.self)
  }

  private func dirty() -> Set<Int> {
    Set(ram.takeDirtyPages().flatMap { $0.lowerBound / pageSize..<$0.upperBound / pageSize })
  }

  @Test func whatIsWrittenIsFound() throws {
    store(3, through: windows[0])
    try ram.beginTracking()
    #expect(dirty().isEmpty)
    for (page, window) in [(100, windows[0]), (400, windows[1]), (700, nil)] as [(Int, MemoryWindow?)] {
      store(page, through: window)
      store(page, through: window)
      let found = dirty()
      #expect(found.contains(page) && found.count <= 16, "\(page): \(found)")
      #expect(dirty().isEmpty)
    }
  }

  @Test func randomWritesAreFound() throws {
    try ram.beginTracking()
    var random = SplitMix(seed: 18)
    for _ in 0..<300 {
      var written: Set<Int> = []
      for _ in 0..<Int.random(in: 0..<40, using: &random) {
        var page = Int.random(in: 0..<Self.pages, using: &random)
        let window = [windows[0], windows[1], nil].randomElement(using: &random) ?? nil
        switch Int.random(in: 0..<12, using: &random) {
        case 0:
          // As code in a page, and when it is gone.
          let address = Self.base + UInt64(page * pageSize)
          try windows[0].protect(address, count: pageSize, .readOnly)
          try windows[0].protect(address, count: pageSize, .readWrite)
        case 1:
          try ram.discard(page * pageSize..<(page + 1) * pageSize)
          written.insert(page)
        case 2:
          let region = try #require(space.region(at: Self.base))
          try windows[1].remap(region, of: space.flat)
        case 3:
          for _ in 0..<100 where page < Self.pages {
            store(page, through: window)
            written.insert(page)
            page += 1
          }
        default:
          store(page, through: window)
          written.insert(page)
        }
      }
      let found = dirty()
      #expect(found.isSuperset(of: written), "\(written.subtracting(found))")
    }
  }

  @Test func aWindowThatComesLaterTells() throws {
    try ram.beginTracking()
    do {
      let window = try MemoryWindow()
      try window.mapAll(of: space.flat)
      store(9, through: window)
    }
    #expect(dirty().contains(9))
  }
}
