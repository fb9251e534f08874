// What all peripherals of Nordic's nRF series share: tasks, events, shortcuts and the interrupt mask.
//
// Source: nRF51 Series Reference Manual v3.0, chapter 10 "Peripheral interface". Tasks are at 0x000 to 0x0FC, events at
// 0x100 to 0x17C, SHORTS at 0x200, INTEN at 0x300 with its set and clear registers; the rest is the peripheral's own.

import Bits
import Bus

/// The state of the shared part.
struct NordicEvents: Codable, Sendable, Equatable {
  /// Events that have happened, a bit each, by number (offset − 0x100) / 4.
  var happened: UInt32 = 0
  /// INTEN
  var mask: UInt32 = 0
  /// SHORTS
  var shorts: UInt32 = 0
}

/// The state of a peripheral, which has the shared part in it.
protocol NordicState {
  var events: NordicEvents { get set }
}

/// A peripheral whose registers below 0x400 follow the scheme.
protocol NordicPeripheral: Device where State: NordicState {
  /// Task number (offset / 4) is triggered.
  func trigger(_ task: Int)
  /// A register from 0x400 on, or one below that is the peripheral's own; nil where there is none.
  func value(at offset: UInt64, isPeek: Bool) -> UInt32?
  /// - Returns: false where there is no register.
  func setValue(_ value: UInt32, at offset: UInt64) -> Bool
  /// Called when INTEN was written.
  func maskChanged()
}

extension NordicPeripheral {
  var events: NordicEvents {
    get { state.events }
    set { state.events = newValue }
  }

  func maskChanged() {}

  /// Lets an event happen.
  func raise(_ event: Int) {
    events.happened |= 1 << UInt32(event)
    updateInterrupt()
    if let address = address(of: event) { interconnect?.happened(address) }
  }

  private var interconnect: NordicPPI? {
    context.directory.device(at: 0x4001_F000, in: context.space) as? NordicPPI
  }

  private func address(of event: Int) -> UInt32? {
    context.node.regions.first.map { UInt32(truncatingIfNeeded: $0.base) + 0x100 + 4 * UInt32(event) }
  }

  /// Whether an event triggers a task of some peripheral.
  func isRouted(_ event: Int) -> Bool { address(of: event).map { interconnect?.listens(to: $0) ?? false } ?? false }

  func clear(_ event: Int) {
    events.happened &= ~(1 << UInt32(event))
    updateInterrupt()
  }

  func hasHappened(_ event: Int) -> Bool { events.happened >> UInt32(event) & 1 != 0 }
  func isShorted(_ bit: Int) -> Bool { events.shorts >> UInt32(bit) & 1 != 0 }

  func updateInterrupt() { context.interrupts.first?.line.set(events.happened & events.mask != 0) }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    guard let value = peek(region: region, offset: offset, size: size, isPeek: false) else {
      context.log(.unimplemented, "read of offset \(offset.hex0x()), where there is no register")
      return 0
    }
    return value
  }

  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    peek(region: region, offset: offset, size: size, isPeek: true)
  }

  private func peek(region: Int, offset: UInt64, size: Int, isPeek: Bool) -> UInt64? {
    let word: UInt32
    if let own = value(at: offset & ~3, isPeek: isPeek) {
      word = own
    } else {
      switch offset & ~3 {
      case 0..<0x100: word = 0
      case 0x100..<0x180: word = hasHappened(Int(offset - 0x100) / 4) ? 1 : 0
      case 0x200: word = events.shorts
      case 0x300, 0x304, 0x308: word = events.mask
      default: return nil
      }
    }
    return UInt64(word) >> (8 * (offset & 3)) & .mask(8 * size)
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    let value = UInt32(truncatingIfNeeded: value)
    if setValue(value, at: offset) { return }
    switch offset {
    case 0..<0x100: if value & 1 != 0 { trigger(Int(offset) / 4) }
    case 0x100..<0x180: if value & 1 != 0 { raise(Int(offset - 0x100) / 4) } else { clear(Int(offset - 0x100) / 4) }
    case 0x200: events.shorts = value
    case 0x300: setMask(value)
    case 0x304: setMask(events.mask | value)
    case 0x308: setMask(events.mask & ~value)
    // POWER of each peripheral: resets it when written with 0; all are always on here.
    case 0xFFC: break
    default:
      context.log(.unimplemented, "write of \(value.hex0x()) to offset \(offset.hex0x()), where there is no register")
    }
  }

  private func setMask(_ mask: UInt32) {
    events.mask = mask
    maskChanged()
    updateInterrupt()
  }
}

/// Declarations of the shared registers.
enum NordicRegisters {
  static func declare(tasks: [(String, UInt64)], events: [(String, UInt64)], hasShorts: Bool = false) -> [Register] {
    var list = tasks.map { Register("TASKS_" + $0.0, $0.1, .writeOnly) }
    list += events.map { Register("EVENTS_" + $0.0, $0.1) }
    if hasShorts { list.append(Register("SHORTS", 0x200)) }
    if !events.isEmpty { list += [Register("INTENSET", 0x304), Register("INTENCLR", 0x308)] }
    return list
  }
}
