// Owns programs with calls of every kind for the tests: built from Calls/ with this toolchain, gone after their use.

import Foundation

public final class CallProgram {
  /// The ELF file.
  public let path: String

  public static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Calls")

  /// Whether it can be built here.
  public static var canBuild: Bool { ["clang", "ld.lld", "llvm-objcopy"].allSatisfy { Toolchain.find($0) != nil } }

  public enum Guest: String, CaseIterable, Sendable {
    case arm, riscv32, riscv64
  }

  /// - Parameters:
  ///   - flags: the compiler's.
  ///   - source: of Calls/, without `.c`.
  public init(_ guest: Guest, _ flags: [String], source: String = "calls", isStripped: Bool = false) throws {
    let scratch = FileManager.default.temporaryDirectory
    let name = "martlet-\(UUID().uuidString)"
    path = scratch.appending(path: name + ".elf").path()
    let target =
      switch guest {
      case .arm: ["--target=thumbv7em-none-eabi", "-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
      case .riscv32: ["--target=riscv32-none-elf", "-march=rv32imafdc_zicsr", "-mabi=ilp32d"]
      case .riscv64: ["--target=riscv64-none-elf", "-march=rv64imafdc_zicsr", "-mabi=lp64d", "-mcmodel=medany"]
      }
    let family = guest == .arm ? "arm" : "riscv"
    var objects: [String] = []
    defer { for object in objects { try? FileManager.default.removeItem(atPath: object) } }
    for source in [source + ".c", family + ".S"] + (guest == .riscv32 ? ["save.S"] : []) {
      let object = scratch.appending(path: "\(name)-\(source).o").path()
      objects.append(object)
      let options = source.hasSuffix(".c") ? ["-ffreestanding", "-ffunction-sections"] + flags : []
      _ = try Toolchain.run(
        "clang",
        target + options + ["-fdebug-compilation-dir=.", "-fdebug-prefix-map=\(Self.folder.path())=.", "-c"]
          + [Self.folder.appending(path: source).path(), "-o", object])
    }
    _ = try Toolchain.run(
      "ld.lld",
      ["--gc-sections", "-T", Self.folder.appending(path: family + ".ld").path(), "-o", path] + objects)
    guard FileManager.default.fileExists(atPath: path) else {
      throw FirmwareError(description: "\(source) for \(guest) cannot be built")
    }
    if isStripped { _ = try Toolchain.run("llvm-objcopy", ["--strip-all", path]) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
