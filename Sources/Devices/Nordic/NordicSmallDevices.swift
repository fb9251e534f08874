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
  public let registers: [RegisterMap]

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    registers = [
      RegisterMap(
        NordicRegisters.declare(
          tasks: [("START", 0), ("STOP", 4)], events: [("VALRDY", 0x100)], hasShorts: true)
          + [Register("CONFIG", 0x504), Register("VALUE", 0x508, .readOnly)])
    ]
  }

  func trigger(_ task: Int) {
    state.isRunning = task == 0
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

  func value(at offset: UInt64, isPeek: Bool) -> UInt32? {
    switch offset {
    case 0x504: state.configuration
    case 0x508: UInt32(state.value)
    default: nil
    }
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    guard offset == 0x504 else { return false }
    state.configuration = value & 1
    return true
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
  public let registers: [RegisterMap]

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    registers = [
      RegisterMap(
        NordicRegisters.declare(tasks: [("START", 0), ("STOP", 4)], events: [("DATARDY", 0x100)])
          + [Register("TEMP", 0x508, .readOnly)])
    ]
  }

  func trigger(_ task: Int) { if task == 0 { context.schedule(at: context.clock.now + 36_000, token: 0) } }
  public func event(_ token: UInt64) { raise(0) }
  /// In quarters of a degree. The writes to 0x504 and below are errata workarounds.
  func value(at offset: UInt64, isPeek: Bool) -> UInt32? { offset == 0x508 ? 100 : offset >= 0x504 ? 0 : nil }
  func setValue(_ value: UInt32, at offset: UInt64) -> Bool { offset >= 0x504 }

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
  public let registers: [RegisterMap]

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    registers = [
      RegisterMap(
        NordicRegisters.declare(tasks: [("START", 0), ("STOP", 4)], events: [("END", 0x100)])
          + [
            Register("BUSY", 0x400, .readOnly), Register("ENABLE", 0x500), Register("CONFIG", 0x504, reset: 0x18),
            Register("RESULT", 0x508, .readOnly),
          ])
    ]
  }

  func trigger(_ task: Int) {
    state.isBusy = task == 0 && state.enable & 3 == 1
    context.cancel(token: 0)
    if state.isBusy { context.schedule(at: context.clock.now + 68_000, token: 0) }
  }

  public func event(_ token: UInt64) {
    state.isBusy = false
    raise(0)
  }

  func value(at offset: UInt64, isPeek: Bool) -> UInt32? {
    switch offset {
    case 0x400: state.isBusy ? 1 : 0
    case 0x500: state.enable
    case 0x504: state.configuration
    case 0x508: 0
    default: nil
    }
  }

  func setValue(_ value: UInt32, at offset: UInt64) -> Bool {
    switch offset {
    case 0x500: state.enable = value
    case 0x504: state.configuration = value
    default: return false
    }
    return true
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
