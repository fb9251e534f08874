// The command `martlet-bench`: its options, and the course of a run.

import ArgumentParser
import Foundation

@main
struct MartletBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "martlet-bench",
    abstract: "Runs guest kernels natively, in Martlet and in QEMU side by side, and prints ratios of user CPU time.",
    discussion: """
      The programs are compiled at bench time with the toolchain's clang (guest) and with gcc, or clang where there is \
      none (native). Every run's checksum must agree. The exit code is 1 when a run failed or a checksum differed.

      Groups: \(Suite.allCases.map(\.rawValue).joined(separator: ", ")).
      """)

  @Option(help: "Groups of measurements, separated by commas. (default: all)")
  var only: String?

  @Option(help: "Kernels to run, separated by commas. (default: all)")
  var kernels: String?

  @Option(help: "Runs of each program on each machine; the median counts.")
  var `repeat` = 5

  @Option(help: "Run the ELF files of this folder instead of the kernels.")
  var folder: String?

  @Option(help: ArgumentHelp("A riscv64 Linux kernel, for the group linux.", valueName: "path"))
  var linuxKernel: String?

  @Option(help: ArgumentHelp("Its initial RAM disk.", valueName: "path"))
  var linuxInitrd: String?

  @Option(help: ArgumentHelp("What its user land prints when it is there.", valueName: "text"))
  var linuxPrompt = "/ # "

  @Option(help: "The guest's instruction set: rv64 or rv32.")
  var guest = Guest.rv64

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
    guard guest != .m4 else { throw ValidationError("kernels for a Cortex-M4 are the group arm: --only arm") }
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
    let machines = try machines()
    var report = Report(title: title(machines))
    Log.line(report.title)
    let runner = Runner(repeats: `repeat`, timeout: timeout, workFolder: work)
    if let folder {
      for program in try Program.all(inFolder: folder) { add(runner.measure(program, nil, on: machines), to: &report) }
    } else {
      let workshop = Workshop(
        guest: guest, folder: work, kernels: kernels, isNative: native,
        linux: Linux(kernel: linuxKernel, initrd: linuxInitrd, prompt: linuxPrompt))
      for suite in try Suite.named(only) { try measure(suite, workshop, runner, machines, &report) }
    }
    print(report.tables)
    if let json { try report.writeJSON(to: json) }
    if report.failed { throw ExitCode.failure }
  }

  /// A suite that cannot run here is left out, unless it was asked for by name.
  private func measure(
    _ suite: Suite, _ workshop: Workshop, _ runner: Runner, _ machines: [Contender], _ report: inout Report
  ) throws {
    Log.line(suite.title)
    let programs: [Program]
    do {
      programs = try workshop.programs(suite)
    } catch let error as BenchError where only == nil {
      Log.line("  left out: \(error)")
      return report.skipped.append((suite, error.description))
    }
    let machines = suite == .interrupts ? strategies(of: machines) : machines
    if suite == .rsp {
      return report.rows += programs.flatMap { runner.measureDebuggers($0, on: machines) }
    }
    for program in programs { add(runner.measure(program, suite, on: machines), to: &report) }
  }

  /// Martlet once for each interrupt strategy.
  private func strategies(of machines: [Contender]) -> [Contender] {
    machines.flatMap { machine -> [Contender] in
      guard case .martlet(let path, let arguments) = machine else { return [] }
      return Contender.strategies.map { .strategy($0, path: path, arguments: arguments) }
    }
  }

  private func add(_ row: Row, to report: inout Report) {
    Log.line(row.progress)
    report.rows.append(row)
  }

  private func machines() throws -> [Contender] {
    var machines: [Contender] = native && folder == nil ? [.native] : []
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

  private func title(_ machines: [Contender]) -> String {
    let names = machines.map { $0.name == "native" ? "native (\(Toolchain.hostCompiler) -O2)" : $0.name }.joined(
      separator: ", ")
    let what = folder.map { "ELF files of \($0)" } ?? "\(guest.rawValue)"
    return "\(what) on \(names); user CPU seconds, median of \(`repeat`)"
  }
}
