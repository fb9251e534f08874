// Owns the machine that fuzz targets make, one for each input.

import Devices
import Devicetree
import Engine
import Foundation
import GuestRISCV
import HostInterpreter
import HostKit
import HostX86_64
import Machine
import TestSupport

/// The board `virt` with ``LoopProgram``.
enum FuzzedMachine {
  private static let registry = Registry(
    guests: [
      GuestEntry(
        elfMachines: [243], models: [], serves: { $0.contains("riscv") },
        make: { model, _, semihosting throws(MachineError) in
          do throws(RISCVModelError) {
            return try RISCVGuest(model: model ?? "rv64", semihosting: semihosting)
          } catch { throw .badInput("\(error)") }
        }, describe: { _ in [] })
    ],
    hosts: [("jit", X86_64Host.self), ("interpreter", InterpreterHost.self)],
    devices: standardDevices, fallback: LoggedRegisterFile.self, interpreter: Interpreter.self,
    opStepper: { configuration, block, state throws(HostError) in
      try InterpreterHost.Stepper(configuration, block, state)
    })

  /// The board, compiled once, and the program.
  private static let files: (board: String, kernel: String) = {
    let folder = FileManager.default.temporaryDirectory
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardized
    let (board, kernel) = (folder.appending(path: "martlet-fuzz.dtb"), folder.appending(path: "martlet-fuzz.elf"))
    do {
      let tree = try Devicetree(contentsOf: root.appending(path: "boards/riscv/virt.dts").path())
      try Data(tree.blob()).write(to: board, options: .atomic)
      try Data(LoopProgram.elf).write(to: kernel, options: .atomic)
    } catch { fatalError("the machine to fuzz cannot be made: \(error)") }
    return (board.path(), kernel.path())
  }()

  static func made(compiles: Bool) throws -> Machine {
    var configuration = MachineConfiguration(board: files.board)
    configuration.kernel = files.kernel
    configuration.host = compiles ? "jit" : "interpreter"
    configuration.memorySize = 16 << 20
    configuration.engine.codeCacheSize = 1 << 20
    return try Machine.make(configuration, registry: registry, backends: []) { _, _ in }
  }
}
