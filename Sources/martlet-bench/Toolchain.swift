// Compiles the kernels: for the guest with clang and lld, for the host with gcc, or clang where there is none.

import Foundation

/// The page tables a guest kernel runs behind.
enum Paging: String {
  case off, small, large

  var flags: [String] {
    switch self {
    case .off: []
    case .small: ["-DPAGED", "-DSMALL_PAGES"]
    case .large: ["-DPAGED"]
    }
  }
}

struct Toolchain {
  private let guest: Guest
  private let paging: Paging
  private let folder: URL
  private let sources: URL
  private let clang: String

  /// Writes programs into `folder`; throws when clang or the kernels' sources are missing.
  init(guest: Guest, paging: Paging, folder: URL) throws(BenchError) {
    guard let sources = Bundle.module.url(forResource: "kernels", withExtension: nil) else {
      throw BenchError("the kernels' sources are missing beside martlet-bench")
    }
    guard let clang = Self.find("clang") else {
      throw BenchError("no clang in PATH: the Swift toolchain's clang compiles the guest kernels")
    }
    self.guest = guest
    self.paging = paging
    self.folder = folder
    self.sources = sources
    self.clang = clang
  }

  /// - Parameters:
  ///   - name: of the program, where it is not the kernel's.
  ///   - flags: more for the guest's compiler.
  func compile(_ kernel: Kernel, as name: String? = nil, flags: [String] = [], native: Bool) throws -> Program {
    let name = name ?? kernel.name
    let elf = folder.appendingPathComponent("\(name)-\(paging.rawValue).elf").path
    let host = folder.appendingPathComponent(name).path
    let runtime = guest == .m4 ? ["arm-start.S", "arm.c"] : ["riscv-start.S", "riscv.c"]
    try compile(kernel, with: [clang] + guestFlags + flags, runtime: runtime, to: elf)
    let precision = flags.filter { $0 == "-DSINGLE" }
    if native { try compile(kernel, with: [Self.hostCompiler] + precision, runtime: ["native.c"], to: host) }
    return Program(name: name, group: kernel.group, guest: guest, elf: elf, native: native ? host : nil)
  }

  /// Assembles a file for the guest, every instruction as written; returns the object's path.
  func assemble(_ source: String) throws -> String {
    let object = source + ".o"
    let log = folder.appendingPathComponent("compiler.log").path
    let command = [clang, "--target=riscv64-unknown-none-elf", "-march=rv64imac", "-mabi=lp64d", "-mno-relax"]
    let result = try ChildProcess.run(command + ["-c", source, "-o", object], output: log, timeout: 300)
    guard result.exit == .code(0) else {
      let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
      throw BenchError("\(clang) could not assemble \(source) (\(result.exit)):\n\(text.prefix(2000))")
    }
    return object
  }

  private var guestFlags: [String] {
    let target =
      switch guest {
      case .rv64: ["--target=riscv64-unknown-none-elf", "-march=rv64imafdc", "-mabi=lp64d"]
      case .rv32: ["--target=riscv32-unknown-none-elf", "-march=rv32imafdc", "-mabi=ilp32d"]
      case .m4: ["--target=thumbv7em-none-eabihf", "-mcpu=cortex-m4", "-mfloat-abi=hard"]
      }
    let model = guest == .m4 ? [] : ["-mcmodel=medany"]
    return target + paging.flags + model + [
      "-ffreestanding", "-nostdlib", "-static", "-fuse-ld=lld", "-T",
      runtimePath(guest == .m4 ? "arm.ld" : "riscv.ld"),
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
    let result = try ChildProcess.run(compiler + flags + files + ["-o", output], output: log, timeout: 120)
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
