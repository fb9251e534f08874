// The Goldfish real-time clock: nanoseconds since 1970, and an alarm.
//
// Source: Goldfish virtual hardware documentation, "goldfish_rtc". The date is deterministic: the machine is switched on
// at `martlet,epoch` (seconds since 1970, default 2026-01-01 00:00 UTC), and the virtual clock counts from there.

import Bits
import Bus

public final class GoldfishRTC: Device {
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

  private enum Offset {
    static let timeLow: UInt64 = 0x00
    static let timeHigh: UInt64 = 0x04
    static let alarmLow: UInt64 = 0x08
    static let alarmHigh: UInt64 = 0x0C
    static let irqEnabled: UInt64 = 0x10
    static let clearAlarm: UInt64 = 0x14
  }

  public static let defaultEpoch: UInt64 = 1_767_225_600

  public let context: DeviceContext
  public var state: State
  public let registers = [
    RegisterMap([
      Register("TIME_LOW", Offset.timeLow, sideEffectOnRead: true),
      Register("TIME_HIGH", Offset.timeHigh),
      Register("ALARM_LOW", Offset.alarmLow),
      Register("ALARM_HIGH", Offset.alarmHigh),
      Register("IRQ_ENABLED", Offset.irqEnabled, [.field("ENABLE", 0)]),
      Register("CLEAR_ALARM", Offset.clearAlarm, .writeOnly),
      Register("ALARM_STATUS", 0x18, .readOnly, [.field("ARMED", 0)]),
      Register("CLEAR_INTERRUPT", 0x1c, .writeOnly),
    ])
  ]
  private let epoch: UInt64
  private var unimplemented = UnimplementedLog()

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

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    guard let match = registers[0].match(offset, isWrite: false) else {
      unimplemented.unknown(offset: offset, isWrite: false, of: context)
      return 0
    }
    let value: UInt64
    switch match.register.offset {
    case Offset.timeLow:
      state.latchedHigh = UInt32(now >> 32)
      value = now & .mask(32)
    case Offset.timeHigh: value = UInt64(state.latchedHigh)
    case Offset.alarmLow: value = state.alarm & .mask(32)
    case Offset.alarmHigh: value = state.alarm >> 32
    case Offset.irqEnabled: value = state.isEnabled ? 1 : 0
    default: value = state.isArmed ? 1 : 0
    }
    return match.extract(value, size: size)
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard size >= 4, let match = registers[0].match(offset, isWrite: true) else {
      return unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
    switch match.register.offset {
    case Offset.timeLow: setTime(now.replacingBits(0..<32, with: value))
    case Offset.timeHigh: setTime(now.replacingBits(32..<64, with: value))
    case Offset.alarmHigh: state.alarmHigh = UInt32(truncatingIfNeeded: value)
    case Offset.alarmLow:
      state.alarm = UInt64(state.alarmHigh) << 32 | value & .mask(32)
      state.isArmed = true
      updateAlarm()
    case Offset.irqEnabled: state.isEnabled = value & 1 != 0
    case Offset.clearAlarm:
      state.isArmed = false
      updateAlarm()
    default: state.isPending = false
    }
    updateInterrupt()
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
