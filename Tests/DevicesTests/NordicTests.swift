// Tests of Nordic's peripherals against the nRF51 Series Reference Manual.
import Bus
import Devices
import Testing

@Suite struct NordicTests {
  private func node(_ base: UInt64, _ values: [String: [UInt32]] = [:], size: UInt64 = 0x1000) -> FakeNode {
    FakeNode(name: "device@\(base)", regions: [AddressRange(base: base, size: size)], values: values)
  }

  /// Received characters come one by one, each with RXDRDY; nothing is sent before STARTTX.
  @Test func uartSendsAndReceives() throws {
    let bench = Bench()
    let uart = try NordicUART(context: bench.context(node(0x4000_2000)))
    uart.write(0x500, 4)
    uart.write(0x51C, 0x41)
    #expect(bench.text == "")
    uart.write(0x008, 1)
    uart.write(0x51C, 0x42)
    #expect(bench.text == "B")
    #expect(uart.read(0x11C) == 1)
    uart.write(0x304, 4)
    uart.receive(Array("xyz".utf8))
    #expect(bench.levels == "0")
    uart.write(0x000, 1)
    #expect(bench.levels == "1")
    var text: [UInt8] = []
    while uart.read(0x108) == 1 {
      uart.write(0x108, 0)
      text.append(UInt8(uart.read(0x518)))
    }
    #expect(text == Array("xyz".utf8) && bench.levels == "0")
  }

  /// COMPARE comes when the counter reaches CC, at 32768 Hz over the prescaler; only if enabled.
  @Test func rtcComparesInTime() throws {
    let bench = Bench()
    let rtc = try NordicRTC(context: bench.context(node(0x4000_B000)))
    rtc.write(0x508, 31)
    rtc.write(0x540, 5)
    rtc.write(0x304, 1 << 16)
    rtc.write(0x000, 1)
    bench.run(to: 4_880_000, rtc)
    #expect(rtc.read(0x504) == 4 && bench.levels == "0")
    bench.run(to: 4_890_000, rtc)
    #expect(rtc.read(0x504) == 5 && rtc.read(0x140) == 1 && bench.levels == "1")
    rtc.write(0x140, 0)
    #expect(bench.levels == "0")
    rtc.write(0x008, 1)
    #expect(rtc.read(0x504) == 0)
  }

  /// The RTC counts while LFCLK runs, and goes on from where it was.
  @Test func theLowFrequencyClockIsStarted() throws {
    let bench = Bench()
    let clock = try NordicClock(context: bench.context(node(0x4000_0000)))
    let rtc = try NordicRTC(context: bench.context(node(0x4000_B000)))
    rtc.write(0x304, 1 << 16)
    rtc.write(0x540, 100_000)
    rtc.write(0x000, 1)
    bench.run(to: 1_000_000_000, rtc)
    #expect(rtc.read(0x504) == 0)
    clock.write(0x008, 1)
    bench.run(to: 3_000_000_000, rtc)
    #expect(rtc.read(0x504) == 65_536)
    let saved = try clock.saveState()
    clock.write(0x00C, 1)
    bench.run(to: 4_000_000_000, rtc)
    #expect(rtc.read(0x504) == 65_536)
    clock.write(0x008, 1)
    bench.run(to: 5_000_000_000, rtc)
    #expect(rtc.read(0x504) == 98_304 && bench.levels == "0")
    bench.run(to: 6_000_000_000, rtc)
    #expect(bench.levels == "1")
    clock.reset(.pin)
    let count = rtc.read(0x504)
    bench.run(to: 7_000_000_000, rtc)
    #expect(rtc.read(0x504) == count)
    try clock.restoreState(saved)
    #expect(bench.clocks.signal("nordic:lfclk").frequency == 32_768)
  }

  /// A timer of 1 MHz that a shortcut clears at 100 fires every 100 µs.
  @Test func timerRepeatsByItsShortcut() throws {
    let bench = Bench()
    let timer = try NordicTimer(context: bench.context(node(0x4000_8000)))
    timer.write(0x510, 4)
    timer.write(0x540, 100)
    timer.write(0x200, 1)
    timer.write(0x304, 1 << 16)
    timer.write(0x000, 1)
    var times: [UInt64] = []
    for time in stride(from: UInt64(1000), through: 500_000, by: 1000) {
      bench.run(to: time, timer)
      if timer.read(0x140) == 1 {
        times.append(time)
        timer.write(0x140, 0)
      }
    }
    #expect(times == [100_000, 200_000, 300_000, 400_000, 500_000])
    timer.write(0x044, 1)
    #expect(timer.read(0x544) == 0)
  }

  /// Tasks of one peripheral are triggered by events of another through an enabled channel only.
  @Test func interconnectLinksEventsToTasks() throws {
    let bench = Bench()
    let ppi = try NordicPPI(context: bench.context(node(0x4001_F000)))
    let clock = try NordicClock(context: bench.context(node(0x4000_0000)))
    let uart = try NordicUART(context: bench.context(node(0x4000_2000)))
    for (device, base) in [(ppi, 0x4001_F000), (clock, 0x4000_0000), (uart, 0x4000_2000)] as [(any Device, UInt64)] {
      try bench.space.map("device\(base)", at: base, size: 0x1000, .device(device, index: 0))
    }
    // LFCLKSTARTED starts the transmitter.
    ppi.write(0x510, 0x4000_0104)
    ppi.write(0x514, 0x4000_2008)
    uart.write(0x500, 4)
    clock.write(0x008, 1)
    uart.write(0x51C, 0x41)
    #expect(bench.text == "")
    ppi.write(0x504, 1)
    clock.write(0x008, 1)
    uart.write(0x51C, 0x42)
    #expect(bench.text == "B")
  }

  /// Flash takes writes, which clear bits, while the controller allows them; pages are erased to ones.
  @Test func flashIsWrittenAndErased() throws {
    let bench = Bench()
    func context(_ node: FakeNode) -> DeviceContext { bench.context(node, interrupts: []) }
    let controller = try NordicFlashController(context: context(node(0x4001_E000)))
    let flash = try FlashMemory(
      context: context(
        FakeNode(
          name: "controller/flash@0", regions: [AddressRange(base: 0, size: 0x4000)],
          values: ["erase-block-size": [1024]])))
    bench.directory["/controller"] = controller
    let memory = try #require(flash.memory(region: 0))
    try bench.space.map("flash", at: 0, size: 0x4000, .romDevice(memory, flash, index: 0))
    flash.write(0x404, 0x1234_5678)
    #expect(try bench.space.read(0x404, size: 4) == 0xFFFF_FFFF)
    controller.write(0x504, 1)
    flash.write(0x404, 0x1234_5678)
    flash.write(0x404, 0xFFFF_0000)
    #expect(try bench.space.read(0x404, size: 4) == 0x1234_0000)
    controller.write(0x508, 0x400)
    #expect(try bench.space.read(0x404, size: 4) == 0x1234_0000)
    controller.write(0x504, 2)
    controller.write(0x508, 0x400)
    #expect(try bench.space.read(0x404, size: 4) == 0xFFFF_FFFF)
  }

  @Test func randomNumbersRepeat() throws {
    func numbers() throws -> [UInt64] {
      let bench = Bench()
      let rng = try NordicRNG(context: bench.context(node(0x4000_D000)))
      rng.write(0x000, 1)
      return (1...8).map { count in
        bench.run(to: UInt64(count) * 167_000, rng)
        return rng.read(0x508)
      }
    }
    let first = try numbers()
    #expect(try numbers() == first)
    #expect(Set(first).count > 4)
  }
}

/// The UARTs and timers of Arm's own boards.
@Suite struct ArmBoardDeviceTests {
  @Test func cmsdkUARTHasAWireEachWay() throws {
    let bench = Bench()
    let uart = try CMSDKUART(context: bench.context(FakeNode(), interrupts: [("/nvic", 1), ("/nvic", 0)]))
    uart.write(0x8, 0xF)
    uart.write(0x0, 0x41)
    #expect(bench.text == "A" && bench.levels == "10")
    uart.write(0xC, 1)
    uart.receive([0x42, 0x43])
    #expect(bench.levels == "01" && uart.read(0x4) == 2)
    uart.write(0xC, 2)
    #expect(uart.read(0x0) == 0x42)
    #expect(bench.levels == "01" && uart.read(0x0) == 0x43)
  }

  /// 25 MHz: a reload of 999 raises the interrupt every 40 µs.
  @Test func cmsdkTimerReloads() throws {
    let bench = Bench()
    let timer = try CMSDKTimer(context: bench.context(FakeNode()))
    timer.write(0x8, 999)
    timer.write(0x0, 9)
    var count = 0
    for time in stride(from: UInt64(1000), through: 400_000, by: 1000) {
      bench.run(to: time, timer)
      if bench.levels == "1" {
        count += 1
        timer.write(0xC, 1)
      }
    }
    #expect(count == 10)
  }

  @Test func pl011RaisesItsInterrupts() throws {
    let bench = Bench()
    let uart = try PL011(context: bench.context(FakeNode()))
    uart.write(0x2C, 0x70)
    uart.write(0x30, 0x301)
    uart.write(0x38, 0x50)
    uart.write(0x00, 0x41)
    #expect(bench.text == "A" && bench.levels == "0")
    uart.receive([1, 2, 3])
    bench.run(to: 1_000_000, uart)
    #expect(bench.levels == "1" && uart.read(0x18) & 0x10 == 0)
    #expect((0..<3).map { _ in uart.read(0x00) } == [1, 2, 3])
    #expect(uart.read(0x18) & 0x10 != 0 && bench.levels == "0")
  }

  /// DDI 0183, 2.4.2: the timeout comes 32 bit times after the last character, again and again while any are left.
  @Test func pl011TimesOutWithWhatIsLeft() throws {
    let bench = Bench()
    var node = FakeNode()
    node.values["clock-frequency"] = [16_000_000]
    let uart = try PL011(context: bench.context(node))
    // A divisor of 10: 10 µs a bit.
    for (offset, value) in [(0x24, 10), (0x2C, 0x70), (0x34, 0x12), (0x38, 0x50), (0x30, 0x301)] as [(UInt64, UInt64)] {
      uart.write(offset, value)
    }
    uart.receive(Array(0..<10))
    #expect(uart.read(0x3C) & 0x50 == 0x10)
    var time: UInt64 = 0
    for byte in 0..<10 as Range<UInt64> {
      #expect(uart.read(0x00) == byte)
      #expect(uart.read(0x3C) & 0x10 == (byte < 2 ? 0x10 : 0))
      uart.write(0x44, 0x40)
      time += 319_000
      bench.run(to: time, uart)
      #expect(uart.read(0x3C) & 0x40 == 0)
      time += 2000
      bench.run(to: time, uart)
      #expect(uart.read(0x3C) & 0x40 == (byte < 9 ? 0x40 : 0))
    }
  }
}
