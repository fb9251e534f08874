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

/// A peripheral with tasks and events.
protocol NordicPeripheral: RegisterDevice where State: NordicState {
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

  fileprivate func setMask(_ mask: UInt32) {
    events.mask = mask
    maskChanged()
    updateInterrupt()
  }
}

/// The shared registers.
extension DeviceRegister where Owner: NordicPeripheral {
  static func task(_ name: String, _ offset: UInt64, _ trigger: @escaping @Sendable (Owner) -> Void) -> Self {
    Self("TASKS_" + name, offset, .writeOnly).onWrite { if $1.has(0) { trigger($0) } }
  }

  static func event(_ name: String, _ offset: UInt64) -> Self {
    let number = Int(offset - 0x100) / 4
    return Self("EVENTS_" + name, offset)
      .onRead { $0.hasHappened(number) ? 1 : 0 }
      .onWrite { if $1.has(0) { $0.raise(number) } else { $0.clear(number) } }
  }

  static var shorts: Self { Self("SHORTS", 0x200).onRead(\.events.shorts).onWrite { $0.events.shorts = $1 } }
}

extension NordicPeripheral {
  /// INTEN with the registers that set and clear its bits, and POWER, which resets a peripheral when written with 0: all
  /// are always on here.
  static var interrupts: Registers {
    [
      Register("INTEN", 0x300).onRead(\.events.mask).onWrite { $0.setMask($1) },
      Register("INTENSET", 0x304).onRead(\.events.mask).onWrite { $0.setMask($0.events.mask | $1) },
      Register("INTENCLR", 0x308).onRead(\.events.mask).onWrite { $0.setMask($0.events.mask & ~$1) },
      Register("POWER", 0xFFC, .writeOnly).onWrite { _, _ in },
    ]
  }
}
