// Reset and clock control of STM32: oscillators and PLLs with their ready bits, the clocks of the buses, resets of
// peripherals, and why the chip was reset.
//
// Sources: RM0008 chapter 7 (F1), RM0090 chapter 7 (F4), RM0385 chapter 5 (F7). Oscillators start at once; whether a
// peripheral's clock is enabled is not looked at.

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
    /// The source of SYSCLK, which SWS shows.
    var source: UInt32 = 0
    /// How the clocks run: the CPU's, SysTick's, and those of ``STM32Clock`` in their order.
    var clocks: [ClockPhase] = []
  }

  public let context: DeviceContext
  public var state: State
  public let table: RegisterTable<STM32RCC>
  public var unimplemented = UnimplementedLog()
  private let family: STM32Family
  /// Offsets of CFGR, BDCR and CSR.
  private let configuration, backup, status: UInt64
  /// Of the crystal, in Hz.
  private let crystal: UInt64
  private let signals: [ClockSignal]

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    family = STM32Family(context)
    (configuration, backup, status) = family == .f1 ? (0x04, 0x20, 0x24) : (0x08, 0x70, 0x74)
    crystal = min(context.node.node(path: "/clocks/clk-hse")?.u64("clock-frequency") ?? 8_000_000, 1 << 32)
    table = RegisterTable(Self.registers(family))
    state = State(bank: RegisterBank(table), causes: Self.flags(of: .powerOn, family))
    signals =
      [context.clocks.cpu, context.clocks.reference]
      + STM32Clock.allCases.map { context.clocks.signal("\(context.node.path):\($0)") }
    // SKEW, and what makes 1 ms at the highest clock of the first chips (PM0056 and PM0214, "SYST_CALIB").
    context.clocks.calibration = 0x4000_0000 | (family == .f1 ? 9000 : 18_750)
    driveClocks()
  }

  private static func registers(_ family: STM32Family) -> Registers {
    var control: [Field] = [
      .field("HSION", 0), .field("HSIRDY", 1), .field("HSITRIM", 3..<8), .field("HSICAL", 8..<16), .field("HSEON", 16),
      .field("HSERDY", 17), .field("HSEBYP", 18), .unimplemented("CSSON", 19), .field("PLLON", 24),
      .field("PLLRDY", 25),
    ]
    if family != .f1 { control += [.field("PLLI2SON", 26), .field("PLLI2SRDY", 27)] }
    if family == .f7 { control += [.field("PLLSAION", 28), .field("PLLSAIRDY", 29)] }
    let interrupts: [Field] = [.field("RDYF", 0..<8), .unimplemented("RDYIE", 8..<15), .field("RDYC", 16..<24)]
    let controlRow = Register("CR", 0x00, reset: 0x83, control)
      .onRead(\.controlValue).onWrite { $0.writeControl($1) }
    let backupRow = Register("BDCR", family == .f1 ? 0x20 : 0x70)
      .onRead { Self.ready($0.bank[$0.backup], [0]) }.onWrite { $0.writeBackup($1) }
    let statusRow = Register("CSR", family == .f1 ? 0x24 : 0x74)
      .onRead { Self.ready($0.bank[$0.status], [0]) & 0xFF | $0.state.causes }.onWrite { $0.writeStatus($1) }
    guard family != .f1 else {
      return [
        controlRow,
        Register("CFGR", 0x04).onRead(\.configurationValue).onWrite { $0.set(0x04, $1, whileOff: 0x3F_0000) },
        Register("CIR", 0x08, interrupts), Register("APB2RSTR", 0x0C).onWrite { $0.reset($1, 0x0C, enable: 0x18) },
        Register("APB1RSTR", 0x10).onWrite { $0.reset($1, 0x10, enable: 0x1C) }, Register("AHBENR", 0x14, reset: 0x14),
        Register("APB2ENR", 0x18), Register("APB1ENR", 0x1C), backupRow, statusRow,
        Register("AHBRSTR", 0x28), Register("CFGR2", 0x2C),
      ]
    }
    return [
      controlRow, Register("PLLCFGR", 0x04, reset: 0x2400_3010).onWrite { $0.set(0x04, $1, whileOff: .max) },
      Register("CFGR", 0x08).onRead(\.configurationValue), Register("CIR", 0x0C, interrupts),
      Register("AHBRSTR", 0x10, count: 3).onWrite {
        $0.reset($1, 0x10 + 4 * UInt64($2), enable: 0x30 + 4 * UInt64($2))
      },
      Register("APBRSTR", 0x20, count: 2).onWrite {
        $0.reset($1, 0x20 + 4 * UInt64($2), enable: 0x40 + 4 * UInt64($2))
      },
      Register("AHBENR", 0x30, reset: 0, count: 3), Register("APBENR", 0x40, count: 2),
      Register("AHBLPENR", 0x50, reset: 0xFFFF_FFFF, count: 3),
      Register("APBLPENR", 0x60, reset: 0xFFFF_FFFF, count: 2), backupRow, statusRow,
      Register(
        "SSCGR", 0x80,
        [.field("MODPER", 0..<13), .field("INCSTEP", 13..<28), .field("SPREADSEL", 30), .unimplemented("SSCGEN", 31)]),
      Register("PLLI2SCFGR", 0x84, reset: 0x2000_3000),
      Register("PLLSAICFGR", 0x88, reset: 0x2400_3000), Register("DCKCFGR", 0x8C, count: 2),
    ]
  }

  // MARK: Registers

  private var controlValue: UInt32 {
    Self.ready(bank[0x00], [0, 16, 26, 28]).setting(25, to: clockRegisters.isReady(.multiplied))
  }

  private var configurationValue: UInt32 { bank[configuration] & ~0xC | state.source << 2 }

  /// Each ready bit stands above its enable.
  private static func ready(_ value: UInt32, _ enables: [Int]) -> UInt32 {
    enables.reduce(value) { $0.setting($1 + 1, to: value.has($1)) }
  }

  public func performWrite(_ write: () -> Void) {
    write()
    driveClocks()
  }

  private func writeControl(_ value: UInt32) {
    bank[0x00] = value
    bank[0x00] |= clockRegisters.enables(of: source)
  }

  /// A register some bits of which set up the PLL, which they do while it is off.
  private func set(_ offset: UInt64, _ value: UInt32, whileOff bits: UInt32) {
    let kept = bank[0x00].has(24) ? bits : 0
    if (bank[offset] ^ value) & kept != 0 {
      context.log(.guestError, "a change of the PLL's settings while it is on")
    }
    bank[offset] = bank[offset] & kept | value & ~kept
  }

  /// RMVF
  private func writeStatus(_ value: UInt32) {
    bank[status] = value
    if value.has(24) { state.causes = 0 }
  }

  // MARK: Clocks

  private var clockRegisters: STM32ClockRegisters {
    STM32ClockRegisters(
      family: family, control: bank[0x00], configuration: bank[configuration], backup: bank[backup],
      status: bank[status], multiplier: bank[0x04], dedicated: family == .f7 ? bank[0x8C] : 0, crystal: crystal)
  }

  private var source: STM32ClockRegisters.Source { .init(rawValue: state.source) ?? .internalClock }

  /// Takes the clock switch over, if what it asks for is ready, and makes all clocks as the registers say.
  private func driveClocks() {
    let registers = clockRegisters
    if let wanted = STM32ClockRegisters.Source(rawValue: registers.configuration & 3), registers.isReady(wanted) {
      state.source = wanted.rawValue
    }
    let bus = registers.bus(source)
    let frequencies = [bus, max(1, bus / 8)] + STM32Clock.allCases.map { registers.frequency(of: $0, source) }
    for (signal, frequency) in zip(signals, frequencies) { signal.drive(frequency) }
    state.clocks = signals.map(\.phase)
  }

  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    let restored = try decodeSnapshot(State.self, from: bytes)
    guard restored.clocks.count == signals.count, restored.source < 3 else {
      throw .malformed(type: "STM32RCC.State", offset: 0)
    }
    state = restored
    for (signal, phase) in zip(signals, restored.clocks) { signal.restore(phase) }
  }

  // MARK: Resets

  /// A reset register is written. Resets the peripherals behind the bits that come to be set: those that `clocks` connects to the same bits of the
  /// enable register, which is how trees name them.
  private func reset(_ value: UInt32, _ offset: UInt64, enable: UInt64) {
    let bits = value & ~bank[offset]
    bank[offset] = value
    guard bits != 0 else { return }
    for device in context.directory.all {
      guard let device = device as? any Device, let cells = device.context.node.cells("clocks"), cells.count >= 3,
        device.context.device("clocks") === self, UInt64(cells[1]) == enable, cells[2] & bits != 0
      else { continue }
      device.reset(.controller)
    }
  }

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
  private func writeBackup(_ value: UInt32) {
    guard context.permitsBackupWrites else { return }
    bank[backup] = value.has(16) ? 1 << 16 : value
    guard value.has(16) else { return }
    for case let device as any STM32BackupDevice in context.directory.all { device.resetBackup() }
  }

  /// BDCR is of the backup domain.
  public func reset(_ cause: ResetCause) {
    let flags = Self.flags(of: cause, family)
    let kept = cause == .powerOn ? 0 : bank[backup]
    state = State(bank: RegisterBank(table), causes: cause == .powerOn ? flags : state.causes | flags)
    bank[backup] = kept
    driveClocks()
  }
}
