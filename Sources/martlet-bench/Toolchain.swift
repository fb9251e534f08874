// Compiles the kernels: for the guest with clang and lld, for the host with gcc, or clang where there is none.

import Foundation

struct Toolchain {
  private let guest: Guest
  private let paged: Bool
  private let folder: URL
  private let sources: URL
  private let clang: String

  /// Writes programs into `folder`; throws when clang or the kernels' sources are missing.
  init(guest: Guest, paged: Bool, folder: URL) throws(BenchError) {
    guard let sources = Bundle.module.url(forResource: "kernels", withExtension: nil) else {
      throw BenchError("the kernels' sources are missing beside martlet-bench")
    }
    guard let clang = Self.find("clang") else {
      throw BenchError("no clang in PATH: the Swift toolchain's clang compiles the guest kernels")
    }
    self.guest = guest
    self.paged = paged
    self.folder = folder
    self.sources = sources
    self.clang = clang
  }

  func compile(_ kernel: Kernel, native: Bool) throws -> Program {
    let elf = folder.appendingPathComponent("\(kernel.name).elf").path
    let host = folder.appendingPathComponent(kernel.name).path
    try compile(kernel, with: [clang] + guestFlags, runtime: ["riscv-start.S", "riscv.c"], to: elf)
    if native { try compile(kernel, with: [Self.hostCompiler], runtime: ["native.c"], to: host) }
    return Program(name: kernel.name, group: kernel.group, guest: guest, elf: elf, native: native ? host : nil)
  }

  private var guestFlags: [String] {
    let target =
      switch guest {
      case .rv64: ["--target=riscv64-unknown-none-elf", "-march=rv64imafdc", "-mabi=lp64d"]
      case .rv32: ["--target=riscv32-unknown-none-elf", "-march=rv32imafdc", "-mabi=ilp32d"]
      }
    return target + (paged ? ["-DPAGED"] : []) + [
      "-mcmodel=medany", "-ffreestanding", "-nostdlib", "-static", "-fuse-ld=lld", "-T", runtimePath("riscv.ld"),
    ]
  }

  /// Contraction and `errno` are off everywhere: with a fused multiply-add on one side only, checksums would differ.
  private func compile(_ kernel: Kernel, with compiler: [String], runtime: [String], to output: String) throws {
    let flags = [
      "-std=c11", "-O2", "-ffp-contract=off", "-fno-math-errno", "-I", sources.appendingPathComponent("runtime").path,
      "-DKERNEL_NAME=\"\(kernel.name)\"", "-DKERNEL_SCALE=\(kernel.scale)",
    ]
    let files =
      [sources.appendingPathComponent("\(kernel.name).c").path]
      + (["main.c", "memory.c"] + runtime).map(runtimePath)
    let log = folder.appendingPathComponent("compiler.log").path
    let result = try ChildProcess.run(compiler + flags + files + ["-o", output], output: log, timeout: 60)
    guard result.exit == .code(0) else {
      let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
      throw BenchError("\(compiler[0]) could not compile \(kernel.name) (\(result.exit)):\n\(text)")
    }
  }

  private func runtimePath(_ name: String) -> String {
    sources.appendingPathComponent("runtime").appendingPathComponent(name).path
  }

  /// gcc where it is installed, or clang.
  static let hostCompiler = find("gcc") ?? find("clang") ?? "clang"

  /// The first executable of that name in PATH.
  static func find(_ name: String) -> String? {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  static func besideThisProgram(_ name: String) -> String {
    let program = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
    return program.resolvingSymlinksInPath().deletingLastPathComponent().appendingPathComponent(name).path
  }
}
