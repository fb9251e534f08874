// Owns the choice of parts: the one place that names concrete guests, hosts and devices.

import Bus
import Devices
import GuestARM
import GuestRISCV
import HostInterpreter
import HostKit
import HostX86_64
import Machine

enum Parts {
  static let registry = Registry(
    guests: [riscv, arm],
    hosts: [("jit", X86_64Host.self), ("interpreter", InterpreterHost.self)],
    devices: standardDevices + [SystemControl.self], fallback: LoggedRegisterFile.self,
    interpreter: Interpreter.self,
    opStepper: { configuration, block, state throws(HostError) in
      try InterpreterHost.Stepper(configuration, block, state)
    })

  private static let riscv = GuestEntry(
    elfMachines: [243],
    models: [
      ("rv64", "64 bits, every implemented extension"),
      ("rv32", "32 bits, every implemented extension"),
      ("rv64gc", "or any other ISA string, such as rv32imac_zba_zbb"),
    ],
    serves: { $0.contains("riscv") },
    make: { model, cpu, semihosting throws(MachineError) in
      let own = cpu.string("riscv,isa") ?? "rv64"
      // QEMU's word for every extension there is.
      let name = model == "max" ? String(own.prefix(4)) : model ?? own
      do throws(RISCVModelError) {
        return try RISCVGuest(model: name, semihosting: semihosting)
      } catch {
        let origin = model == nil ? "\(cpu.path): riscv,isa" : "-cpu"
        throw .badInput("\(origin): '\(name)': \(error); see '-cpu help'")
      }
    },
    describe: { guest in
      guard let guest = guest as? RISCVGuest else { return [] }
      let base = "rv\(guest.xlen)"
      return [
        ("riscv,isa", base + guest.extensions.isa), ("mmu-type", guest.xlen == 32 ? "riscv,sv32" : "riscv,sv48"),
      ]
    },
    firmware: InstalledFirmware(
      name: "OpenSBI (Debian's package opensbi)", places: { OpenSBI.places(xlen: $0) },
      isNeeded: { OpenSBI.isNeeded(by: $0) }))

  private static let arm = GuestEntry(
    elfMachines: [40],
    models: CPUModel.all.map { ($0.name, $0.note) },
    serves: { $0.contains { $0.hasPrefix("arm,cortex-m") } },
    make: { model, cpu, semihosting throws(MachineError) in
      let named = cpu.compatible.first { $0.hasPrefix("arm,cortex-m") }.map { String($0.dropFirst(4)) } ?? "cortex-m3"
      let name = model ?? CPUModel.named(named)?.name ?? named
      do throws(ARMModelError) {
        return try ARMGuest(model: name, semihosting: semihosting)
      } catch {
        throw .badInput("\(model == nil ? "\(cpu.path): compatible" : "-cpu"): \(error); see '-cpu help'")
      }
    },
    // The devices of the core look there for what it has.
    describe: { guest in (guest as? ARMGuest).map { [("compatible", "arm,\($0.model.name)")] } ?? [] })
}
