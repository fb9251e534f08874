// Owns the tests of ready-made images: what other emulators' users have, taken as they have it.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct ImageTests {
  private func run(_ flags: [String]) throws -> Run {
    try Program.run(["-M", "virt", "-m", "64M", "-nographic", "--timeout", "20"] + flags)
  }

  private static let program = Guest.say("here") + Guest.finish(0x5555)

  /// Neither firmware nor a kernel: the machine starts at what was loaded, not in its empty flash.
  @Test(arguments: [("", 0x8000_0000), ("", 0x8010_0000), ("", 0x2000_0000), (",cpu-num=0", 0x8010_0000)])
  func loadedFilesAreStarted(suffix: String, address: UInt64) throws {
    let path = try Program.file(Guest.bytes(Self.program))
    let ended = try run(["-device", "loader,file=\(path),addr=0x\(String(address, radix: 16))" + suffix])
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output == "here")
  }

  /// Data beside the code does not draw the start to it.
  @Test func theCodeInMemoryIsStartedNotTheData() throws {
    let path = try Program.file(Guest.bytes(Self.program))
    let data = try Program.file([0, 0, 0, 0], "data.bin")
    let ended = try run([
      "-device", "loader,file=\(data),addr=0x82000000", "-device", "loader,file=\(path),addr=0x80000000",
    ])
    #expect(ended.code == 0, "\(ended.errors)")
  }

  /// `ld.lld -Ttext=0x80000000` puts the file's headers into a segment of their own far below.
  @Test(.enabled(if: Toolchain.find("clang") != nil && Toolchain.find("ld.lld") != nil))
  func headersWithoutMemoryAreLeftOut() throws {
    let words = Self.program.map { "0x" + String($0, radix: 16) }.joined(separator: ", ")
    let source = try Program.file(Array(".globl _start\n_start: .word \(words)\n".utf8), "start.s")
    let elf = source + ".elf"
    _ = try Toolchain.run(
      "clang", ["--target=riscv64", "-march=rv64i", "-mno-relax", "-c", source, "-o", source + ".o"])
    _ = try Toolchain.run("ld.lld", ["-Ttext=0x80000000", source + ".o", "-o", elf])
    for flags in [["-kernel", elf], ["-bios", elf], ["-device", "loader,file=" + elf]] {
      let ended = try run(flags)
      #expect(ended.code == 0 && ended.output == "here", "\(ended.errors)")
    }
  }

  // MARK: Firmware

  /// A kernel with Linux's header that prints by a call of the firmware's (SBI, legacy console) and loops.
  private static let kernel: [UInt8] = {
    var words: [UInt32] = [0x0400_006F] + [UInt32](repeating: 0, count: 15)
    words[14] = 0x0543_5352
    for byte in "kernel here".utf8 { words += [0x0010_0893, UInt32(byte) << 20 | 0x513, 0x0000_0073] }
    return Guest.bytes(words + Guest.loop)
  }()

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/lib/riscv64-linux-gnu/opensbi")))
  func linuxIsGivenOpenSBI() throws {
    let path = try Program.file(Self.kernel, "Image")
    let ended = try run(["-kernel", path, "--expect", "kernel here"])
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output.contains("OpenSBI"))
    #expect(ended.errors.contains("the kernel needs firmware below it: OpenSBI"), "\(ended.errors)")
    let asked = try run(["-bios", "default", "-kernel", path, "--expect", "kernel here"])
    #expect(asked.code == 0 && asked.errors.isEmpty, "\(asked.errors)")
  }

  /// The user has the last word, and other kernels start by themselves as ever.
  @Test func firmwareIsNotForcedOnKernels() throws {
    let path = try Program.file(Self.kernel, "Image")
    let alone = try run(["-bios", "none", "-kernel", path, "--max-instructions", "100000"])
    #expect(!alone.output.contains("OpenSBI") && alone.code == 4, "\(alone.errors)")
    let bare = try run(["-kernel", try Program.file(Guest.bytes(Self.program))])
    #expect(bare.code == 0 && bare.output == "here", "\(bare.errors)")
  }
}
