// Owns what the monitor's tests share: a machine on the virt board with a small program, and its monitor.

import Bus
import Devices
import Engine
import Foundation
import GuestARM
import GuestRISCV
import HostInterpreter
import HostKit
import HostX86_64
import Machine
import Monitor
import TestSupport

private let riscv = GuestEntry(
  elfMachines: [243], models: [], serves: { $0.contains("riscv") },
  make: { model, cpu, semihosting throws(MachineError) in
    do throws(RISCVModelError) {
      return try RISCVGuest(model: model ?? "rv64", semihosting: semihosting)
    } catch { throw .badInput("\(error)") }
  }, describe: { _ in [] })

private let arm = GuestEntry(
  elfMachines: [40], models: [], serves: { $0.contains { $0.hasPrefix("arm,cortex-m") } },
  make: { model, cpu, semihosting throws(MachineError) in
    do throws(ARMModelError) {
      return try ARMGuest(model: model ?? "cortex-m4", semihosting: semihosting)
    } catch { throw .badInput("\(error)") }
  }, describe: { _ in [] })

let registry = Registry(
  guests: [riscv, arm], hosts: [("jit", X86_64Host.self), ("interpreter", InterpreterHost.self)],
  devices: standardDevices + [SystemControl.self],
  fallback: LoggedRegisterFile.self,
  opStepper: { configuration, block, state throws(HostError) in
    try InterpreterHost.Stepper(configuration, block, state)
  })

/// A machine with its thread started, stopped at `_start`.
final class Bench {
  let machine: Machine
  let monitor: Monitor

  /// - Parameter image: an ELF file in place of the program.
  init(
    host: String, harts: Int = 1, tiers: TierPolicy = .adaptive, image: String? = nil,
    _ change: (inout MachineConfiguration) -> Void = { _ in }
  ) throws {
    let path = NSTemporaryDirectory() + "/martlet-monitor-\(UUID().uuidString).elf"
    try Data(LoopProgram.elf).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let root = String(#filePath.dropLast("Tests/MonitorTests/Support.swift".count))
    var configuration = MachineConfiguration(board: root + "boards/riscv/virt.dts")
    configuration.kernel = image ?? path
    configuration.host = host
    configuration.cpuCount = harts
    configuration.engine.tiers = tiers
    change(&configuration)
    machine = try Machine.make(configuration, registry: registry, backends: []) { _, _ in }
    machine.start()
    if image == nil { machine.perform { $0.engine.insertBreakpoint(LoopProgram.base + 44) } }
    monitor = Monitor(machine)
  }

  deinit { machine.shutDown() }

  /// The text of a command that succeeds.
  func callAsFunction(_ line: String) -> String {
    let result = monitor.execute(line)
    return result.isError ? "ERROR: " + result.text : result.text
  }

  func lines(_ line: String) -> [String] { self(line).split(separator: "\n").map(String.init) }

  /// As shown where there is room for so many characters a line.
  func lines(_ line: String, columns: Int, isColoured: Bool = false) -> [String] {
    let style = ListingStyle(columns: columns, isColoured: isColoured)
    return monitor.execute(line, style: style).text.split(separator: "\n").map(String.init)
  }

  /// What a finished run leaves behind: registers, instructions, time, the stored sum.
  struct Outcome: Equatable {
    var registers: [UInt64]
    var instructions: UInt64
    var ticks: UInt64
    var stored: [UInt64?]
  }

  var outcome: Outcome {
    machine.perform { machine in
      let vcpu = machine.engine.vcpus[0]
      return Outcome(
        registers: (0...32).map { machine.guest.readRegister(vcpu.state, $0) },
        instructions: vcpu.retiredInstructions, ticks: vcpu.ticks,
        stored: [0x8001_0000, 0x8001_0008].map { machine.space.peek($0, size: 8) })
    }
  }

  /// Stands at `spin`, where a breakpoint of nobody's own holds the guest.
  var hasEnded: Bool { machine.perform { $0.engine.vcpus[0].state.pc == LoopProgram.base + 44 } }

  /// Lets the guest run to its end.
  func finish() {
    waitForStop()
    if !hasEnded { _ = self("cont") }
    waitForStop()
  }

  func waitForStop() {
    for _ in 0..<2500 where machine.perform({ $0.isRunning }) { usleep(2000) }
  }
}
