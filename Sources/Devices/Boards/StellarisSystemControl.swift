// System control of the Stellaris LM3S6965: identification, the system clock, resets, and what sleeps.
//
// Source: LM3S6965 data sheet, chapter 5. The PLL is locked at once; the system clock is the CPU's and that of a node
// `/system-clock`, which trees have for it. The sizes in DC0 are those of the flash and the memory that
// `martlet,memories` refers to.

import Bits
import Bus

public final class StellarisSystemControl: BankDevice {
  public static var compatible: [String] { ["ti,stellaris-sysctl"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// How the system clock runs.
    var clock = ClockPhase(frequency: 0)
  }

  private enum Offset {
    static let cause: UInt64 = 0x05C
    static let clock: UInt64 = 0x060
    static let secondClock: UInt64 = 0x070
  }

  /// Bits of RESC.
  private enum Cause {
    static let external: UInt32 = 1
    static let powerOn: UInt32 = 1 << 1
    static let brownOut: UInt32 = 1 << 2
    static let watchdog: UInt32 = 1 << 3
    static let software: UInt32 = 1 << 4
  }

  /// RIS: the PLL is locked.
  private static let locked: UInt32 = 1 << 6

  private static func registers(flash: UInt64, memory: UInt64) -> Registers {
    [
      Register("DID0", 0x000, .readOnly, reset: 0x1001_0002), Register("DID1", 0x004, .readOnly, reset: 0x1073_402E),
      // In units of 256 bytes and 2 KiB, less one.
      Register("DC0", 0x008, .readOnly, reset: (memory >> 8 &- 1) << 16 & 0xFFFF_0000 | (flash >> 11 &- 1) & 0xFFFF),
      Register("DC1", 0x010, .readOnly, reset: 0x0011_33FF), Register("DC2", 0x014, .readOnly, reset: 0x030F_5317),
      Register("DC3", 0x018, .readOnly, reset: 0x0F0F_87FF), Register("DC4", 0x01C, .readOnly, reset: 0x5000_007F),
      Register("PBORCTL", 0x030, reset: 0x7FFD), Register("LDOPCTL", 0x034),
      Register("SRCR", 0x040, count: 3).onWrite { $0.resetPeripherals($2, $1) },
      Register("RIS", 0x050, .readOnly, reset: UInt64(locked)), Register("IMC", 0x054),
      // It is written to clear interrupts; the PLL's lock is no event that could be over.
      Register("MISC", 0x058).onRead { locked & $0.bank[0x054] }.onWrite { _, _ in },
      Register(
        "RESC", Offset.cause, reset: UInt64(Cause.powerOn),
        [.field("EXT", 0), .field("POR", 1), .field("BOR", 2), .field("WDT", 3), .field("SW", 4), .field("LDO", 5)]),
      Register(
        "RCC", Offset.clock, reset: 0x078E_3AD1,
        [
          .field("MOSCDIS", 0), .field("IOSCDIS", 1), .field("OSCSRC", 4..<6), .field("XTAL", 6..<10),
          .field("BYPASS", 11), .field("PWRDN", 13), .field("PWMDIV", 17..<20), .field("USEPWMDIV", 20),
          .field("USESYSDIV", 22), .field("SYSDIV", 23..<27), .field("ACG", 27),
        ]
      ).onWrite { $0.setClock(Offset.clock, $1) },
      Register("PLLCFG", 0x064, .readOnly, [.field("R", 0..<5), .field("F", 5..<14)])
        .onRead { pllConfiguration(crystal: Int($0.bank[Offset.clock].field(6, 4))) },
      Register(
        "RCC2", Offset.secondClock, reset: 0x0780_2810,
        [
          .field("OSCSRC2", 4..<7), .field("BYPASS2", 11), .field("PWRDN2", 13), .field("SYSDIV2", 23..<29),
          .field("USERCC2", 31),
        ]
      ).onWrite { $0.setClock(Offset.secondClock, $1) },
      Register("RCGC", 0x100, reset: 0x40, count: 3), Register("SCGC", 0x110, reset: 0x40, count: 3),
      Register("DCGC", 0x120, reset: 0x40, count: 3), Register("DSLPCLKCFG", 0x144, reset: 0x0780_0000),
    ]
  }

  public let context: DeviceContext
  public var state: State
  public let table: RegisterTable<StellarisSystemControl>
  public var unimplemented = UnimplementedLog()
  private let signals: [ClockSignal]

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    let sizes = (context.node.cells("martlet,memories") ?? []).map {
      context.node.node(phandle: $0)?.regions.first?.size ?? 0
    }
    table = RegisterTable(
      Self.registers(flash: sizes.first ?? 0x4_0000, memory: sizes.dropFirst().first ?? 0x1_0000))
    state = State(bank: RegisterBank(table))
    signals = [context.clocks.cpu, context.clocks.signal("/system-clock")]
    driveClock()
  }

  /// By SRCR register, the peripherals of its bits: the first bit, and the addresses of it and those that follow.
  private static let peripherals: [[(bit: Int, addresses: [UInt64])]] = [
    [(3, [0x4000_0000]), (16, [0x4003_8000]), (20, [0x4002_8000])],
    [
      (0, [0x4000_C000, 0x4000_D000, 0x4000_E000]), (4, [0x4000_8000]), (8, [0x4002_C000, 0x4002_D000]),
      (12, [0x4002_0000]), (14, [0x4002_1000]), (16, [0x4003_0000, 0x4003_1000, 0x4003_2000, 0x4003_3000]),
      (24, [0x4003_C000]),
    ],
    [
      (0, [0x4000_4000, 0x4000_5000, 0x4000_6000, 0x4000_7000, 0x4002_4000, 0x4002_5000, 0x4002_6000]),
      (28, [0x4004_8000]),
    ],
  ]

  /// An SRCR register is written: resets those whose bits come to be set.
  private func resetPeripherals(_ register: Int, _ value: UInt32) {
    let offset = 0x040 + 4 * UInt64(register)
    let bits = value & ~bank[offset]
    bank[offset] = value
    for group in Self.peripherals[register] {
      for (number, address) in group.addresses.enumerated() where bits.has(group.bit + number) {
        (context.directory.device(at: address, in: context.space) as? any Device)?.reset(.controller)
      }
    }
  }

  // MARK: The system clock

  /// The frequencies of crystals, in Hz, by RCC's XTAL; smaller ones cannot drive the PLL.
  private static let crystals: [UInt32] = [
    1_000_000, 1_843_200, 2_000_000, 2_457_600, 3_579_545, 3_686_400, 4_000_000, 4_096_000, 4_915_200, 5_000_000,
    5_120_000, 6_000_000, 6_144_000, 7_372_800, 8_000_000, 8_192_000,
  ]

  /// The PLL's F and R for a crystal: it multiplies by F and divides by R + 1, to come near 400 MHz. Only for 6 MHz is a
  /// division needed.
  private static func pllConfiguration(crystal: Int) -> UInt32 {
    let frequency = crystals[crystal]
    let divisor: UInt32 = frequency == 6_000_000 ? 3 : 1
    let factor = (400_000_000 * divisor + frequency / 2) / frequency
    return factor << 5 | divisor - 1
  }

  /// Hz (data sheet, figure 5-4): RCC2 stands in for some fields of RCC if it says so.
  private var frequency: UInt64 {
    let (first, second) = (bank[Offset.clock], bank[Offset.secondClock])
    let isSecond = second.has(31)
    let divider = UInt64(isSecond ? second.field(23, 6) : first.field(23, 4)) + 1
    // The PLL's 400 MHz are halved before they are divided, always.
    guard (isSecond ? second : first).has(11) else { return 200_000_000 / divider }
    let oscillator: UInt64 =
      switch isSecond ? second.field(4, 3) : first.field(4, 2) {
      case 0: UInt64(Self.crystals[Int(first.field(6, 4))])
      case 1: 12_000_000
      case 2: 3_000_000
      case 7: 32_768
      default: 30_000
      }
    return max(1, oscillator / (first.has(22) ? divider : 1))
  }

  private func setClock(_ offset: UInt64, _ value: UInt32) {
    bank[offset] = value
    driveClock()
  }

  private func driveClock() {
    for signal in signals { signal.drive(frequency) }
    state.clock = signals[0].phase
  }

  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    state = try decodeSnapshot(State.self, from: bytes)
    for signal in signals { signal.restore(state.clock) }
  }

  /// RESC collects causes, but for power-on and the pin, which are alone in it.
  public func reset(_ cause: ResetCause) {
    let before = bank[Offset.cause]
    state = State(bank: RegisterBank(table))
    bank[Offset.cause] =
      switch cause {
      case .powerOn: Cause.powerOn
      case .pin, .debugger: Cause.external
      case .brownOut: before | Cause.brownOut
      case .watchdog, .windowWatchdog: before | Cause.watchdog
      case .software: before | Cause.software
      case .lockUp, .controller: before
      }
    driveClock()
  }
}
