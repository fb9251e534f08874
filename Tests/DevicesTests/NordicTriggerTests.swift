// Tests of events, tasks and shortcuts of Nordic's peripherals that lead into one another, and of pins under GPIOTE.
import Bus
import Devices
import Testing

@Suite struct NordicTriggerTests {
  private let bench = Bench()
  private let ppi: NordicPPI
  private let units: NordicEGU
  private let timer: NordicTimer

  init() throws {
    func node(_ base: UInt64) -> FakeNode {
      FakeNode(name: "device@\(base)", regions: [AddressRange(base: base, size: 0x1000)])
    }
    ppi = try NordicPPI(context: bench.context(node(0x4001_F000), id: 6))
    units = try NordicEGU(context: bench.context(node(0x4001_4000)))
    timer = try NordicTimer(context: bench.context(node(0x4000_8000)))
    for (device, base) in [(ppi, 0x4001_F000), (units, 0x4001_4000), (timer, 0x4000_8000)] as [(any Device, UInt64)] {
      try bench.space.map("device\(base)", at: base, size: 0x1000, .device(device, index: 0))
    }
  }

  private func connect(_ channel: UInt64, _ event: UInt64, _ task: UInt64) {
    ppi.write(0x510 + 8 * channel, event)
    ppi.write(0x514 + 8 * channel, task)
    ppi.write(0x504, 1 << channel)
  }

  private var count: UInt64 {
    timer.write(0x040, 1)
    return timer.read(0x540)
  }

  /// The event triggers its own task, and the timer counts the rounds: 32 at once, and as many again each 4 µs.
  @Test func aCircleOfEventsTakesTime() throws {
    timer.write(0x504, 1)
    timer.write(0x000, 1)
    connect(0, 0x4001_4100, 0x4001_4000)
    connect(1, 0x4001_4100, 0x4000_8008)
    units.write(0x000, 1)
    #expect(count == 32)
    for round in 2...5 {
      bench.run(to: UInt64(round - 1) * 4000, ppi)
      #expect(count == UInt64(round) * 32)
    }
    ppi.write(0x508, 1)
    bench.run(to: 100_000, ppi)
    let rest = count
    bench.run(to: 200_000, ppi)
    #expect(count == rest)
  }

  /// An event that triggers more tasks than it takes away fills the queue, and no more.
  @Test func anAvalancheIsCutOff() throws {
    for channel in 0..<16 as Range<UInt64> { connect(channel, 0x4001_4100, 0x4001_4000) }
    units.write(0x000, 1)
    bench.run(to: 1_000_000, ppi)
    #expect(bench.messages.contains { $0.contains("1024 tasks wait") })
  }

  /// nRF52840 PS 6.16: FORK[n].TEP, and the pre-programmed channels.
  @Test func channelsForkAndSomeAreFixed() throws {
    timer.write(0x504, 1)
    timer.write(0x000, 1)
    connect(3, 0x4001_4100, 0x4001_4004)
    ppi.write(0x910 + 12, 0x4000_8008)
    units.write(0x000, 1)
    #expect(units.read(0x104) == 1 && count == 1)
    ppi.write(0x910 + 12, 0)
    units.write(0x000, 1)
    #expect(count == 1)
    // Channel 30: RTC0.COMPARE0 clears TIMER0.
    let rtc = try NordicRTC(
      context: bench.context(FakeNode(name: "rtc", regions: [AddressRange(base: 0x4000_B000, size: 0x1000)])))
    rtc.write(0x140, 1)
    #expect(count == 1)
    ppi.write(0x504, 1 << 30)
    rtc.write(0x140, 1)
    #expect(count == 0)
  }

  /// MODE 2 of the nRF52 counts tasks, and time does not count then.
  @Test(arguments: [1, 2] as [UInt64]) func countersCountTasks(_ mode: UInt64) {
    timer.write(0x504, mode)
    timer.write(0x000, 1)
    bench.run(to: 1_000_000, timer)
    for _ in 0..<5 { timer.write(0x008, 1) }
    #expect(count == 5)
    timer.write(0x504, 0)
    bench.run(to: 2_000_000, timer)
    timer.write(0x008, 1)
    #expect(count == 1005)
  }

  /// What a timer did while nobody looked is the same as if somebody had looked all the time.
  @Test func timersCatchUpByArithmetic() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      let settings: [(UInt64, UInt64)] = [
        (0x508, .random(in: 0...1, using: &random)), (0x510, .random(in: 0...4, using: &random)),
        (0x200, .random(in: 0...15, using: &random)), (0x540, .random(in: 0...300, using: &random)),
        (0x544, .random(in: 0...300, using: &random)), (0x000, 1),
      ]
      let (watched, left) = (try lone(), try lone())
      for device in [watched.timer, left.timer] { for (offset, value) in settings { device.write(offset, value) } }
      let end = UInt64.random(in: 1000...3_000_000, using: &random)
      for time in stride(from: UInt64(500), to: end, by: 500) {
        watched.bench.clock.now = time
        _ = watched.timer.read(0x140)
      }
      for one in [watched, left] {
        one.bench.clock.now = end
        one.timer.write(0x048, 1)
      }
      for offset: UInt64 in [0x140, 0x144, 0x548] {
        #expect(watched.timer.read(offset) == left.timer.read(offset), "\(offset) after \(settings) at \(end)")
      }
    }
    // An hour of a counter that is cleared at 2, at 16 MHz.
    let (bench, timer) = try lone()
    for (offset, value) in [(0x510, 0), (0x540, 2), (0x200, 1), (0x000, 1)] as [(UInt64, UInt64)] {
      timer.write(offset, value)
    }
    bench.clock.now = 3_600_000_000_000
    #expect(timer.read(0x140) == 1)
  }

  private func lone() throws -> (bench: Bench, timer: NordicTimer) {
    let bench = Bench()
    return (bench, try NordicTimer(context: bench.context(FakeNode())))
  }

  /// END to START by a shortcut goes on by itself in the time that bytes take; STOP ends it.
  @Test func shortcutsTakeTime() throws {
    let spi = try NordicSerialMaster(context: bench.context(FakeNode()))
    spi.write(0x500, 7)
    spi.write(0x524, 0x8000_0000)
    spi.write(0x200, 1 << 17)
    spi.write(0x010, 1)
    #expect(spi.read(0x118) == 1)
    spi.write(0x118, 0)
    bench.run(to: 1000, spi)
    #expect(spi.read(0x118) == 0)
    bench.run(to: 2000, spi)
    #expect(spi.read(0x118) == 1)
    spi.write(0x014, 1)
    spi.write(0x118, 0)
    bench.run(to: 10_000, spi)
    #expect(spi.read(0x118) == 0)
  }

  /// EasyDMA does not reach registers, its own least of all.
  @Test func easyDMAReachesMemoryOnly() throws {
    let spi = try NordicSerialMaster(context: bench.context(FakeNode()))
    try bench.space.map("spi", at: 0x4000_3000, size: 0x1000, .device(spi, index: 0))
    for (offset, value) in [(0x500, 7), (0x534, 0x4000_3534), (0x538, 4), (0x010, 1)] as [(UInt64, UInt64)] {
      spi.write(offset, value)
    }
    #expect(spi.read(0x534) == 0x4000_3534 && bench.messages.contains { $0.contains("EasyDMA to 0x40003534") })
  }

  // MARK: Pins

  private func pins() throws -> (port: NordicGPIO, events: NordicGPIOTE) {
    let port = try NordicGPIO(
      context: bench.context(FakeNode(regions: [AddressRange(base: 0x5000_0000, size: 0x1000)]), interrupts: []))
    let events = try NordicGPIOTE(context: bench.context(FakeNode()))
    bench.directory["/port"] = port
    bench.directory["/events"] = events
    return (port, events)
  }

  /// nRF52840 PS 6.10: a channel with tasks owns its pin; given back, the pin shows OUT again.
  @Test func aTaskChannelOwnsItsPin() throws {
    let (port, events) = try pins()
    events.write(0x510, 3 | 7 << 8 | 3 << 16 | 1 << 20)
    #expect(port.read(0x10) == 1 << 7 && port.read(0x04) == 0)
    port.write(0x14, 1 << 7)
    port.write(0x0C, 1 << 7)
    #expect(port.read(0x10) == 1 << 7)
    events.write(0x000, 1)
    #expect(port.read(0x10) == 0)
    port.write(0x08, 1 << 7)
    #expect(port.read(0x10) == 0)
    events.write(0x510, 0)
    #expect(port.read(0x10) == 1 << 7)
  }

  /// LATCH keeps what was sensed. With DETECTMODE 1 PORT follows LATCH: it comes again for bits that stay after a clear.
  @Test func latchesDetect() throws {
    let (port, events) = try pins()
    for pin: UInt64 in [1, 2] { port.write(0x200 + 4 * pin, 1 | 2 << 16) }
    port.write(0x08, 2)
    #expect(port.read(0x20) == 2 && events.read(0x17C) == 1)
    events.write(0x17C, 0)
    port.write(0x08, 4)
    #expect(port.read(0x20) == 6 && events.read(0x17C) == 0)
    port.write(0x24, 1)
    port.write(0x0C, 2)
    port.write(0x20, 2)
    #expect(port.read(0x20) == 4 && events.read(0x17C) == 1)
    events.write(0x17C, 0)
    port.write(0x0C, 4)
    port.write(0x20, 4)
    #expect(port.read(0x20) == 0 && events.read(0x17C) == 0)
    port.write(0x08, 4)
    #expect(events.read(0x17C) == 1)
  }
}
