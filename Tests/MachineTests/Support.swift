// Owns what the machine tests share: a registry, a console that collects, a run with a limit.

import Boards
import Bus
import Devices
import Glibc
import GuestKit
import GuestRISCV
import HostInterpreter
import HostX86_64
import Machine

/// The repository's `boards` folder.
let boardsFolder = String(#filePath.dropLast("Tests/MachineTests/Support.swift".count)) + "boards/"

final class Collector: CharacterBackend {
  var bytes: [UInt8] = []
  func write(_ bytes: [UInt8]) { self.bytes += bytes }
  var text: String { String(decoding: bytes, as: UTF8.self) }
}

let riscv = GuestEntry(
  elfMachines: [243], models: [("rv64", "")], serves: { $0.contains("riscv") },
  make: { model, cpu, semihosting throws(MachineError) in
    do throws(RISCVModelError) {
      return try RISCVGuest(model: model ?? cpu.string("riscv,isa") ?? "rv64", semihosting: semihosting)
    } catch { throw .badInput("\(error)") }
  }, describe: { _ in [] })

let registry = Registry(
  guests: [riscv], hosts: [("jit", X86_64Host.self), ("interpreter", InterpreterHost.self)], devices: standardDevices,
  fallback: LoggedRegisterFile.self)

extension Machine {
  /// Runs on the calling thread until the machine stops, the console shows `text`, or virtual time is up.
  func run(until text: String? = nil, on console: Collector? = nil, ticks: UInt64) -> StopEvent? {
    resume()
    while isRunning, (engine.vcpus.map(\.ticks).min() ?? 0) < ticks {
      runRounds(1)
      if let text, let console, console.text.contains(text) { return nil }
    }
    return isRunning ? nil : lastStop
  }
}

/// Files that Debian's packages install.
enum Files {
  static let openSBI = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.bin"
  static let uBoot = "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"

  static func exist(_ paths: String...) -> Bool { paths.allSatisfy { unsafe access($0, R_OK) == 0 } }
}
