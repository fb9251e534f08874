// The machine the tests debug: the virt board with a program of a few instructions, or another board.

import Bus
import DebugServer
import Devices
import Foundation
import GuestARM
import GuestRISCV
import HostInterpreter
import HostX86_64
import Machine
import Synchronization
import TestSupport

let repository = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

/// Places in the program, and what is there.
enum Program {
  static let base: UInt64 = 0x8000_0000
  static let loop = base + 0x10
  static let store = base + 0x14
  static let load = base + 0x18
  static let call = base + 0x1C
  static let function = base + 0x24
  static let busy = base + 0x2C
  static let wait = base + 0x30
  static let off = base + 0x38
  static let jumpToNothing = base + 0x4C
  /// Where the loop keeps its counter.
  static let counter: UInt64 = 0x8000_1000

  static let words: [UInt32] = [
    0xF140_23F3,  // 00        csrr t2, mhartid
    0x0203_9663,  // 04        bnez t2, wait
    0x0000_1497,  // 08        auipc s1, 1
    0xFF84_8493,  // 0c        addi s1, s1, -8
    0x0012_8293,  // 10 loop:  addi t0, t0, 1
    0x0054_B023,  // 14        sd t0, (s1)
    0x0004_B303,  // 18        ld t1, (s1)
    0x0080_00EF,  // 1c        jal function
    0xFF1F_F06F,  // 20        j loop
    0x0025_0513,  // 24 function: addi a0, a0, 2
    0x0000_8067,  // 28        ret
    0x0000_006F,  // 2c busy:  j busy
    0x1050_0073,  // 30 wait:  wfi
    0xFFDF_F06F,  // 34        j wait
    0x0010_02B7,  // 38 off:   lui t0, 0x100
    0x0000_5337,  // 3c        lui t1, 5
    0x5553_0313,  // 40        addi t1, t1, 0x555
    0x0062_A023,  // 44        sw t1, (t0)
    0x0000_006F,  // 48        j .
    0x0000_0067,  // 4c        jr zero
  ]
}

private func registry() -> Registry {
  let riscv = GuestEntry(
    elfMachines: [243], models: [], serves: { $0.contains("riscv") },
    make: { model, _, semihosting throws(MachineError) in
      do throws(RISCVModelError) {
        return try RISCVGuest(model: model ?? "rv64", semihosting: semihosting)
      } catch { throw .setup("\(error)") }
    },
    describe: { _ in [] })
  let arm = GuestEntry(
    elfMachines: [40], models: [], serves: { $0.contains { $0.hasPrefix("arm,cortex-m") } },
    make: { model, cpu, semihosting throws(MachineError) in
      let named = cpu.compatible.first.map { String($0.dropFirst(4)) } ?? "cortex-m3"
      let name = model ?? CPUModel.named(named)?.name ?? named
      do throws(ARMModelError) {
        return try ARMGuest(model: name, semihosting: semihosting)
      } catch { throw .setup("\(error)") }
    },
    describe: { guest in (guest as? ARMGuest).map { [("compatible", "arm,\($0.model.name)")] } ?? [] })
  let cuckoo = GuestEntry(
    elfMachines: [0xCC0], models: [], serves: { $0 == ["martlet,cuckoo"] },
    make: { _, _, _ throws(MachineError) in Cuckoo() }, describe: { _ in [] })
  return Registry(
    guests: [riscv, arm, cuckoo], hosts: [("jit", X86_64Host.self), ("interpreter", InterpreterHost.self)],
    devices: standardDevices + [SystemControl.self], fallback: LoggedRegisterFile.self,
    interpreter: Interpreter.self)
}

/// A file that is gone with its owner.
final class TemporaryFile {
  let path: String

  init(_ bytes: [UInt8]) throws {
    path = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString)").path()
    try Data(bytes).write(to: URL(filePath: path))
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A machine and a server for it, both ended with it.
final class TestBoard {
  let machine: Machine
  let server: DebugServer
  var port: Int { server.port ?? 0 }

  init(
    harts: Int = 1, host: String = "jit", cpu: String = "rv64", address: DebugServer.Address = .tcp(host: "", port: 0),
    options: DebugServer.Options = .init(), console: (any CharacterBackend)? = nil,
    configure: (inout MachineConfiguration) -> Void = { _ in }
  ) throws {
    let image = try TemporaryFile(
      Program.words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
    var configuration = MachineConfiguration(board: repository.appending(path: "boards/riscv/virt.dts").path())
    configuration.cpuModel = cpu
    configuration.cpuCount = harts
    configuration.host = host
    configuration.memorySize = 64 << 20
    configuration.loads = [ImageFile(path: image.path, address: Program.base, setsEntry: true)]
    configure(&configuration)
    machine = try Machine.make(configuration, registry: registry(), backends: console.map { [$0] } ?? []) { _, _ in }
    machine.start()
    server = DebugServer(machine, address: address, options: options)
    do throws(DebugServerError) {
      try server.start()
    } catch {
      machine.shutDown()
      throw error
    }
  }

  deinit {
    server.stop()
    machine.shutDown()
  }

  /// The value of the loop's counter.
  var counter: UInt64 {
    machine.perform { $0.space.peek(Program.counter, size: 8) ?? 0 }
  }

  var isRunning: Bool { machine.perform(\.isRunning) }
}

/// The console of a running machine.
final class Console: CharacterBackend, Sendable {
  private let text = Mutex("")
  func write(_ bytes: [UInt8]) { text.withLock { $0 += String(decoding: bytes, as: UTF8.self) } }
  func contains(_ part: String) -> Bool { text.withLock { $0.contains(part) } }
}
