// Owns watchpoints on CSRs and special registers.

import Bits
import Engine
import GuestKit
import Machine

/// Waits for instructions that read or write a system register, and stops behind them.
final class SystemRegisterTrigger: EventTrigger {
  weak var owner: Breakpoint?
  private let register: Int
  private let name: String
  private let word: String
  private let onRead: Bool
  private let onWrite: Bool
  let note: String?

  /// - Parameter mode: of the letters `r` and `w`.
  init(_ name: String, _ mode: String, _ memory: DebugMemory) throws(MonitorError) {
    guard let guest = memory.guest as? any SystemRegisters else {
      throw .refused("this guest has no registers that only instructions of their own reach")
    }
    let file = memory.guest.registerFile
    let known = guest.systemRegisters
    let wanted = name.lowercased().drop { $0 == "$" }
    guard
      let number = known.first(where: {
        file.registers[$0].name == wanted || file.registers[$0].aliases.contains(String(wanted))
      })
    else {
      let names = known.map { file.registers[$0].name }
      let list = names.count > 12 ? "'info registers all' lists them" : "there are \(names.joined(separator: ", "))"
      throw .refused("no \(guest.systemRegisterWord) is called '\(name)'; \(list)")
    }
    register = number
    self.name = file.registers[number].name
    word = guest.systemRegisterWord
    (onRead, onWrite) = (mode.contains("r"), mode.contains("w"))
    note = guest.otherChanges(of: number).map { "\($0), which does not stop" }
  }

  var kind: String { "\(word) " + (onRead ? "r" : "") + (onWrite ? "w" : "") }
  func place(_ memory: DebugMemory) -> String { name }
  var watches: [DebugWatch] { [.systemRegister(register)] }

  func stops(_ vcpu: VCPU, at event: DebugEvent) -> String? {
    guard case .system(let change) = event, let owner, change.isWrite && onWrite || change.isRead && onRead else {
      return nil
    }
    let values = change.isWrite ? "\(change.before.hex0x()) -> \(change.after.hex0x())" : change.before.hex0x()
    let place = owner.machine.map { DebugMemory(machine: $0, vcpu: vcpu).symbolSuffix(change.by) } ?? ""
    return owner.stops(
      vcpu,
      because:
        "\(change.isWrite ? "wrote" : "read") \(name): \(values), by the instruction at \(change.by.hex0x())\(place)")
  }
}
