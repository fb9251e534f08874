/// Reset and clock control of STM32: oscillators and PLLs with their ready bits, the clocks of the buses, resets of
/// peripherals, and why the chip was reset.
///
/// Sources: RM0008 chapter 7 (F1), RM0090 chapter 7 (F4), RM0385 chapter 5 (F7). Oscillators start at once.
import Bits
import Bus

public final class STM32RCC: BankDevice {
  public static var compatible: [String] {
    ["st,stm32-rcc", "st,stm32f1-rcc", "st,stm32f4-rcc", "st,stm32f7-rcc"]
  }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// The flags of the resets since the software last cleared them, as CSR shows them.
    var causes: UInt32
  }

  public let context: DeviceContext
  public var state: State
  public let registers: [RegisterMap]
  var unimplemented = UnimplementedLog()
  private let family: STM32Family
  /// Offsets of CFGR, BDCR and CSR.
  private let configuration, backup, status: UInt64
  /// Of the crystal, in Hz.
  private let external: UInt64

  public init(context: DeviceContext) throws(DeviceError) {
    guard !context.node.regions.isEmpty else { throw .missingRegion(device: context.node.name, index: 0) }
    self.context = context
    family = STM32Family(context)
    (configuration, backup, status) = family == .f1 ? (0x04, 0x20, 0x24) : (0x08, 0x70, 0x74)
    external = context.node.node(path: "/clocks/clk-hse")?.u64("clock-frequency") ?? 8_000_000
    let map = RegisterMap(Self.declare(family))
    registers = [map]
    state = State(bank: RegisterBank(map), causes: Self.flags(of: .powerOn, family))
  }

  private static func declare(_ family: STM32Family) -> [Register] {
    let control: [Field] = [
      .field("HSION", 0), .field("HSIRDY", 1), .field("HSITRIM", 3..<8), .field("HSICAL", 8..<16), .field("HSEON", 16),
      .field("HSERDY", 17), .field("HSEBYP", 18), .unimplemented("CSSON", 19), .field("PLLON", 24),
      .field("PLLRDY", 25), .field("PLLI2SON", 26), .field("PLLI2SRDY", 27), .field("PLLSAION", 28),
      .field("PLLSAIRDY", 29),
    ]
    let own: [Register] =
      family == .f1
      ? [
        Register("CR", 0x00, reset: 0x83, control), Register("CFGR", 0x04), Register("CIR", 0x08),
        Register("APB2RSTR", 0x0C), Register("APB1RSTR", 0x10), Register("AHBENR", 0x14, reset: 0x14),
        Register("APB2ENR", 0x18), Register("APB1ENR", 0x1C), Register("BDCR", 0x20),
        Register("CSR", 0x24), Register("AHBRSTR", 0x28), Register("CFGR2", 0x2C),
      ]
      : [
        Register("CR", 0x00, reset: 0x83, control), Register("PLLCFGR", 0x04, reset: 0x2400_3010),
        Register("CFGR", 0x08), Register("CIR", 0x0C), Register("AHBRSTR", 0x10, count: 3),
        Register("APBRSTR", 0x20, count: 2), Register("AHBENR", 0x30, reset: 0, count: 3),
        Register("APBENR", 0x40, count: 2), Register("AHBLPENR", 0x50, reset: 0xFFFF_FFFF, count: 3),
        Register("APBLPENR", 0x60, reset: 0xFFFF_FFFF, count: 2), Register("BDCR", 0x70), Register("CSR", 0x74),
        Register("SSCGR", 0x80), Register("PLLI2SCFGR", 0x84, reset: 0x2000_3000),
        Register("PLLSAICFGR", 0x88, reset: 0x2400_3000), Register("DCKCFGR", 0x8C, count: 2),
      ]
    return own
  }

  // MARK: Registers

  func load(_ offset: UInt64, isPeek: Bool) -> UInt32 {
    let value = bank[offset]
    switch offset {
    case 0x00: return Self.ready(value, [0, 16, 24, 26, 28])
    case configuration: return value & ~0xC | (value & 3) << 2
    case backup: return Self.ready(value, [0])
    case status: return Self.ready(value, [0]) & 0xFF | state.causes
    default: return value
    }
  }

  /// Each ready bit stands above its enable.
  private static func ready(_ value: UInt32, _ enables: [Int]) -> UInt32 {
    enables.reduce(value) { $0.setting($1 + 1, to: value.has($1)) }
  }

  func store(_ value: UInt32, at offset: UInt64) {
    let old = bank[offset]
    bank[offset] = value
    switch offset {
    case status: if value.has(24) { state.causes = 0 }
    case backup: writeBackup(value, over: old)
    case 0x0C where family == .f1, 0x10 where family == .f1:
      resetDevices(value & ~old, enable: offset == 0x0C ? 0x18 : 0x1C)
    case 0x10..<0x28 where family != .f1: resetDevices(value & ~old, enable: offset + 0x20)
    default: break
    }
  }

  /// Resets the peripherals behind the bits of a reset register: those that `clocks` connects to the same bits of the
  /// enable register, which is how trees name them.
  private func resetDevices(_ bits: UInt32, enable: UInt64) {
    guard bits != 0 else { return }
    for device in context.directory.all {
      guard let device = device as? any Device, let cells = device.context.node.cells("clocks"), cells.count >= 3,
        device.context.device("clocks") === self, UInt64(cells[1]) == enable, cells[2] & bits != 0
      else { continue }
      device.reset(.controller)
    }
  }

  // MARK: Clocks

  /// SYSCLK, in Hz.
  private var system: UInt64 {
    switch bank[configuration] & 3 {
    case 1: external
    case 2: pll
    default: internalClock
    }
  }

  private var internalClock: UInt64 { family == .f1 ? 8_000_000 : 16_000_000 }

  private var pll: UInt64 {
    if family == .f1 {
      let value = bank[0x04]
      let source = value.has(16) ? external / (value.has(17) ? 2 : 1) : internalClock / 2
      return source * UInt64(min(value.field(18, 4) + 2, 16))
    }
    let value = bank[0x04]
    let source = value.has(22) ? external : internalClock
    return source / UInt64(max(value.field(0, 6), 1)) * UInt64(value.field(6, 9)) / UInt64(2 * (value.field(16, 2) + 1))
  }

  /// The clock of timers on a bus, in Hz: twice the bus's if that is divided.
  /// - Parameter enable: the offset of the bus's enable register.
  func timerFrequency(enable: UInt64) -> UInt64 {
    let shift = divider(isSecond: enable == (family == .f1 ? 0x18 : 0x44))
    return max(1, bus >> (shift > 1 ? shift - 1 : 0))
  }

  /// PCLK1 or PCLK2, in Hz.
  func busFrequency(isSecond: Bool) -> UInt64 { max(1, bus >> divider(isSecond: isSecond)) }

  /// By which power of two HCLK is divided.
  private func divider(isSecond: Bool) -> UInt64 {
    let value = bank[configuration].field((family == .f1 ? 8 : 10) + (isSecond ? 3 : 0), 3)
    return value < 4 ? 0 : UInt64(value & 3) + 1
  }

  /// HCLK, in Hz.
  private var bus: UInt64 {
    let divider = bank[configuration].field(4, 4)
    let shifts: [UInt64] = [1, 2, 3, 4, 6, 7, 8, 9]
    return divider < 8 ? system : system >> shifts[Int(divider & 7)]
  }

  // MARK: Resets

  /// The flags of CSR that a reset sets: the chip drives the pin itself, whatever resets it.
  private static func flags(of cause: ResetCause, _ family: STM32Family) -> UInt32 {
    let (brownOut, pin, power): (UInt32, UInt32, UInt32) = (family == .f1 ? 0 : 1 << 25, 1 << 26, 1 << 27)
    return switch cause {
    case .powerOn: power | pin | brownOut
    // F1 has one threshold, and one flag for it.
    case .brownOut: pin | (family == .f1 ? power : brownOut)
    case .software: pin | 1 << 28
    case .watchdog: pin | 1 << 29
    case .windowWatchdog: pin | 1 << 30
    // A lock-up does not reset these chips by itself.
    case .pin, .debugger, .lockUp, .controller: pin
    }
  }

  /// BDCR: its BDRST resets the backup domain, which PWR keeps from being written.
  private func writeBackup(_ value: UInt32, over old: UInt32) {
    guard context.permitsBackupWrites else { return bank[backup] = old }
    guard value.has(16) else { return }
    bank[backup] = 1 << 16
    for case let device as any STM32BackupDevice in context.directory.all { device.resetBackup() }
  }

  /// BDCR is of the backup domain.
  public func reset(_ cause: ResetCause) {
    let flags = Self.flags(of: cause, family)
    let kept = cause == .powerOn ? 0 : bank[backup]
    state = State(bank: RegisterBank(registers[0]), causes: cause == .powerOn ? flags : state.causes | flags)
    bank[backup] = kept
  }
}
