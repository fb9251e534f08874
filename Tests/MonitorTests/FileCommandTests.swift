// Owns the tests of commands that use the host's files, OpenOCD's words among them, and of how far they reach.

import Foundation
import Monitor
import TestSupport
import Testing

@Suite struct FileCommandTests {
  let bench: Bench
  let folder: String

  init() throws {
    bench = try Bench(host: "interpreter")
    folder = NSTemporaryDirectory() + "/martlet-files-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder + "/inner", withIntermediateDirectories: true)
  }

  private func put(_ bytes: [UInt8], _ name: String) throws -> String {
    let path = folder + "/" + name
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  private func run(_ line: String, _ files: HostFiles = .all) -> String {
    bench.monitor.execute(line, files: files).text
  }

  private func clean() { try? FileManager.default.removeItem(atPath: folder) }

  @Test func imagesGoInAndOut() throws {
    defer { clean() }
    let path = try put([1, 2, 3, 4, 5], "raw.bin")
    #expect(run("load_image \(path)") == "\(path): raw bytes say nothing of where they belong; give an address")
    #expect(run("load_image \(path) 0x80100000") == "5 bytes at 0x0000000080100000 written")
    #expect(run("mdb 0x80100000 6") == "0x0000000080100000: 01 02 03 04 05 00")
    #expect(run("verify_image \(path) 0x80100000 bin") == "5 bytes at 0x0000000080100000 equal")
    _ = run("mwb 0x80100003 0xaa")
    #expect(
      run("verify_image \(path) 0x80100000")
        == "\(path) differs at 0x80100003: memory has 0xaa, the file 0x04")
    let out = folder + "/out.bin"
    #expect(run("dump_image \(out) 0x80100001 3") == "3 bytes at 0x0000000080100001 written to \(out)")
    #expect(FileManager.default.contents(atPath: out) == Data([2, 3, 0xAA]))
    #expect(run("pmemsave 0x80100000 2 \(out)").hasPrefix("2 bytes"))
    #expect(FileManager.default.contents(atPath: out) == Data([1, 2]))
    #expect(run("dump_image \(out) 0x10 4").contains("nothing answers"))
    #expect(run("dump_image \(folder) 0x80100000 4").contains("directory"))
    #expect(run("load_image \(folder)/none 0").contains("No such file"))
    #expect(run("load_image \(path) 0x20").contains("nothing at physical address 0x20 can be written"))
  }

  @Test func imagesOfProgramsMove() throws {
    defer { clean() }
    let path = try put(LoopProgram.elf, "program.elf")
    let size = 4 * LoopProgram.words.count
    #expect(run("verify_image \(path)") == "\(size) bytes at 0x0000000080000000 equal")
    #expect(run("load_image \(path) 0x1000 elf") == "\(size) bytes at 0x0000000080001000 written")
    #expect(run("mdw 0x80001000 2") == "0x0000000080001000: 00010117 00500513")
    #expect(run("symbol-file \(path) 0x1000") == "\(LoopProgram.symbols.count) symbols added")
    #expect(run("info symbols 0x80001008").contains("loop"))
    #expect(run("symbol-file \(try put([1], "x"))").contains("no ELF file"))
  }

  /// Three gigabytes of zeros, of which the board has memory for a part.
  @Test func segmentsAreFilledPieceByPiece() throws {
    defer { clean() }
    var file = LoopProgram.elf
    file.replaceSubrange(64 + 40..<64 + 48, with: [0, 0, 0, 0xC0, 0, 0, 0, 0])
    let path = try put(file, "huge.elf")
    #expect(run("load_image \(path)") == "\(path): nothing at physical address 0x88000000 can be written")
  }

  @Test func wordsOfOpenOCDWork() {
    defer { clean() }
    #expect(run("mww 0x80100000 0x12345678 3") == "")
    #expect(run("mdw phys 0x80100000 4") == "0x0000000080100000: 12345678 12345678 12345678 00000000")
    #expect(run("mwd 0x80100000 0x1122334455667788") == "")
    #expect(run("mdh 0x80100000 2") == "0x0000000080100000: 7788 5566")
    #expect(run("mdw 0x80100000 9").split(separator: "\n").count == 2)
    #expect(run("reg a0") == "a0 (/64): 0x0000000000000000")
    #expect(run("reg a0 0x55") == "a0 (/64): 0x0000000000000055")
    #expect(run("reg").contains("pc"))
    #expect(run("poll").contains("stopped"))
    #expect(run("targets").contains("_start"))
    #expect(run("sleep 1") == "")
    #expect(run("arm semihosting enable").contains("--semihosting"))
    #expect(run("rtt start").contains("--rtt"))
    #expect(run("flash banks").contains("flash"))
    #expect(run("resume _start") == "")
    #expect(run("wait_halt 10000").contains("spin"))
  }

  @Test func flashIsProgrammed() throws {
    defer { clean() }
    let path = try put([0x12, 0x34], "raw.bin")
    #expect(run("flash write_image \(path) 0x80000000").contains("no flash memory at 0x80000000"))
    _ = run("flash erase_address pad 0x20000000 1")
    #expect(run("flash write_image \(path) 0x20000000") == "2 bytes at 0x0000000020000000 programmed")
    let other = try put([0xFF, 0xFF], "other.bin")
    #expect(run("flash write_image \(other) 0x20000000").contains("programmed"))
    #expect(run("mdb 0x20000000 2") == "0x0000000020000000: 12 34", "programming clears bits only")
    #expect(run("flash write_image erase \(other) 0x20000000").contains("programmed"))
    #expect(run("mdb 0x20000000 2") == "0x0000000020000000: ff ff")
    #expect(run("flash erase_address 0x20000001 4").contains("border"))
  }

  /// What GDB's client may reach.
  @Test func filesElsewhereAreRefused() throws {
    defer { clean() }
    let files = HostFiles.below(folder + "/inner")
    _ = try put([7], "secret")
    _ = try put([8], "inner/own")
    try FileManager.default.createSymbolicLink(atPath: folder + "/inner/link", withDestinationPath: folder + "/secret")
    try FileManager.default.createSymbolicLink(atPath: folder + "/inner/up", withDestinationPath: folder)
    #expect(run("load_image own 0x80100000", files).hasPrefix("1 bytes"))
    #expect(run("dump_image new 0x80100000 1", files).hasPrefix("1 bytes"))
    #expect(FileManager.default.fileExists(atPath: folder + "/inner/new"))
    for name in [
      "../secret", folder + "/secret", "link", "up/secret", "up/new", "..", "/etc/passwd", "up/inner/../secret",
    ] {
      #expect(run("load_image \(name) 0x80100000", files).contains("where Martlet was started"), "\(name)")
      #expect(run("dump_image \(name) 0x80100000 1", files).contains("where Martlet was started"), "\(name)")
    }
    #expect(run("load_image own 0x80100000", .none).contains("cannot be used from here"))
    #expect(FileManager.default.contents(atPath: folder + "/secret") == Data([7]))
  }

  @Test func treesAreShown() throws {
    defer { clean() }
    let lines = run("info devicetree").split(separator: "\n")
    #expect(lines.first == "/ {")
    #expect(lines.contains { $0.contains("compatible = \"riscv-virtio\";") }, "\(lines.prefix(9))")
    #expect(run("info devicetree /cpus").hasPrefix("cpus {"))
    #expect(run("info devicetree /nothing").contains("no node"))
    #expect(run("dumpdtb \(folder)/tree.dtb").contains("bytes written"))
    #expect(FileManager.default.contents(atPath: folder + "/tree.dtb")?.prefix(4) == Data([0xD0, 0x0D, 0xFE, 0xED]))
  }

  @Test func theLogIsChosenWhileItRuns() {
    defer { clean() }
    #expect(run("log in_asm,exec").contains("in_asm        on"))
    #expect(run("log nonsense").contains("no log item 'nonsense'"))
    #expect(run("log none").contains("exec          off"))
    #expect(run("log filter loop").contains("0x0000000080000017"))
    #expect(run("log filter all") == "All code is logged.")
  }
}
