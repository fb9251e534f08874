// The UART: registers, FIFO, interrupts, loopback.
import Bus
import Devices
import Testing

@Suite struct NS16550ATests {
  let bench = Bench()
  let uart: NS16550A

  init() throws { uart = try NS16550A(context: bench.context(FakeNode())) }

  func put(_ register: UInt64, _ value: UInt64) { uart.write(register, value, 1) }
  func get(_ register: UInt64) -> UInt64 { uart.read(register, 1) }

  @Test func writtenCharactersLeaveAtOnce() {
    for byte in "Hi".utf8 { put(0, UInt64(byte)) }
    #expect(bench.text == "Hi")
    #expect(get(5) == 0x60)
  }

  @Test func divisorHidesBehindDLAB() {
    put(3, 0x83)
    put(0, 0x34)
    put(1, 0x12)
    #expect(get(0) == 0x34 && get(1) == 0x12)
    put(3, 3)
    #expect(get(1) == 0)
    #expect(bench.sent.isEmpty)
  }

  @Test func receiverInterruptsByTriggerAndDrains() {
    put(2, 0x41)
    put(1, 1)
    uart.receive([1, 2, 3])
    #expect(bench.levels == "1")
    #expect(get(2) == 0xcc)
    uart.receive([4])
    #expect(get(2) == 0xc4)
    #expect(uart.peek(region: 0, offset: 0, size: 1) == 1)
    #expect((0..<4).map { _ in get(0) } == [1, 2, 3, 4])
    #expect(bench.levels == "0")
    #expect(get(2) == 0xc1)
    #expect(get(5) & 1 == 0)
  }

  @Test func noInputIsLost() {
    let bytes = (0..<100).map { UInt8($0) }
    uart.receive(bytes)
    var seen: [UInt8] = []
    while get(5) & 1 != 0 { seen.append(UInt8(get(0))) }
    #expect(seen == bytes)
  }

  @Test func transmitterInterruptIsAcknowledgedByIIR() {
    put(1, 2)
    #expect(bench.levels == "1")
    #expect(uart.peek(region: 0, offset: 2, size: 1) == 2)
    #expect(get(2) == 2)
    #expect(bench.levels == "0")
    #expect(get(2) == 1)
    put(0, 0x41)
    #expect(bench.levels == "1")
    put(1, 0)
    #expect(bench.levels == "0")
  }

  @Test func loopbackReturnsCharactersAndModemLines() {
    uart.receive([9])
    #expect(get(0) == 9)
    #expect(get(6) == 0xb0)
    put(4, 0x1b)
    uart.receive([8])
    put(0, 0x55)
    put(0, 0x66)
    #expect(bench.sent.isEmpty)
    #expect(get(5) == 0x63)
    #expect(get(5) == 0x61)
    #expect(get(0) == 0x55)
    #expect(get(6) & 0xf0 == 0xb0)
    put(4, 0x10)
    #expect(get(6) == 0x0b)
    put(4, 0)
    #expect(get(0) == 8)
  }

  @Test func registersMayBeSpread() throws {
    let wide = try NS16550A(context: bench.context(FakeNode(values: ["reg-shift": [2]])))
    wide.write(0x1c, 0xa5)
    #expect(wide.read(0x1c) == 0xa5)
    #expect(wide.read(0x14) == 0x60)
    #expect(wide.read(2) == 0)
    #expect(bench.messages == ["device@1000: read of offset 0x2, where there is no register"])
    #expect(throws: DeviceError.self) { try NS16550A(context: bench.context(FakeNode(values: ["reg-shift": [9]]))) }
  }

  @Test func unimplementedFieldsAreNamedOnce() {
    put(3, 0x43)
    put(3, 0x43)
    put(4, 0x20)
    #expect(
      bench.messages == ["device@1000: LCR.BREAK is not implemented", "device@1000: MCR.AFE is not implemented"])
  }

  @Test func stateIsAValue() throws {
    put(2, 1)
    put(1, 3)
    uart.receive(Array(0..<20))
    let saved = try uart.saveState()
    let before = uart.state
    _ = get(0)
    uart.reset(.pin)
    #expect(uart.state != before)
    #expect(bench.levels == "0")
    try uart.restoreState(saved)
    #expect(uart.state == before)
    #expect(bench.levels == "0")
  }

  @Test func dumpShowsNamesAndFields() {
    put(7, 0x5a)
    let dump = uart.registerDump()
    #expect(dump.contains("SCR             0x5a"))
    #expect(dump.contains("LSR             0x60  THRE TEMT"))
  }
}
