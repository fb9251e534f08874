// Owns the scheduler with FreeRTOS's structures for the tests: built from Scheduler/ with this toolchain, gone after its
// use.

import Foundation

public final class SchedulerFirmware {
  /// The ELF file.
  public let path: String
  public let guest: Guest

  public enum Guest: String, CaseIterable, Sendable {
    case arm, riscv32, riscv64
  }

  public static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scheduler")

  /// Whether it can be built here.
  public static var canBuild: Bool { ["clang", "ld.lld", "llvm-objcopy"].allSatisfy { Toolchain.find($0) != nil } }

  public init(_ guest: Guest) throws {
    self.guest = guest
    let scratch = FileManager.default.temporaryDirectory
    let name = "martlet-\(UUID().uuidString)"
    path = scratch.appending(path: name + ".elf").path()
    let target =
      switch guest {
      case .arm: ["--target=armv7m-none-eabi", "-mfloat-abi=soft"]
      case .riscv32: ["--target=riscv32-none-elf", "-march=rv32imac_zicsr", "-mno-relax"]
      case .riscv64: ["--target=riscv64-none-elf", "-march=rv64imac_zicsr", "-mno-relax", "-mcmodel=medany"]
      }
    let family = guest == .arm ? "arm" : "riscv"
    var objects: [String] = []
    defer { for object in objects { try? FileManager.default.removeItem(atPath: object) } }
    for source in ["scheduler.c", family + ".S"] {
      let object = scratch.appending(path: "\(name)-\(source).o").path()
      objects.append(object)
      _ = try Toolchain.run(
        "clang",
        target + ["-O1", "-g", "-ffreestanding", "-fno-builtin", "-fno-omit-frame-pointer"]
          + ["-fdebug-compilation-dir=.", "-fdebug-prefix-map=\(Self.folder.path())=.", "-c"]
          + [Self.folder.appending(path: source).path(), "-o", object])
    }
    _ = try Toolchain.run(
      "ld.lld", ["-T", Self.folder.appending(path: family + ".ld").path(), "-o", path] + objects)
    guard FileManager.default.fileExists(atPath: path) else {
      throw FirmwareError(description: "the scheduler for \(guest) cannot be built")
    }
  }

  /// A copy without symbols, for the owner to remove.
  public func stripped() throws -> String {
    let copy = path + ".stripped"
    _ = try Toolchain.run("llvm-objcopy", ["--strip-all", path, copy])
    return copy
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
