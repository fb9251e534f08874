// Owns what the machine tests share: a registry, a console that collects, a run with a limit.

import Boards
import Bus
import Devices
import Foundation
import Glibc
import GuestKit
import GuestARM
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

let arm = GuestEntry(
  elfMachines: [40], models: [("cortex-m0", "")], serves: { $0.contains { $0.hasPrefix("arm,cortex-m") } },
  make: { model, cpu, semihosting throws(MachineError) in
    do throws(ARMModelError) {
      let name = model ?? cpu.compatible.first.map { String($0.dropFirst(4)) } ?? "cortex-m0"
      return try ARMGuest(model: name, semihosting: semihosting)
    } catch { throw .badInput("\(error)") }
  }, describe: { _ in [] })

let registry = Registry(
  guests: [riscv, arm], hosts: [("jit", X86_64Host.self), ("interpreter", InterpreterHost.self)],
  devices: standardDevices + [SystemControl.self], fallback: LoggedRegisterFile.self,
  interpreter: Interpreter.self)

/// Both host back ends.
let hosts = ["jit", "interpreter"]

/// A file that exists as long as this object.
final class TemporaryFile {
  let path: String

  init(_ bytes: [UInt8], suffix: String = ".bin") throws {
    path = NSTemporaryDirectory() + "/martlet-machine-\(UUID().uuidString)\(suffix)"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  convenience init(words: [UInt32]) throws {
    try self.init(words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// An ELF executable of one loaded segment at `address`, which starts there, with symbols.
func elf(
  _ words: [UInt32], at address: UInt64 = 0x8000_0000, bits: Int = 64, machine: UInt64 = 243,
  symbols: [(name: String, address: UInt64)] = []
) -> [UInt8] {
  var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, bits == 64 ? 2 : 1, 1, 1] + [UInt8](repeating: 0, count: 9)
  func put(_ width: Int, _ values: UInt64...) {
    for value in values { file += (0..<width).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
  }
  let word = bits / 8
  let (header, program, section, entry): (UInt64, UInt64, UInt64, UInt64) =
    bits == 64 ? (64, 56, 64, 24) : (52, 32, 40, 16)
  let size = UInt64(4 * words.count)
  let names: [UInt8] = [0] + symbols.flatMap { Array($0.name.utf8) + [0] }
  let table = header + program + size
  let tableSize = entry * UInt64(symbols.count + 1)
  let sections = table + tableSize + UInt64(names.count)
  put(2, 2, machine)
  put(4, 1)
  put(word, address, header, sections)
  put(4, 0)
  put(2, header, program, 1, section, 3, 0)
  put(4, 1)
  if bits == 64 { put(4, 7) }
  put(word, header + program, address, address, size, size)
  if bits == 32 { put(4, 7) }
  put(word, 4)
  for word in words { put(4, UInt64(word)) }
  file += [UInt8](repeating: 0, count: Int(entry))
  var name: UInt64 = 1
  for symbol in symbols {
    put(4, name)
    if bits == 64 {
      put(1, 0x11, 0)
      put(2, 1)
    }
    put(word, symbol.address, 8)
    if bits == 32 {
      put(1, 0x11, 0)
      put(2, 1)
    }
    name += UInt64(symbol.name.utf8.count + 1)
  }
  file += names
  file += [UInt8](repeating: 0, count: Int(section))
  for (kind, offset, size, link, entry) in [
    (2, table, tableSize, 2, entry), (3, table + tableSize, UInt64(names.count), 0, 0),
  ] as [(UInt64, UInt64, UInt64, UInt64, UInt64)] {
    put(4, 0, kind)
    put(word, 0, 0, offset, size)
    put(4, link, 0)
    put(word, 0, entry)
  }
  return file
}

/// A machine of one of the repository's boards, with `edit` applied to its configuration.
func machine(
  _ board: String, of architecture: String = "riscv", host: String = "jit", console: Collector? = nil,
  _ edit: (inout MachineConfiguration) -> Void = { _ in }
) throws(MachineError) -> Machine {
  var configuration = MachineConfiguration(board: boardsFolder + "\(architecture)/\(board).dts")
  configuration.host = host
  edit(&configuration)
  return try Machine.make(configuration, registry: registry, backends: console.map { [$0] } ?? []) { _, _ in }
}

/// The text of the error that making a machine ends with; "made" without one.
func refusal(_ board: String = "virt", _ edit: (inout MachineConfiguration) -> Void) -> String {
  do throws(MachineError) {
    _ = try machine(board, edit)
    return "made"
  } catch {
    guard case .badInput(let text) = error else { return "not called bad input: \(error)" }
    return text
  }
}

extension Machine {
  /// Runs on the calling thread until the machine stops, the console shows `text`, or virtual time is up.
  func run(until text: String? = nil, on console: Collector? = nil, ticks: UInt64) -> StopEvent? {
    resume()
    defer { if isRunning { stop() } }
    while isRunning, (engine.vcpus.map(\.ticks).min() ?? 0) < ticks {
      runRounds(1)
      if let text, let console, console.text.contains(text) { return nil }
    }
    return isRunning ? nil : lastStop
  }
}

/// Files that Debian's packages install.
enum Files {
  static let microbit = "/usr/share/firmware-microbit-micropython/firmware.hex"
  static let openSBI = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.bin"
  static let openSBIExecutable = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.elf"
  static let machineModeUBoot = "/usr/lib/u-boot/qemu-riscv64/u-boot.bin"
  static let uBoot = "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"

  static func exist(_ paths: String...) -> Bool { paths.allSatisfy { unsafe access($0, R_OK) == 0 } }
}
