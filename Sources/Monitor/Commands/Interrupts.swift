// Owns `info irq`: what each hart sees, the wires, the interrupt controllers.

import Bits
import Bus
import Engine
import GuestKit
import Machine

extension Command {
  static let infoInterrupts = Command(
    "info irq", [], .look, "Interrupts: state of each hart, wires that are high, controllers.",
    .look { context throws(MonitorError) in
      let machine = context.machine
      var sections = machine.engine.vcpus.map { vcpu in ("hart \(vcpu.number)", hart(machine, vcpu)) }
      let wires = machine.devices.flatMap { path, device in
        device.context.interrupts.map { output -> [Value] in
          [
            .text(path), .text(output.controller), .text(output.cells.map(String.init).joined(separator: " ")),
            .text(output.line.level ? "high" : "low"),
          ]
        }
      }
      if !wires.isEmpty {
        sections.append(("wires", .table([.left("from"), .left("to"), .right("line"), .left("level")], wires)))
      }
      for (path, device) in machine.devices where device is any IRQSink {
        sections.append(("controller \(path)", .lines(device.registerDump())))
      }
      return .sections(sections.map { (title: $0.0, listing: $0.1) })
    })

  private static func hart(_ machine: Machine, _ vcpu: VCPU) -> Listing {
    let guest = machine.guest
    let next = guest.pendingInterrupt(vcpu.state)
    var fields = [
      NamedValue("takes next", next.map { .text(guest.exceptionName($0.cause)) } ?? .nothing),
      NamedValue("waits", .truth(vcpu.isWaiting)),
    ]
    for name in guest.interruptRegisters {
      guard let number = guest.registerFile.index(of: name) else { continue }
      let digits = guest.registerFile.registers[number].type.bits / 4
      fields.append(NamedValue(name, .hex(guest.readRegister(vcpu.state, number), digits: digits)))
    }
    return .fields(fields)
  }
}
