// The groups of measurements, and what each consists of.

import ArgumentParser
import Foundation

/// A group of measurements, chosen by `--only`.
enum Suite: String, CaseIterable, ExpressibleByArgument, Codable {
  /// The kernels in M-mode.
  case kernels
  /// The integer kernels in S-mode behind page tables: 4 KiB pages, or the largest that fit.
  case paged4k = "paged-4k"
  case pagedLarge = "paged-large"
  /// 100,000 blocks that run a few times each.
  case flat
  /// OpenSBI and U-Boot, up to U-Boot's prompt.
  case boot
  /// Hot code whose data shares its page.
  case samepage
  /// The kernels on a Cortex-M4, floating point in single precision.
  case arm
  /// Loops that change what interrupts are let through, or the mode, as kernels and firmware do; IT blocks.
  case modes
  /// Loops of atomic updates, by one instruction and by two, in M-mode and behind page tables.
  case atomics
  /// A Linux kernel up to its user land, on one, two and four harts.
  case linux
  /// What a debugger's points cost that are never hit, and how many accesses a second the slow path makes.
  case debug
  /// What a debugger waits for: packets, the real GDB, Ctrl-C. By the host's clock.
  case rsp
  /// Kernels under each of Martlet's interrupt strategies, and how long a stop takes under each.
  case interrupts

  var title: String {
    switch self {
    case .kernels: "kernels"
    case .paged4k: "integer kernels in S-mode, Sv39 or Sv32 with 4 KiB pages"
    case .pagedLarge: "integer kernels in S-mode, Sv39 with 2 MiB pages or Sv32 with 4 MiB pages"
    case .flat: "large flat code: what a guest instruction costs that runs a few times"
    case .boot: "OpenSBI and U-Boot, from reset to U-Boot's prompt"
    case .samepage: "code and data in one page"
    case .arm: "kernels on a Cortex-M4, floating point in single precision"
    case .modes: "changes of mode, and IT blocks"
    case .atomics: "atomic updates"
    case .linux: "Linux, from reset to its user land"
    case .debug: "points that are never hit, and the slow path"
    case .rsp: "what a debugger waits for, by the host's clock"
    case .interrupts: "interrupt strategies"
    }
  }

  /// The suites of a comma-separated list; all where there is none.
  static func named(_ list: String?) throws(BenchError) -> [Suite] {
    guard let list else { return allCases }
    var chosen: [Suite] = []
    for name in list.split(separator: ",") {
      guard let suite = Suite(rawValue: String(name)) else {
        throw BenchError(
          "no group “\(name)”; there are \(allCases.map(\.rawValue).joined(separator: ", "))")
      }
      chosen.append(suite)
    }
    return chosen
  }
}

/// Makes the programs of the suites.
struct Workshop {
  let guest: Guest
  let folder: URL
  /// Names of kernels, comma-separated.
  let kernels: String?
  let isNative: Bool
  let linux: Linux

  static let flatBlocks = 100_000
  static let flatPasses = 3
  private static let samepageScale: UInt32 = 600_000

  /// The programs of a suite; throws where it cannot run here.
  func programs(_ suite: Suite) throws -> [Program] {
    switch suite {
    case .kernels: return try compile(Kernel.named(kernels), .off)
    case .paged4k: return try compile(integerKernels(), .small)
    case .pagedLarge: return try compile(integerKernels(), .large)
    case .flat: return try flat()
    case .boot: return [try Firmware.program(pressesKey: true), try Firmware.program(pressesKey: false)]
    case .interrupts: return try interrupts()
    case .modes: return try modes()
    case .atomics: return try atomics()
    case .debug: return try debug()
    case .rsp:
      let toolchain = try Toolchain(guest: .rv64, paging: .off, folder: folder)
      return [
        try toolchain.compile(Kernel(name: "debuggee", group: .variant, scale: 1), flags: ["-g"], native: false)
      ]
    case .linux: return try linux.programs()
    case .arm:
      let toolchain = try Toolchain(guest: .m4, paging: .off, folder: folder)
      return try Kernel.named(kernels).map {
        try toolchain.compile($0, flags: ["-DSINGLE"], native: isNative)
      }
    case .samepage:
      let toolchain = try Toolchain(guest: guest, paging: .off, folder: folder)
      let kernel = Kernel(name: "samepage", group: .variant, scale: Self.samepageScale)
      return try [
        toolchain.compile(Kernel(name: "empty", group: .baseline, scale: 1), native: isNative),
        toolchain.compile(kernel, as: "apart", native: isNative),
        toolchain.compile(kernel, as: "shared", flags: ["-DSHARED"], native: false),
      ]
    }
  }

  /// The integer kernels, and behind them the same again, long enough to be stopped often.
  private func interrupts() throws -> [Program] {
    let toolchain = try Toolchain(guest: guest, paging: .off, folder: folder)
    var programs = try integerKernels().map { try toolchain.compile($0, native: false) }
    for name in ["mix", "interpreter"] {
      guard let kernel = Kernel.all.first(where: { $0.name == name }) else { continue }
      let long = Kernel(name: name, group: .variant, scale: kernel.scale * 100)
      var program = try toolchain.compile(long, as: "stops in \(name)", native: false)
      program.stops = 1000
      programs.append(program)
    }
    return programs
  }

  private func modes() throws -> [Program] {
    try loops(.rv64, [("mstatus", 5_000_000), ("ecall", 5_000_000)])
      + loops(.m4, [("basepri", 5_000_000), ("primask", 5_000_000), ("itblocks", 5_000)])
  }

  private func atomics() throws -> [Program] {
    let updates: [(String, UInt32)] = [("amo", 100_000_000), ("lrsc", 100_000_000)]
    return try loops(.rv64, updates) + loops(.rv64, updates, .small) + loops(.m4, [("ldrex", 50_000_000)])
  }

  /// Programs that are compared with QEMU only. Those behind page tables say so in their names.
  private func loops(_ guest: Guest, _ kernels: [(String, UInt32)], _ paging: Paging = .off) throws -> [Program] {
    let toolchain = try Toolchain(guest: guest, paging: paging, folder: folder)
    return try kernels.map { name, scale in
      try toolchain.compile(
        Kernel(name: name, group: .variant, scale: scale), as: paging == .off ? name : name + ", paged",
        flags: guest == .m4 ? ["-DSINGLE"] : [], native: false)
    }
  }

  private func debug() throws -> [Program] {
    let toolchain = try Toolchain(guest: .rv64, paging: .off, folder: folder)
    let hot = Kernel(name: "hotpage", group: .variant, scale: 4_000_000)
    var programs = [try toolchain.compile(Kernel(name: "empty", group: .baseline, scale: 1), native: false)]
    for (name, point) in [
      ("no point", nil), ("breakpoint", .function("never_called")), ("watchpoint", .word("hot_page")),
    ]
      as [(String, DebuggerPoint?)]
    {
      var program = try toolchain.compile(hot, as: name, native: false)
      program.point = point
      programs.append(program)
    }
    for (name, flags, scale, accesses) in [
      ("device register", [], 10_000_000, 20e6), ("page of code", ["-DCODE"], 20_000_000, 20e6),
    ] as [(String, [String], UInt32, Double)] {
      var program = try toolchain.compile(
        Kernel(name: "slowpath", group: .variant, scale: scale), as: name, flags: flags, native: false)
      program.figures = ["accesses": accesses]
      programs.append(program)
    }
    return programs
  }

  private func integerKernels() throws -> [Kernel] { try Kernel.named(kernels).filter { $0.group == .integer } }

  private func compile(_ kernels: [Kernel], _ paging: Paging) throws -> [Program] {
    let toolchain = try Toolchain(guest: guest, paging: paging, folder: folder)
    return try kernels.map { try toolchain.compile($0, native: isNative) }
  }

  /// The generated program, and the same without a call of it.
  private func flat() throws -> [Program] {
    guard guest == .rv64 else { throw BenchError("the flat program is for rv64 only") }
    let model = FlatProgram(blocks: Self.flatBlocks, passes: Self.flatPasses)
    let source = folder.appendingPathComponent("flat.S")
    try Data(model.assembly.utf8).write(to: source)
    let toolchain = try Toolchain(guest: guest, paging: .off, folder: folder)
    let object = try toolchain.assemble(source.path)
    return try [(0, FlatProgram(blocks: Self.flatBlocks, passes: 0)), (Self.flatPasses, model)].map { passes, model in
      let kernel = Kernel(name: "flat", group: .variant, scale: UInt32(passes))
      var program = try toolchain.compile(kernel, as: "flat-\(passes)", flags: [object], native: false)
      program.expected = "flat checksum=" + Self.hex(model.checksum)
      program.wantsStatistics = passes > 0
      program.figures = [
        "distinct instructions": Double(model.distinctInstructions), "blocks": Double(model.executedBlocks),
      ]
      return program
    }
  }

  private static func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// Debian's firmware for the virt board.
enum Firmware {
  static let openSBI = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.bin"
  static let uBoot = "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"

  /// U-Boot counts down two seconds of the guest's clock before it gives its prompt, unless a key is pressed.
  static func program(pressesKey: Bool) throws(BenchError) -> Program {
    for path in [openSBI, uBoot] where !FileManager.default.fileExists(atPath: path) {
      throw BenchError("\(path) is not installed (Debian: opensbi, u-boot-qemu)")
    }
    let name = pressesKey ? "key pressed" : "counting down"
    var program = Program(name: name, group: .variant, guest: .rv64, elf: uBoot, native: nil)
    program.bios = openSBI
    program.wantsStatistics = true
    program.prompt = (question: "Hit any key", answer: pressesKey ? "\n" : "", last: "=> ")
    return program
  }
}

/// A Linux kernel for the virt board, with an initial RAM disk that ends at a prompt.
struct Linux {
  static let openSBI = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"
  let kernel: String?
  let initrd: String?
  /// What the user land prints when it is there.
  let prompt: String

  func programs() throws(BenchError) -> [Program] {
    guard let kernel, let initrd else {
      throw BenchError("name a riscv64 kernel and an initial RAM disk: --linux-kernel, --linux-initrd")
    }
    for path in [Self.openSBI, kernel, initrd] where !FileManager.default.isReadableFile(atPath: path) {
      throw BenchError("\(path) cannot be read")
    }
    return [1, 2, 4].map { harts in
      var program = Program(
        name: harts == 1 ? "one hart" : "\(harts) harts", group: .variant, guest: .rv64, elf: kernel, native: nil)
      program.bios = Self.openSBI
      program.options = ["-initrd", initrd, "-smp", "\(harts)", "-m", "256M"]
      program.prompt = (question: "OpenSBI", answer: "", last: prompt)
      return program
    }
  }
}
