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

/// A program that adds in a loop, calls a function, and spins.
enum Program {
  static let base: UInt64 = 0x8000_0000
  static let words: [UInt32] = [
    0x0001_0117,  // _start: auipc sp, 0x10
    0x0050_0513,  //         li a0, 5
    0x0036_8693,  // loop:   addi a3, a3, 3
    0x00d1_3023,  //         sd a3, 0(sp)
    0xfff5_0513,  //         addi a0, a0, -1
    0xfe05_1ae3,  //         bnez a0, loop
    0x0010_07b7,  // done:   lui a5, 0x100
    0x0000_52b7,  //         lui t0, 5
    0x5552_8293,  //         addi t0, t0, 0x555
    0x00c0_00ef,  //         jal twice
    0x0051_2423,  //         sw t0, 8(sp)
    0x0000_006f,  // spin:   j spin
    0x00d6_86b3,  // twice:  add a3, a3, a3
    0x0000_8067,  //         ret
  ]
  static let symbols: [(name: String, offset: UInt64, size: UInt64)] = [
    ("_start", 0, 8), ("loop", 8, 16), ("done", 24, 20), ("spin", 44, 4), ("twice", 48, 8),
  ]

  /// An ELF file (64 bits, RISC-V) of the program with its symbols.
  static var elf: [UInt8] {
    func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }
    let code = words.flatMap { bytes(UInt64($0), 4) }
    var names: [UInt8] = [0]
    var table = [UInt8](repeating: 0, count: 24)
    for symbol in symbols {
      table += bytes(UInt64(names.count), 4) + [0x12, 0] + bytes(1, 2)
      table += bytes(base + symbol.offset, 8) + bytes(symbol.size, 8)
      names += Array(symbol.name.utf8) + [0]
    }
    let codeOffset = UInt64(64 + 56)
    let tableOffset = codeOffset + UInt64(code.count)
    let namesOffset = tableOffset + UInt64(table.count)
    let sections = namesOffset + UInt64(names.count)
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    file += bytes(2, 2) + bytes(243, 2) + bytes(1, 4) + bytes(base, 8) + bytes(64, 8) + bytes(sections, 8) + bytes(0, 4)
    file += bytes(64, 2) + bytes(56, 2) + bytes(1, 2) + bytes(64, 2) + bytes(3, 2) + bytes(0, 2)
    file += bytes(1, 4) + bytes(5, 4) + bytes(codeOffset, 8) + bytes(base, 8) + bytes(base, 8)
    file += bytes(UInt64(code.count), 8) + bytes(UInt64(code.count), 8) + bytes(4, 8)
    file += code + table + names
    file += [UInt8](repeating: 0, count: 64)
    file += bytes(0, 4) + bytes(2, 4) + bytes(0, 16) + bytes(tableOffset, 8) + bytes(UInt64(table.count), 8)
    file += bytes(2, 4) + bytes(1, 4) + bytes(8, 8) + bytes(24, 8)
    file += bytes(0, 4) + bytes(3, 4) + bytes(0, 16) + bytes(namesOffset, 8) + bytes(UInt64(names.count), 8)
    file += bytes(0, 8) + bytes(1, 8) + bytes(0, 8)
    return file
  }
}

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
    try Data(Program.elf).write(to: URL(fileURLWithPath: path))
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
    if image == nil { machine.perform { $0.engine.insertBreakpoint(Program.base + 44) } }
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
  var hasEnded: Bool { machine.perform { $0.engine.vcpus[0].state.pc == Program.base + 44 } }

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
