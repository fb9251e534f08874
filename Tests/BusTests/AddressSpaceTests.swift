// The address map: lookup, overlays, errors, accesses.
import Bus
import Testing

@Suite struct AddressSpaceTests {
  let space = AddressSpace()
  let device = FakeDevice()
  let ram: RAMRegion
  let rom: RAMRegion

  init() throws {
    ram = try RAMRegion(name: "ram", size: 0x4000)
    rom = try RAMRegion(name: "rom", size: 0x1000)
    try space.map("rom", at: 0x1000, size: 0x1000, .rom(rom, offset: 0))
    try space.map("device", at: 0x2000, size: 0x10, .device(device, index: 3))
    try space.map("ram", at: 0x8000_0000, size: 0x4000, .ram(ram, offset: 0))
  }

  @Test func memoryIsLittleEndian() throws {
    try space.write(0x8000_0001, size: 8, 0x0102_0304_0506_0708)
    #expect(try space.read(0x8000_0001, size: 1) == 8)
    #expect(try space.read(0x8000_0003, size: 4) == 0x0304_0506)
    #expect(ram.load(1, size: 4, .big) == 0x0807_0605)
    #expect(ram.bytes(at: 0, count: 3) == [0, 8, 7])
  }

  @Test func holesAndReadOnlyMemoryThrow() {
    #expect(throws: BusError.unmapped(0x3000)) { try space.read(0x3000, size: 4) }
    #expect(throws: BusError.unmapped(0x8000_4000)) { try space.read(0x8000_3fff, size: 2) }
    #expect(throws: BusError.readOnly(0x1004)) { try space.write(0x1004, size: 4, 1) }
    #expect(throws: BusError.unmapped(.max)) { try space.read(.max, size: 8) }
  }

  @Test func devicesSeeRegionAndOffset() throws {
    #expect(try space.read(0x2002, size: 2) == 0x5566)
    try space.write(0x2008, size: 4, 0xffff_ffff_1234_5678)
    #expect(device.accesses == ["r3.2.2", "w3.8.4=12345678"])
  }

  @Test func peekHasNoSideEffects() throws {
    #expect(space.peek(0x2001, size: 1) == 0x77)
    #expect(space.peek(0x2004, size: 1) == nil)
    #expect(device.accesses.isEmpty)
    rom.store(0xabcd, at: 0, size: 2)
    #expect(space.peek(0x1000, size: 2) == 0xabcd)
    #expect(try space.copyOut(at: 0x2000, count: 4) == [0x88, 0x77, 0x66, 0x55])
    #expect(throws: BusError.unmapped(0x2004)) { try space.copyOut(at: 0x2000, count: 5) }
  }

  @Test func memoryIsReadWithoutDevices() throws {
    try space.write(0x8000_0ffd, size: 4, 0x0102_0304)
    #expect(space.readMemory(0x8000_0ffd, size: 4) == 0x0102_0304)
    #expect(space.readMemory(0x8000_0fff, size: 1) == 2)
    #expect(space.readMemory(0x2002, size: 2) == nil, "a device's register")
    #expect(space.readMemory(0x8000_3ffe, size: 4) == nil, "it ends beyond the region")
    #expect(space.readMemory(.max, size: 8) == nil)
    #expect(unsafe space.hostMemory(at: 0x1fff, count: 1)?.isWritable == false)
    #expect(unsafe space.hostMemory(at: 0x8000_0000, count: 0x4000)?.isWritable == true)
    #expect(unsafe space.hostMemory(at: 0x8000_0000, count: 0x4001) == nil)
    #expect(device.accesses.isEmpty)
    try space.map("hole", at: 0x8000_1000, size: 8, .device(device, index: 0), overlay: true)
    #expect(space.readMemory(0x8000_0ffd, size: 2) == 0x0304)
    #expect(space.readMemory(0x8000_0ffd, size: 4) == nil)
  }

  /// A write is told for every address that shows the memory, as far as it does.
  @Test func writesAreToldAtAllAddresses() throws {
    try space.map("mirror", at: 0x9000_0000, size: 0x1000, .ram(ram, offset: 0x1000))
    try space.map("view", at: 0xA000_0000, size: 0x3000, .rom(ram, offset: 0))
    var told: [String] = []
    space.didWriteMemory = { told.append("\(String($0, radix: 16))+\($1)") }
    try space.write(0x8000_1004, size: 4, 1)
    #expect(told == ["80001004+4", "90000004+4", "a0001004+4"])
    told = []
    try space.copyIn([UInt8](repeating: 1, count: 8), at: 0x8000_0FFC)
    #expect(told == ["80000ffc+8", "90000000+4", "a0000ffc+8"])
    told = []
    try space.write(0x9000_0000, size: 1, 1)
    #expect(told == ["90000000+1", "80001000+1", "a0001000+1"])
    #expect(space.unmap("mirror", at: 0x9000_0000) && space.unmap("view", at: 0xA000_0000))
    told = []
    try space.write(0x8000_1004, size: 4, 1)
    #expect(told == ["80001004+4"])
  }

  @Test func overlapsAreRefused() {
    #expect(throws: MemoryError.overlap(new: "x", existing: "device", at: 0x200f)) {
      try space.map("x", at: 0x200f, size: 9, .device(device, index: 0))
    }
    #expect(throws: MemoryError.badRange(name: "x", base: .max, size: 2)) {
      try space.map("x", at: .max, size: 2, .device(device, index: 0))
    }
    #expect(throws: MemoryError.badRange(name: "x", base: 0, size: 0x1001)) {
      try space.map("x", at: 0, size: 0x1001, .ram(rom, offset: 0))
    }
  }

  @Test func overlayHidesMemoryBelow() throws {
    try space.write(0x8000_1000, size: 8, 0x1111_1111_1111_1111)
    try space.map("watch", at: 0x8000_1004, size: 4, .device(device, index: 0), overlay: true)
    #expect(space.layout.map { $0.region.name } == ["rom", "device", "ram", "watch", "ram"])
    // A straddling access is done byte by byte: four of RAM, four of the device.
    #expect(try space.read(0x8000_1000, size: 8) == 0x5566_7788_1111_1111)
    #expect(space.directPage(at: 0x8000_1000) == nil)
    #expect(space.directPage(at: 0x8000_2abc)?.offset == 0x2000)
    #expect(space.ram(at: 0x8000_1000, count: 4)?.isWritable == true)
    space.unmap("watch", at: 0x8000_1004)
    #expect(try space.read(0x8000_1000, size: 8) == 0x1111_1111_1111_1111)
  }

  @Test func flashSwitchesBetweenMemoryAndDevice() throws {
    let flash = try RAMRegion(name: "flash", size: 0x1000)
    flash.store(0x42, at: 0, size: 1)
    try space.map("flash", at: 0x5000, size: 0x1000, .romDevice(flash, device, index: 0))
    var changes = 0
    space.didChangeLayout = { _ in changes += 1 }
    #expect(try space.read(0x5000, size: 1) == 0x42)
    #expect(space.directPage(at: 0x5000)?.isWritable == false)
    space.setReadsDirectly(false, target: device, index: 0)
    #expect(try space.read(0x5000, size: 1) == 0x88)
    #expect(space.directPage(at: 0x5000) == nil)
    try space.write(0x5000, size: 1, 0xff)
    #expect(device.accesses.last == "w0.0.1=ff")
    #expect(changes == 1)
  }

  @Test func loadersCrossRegionsAndReportTheHole() throws {
    let more = try RAMRegion(name: "more", size: 0x1000)
    try space.map("more", at: 0x8000_4000, size: 0x1000, .rom(more, offset: 0))
    var written = 0
    space.didWriteMemory = { written += $1 }
    try space.copyIn([1, 2, 3, 4], at: 0x8000_3ffe)
    #expect(written == 4)
    #expect(try space.copyOut(at: 0x8000_3ffe, count: 4) == [1, 2, 3, 4])
    #expect(throws: BusError.unmapped(0x8000_5000)) { try space.copyIn([9, 9], at: 0x8000_4fff) }
  }
}
