// Runs a program on every machine in turn, again and again, and checks that all print the same.

import Foundation

/// Where a program runs.
enum Machine {
  case native
  case martlet(path: String, arguments: [String])
  case qemu

  var name: String {
    switch self {
    case .native: "native"
    case .martlet: "martlet"
    case .qemu: "qemu"
    }
  }

  /// The command that runs `program` here; nil where it cannot run.
  func command(for program: Program) -> [String]? {
    let board = ["-M", "virt", "-bios", "none", "-kernel", program.elf, "-nographic"]
    switch self {
    case .native:
      return program.native.map { [$0] }
    case .martlet(let path, let arguments):
      return [path, "-cpu", program.guest.rawValue] + board + arguments
    case .qemu:
      let name = program.guest == .rv64 ? "qemu-system-riscv64" : "qemu-system-riscv32"
      return Toolchain.find(name).map { [$0] + board + ["-monitor", "none"] }
    }
  }
}

struct Runner {
  let repeats: Int
  let timeout: Double
  let workFolder: URL

  /// Interleaves the machines, so that a change of the host's clock or load meets all of them.
  func measure(_ program: Program, on machines: [Machine]) -> Row {
    var row = Row(name: program.name, group: program.group)
    for _ in 0..<repeats where row.failure == nil {
      for machine in machines {
        guard let command = machine.command(for: program) else { continue }
        if let failure = run(command, machine: machine.name, into: &row) {
          row.failure = "\(machine.name): \(failure)"
          break
        }
      }
    }
    return row
  }

  /// One run; returns why it failed.
  private func run(_ command: [String], machine: String, into row: inout Row) -> String? {
    let output = workFolder.appendingPathComponent("output.txt").path
    let result: ChildProcess
    do {
      result = try ChildProcess.run(command, output: output, timeout: timeout)
    } catch {
      return error.description
    }
    let bytes = FileManager.default.contents(atPath: output) ?? Data()
    let text = String(decoding: bytes, as: UTF8.self)
    guard result.exit == .code(0) else {
      return text.isEmpty ? "\(result.exit)" : "\(result.exit), “\(text.suffix(200))”"
    }
    let printed = row.group == .folder ? text : text.split(whereSeparator: \.isNewline).last.map(String.init) ?? ""
    if let expected = row.output {
      guard printed == expected else { return "printed “\(printed.suffix(80))” instead of “\(expected.suffix(80))”" }
    } else {
      guard row.group == .folder || printed.hasPrefix("\(row.name) checksum=") else {
        return "printed no checksum: “\(printed.suffix(80))”"
      }
      row.output = printed
    }
    row.samples[machine, default: []].append(Sample(user: result.user, system: result.system))
    return nil
  }
}
