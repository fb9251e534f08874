// Owns the fuzz target of the monitor: its commands over a machine with a small guest.

import Devices
import Devicetree
import Dispatch
import Engine
import Foundation
import GuestRISCV
import HostInterpreter
import HostKit
import HostX86_64
import Machine
import Monitor
import TestSupport

extension FuzzTarget {
  /// Each line is one of the monitor's. The first byte of the input chooses the host, and what whoever gives the lines is
  /// shown. No files can be used. A command that goes on for long is ended, as by a user.
  static let monitorLines = FuzzTarget(name: "monitor-lines") { input in
    guard let choice = input.first, let machine = try? MonitorGuest.machine(compiles: choice & 1 != 0) else { return }
    defer { machine.shutDown() }
    machine.start()
    let monitor = Monitor(machine)
    let style = ListingStyle(columns: choice & 2 != 0 ? 80 : 100, isColoured: choice & 4 != 0)
    for line in input.dropFirst().split(separator: UInt8(ascii: "\n")).prefix(MonitorGuest.mostLines) {
      let text = String(decoding: line, as: UTF8.self)
      for length in [text.utf8.count / 2, text.utf8.count] { _ = monitor.completions(for: text, cursor: length) }
      let result = MonitorGuest.execute(text, monitor, style)
      precondition(!result.isError || !result.text.isEmpty, "refused without a word")
    }
    _ = MonitorGuest.execute("stop", monitor, style)
    precondition(!MonitorGuest.execute("info status", monitor, .plain).isError, "the monitor serves no more")
  }
}

/// The machine behind the monitor: the board `virt` with ``LoopProgram``.
private enum MonitorGuest {
  static let mostLines = 8
  /// What a command may take before it is ended.
  private static let patience = DispatchTimeInterval.milliseconds(2)

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

  static func machine(compiles: Bool) throws -> Machine {
    var configuration = MachineConfiguration(board: files.board)
    configuration.kernel = files.kernel
    configuration.host = compiles ? "jit" : "interpreter"
    configuration.memorySize = 16 << 20
    configuration.engine.codeCacheSize = 1 << 20
    return try Machine.make(configuration, registry: registry, backends: []) { _, _ in }
  }

  static func execute(_ line: String, _ monitor: Monitor, _ style: ListingStyle) -> MonitorResult {
    let run = CommandRun(style: style)
    let end = DispatchWorkItem { run.cancel() }
    DispatchQueue.global().asyncAfter(deadline: .now() + patience, execute: end)
    defer { end.cancel() }
    return monitor.execute(line, run)
  }
}
