// Guest memory and the window onto it.
import Bus
import Glibc
import Testing

@Suite struct MemoryTests {
  @Test func badSizesThrow() {
    #expect(throws: MemoryError.badRange(name: "m", base: 0, size: 0)) { try RAMRegion(name: "m", size: 0) }
    #expect(throws: MemoryError.self) { try RAMRegion(name: "m", size: -1) }
  }

  @Test func digestSeesContentsOnly() throws {
    let one = try RAMRegion(name: "one", size: 1 << 30)
    let two = try RAMRegion(name: "two", size: 1 << 30)
    one.store(7, at: 0x1234_5678, size: 4)
    one.fill(0, at: 0x2000, count: 0x1000)
    two.store(7, at: 0x1234_5678, size: 4)
    #expect(one.digest() == two.digest())
    #expect(one.populatedRanges().count == 2)
    two.store(7, at: 0x1234_567c, size: 4)
    #expect(one.digest() != two.digest())
    try one.discard(0x1234_5000..<0x1234_6000)
    #expect(one.load(0x1234_5678, size: 4) == 0)
  }

  /// Whether the kernel can read (and write) the byte at a guest address of the window.
  func access(_ window: MemoryWindow, _ address: Int) -> PageAccess {
    var ends: [Int32] = [0, 0]
    _ = unsafe pipe(&ends)
    defer {
      close(ends[0])
      close(ends[1])
    }
    guard unsafe write(ends[1], window.base + address, 1) == 1 else { return .none }
    return unsafe read(ends[0], window.base + address, 1) == 1 ? .readWrite : .readOnly
  }

  @Test func windowShowsMemoryAtGuestAddresses() throws {
    let space = AddressSpace()
    let window = try MemoryWindow()
    let ram = try RAMRegion(name: "ram", size: 0x4000)
    let rom = try RAMRegion(name: "rom", size: 0x1000)
    let device = FakeDevice()
    try space.map("ram", at: 0x8000_0000, size: 0x4000, .ram(ram, offset: 0))
    try space.map("rom", at: 0x1000, size: 0x1000, .rom(rom, offset: 0))
    try space.map("watch", at: 0x8000_1008, size: 8, .device(device, index: 0), overlay: true)
    try window.mapAll(of: space.flat)
    try space.write(0x8000_2000, size: 4, 0xdead_beef)
    #expect(unsafe (window.base + 0x8000_2000).load(as: UInt32.self) == 0xdead_beef)
    #expect(access(window, 0x8000_0000) == .readWrite)
    #expect(access(window, 0x8000_1000) == .none)
    #expect(access(window, 0x8000_3fff) == .readWrite)
    #expect(access(window, 0x8000_4000) == .none)
    #expect(access(window, 0x1000) == .readOnly)
    #expect(access(window, -1) == .none)
    #expect(access(window, 1 << 32) == .none)
    try window.protect(0x8000_2000, count: pageSize, .readOnly)
    #expect(access(window, 0x8000_2000) == .readOnly)
    let watch = try #require(space.region(at: 0x8000_1008))
    space.unmap("watch", at: 0x8000_1008)
    try window.remap(watch, of: space.flat)
    #expect(access(window, 0x8000_1000) == .readWrite)
    #expect(access(window, 0x8000_2000) == .readOnly)
  }

  @Test func windowRefusesWhatLiesOutside() throws {
    let window = try MemoryWindow(size: 1 << 20, guardSize: 1 << 20)
    let ram = try RAMRegion(name: "ram", size: 0x2000)
    #expect(throws: MemoryError.self) { try window.map(ram, at: (1 << 20) - 0x1000, count: 0x2000, .readWrite) }
    #expect(throws: MemoryError.unaligned(address: 0x800)) { try window.protect(0x800, count: pageSize, .none) }
    #expect(throws: MemoryError.self) { try window.map(ram, offset: 0x1000, at: 0, count: 0x2000, .readWrite) }
    #expect(throws: MemoryError.self) { try window.unmap(0, count: -4096) }
  }
}
