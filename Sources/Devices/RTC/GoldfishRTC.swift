// The Goldfish real-time clock: nanoseconds since 1970, and an alarm.
//
// Source: Goldfish virtual hardware documentation, "goldfish_rtc". The date is deterministic: the machine is switched on
// at `martlet,epoch` (seconds since 1970, default 2026-01-01 00:00 UTC), and the virtual clock counts from there.

import Bits
import Bus

public final class GoldfishRTC: RegisterDevice {
  public static var compatible: [String] { ["google,goldfish-rtc"] }

  public struct State: Codable, Sendable, Equatable {
    /// The date minus the virtual clock, in nanoseconds.
    var offset: UInt64
    /// High word of the date, latched when the low word is read.
    var latchedHigh: UInt32 = 0
    var alarm: UInt64 = 0
    var alarmHigh: UInt32 = 0
    var isArmed = false
    var isPending = false
    var isEnabled = false
  }

  public static let defaultEpoch: UInt64 = 1_767_225_600

  public let context: DeviceContext
  public var state: State
  public let table: RegisterTable<GoldfishRTC> = [
    Register("TIME_LOW", 0x00)
      .onDestructiveRead { $0.latchTime() }.onWrite { $0.setTime($0.now.replacingBits(0..<32, with: UInt64($1))) },
    Register("TIME_HIGH", 0x04)
      .onRead(\.state.latchedHigh).onWrite { $0.setTime($0.now.replacingBits(32..<64, with: UInt64($1))) },
    Register("ALARM_LOW", 0x08)
      .onRead { UInt32(truncatingIfNeeded: $0.state.alarm) }.onWrite { $0.arm($1) },
    Register("ALARM_HIGH", 0x0C).onRead { UInt32($0.state.alarm >> 32) }.onWrite { $0.state.alarmHigh = $1 },
    Register("IRQ_ENABLED", 0x10, [.field("ENABLE", 0)])
      .onRead { $0.state.isEnabled ? 1 : 0 }.onWrite { $0.state.isEnabled = $1 != 0 },
    Register("CLEAR_ALARM", 0x14, .writeOnly).onWrite { device, _ in device.disarm() },
    Register("ALARM_STATUS", 0x18, .readOnly, [.field("ARMED", 0)]).onRead { $0.state.isArmed ? 1 : 0 },
    Register("CLEAR_INTERRUPT", 0x1c, .writeOnly).onWrite { device, _ in device.state.isPending = false },
  ]
  private let epoch: UInt64
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    let seconds = context.node.u64("martlet,epoch") ?? Self.defaultEpoch
    guard seconds < 18_000_000_000 else {
      throw .badProperty(device: context.node.name, property: "martlet,epoch", reason: "does not fit in nanoseconds")
    }
    self.context = context
    epoch = seconds * 1_000_000_000
    state = State(offset: epoch)
  }

  private var now: UInt64 { context.clock.now &+ state.offset }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard size >= 4 else { return unimplemented.unknown(offset: offset, isWrite: true, of: context) }
    table.write(self, offset, size: size, value)
  }

  public func performWrite(_ write: () -> Void) {
    write()
    updateInterrupt()
  }

  /// The low word of the date; the high word is read after it.
  private func latchTime() -> UInt32 {
    state.latchedHigh = UInt32(now >> 32)
    return UInt32(truncatingIfNeeded: now)
  }

  private func arm(_ low: UInt32) {
    state.alarm = UInt64(state.alarmHigh) << 32 | UInt64(low)
    state.isArmed = true
    updateAlarm()
  }

  private func disarm() {
    state.isArmed = false
    updateAlarm()
  }

  public func event(_ token: UInt64) {
    updateAlarm()
    updateInterrupt()
  }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State(offset: epoch)
    updateInterrupt()
  }

  private func setTime(_ time: UInt64) {
    state.offset = time &- context.clock.now
    updateAlarm()
  }

  /// Fires an alarm that is due, or asks to be woken for it.
  private func updateAlarm() {
    context.cancel(token: 0)
    guard state.isArmed else { return }
    if state.alarm <= now {
      state.isArmed = false
      state.isPending = true
    } else {
      let (deadline, overflow) = context.clock.now.addingReportingOverflow(state.alarm - now)
      if !overflow { context.schedule(at: deadline, token: 0) }
    }
  }

  private func updateInterrupt() {
    context.interrupts.first?.line.set(state.isPending && state.isEnabled)
  }
}
