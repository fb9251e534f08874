// Owns what a breakpoint may wait for: the seam between it and the engine. There is a file for each kind.

import Engine
import Machine

/// Something that a breakpoint waits for. It tells its owner by ``Breakpoint/stops(_:)`` whenever that happens.
protocol Trigger: AnyObject {
  /// Set by the breakpoint that it is made for. To be weak.
  var owner: Breakpoint? { get set }
  /// A word or two for lists: `break`, `watch rw`.
  var kind: String { get }
  /// What exactly, for lists.
  func place(_ memory: DebugMemory) -> String
  /// `kind` and `place` as one.
  func title(_ memory: DebugMemory) -> String
  /// What is to be known of it when it is set.
  var note: String? { get }
  func arm(_ machine: Machine)
  func disarm(_ machine: Machine)
  /// Whether it is this that a stop at a PC, or behind an access, is about.
  func stops(at pc: UInt64) -> Bool
  /// Whether the engine has a breakpoint at a PC for it.
  func isPlanted(at pc: UInt64) -> Bool
  func watches(_ watchpoint: Watchpoint) -> Bool
}

extension Trigger {
  var note: String? { nil }
  func title(_ memory: DebugMemory) -> String {
    let place = place(memory)
    return place.isEmpty ? kind : kind + " " + place
  }
  func stops(at pc: UInt64) -> Bool { false }
  func isPlanted(at pc: UInt64) -> Bool { stops(at: pc) }
  func watches(_ watchpoint: Watchpoint) -> Bool { false }
}

/// One that hears of what the engine notes.
protocol EventTrigger: Trigger, DebugObserver {
  var watches: [DebugWatch] { get }
}

extension EventTrigger {
  func arm(_ machine: Machine) { for watch in watches { machine.engine.insert(watch, self) } }
  func disarm(_ machine: Machine) { machine.engine.remove(self) }
}
