// Small peripherals of the nRF51 and nRF52: random numbers, temperature, analog input, factory information.
//
// Source: nRF51 Series Reference Manual v3.0, chapters 8 (FICR), 21 (RNG), 22 (TEMP), 31 (ADC).

import Bits
import Bus

/// Random numbers: a fixed sequence, so that runs repeat. A number takes 167 µs.
public final class NordicRNG: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-rng"] }

  public struct State: NordicState, Codable, Sendable, Equatable {
    var events = NordicEvents()
    var configuration: UInt32 = 0
    var value: UInt8 = 0
    var isRunning = false
    /// xorshift64*
    var seed: UInt64 = 0x9E37_79B9_7F4A_7C15
  }

  public let context: DeviceContext
  public var state = State()
  public let table = RegisterTable<NordicRNG>(
    [
      .task("START", 0x000) { $0.setRunning(true) }, .task("STOP", 0x004) { $0.setRunning(false) },
      .event("VALRDY", 0x100), .shorts,
    ], NordicRNG.interrupts,
    [
      Register("CONFIG", 0x504, [.field("DERCEN", 0)]).onRead(\.state.configuration).onWrite {
        $0.state.configuration = $1
      },
      Register("VALUE", 0x508, .readOnly).onRead { UInt32($0.state.value) },
    ])
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  private func setRunning(_ runs: Bool) {
    state.isRunning = runs
    context.cancel(token: 0)
    if state.isRunning { context.schedule(at: context.clock.now + 167_000, token: 0) }
  }

  public func event(_ token: UInt64) {
    state.seed ^= state.seed >> 12
    state.seed ^= state.seed << 25
    state.seed ^= state.seed >> 27
    state.value = UInt8(truncatingIfNeeded: (state.seed &* 0x2545_F491_4F6C_DD1D) >> 56)
    raise(0)
    if isShorted(0) { state.isRunning = false }
    if state.isRunning { context.schedule(at: context.clock.now + 167_000, token: 0) }
  }

  public func reset(_ cause: ResetCause) {
    state = State()
    updateInterrupt()
  }
}

/// The temperature of the chip: always 25 °C.
public final class NordicTemperature: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-temp"] }

  public struct State: NordicState, Codable, Sendable, Equatable { var events = NordicEvents() }

  public let context: DeviceContext
  public var state = State()
  public let table = RegisterTable<NordicTemperature>(
    [
      .task("START", 0x000) { $0.context.schedule(at: $0.context.clock.now + 36_000, token: 0) },
      .task("STOP", 0x004) { _ in }, .event("DATARDY", 0x100),
    ], NordicTemperature.interrupts,
    [
      // In quarters of a degree.
      Register("TEMP", 0x508, .readOnly, reset: 100),
      // Workarounds for errata write here.
      Register("TEST", 0x504, [.reserved(0..<32)]), Register("TRIM", 0x50C, count: 60, [.reserved(0..<32)]),
    ])
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  public func event(_ token: UInt64) { raise(0) }

  public func reset(_ cause: ResetCause) {
    state = State()
    updateInterrupt()
  }
}

/// The analog-to-digital converter of the nRF51: every input is at 0 V.
public final class NordicADC: NordicPeripheral {
  public static var compatible: [String] { ["nordic,nrf-adc"] }

  public struct State: NordicState, Codable, Sendable, Equatable {
    var events = NordicEvents()
    var enable: UInt32 = 0
    var configuration: UInt32 = 0x18
    var isBusy = false
  }

  public let context: DeviceContext
  public var state = State()
  public let table = RegisterTable<NordicADC>(
    [
      .task("START", 0x000) { $0.setBusy($0.state.enable & 3 == 1) }, .task("STOP", 0x004) { $0.setBusy(false) },
      .event("END", 0x100),
    ], NordicADC.interrupts,
    [
      Register("BUSY", 0x400, .readOnly).onRead { $0.state.isBusy ? 1 : 0 },
      Register("ENABLE", 0x500).onRead(\.state.enable).onWrite { $0.state.enable = $1 },
      Register("CONFIG", 0x504, reset: 0x18).onRead(\.state.configuration).onWrite { $0.state.configuration = $1 },
      Register("RESULT", 0x508, .readOnly),
    ])
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  private func setBusy(_ isBusy: Bool) {
    state.isBusy = isBusy
    context.cancel(token: 0)
    if isBusy { context.schedule(at: context.clock.now + 68_000, token: 0) }
  }

  public func event(_ token: UInt64) {
    state.isBusy = false
    raise(0)
  }

  public func reset(_ cause: ResetCause) {
    state = State()
    updateInterrupt()
  }
}

/// Factory information, and other read-only memory: words that the board gives as `martlet,contents = <offset value>, …`,
/// and numbers in them that tell the size of a memory, as `martlet,sizes = <offset &memory unit bit width>, …` (the size in
/// units of so many bytes, in `width` bits from `bit` on). The rest is erased flash.
public final class NordicFICR: Device {
  public static var compatible: [String] { ["nordic,nrf-ficr", "martlet,read-only-words"] }

  public struct State: Codable, Sendable, Equatable {}

  public let context: DeviceContext
  public var state = State()
  private let words: [UInt64: UInt32]

  public init(context: DeviceContext) throws(DeviceError) {
    let cells = context.node.cells("martlet,contents") ?? []
    guard cells.count % 2 == 0 else {
      throw .badProperty(
        device: context.node.name, property: "martlet,contents", reason: "not pairs of offset and word")
    }
    self.context = context
    var words = Dictionary(
      stride(from: 0, to: cells.count, by: 2).map { (UInt64(cells[$0]), cells[$0 + 1]) }, uniquingKeysWith: { $1 })
    let sizes = context.node.cells("martlet,sizes") ?? []
    for entry in stride(from: 0, to: sizes.count, by: 5) {
      guard sizes.count - entry >= 5, let memory = context.node.node(phandle: sizes[entry + 1])?.regions.first,
        sizes[entry + 2] > 0, sizes[entry + 3] < 32, (1...32).contains(sizes[entry + 4])
      else {
        throw .badProperty(
          device: context.node.name, property: "martlet,sizes", reason: "not offset, memory, unit, bit and width")
      }
      let bits = Int(sizes[entry + 3])..<Int(min(sizes[entry + 3] + sizes[entry + 4], 32))
      let word = UInt64(words[UInt64(sizes[entry]), default: .max])
      let number = memory.size / UInt64(sizes[entry + 2])
      words[UInt64(sizes[entry])] = UInt32(truncatingIfNeeded: word.replacingBits(bits, with: number))
    }
    self.words = words
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    UInt64(words[offset & ~3] ?? .max) >> (8 * (offset & 3)) & .mask(8 * size)
  }

  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    read(region: region, offset: offset, size: size)
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    context.log(.guestError, "a write to offset \(offset.hex0x()) of read-only memory has no effect")
  }

  public func reset(_ cause: ResetCause) {}
}
