// Tests of the events and interrupts of STM32's EXTI (RM0008 10.2, RM0090 12.2).
import Bus
import Devices
import Testing

/// A CPU that counts the events it gets.
private final class FakeCPU: MMIOTarget, EventInput {
  var events = 0
  func signalEvent() { events += 1 }
  func read(region: Int, offset: UInt64, size: Int) -> UInt64 { 0 }
  func write(region: Int, offset: UInt64, size: Int, value: UInt64) {}
  func peek(region: Int, offset: UInt64, size: Int) -> UInt64? { nil }
}

@Suite struct STM32EventTests {
  private func unit(_ series: Series) throws -> (Bench, STM32EXTI, STM32GPIO, FakeCPU) {
    let bench = Bench()
    let isFirst = series == .f1
    let port = try STM32GPIO(context: bench.context(.stm32(series, isFirst ? 0x4001_0800 : 0x4002_0000)))
    let unit = try STM32EXTI(
      context: bench.context(.stm32(series, 0x4001_3C00), interrupts: [6, 7, 8, 9, 10, 23, 40].map { ("/nvic", $0) }))
    let cpu = FakeCPU()
    bench.directory["/gpioa"] = port
    bench.directory["/exti"] = unit
    bench.directory["/nvic"] = cpu
    port.write(0x00, isFirst ? 0x3333_3333 : 0x5555)
    return (bench, unit, port, cpu)
  }

  private func set(_ port: STM32GPIO, _ series: Series, _ value: UInt64) {
    port.write(series == .f1 ? 0x10 : 0x18, value)
  }

  /// An edge that RTSR or FTSR chooses is an event by EMR and pends by IMR: each by itself, or both.
  @Test(arguments: Series.allCases) func edgesAreEvents(series: Series) throws {
    for (mask, events, rising, falling) in [(0, 1, 1, 0), (0, 1, 0, 1), (1, 0, 1, 1), (1, 1, 1, 0), (0, 0, 1, 1)]
      as [(UInt64, UInt64, UInt64, UInt64)]
    {
      let (bench, unit, port, cpu) = try unit(series)
      unit.write(0x00, mask)
      unit.write(0x04, events)
      unit.write(0x08, rising)
      unit.write(0x0C, falling)
      set(port, series, 1)
      #expect(cpu.events == Int(events & rising) && unit.read(0x14) == mask & rising)
      unit.write(0x14, 1)
      set(port, series, 1 << 16)
      #expect(cpu.events == Int(events & rising + events & falling) && unit.read(0x14) == mask & falling)
      #expect(bench.levels == (mask & falling == 1 ? "1000000" : "0000000"))
    }
  }

  /// SWIER is an edge; its bit is cleared with that of PR.
  @Test(arguments: Series.allCases) func softwareIsAnEdge(series: Series) throws {
    let (bench, unit, _, cpu) = try unit(series)
    unit.write(0x04, 0x11)
    unit.write(0x00, 0x30)
    unit.write(0x10, 0x31)
    #expect(cpu.events == 1 && unit.read(0x14) == 0x30 && bench.levels == "0000110")
    unit.write(0x10, 0x01)
    #expect(cpu.events == 1 && unit.read(0x10) == 0x31, "it is set already")
    unit.write(0x14, 0x31)
    #expect(unit.read(0x10) == 0 && bench.levels == "0000000")
    unit.write(0x10, 0x01)
    #expect(cpu.events == 2 && unit.read(0x14) == 0)
  }
}
