// Declared registers: what an access of any size does to a row, and what a look does not.

import Bus
import Testing

private final class Sample: RegisterDevice {
  struct State: Codable, Sendable, Equatable {
    var control: UInt32 = 0x300
    var held: [UInt32] = [0, 0]
    var list: [UInt8] = [1, 2, 3]
    var wide: UInt64 = 0
    var reads = 0
    var writes = 0
  }

  static var compatible: [String] { [] }
  let context: DeviceContext
  var state = State()
  var unimplemented = UnimplementedLog()
  let table: RegisterTable<Sample> = [
    Register("CR", 0x00, reset: 0x300, [.field("LOW", 0..<10), .unimplemented("HIGH", 15), .reserved(16..<32)])
      .onRead(\.state.control).onWrite { $0.state.control = $1 },
    Register("LIST", 0x04, count: 3, stride: 4).onRead { UInt32($0.state.list[$1]) }.onWrite {
      $0.state.list[$2] = UInt8(truncatingIfNeeded: $1)
    },
    Register("FIFO", 0x10, .readOnly).onDestructiveRead { $0.count() },
    Register("SEEN", 0x14, .readOnly).onRead { UInt32($0.state.reads) }.afterRead { $0.state.reads += 1 },
    Register("WIDE", 0x18, width: 8)
      .inParts(read: { device, _ in device.state.wide }, write: { device, value, _ in device.state.wide = value }),
    Register("HELD", 0x20, count: 2), Register("ID", 0x28, .readOnly, reset: 0xB105),
    Register("GO", 0x2C, .writeOnly).onWrite { $0.state.writes += Int($1) },
  ]

  init(context: DeviceContext) { self.context = context }

  func count() -> UInt32 {
    state.reads += 1
    return UInt32(state.reads)
  }

  func held(at offset: UInt64) -> UInt32? {
    (0x20..<0x28).contains(offset) ? state.held[Int(offset - 0x20) / 4] : nil
  }
  func hold(_ value: UInt32, at offset: UInt64) { state.held[Int(offset - 0x20) / 4] = value }
  func reset(_ cause: ResetCause) { state = State() }
}

@Suite struct DeclaredRegisterTests {
  private let bench = Bench()

  @Test func narrowWritesAreCompleted() {
    let device = Sample(context: bench.context(FakeNode()))
    device.write(0x20, 0x1122_3344)
    device.write(0x22, 0xAABB, 2)
    #expect(device.read(0x20) == 0xAABB_3344)
    #expect(device.read(0x23, 1) == 0xAA)
    #expect(device.read(0x24) == 0)
    // Nothing is held of a register that is stored elsewhere.
    device.write(0x00, 0x12, 1)
    #expect(device.state.control == 0x12)
    device.write(0x1C, 0x5, 4)
    device.write(0x18, 0x7, 4)
    #expect(device.state.wide == 0x5_0000_0007)
    device.write(0x18, 0x1_0000_0002, 8)
    #expect(device.state.wide == 0x1_0000_0002)
    // The second of two registers is not reached by a wide access to the first.
    device.write(0x20, 0x9_0000_0001, 8)
    #expect(device.state.held == [1, 0])
  }

  @Test func onlyTheBitsOfFieldsAreWritten() {
    let device = Sample(context: bench.context(FakeNode()))
    device.write(0x00, 0xFFFF_FFFF)
    #expect(device.state.control == 0x83FF)
    #expect(bench.messages == ["device@1000: CR.HIGH is not implemented"])
  }

  @Test func rowsOfArraysKnowTheirNumber() {
    let device = Sample(context: bench.context(FakeNode()))
    device.write(0x08, 0x1FF)
    #expect(device.state.list == [1, 0xFF, 3])
    #expect(device.read(0x0C) == 3)
  }

  @Test func looksHaveNoEffects() {
    let device = Sample(context: bench.context(FakeNode()))
    for offset: UInt64 in stride(from: 0, to: 0x40, by: 4) { _ = device.peek(region: 0, offset: offset, size: 4) }
    #expect(device.state == Sample.State())
    #expect(device.peek(region: 0, offset: 0x10, size: 4) == nil)
    #expect(device.read(0x10) == 1)
    #expect(device.read(0x14) == 1)
    #expect(device.peek(region: 0, offset: 0x14, size: 4) == 2)
    #expect(
      device.registers[0].registers.map(\.sideEffectOnRead) == [false, false, true, true, false, false, false, false])
    #expect(bench.messages.isEmpty)
  }

  @Test func accessesThatNoRowPermitsAreSaidOnce() {
    let device = Sample(context: bench.context(FakeNode()))
    #expect(device.read(0x28) == 0xB105)
    for _ in 0..<2 { device.write(0x28, 1) }
    #expect(device.read(0x2C) == 0)
    for _ in 0..<2 { _ = device.read(0x30) }
    device.write(0x30, 0)
    device.write(0x2C, 3)
    #expect(device.state.writes == 3)
    #expect(
      bench.messages == [
        "device@1000: a write to ID, which is read-only",
        "device@1000: read of offset 0x30, where there is no register",
        "device@1000: write to offset 0x30, where there is no register",
      ])
  }
}
