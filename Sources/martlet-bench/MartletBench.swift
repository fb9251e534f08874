// The command `martlet-bench`: its options, and the course of a run.

import ArgumentParser
import Foundation

@main
struct MartletBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "martlet-bench",
    abstract: "Runs guest kernels natively, in Martlet and in QEMU side by side, and prints ratios of user CPU time.",
    discussion: """
      The kernels are compiled at bench time with the toolchain's clang (guest) and with gcc, or clang where there is \
      none (native). Every run's checksum must agree. The exit code is 1 when a run failed or a checksum differed.
      """)

  @Option(help: "Kernels to run, separated by commas. (default: all)")
  var kernels: String?

  @Option(help: "Runs of each program on each machine; the median counts.")
  var `repeat` = 5

  @Option(help: "Run the ELF files of this folder instead of the kernels.")
  var folder: String?

  @Option(help: "The guest's instruction set: rv64 or rv32.")
  var guest = Guest.rv64

  @Flag(help: "Run the kernels in S-mode behind an identity page table.")
  var paged = false

  @Option(help: "Path of martlet. (default: beside this program)")
  var martlet: String?

  @Option(help: ArgumentHelp("More arguments for martlet, separated by blanks.", valueName: "arguments"))
  var martletArgs = ""

  @Flag(inversion: .prefixedNo, help: "Run natively.")
  var native = true

  @Flag(inversion: .prefixedNo, help: "Run in QEMU where it is installed.")
  var qemu = true

  @Option(help: "Seconds after which a single run counts as failed.")
  var timeout = 120.0

  @Option(help: "Write all samples to this file as JSON.")
  var json: String?

  @Flag(help: "Keep the folder of compiled programs and name it.")
  var keep = false

  func validate() throws {
    guard `repeat` > 0 else { throw ValidationError("--repeat must be at least 1") }
    guard timeout > 0 else { throw ValidationError("--timeout must be positive") }
  }

  func run() throws {
    let work = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
    defer {
      if keep {
        Log.line("programs kept in \(work.path)")
      } else {
        try? FileManager.default.removeItem(at: work)
      }
    }
    let programs = try folder.map(Program.all(inFolder:)) ?? compileKernels(into: work)
    let machines = try machines()
    var report = Report(title: title(machines))
    Log.line(report.title)
    let runner = Runner(repeats: `repeat`, timeout: timeout, workFolder: work)
    for program in programs {
      let row = runner.measure(program, on: machines)
      Log.line(row.progress)
      report.rows.append(row)
    }
    print(report.table)
    if let json { try report.writeJSON(to: json) }
    if report.failed { throw ExitCode.failure }
  }

  private func compileKernels(into work: URL) throws -> [Program] {
    let chosen = try Kernel.named(kernels)
    let toolchain = try Toolchain(guest: guest, paged: paged, folder: work)
    return try chosen.map { try toolchain.compile($0, native: native) }
  }

  private func machines() throws -> [Machine] {
    var machines: [Machine] = native && folder == nil ? [.native] : []
    let path = martlet ?? Toolchain.besideThisProgram("martlet")
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw BenchError("no martlet at \(path): build it, or name it with --martlet")
    }
    machines.append(.martlet(path: path, arguments: martletArgs.split(separator: " ").map(String.init)))
    if qemu, Toolchain.find("qemu-system-riscv64") != nil {
      machines.append(.qemu)
    } else if qemu {
      Log.line("QEMU is not installed (qemu-system-riscv64): left out")
    }
    return machines
  }

  private func title(_ machines: [Machine]) -> String {
    let names = machines.map { $0.name == "native" ? "native (\(Toolchain.hostCompiler) -O2)" : $0.name }.joined(
      separator: ", ")
    let what = folder.map { "ELF files of \($0)" } ?? "\(guest.rawValue)\(paged ? " paged" : "") kernels"
    return "\(what) on \(names); user CPU seconds, median of \(`repeat`)"
  }
}
