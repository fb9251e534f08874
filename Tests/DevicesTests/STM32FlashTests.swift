// Tests of what STM32's flash memories take and refuse: PM0075 2.3.3 (F1), RM0090 3.6 and 3.9.5 (F4), RM0385 3.3 and 3.7.4 (F7).
import Bus
import Devices
import Testing

@Suite struct STM32FlashTests {
  /// 128 KiB of flash at 0x0800_0000, its controller unlocked.
  private func flash(_ series: Series) throws -> (Bench, STM32FlashController, FlashMemory) {
    let bench = Bench()
    let controller = try STM32FlashController(context: bench.context(.stm32(series, 0x4002_3C00)))
    bench.directory["/controller"] = controller
    let node = FakeNode(
      name: "controller/flash@8000000", regions: [AddressRange(base: 0x800_0000, size: 0x20000)],
      values: ["erase-block-size": [1024]])
    let flash = try FlashMemory(context: bench.context(node, interrupts: []))
    bench.directory["/controller/flash@8000000"] = flash
    try bench.space.map(
      "flash", at: 0x800_0000, size: 0x20000, .romDevice(try #require(flash.memory(region: 0)), flash, index: 0))
    controller.write(0x04, 0x4567_0123)
    controller.write(0x04, 0xCDEF_89AB)
    return (bench, controller, flash)
  }

  /// F1: 0 may be programmed over anything, all else only onto erased half-words; other sizes are bus errors.
  @Test func halfWordsOfF1() throws {
    let (bench, controller, _) = try flash(.f1)
    controller.write(0x10, 1)
    let cases: [(address: UInt64, value: UInt64, after: UInt64, flags: UInt64)] = [
      (0x800_0000, 0x1234, 0x1234, 0x20), (0x800_0000, 0x0234, 0x1234, 0x04), (0x800_0000, 0x1234, 0x1234, 0x04),
      (0x800_0000, 0xFFFF, 0x1234, 0x04), (0x800_0000, 0x0000, 0x0000, 0x20), (0x800_0000, 0x0000, 0x0000, 0x20),
      (0x800_0002, 0xFFFF, 0xFFFF, 0x20), (0x800_0002, 0x0000, 0x0000, 0x20),
    ]
    for (address, value, after, flags) in cases {
      controller.write(0x0C, 0x34)
      try bench.space.write(address, size: 2, value)
      #expect(try bench.space.read(address, size: 2) == after && controller.read(0x0C) == flags, "\(value)")
    }
    for size in [1, 4, 8] {
      #expect(throws: BusError.refused(0x800_0010)) { try bench.space.write(0x800_0010, size: size, 0) }
    }
    controller.write(0x0C, 0x34)
    controller.write(0x10, 0)
    try bench.space.write(0x800_0010, size: 2, 0)
    #expect(try bench.space.read(0x800_0010, size: 2) == 0xFFFF && controller.read(0x0C) == 0, "PG is clear")
  }

  /// F4, F7: the size of a store is that of PSIZE, or PGPERR; without PG PGSERR. Bits are cleared over data, too.
  @Test(arguments: [Series.f4, .f7]) func sizesOfLaterOnes(series: Series) throws {
    let (bench, controller, _) = try flash(series)
    for (parallelism, sizes) in [[1], [2], [4], [4, 8]].enumerated() {
      controller.write(0x10, 1 | UInt64(parallelism) << 8)
      for size in [1, 2, 4, 8] {
        controller.write(0x0C, 0xF3)
        let address = 0x800_0100 + UInt64(parallelism) * 0x40 + UInt64(size) * 16
        try bench.space.write(address, size: size, 0)
        let isWritten = sizes.contains(size)
        #expect(try bench.space.read(address, size: 1) == (isWritten ? 0 : 0xFF), "PSIZE \(parallelism), \(size) bytes")
        #expect(controller.read(0x0C) == (isWritten ? 0 : 0x40))
      }
    }
    controller.write(0x0C, 0xF3)
    controller.write(0x10, 1)
    try bench.space.write(0x800_0000, size: 1, 0xF0)
    try bench.space.write(0x800_0000, size: 1, 0xCC)
    #expect(try bench.space.read(0x800_0000, size: 1) == 0xC0 && controller.read(0x0C) == 0)
    controller.write(0x10, 0)
    try bench.space.write(0x800_0000, size: 1, 0)
    #expect(try bench.space.read(0x800_0000, size: 1) == 0xC0 && controller.read(0x0C) == 0x80)
  }

  /// PGAERR where a store crosses a row of 128 bits; with ERRIE errors set OPERR and interrupt, with EOPIE the end does.
  @Test func errorsInterrupt() throws {
    let (bench, controller, _) = try flash(.f4)
    controller.write(0x10, 1 | 2 << 8)
    try bench.space.write(0x800_000E, size: 4, 0)
    #expect(controller.read(0x0C) == 0x20)
    controller.write(0x0C, 0xF3)
    controller.write(0x10, 1 | 1 << 24 | 1 << 25)
    try bench.space.write(0x800_0000, size: 4, 0)
    #expect(controller.read(0x0C) == 0x42)
    controller.write(0x0C, 0xF3)
    try bench.space.write(0x800_0000, size: 1, 0)
    #expect(controller.read(0x0C) == 1)
  }
}
