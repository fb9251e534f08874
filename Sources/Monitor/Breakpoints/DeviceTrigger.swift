// Owns watchpoints on registers of devices.

import Bits
import Bus
import Engine
import Machine

/// Waits for accesses to a device's register, or for its value, or that of a field, to become another.
final class DeviceTrigger: EventTrigger {
  weak var owner: Breakpoint?
  private let register: NamedRegister
  private let mode: String
  private var last: UInt64?
  private weak var machine: Machine?

  static let modes = ["change", "r", "w", "rw"]

  init(_ register: NamedRegister, _ mode: String, _ machine: Machine) throws(MonitorError) {
    self.register = register
    self.mode = mode
    guard mode != "change" || register.value(machine) != nil else {
      throw .refused(
        "\(register.name) cannot be looked at without a side effect; watch the guest's accesses: 'watch \(register.name) rw'"
      )
    }
  }

  var kind: String { "watch " + mode }
  func place(_ memory: DebugMemory) -> String { register.name }
  var note: String? {
    mode == "change" ? "changes that no instruction makes are seen when events fire and input comes" : nil
  }

  var watches: [DebugWatch] {
    let own = register.address...(register.address &+ UInt64(register.info.width - 1))
    return [.device(mode == "change" ? register.region : own)]
  }

  func arm(_ machine: Machine) {
    self.machine = machine
    last = register.value(machine)
    for watch in watches { machine.engine.insert(watch, self) }
  }

  func stops(_ vcpu: VCPU, at event: DebugEvent) -> String? {
    guard let owner, let machine else { return nil }
    let before = last
    last = register.value(machine)
    let change = "\(register.text(before)) -> \(register.text(last))"
    switch event {
    case .devicesRan where mode == "change" && before != last:
      return owner.stops(vcpu, because: "\(register.name) changed by itself: \(change)")
    case .device(let access) where mode == "change" && before != last:
      let verb = access.isWrite ? "a write" : "a read"
      let place =
        access.address == register.address ? "it" : "+\((access.address &- register.region.lowerBound).hex0x())"
      return owner.stops(vcpu, because: "\(register.name) changed: \(change), with \(verb) of \(place)")
    case .device(let access) where mode != "change" && mode.contains(access.isWrite ? "w" : "r"):
      guard access.address <= register.address &+ UInt64(register.info.width - 1),
        register.address <= access.address &+ UInt64(access.size - 1)
      else { return nil }
      let values =
        access.isWrite && last != nil ? "; it was and is \(register.text(before)), \(register.text(last))" : ""
      let verb = access.isWrite ? "wrote \(access.value.hex0x()) to" : "read \(access.value.hex0x()) from"
      return owner.stops(vcpu, because: "the guest \(verb) \(register.registerName)\(values)")
    default: return nil
    }
  }
}
