// The real-time clock of STM32F4 and F7: a calendar in binary-coded decimals, and the backup registers.
//
// Source: RM0090 chapter 26. It starts at 2000-01-01, a Saturday, and runs with virtual time; alarms and the wake-up timer
// are not modelled.

import Bus

public final class STM32RTC: BankDevice, STM32BackupDevice {
  public static var compatible: [String] { ["st,stm32-rtc"] }

  public struct State: BankState, Codable, Sendable, Equatable {
    var bank: RegisterBank
    /// Seconds since 2000 at clock `since` of RTCCLK.
    var seconds: UInt64 = 0
    var since: UInt64 = 0
    /// The keys of WPR that have come: 2 unlocks.
    var keys = 0
  }

  private static let map: RegisterTable<STM32RTC> = [
    Register("TR", 0x00)
      .onRead { $0.isSetting ? $0.bank[0x00] : Calendar(seconds: $0.seconds).time }
      .onWrite { $0.set($1, at: 0x00) },
    Register("DR", 0x04, reset: 0x2101)
      .onRead { $0.isSetting ? $0.bank[0x04] : Calendar(seconds: $0.seconds).date }
      .onWrite { $0.set($1, at: 0x04) },
    Register(
      "CR", 0x08,
      [
        .field("WUCKSEL", 0..<3), .field("BYPSHAD", 5), .field("FMT", 6), .unimplemented("ALRAE", 8),
        .unimplemented("ALRBE", 9), .unimplemented("WUTE", 10), .field("TSE", 11), .field("ALRAIE", 12),
        .field("ALRBIE", 13), .field("WUTIE", 14), .field("TSIE", 15), .field("BKP", 18), .field("COSEL", 19),
      ]
    ).protected(),
    Register("ISR", 0x0C, reset: 7).onRead(\.status).onWrite { $0.writeStatus($1) },
    Register("PRER", 0x10, reset: 0x007F_00FF).onWrite { $0.set($1, at: 0x10) },
    Register("WUTR", 0x14, reset: 0xFFFF).protected(), Register("ALRMAR", 0x1C).protected(),
    Register("ALRMBR", 0x20).protected(), Register("WPR", 0x24, .writeOnly).onWrite { $0.unlock($1) },
    Register("SSR", 0x28, .readOnly).onRead(\.subsecond), Register("SHIFTR", 0x2C, .writeOnly).protected(),
    Register("TSTR", 0x30, .readOnly), Register("TSDR", 0x34, .readOnly), Register("TSSSR", 0x38, .readOnly),
    Register("CALR", 0x3C).protected(), Register("TAFCR", 0x40), Register("ALRMASSR", 0x44).protected(),
    Register("ALRMBSSR", 0x48).protected(), Register("BKPR", 0x50, count: 32),
  ]

  public let context: DeviceContext
  public var state = State(bank: RegisterBank(STM32RTC.map))
  public let table = STM32RTC.map
  public var unimplemented = UnimplementedLog()
  private let input: ClockSignal

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
    input = context.realTimeClock
  }

  private var isSetting: Bool { bank[0x0C].has(7) }
  private var elapsed: UInt64 { isSetting ? 0 : input.ticks &- state.since }
  /// PREDIV_A and PREDIV_S, and clocks of a second.
  private var asynchronous: UInt64 { UInt64(bank[0x10].field(16, 7)) + 1 }
  private var synchronous: UInt64 { UInt64(bank[0x10].field(0, 15)) + 1 }
  private var second: UInt64 { asynchronous * synchronous }
  private var seconds: UInt64 { state.seconds &+ elapsed / second }

  private var subsecond: UInt32 { UInt32(synchronous - 1 - elapsed % second / asynchronous) }

  /// ISR: shadow registers are always in step; alarm, wake-up and initialisation can always be written.
  private var status: UInt32 {
    (bank[0x0C] & 0x3F80 | 0x27).setting(6, to: isSetting).setting(4, to: Calendar(seconds: seconds).year > 0)
  }

  public func performWrite(_ write: () -> Void) { if context.permitsBackupWrites { write() } }

  /// WPR: two keys unlock the protected registers, anything else locks them.
  private func unlock(_ key: UInt32) {
    state.keys = key & 0xFF == [0xCA, 0x53, 0x100][min(state.keys, 2)] ? state.keys + 1 : key & 0xFF == 0xCA ? 1 : 0
  }

  /// A write of a protected register.
  fileprivate func store(_ value: UInt32, at offset: UInt64) {
    guard state.keys == 2 else { return context.log(.guestError, "a write while the registers are locked") }
    bank[offset] = value
  }

  /// A write of a register that sets the calendar.
  private func set(_ value: UInt32, at offset: UInt64) {
    if isSetting || state.keys != 2 { store(value, at: offset) }
  }

  /// The flags above INIT are not protected.
  private func writeStatus(_ value: UInt32) {
    if state.keys == 2 { setStatus(value) } else { bank[0x0C] &= value | 0xFF }
  }

  /// INIT stops the calendar and lets it be set; clearing it starts the calendar from what was set.
  private func setStatus(_ value: UInt32) {
    if value.has(7), !isSetting {
      let now = Calendar(seconds: seconds)
      (bank[0x00], bank[0x04]) = (now.time, now.date)
    } else if !value.has(7), isSetting {
      state.seconds = Calendar(time: bank[0x00], date: bank[0x04]).seconds
      state.since = input.ticks
    }
    bank[0x0C] = value & 0x80 | bank[0x0C] & value & 0x3F00
  }

  /// Of the registers, which are of the backup domain, a reset of the chip clears INIT alone, and locks them.
  public func reset(_ cause: ResetCause) {
    if cause == .powerOn { return resetBackup() }
    if isSetting { setStatus(bank[0x0C] & ~0x80) }
    state.keys = 0
  }

  func resetBackup() { state = State(bank: RegisterBank(Self.map), since: input.ticks) }
}

extension DeviceRegister<STM32RTC> {
  /// Can only be written while WPR has unlocked it.
  fileprivate func protected() -> Self {
    let offset = self.offset
    return onWrite { $0.store($1, at: offset) }
  }
}

/// A moment of the years 2000 to 2099 as TR and DR show it.
private struct Calendar {
  var year: UInt32
  var month: UInt32 = 1
  var day: UInt32
  var secondOfDay: UInt32
  var weekday: UInt32

  private static func days(_ month: UInt32, _ year: UInt32) -> UInt32 {
    month == 2 ? (year % 4 == 0 ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  init(seconds: UInt64) {
    let days = UInt32(seconds / 86_400 % 36_525)
    secondOfDay = UInt32(seconds % 86_400)
    weekday = (days + 5) % 7 + 1
    // Four years, of which the first is a leap year, have 1461 days.
    year = days / 1461 * 4
    var rest = days % 1461
    while rest >= (year % 4 == 0 ? 366 : 365) {
      rest -= year % 4 == 0 ? 366 : 365
      year += 1
    }
    while rest >= Self.days(month, year) {
      rest -= Self.days(month, year)
      month += 1
    }
    day = rest + 1
  }

  init(time: UInt32, date: UInt32) {
    let isAfternoon = time.has(22)
    secondOfDay =
      Self.number(time.field(16, 6)) % 24 * 3600 + (isAfternoon ? 43_200 : 0) + Self.number(time.field(8, 7)) * 60
      + Self.number(time.field(0, 7))
    year = Self.number(date.field(16, 8))
    month = max(1, min(12, Self.number(date.field(8, 5))))
    day = max(1, Self.number(date.field(0, 6)))
    weekday = date.field(13, 3)
  }

  var seconds: UInt64 {
    var days = year / 4 * 1461 + (year % 4) * 365 + (year % 4 == 0 ? 0 : 1) + day - 1
    for month in 1..<month { days += Self.days(month, year) }
    return UInt64(days) * 86_400 + UInt64(secondOfDay)
  }

  var time: UInt32 {
    Self.decimal(secondOfDay / 3600) << 16 | Self.decimal(secondOfDay / 60 % 60) << 8 | Self.decimal(secondOfDay % 60)
  }
  var date: UInt32 {
    Self.decimal(year) << 16 | weekday << 13 | Self.decimal(month) << 8 | Self.decimal(day)
  }

  private static func decimal(_ number: UInt32) -> UInt32 { (number / 10) << 4 | number % 10 }
  private static func number(_ decimal: UInt32) -> UInt32 { (decimal >> 4) * 10 + decimal & 15 }
}
