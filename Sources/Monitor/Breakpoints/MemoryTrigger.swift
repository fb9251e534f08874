// Owns watchpoints on memory.

import Bits
import Engine
import Machine

/// Waits for an access to memory, and stops behind it.
final class MemoryTrigger: Trigger, WatchpointFilter {
  weak var owner: Breakpoint?
  private let watchpoint: Watchpoint

  init(_ watchpoint: Watchpoint) { self.watchpoint = watchpoint }

  var kind: String { Self.kind(watchpoint) }
  static func kind(_ point: Watchpoint) -> String { "watch " + (point.onRead ? "r" : "") + (point.onWrite ? "w" : "") }

  func place(_ memory: DebugMemory) -> String { Self.place(watchpoint, memory) }
  static func place(_ point: Watchpoint, _ memory: DebugMemory) -> String {
    let amount = point.length == 1 ? "1 byte" : "\(point.length) bytes"
    return memory.addressText(point.address) + memory.symbolSuffix(point.address) + ", " + amount
  }
  func title(_ memory: DebugMemory) -> String { kind + " at " + place(memory) }

  func arm(_ machine: Machine) { machine.engine.insert(watchpoint, filter: self) }
  func disarm(_ machine: Machine) { machine.engine.remove(watchpoint, filter: self) }
  func watches(_ watchpoint: Watchpoint) -> Bool { watchpoint == self.watchpoint }
  func stops(_ vcpu: VCPU, at hit: WatchHit) -> Bool { owner?.stops(vcpu) ?? false }
}
