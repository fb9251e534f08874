// Which clocks an STM32 has, how fast the registers of RCC make them, and how devices find theirs.
//
// Sources: RM0008 figure 8 (F1), RM0090 figure 21 (F4), RM0385 figure 13 (F7).

import Bits
import Bus

/// The clocks that RCC drives.
enum STM32Clock: String, CaseIterable {
  /// PCLK1 and PCLK2, and what the timers of these buses count.
  case apb1, apb2, timers1, timers2
  /// RTCCLK
  case rtc
}

/// The registers that decide about clocks, and what they make of them.
struct STM32ClockRegisters {
  var family: STM32Family
  /// CR, CFGR, BDCR, CSR.
  var control, configuration, backup, status: UInt32
  /// PLLCFGR; on F1 CFGR.
  var multiplier: UInt32
  /// DCKCFGR1 of F7.
  var dedicated: UInt32 = 0
  /// Of the crystal, in Hz.
  var crystal: UInt64

  // MARK: Sources

  /// The sources of SYSCLK, as SW numbers them.
  enum Source: UInt32 {
    case internalClock, crystal, multiplied
  }

  /// The source of the PLL.
  var multiplied: Source { multiplier.has(family == .f1 ? 16 : 22) ? .crystal : .internalClock }

  /// Whether a source is on and ready.
  func isReady(_ source: Source) -> Bool {
    switch source {
    case .internalClock: control.has(0)
    case .crystal: control.has(16)
    case .multiplied: control.has(24) && isReady(multiplied)
    }
  }

  /// The enables of CR that cannot be cleared while `source` is in use.
  func enables(of source: Source) -> UInt32 {
    switch source {
    case .internalClock: 1
    case .crystal: 1 << 16
    case .multiplied: 1 << 24 | enables(of: multiplied)
    }
  }

  private func frequency(of source: Source) -> UInt64 {
    switch source {
    case .internalClock: family == .f1 ? 8_000_000 : 16_000_000
    case .crystal: crystal
    case .multiplied where family == .f1:
      (multiplied == .crystal
        ? crystal / (multiplier.has(17) ? 2 : 1) : frequency(of: .internalClock) / 2)
        * UInt64(min(multiplier.field(18, 4) + 2, 16))
    case .multiplied:
      frequency(of: multiplied) * UInt64(multiplier.field(6, 9)) / UInt64(max(multiplier.field(0, 6), 1))
        / UInt64(2 * (multiplier.field(16, 2) + 1))
    }
  }

  // MARK: Buses

  /// HCLK with this source of SYSCLK, in Hz.
  func bus(_ source: Source) -> UInt64 {
    let divider = configuration.field(4, 4)
    let shifts: [UInt64] = [1, 2, 3, 4, 6, 7, 8, 9]
    return max(1, frequency(of: source) >> (divider < 8 ? 0 : shifts[Int(divider & 7)]))
  }

  /// By which power of two HCLK is divided for an APB.
  private func shift(isSecond: Bool) -> UInt64 {
    let value = configuration.field((family == .f1 ? 8 : 10) + (isSecond ? 3 : 0), 3)
    return value < 4 ? 0 : UInt64(value & 3) + 1
  }

  /// Hz
  func frequency(of clock: STM32Clock, _ source: Source) -> UInt64 {
    let bus = bus(source)
    switch clock {
    case .apb1, .apb2: return max(1, bus >> shift(isSecond: clock == .apb2))
    case .timers1, .timers2:
      // Twice the bus's clock if that is divided; with F7's TIMPRE four times, and HCLK at most.
      let gain: UInt64 = family == .f7 && dedicated.has(24) ? 2 : 1
      let shift = shift(isSecond: clock == .timers2)
      return max(1, bus >> (shift - min(shift, gain)))
    case .rtc: return realTime
    }
  }

  /// RTCCLK by RTCSEL, in Hz; 0 while it stands.
  private var realTime: UInt64 {
    guard backup.has(15) else { return 0 }
    switch backup.field(8, 2) {
    case 1: return backup.has(0) ? 32_768 : 0
    case 2: return status.has(0) ? (family == .f1 ? 40_000 : 32_000) : 0
    case 3 where family == .f1: return control.has(16) ? crystal / 128 : 0
    case 3:
      let divider = UInt64(configuration.field(16, 5))
      return control.has(16) && divider >= 2 ? crystal / divider : 0
    default: return 0
    }
  }
}

extension DeviceContext {
  /// The name of one of the clocks of the controller that `clocks` leads to; nil where there is none.
  private func name(_ clock: STM32Clock) -> String? {
    node.u32("clocks").flatMap { node.node(phandle: $0)?.path }.map { "\($0):\(clock)" }
  }

  /// The clock of the bus the device is on, or of the timers there: `clocks` names the bus by the offset of its enable
  /// register. The CPU's where the tree has no clock controller.
  func busClock(ofTimers: Bool = false) -> ClockSignal {
    let enable = node.cells("clocks")?.dropFirst().first
    let isSecond = enable == (STM32Family(self) == .f1 ? 0x18 : 0x44)
    guard let name = name(ofTimers ? (isSecond ? .timers2 : .timers1) : isSecond ? .apb2 : .apb1) else {
      return clocks.cpu
    }
    return clocks.signal(name, clocks.cpu.frequency)
  }

  /// RTCCLK; that of the usual crystal where the tree has no clock controller.
  var realTimeClock: ClockSignal {
    name(.rtc).map { clocks.signal($0, 32_768) } ?? ClockSignal(clock, frequency: 32_768)
  }
}
