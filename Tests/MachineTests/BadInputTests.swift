// Owns the tests of what a user can get wrong about a machine: each mistake is named, with its place and a way out.

import Foundation
import Machine
import Testing

@Suite struct BadInputTests {
  private func expect(_ text: String, _ parts: String..., line: Int = #line) {
    for part in parts {
      #expect(
        text.contains(part), "\(text)",
        sourceLocation: SourceLocation(fileID: #fileID, filePath: #filePath, line: line, column: 1))
    }
  }

  @Test func foreignAndBrokenFilesAreNamed() throws {
    let whole = elf([0x6F])
    let cut = try TemporaryFile(Array(whole.prefix(70)), suffix: ".elf")
    expect(refusal { $0.bios = cut.path }, cut.path)
    let foreign = try TemporaryFile(elf([0x6F], machine: 62), suffix: ".elf")
    expect(refusal { $0.kernel = foreign.path }, foreign.path, "x86-64", "-cpu")
    let narrow = try TemporaryFile(elf([0x6F], bits: 32), suffix: ".elf")
    expect(refusal { $0.kernel = narrow.path }, narrow.path, "32 bits")
    #expect(
      refusal {
        $0.kernel = narrow.path; $0.cpuModel = "rv32"
      } == "made")
    expect(refusal { $0.bios = "/nonexistent/fw.bin" }, "/nonexistent/fw.bin", "No such file")
    expect(refusal { $0.host = "vax" }, "vax", "jit", "interpreter")
  }

  @Test func imagesThatDoNotFitAreNamed() throws {
    let elsewhere = try TemporaryFile(elf([0x6F], at: 0x4000_0000), suffix: ".elf")
    expect(refusal { $0.kernel = elsewhere.path }, elsewhere.path, "0x40000000", "memory is at 0x80000000–0x87ffffff")
    let big = try TemporaryFile([UInt8](repeating: 1, count: 3 << 20))
    expect(
      refusal {
        $0.bios = big.path; $0.memorySize = 2 << 20
      }, "overlap")
    expect(
      refusal {
        $0.kernel = big.path; $0.memorySize = 1 << 20
      }, "choose a larger -m")
    expect(
      refusal {
        $0.initrd = big.path; $0.memorySize = 4 << 20
      }, "initrd", "does not fit")
    let end = ImageFile(path: big.path, address: .max - 4)
    expect(refusal { $0.loads = [end] }, big.path, "end of the address space")
    let twice = ImageFile(path: elsewhere.path, address: 0x8010_0000, forceRaw: true)
    expect(
      refusal {
        $0.bios = big.path; $0.loads = [twice]
      }, big.path, elsewhere.path, "overlap at 0x80100000")
  }

  @Test func hugeSegmentsAreRefusedBeforeTheyAreFilled() throws {
    var file = elf([0x6F])
    file.replaceSubrange(64 + 40..<64 + 48, with: [0, 0, 0, 0, 0x10, 0, 0, 0])  // 64 GiB of memory
    let huge = try TemporaryFile(file, suffix: ".elf")
    expect(refusal { $0.kernel = huge.path }, huge.path)
  }

  @Test func nonsenseCountsAndSizesAreRefused() {
    for count in [0, -1, 513, Int.max] { expect(refusal { $0.cpuCount = count }, "-smp", "1 to 512") }
    for size in [0, 4095, 1000] as [UInt64] { expect(refusal { $0.memorySize = size }, "-m", "multiple of 4096") }
    for size in [1 << 41, .max & ~0xFFF] as [UInt64] { expect(refusal { $0.memorySize = size }, "smaller -m") }
    expect(refusal { $0.memorySize = 4096 }, "choose a larger -m")
    #expect(refusal { $0.memorySize = 64 << 10 } == "made")
    #expect(
      refusal {
        $0.memorySize = 8 << 30; $0.cpuCount = 8
      } == "made")
    #expect(
      refusal {
        $0.memorySize = 2 << 30; $0.cpuModel = "rv32"
      } == "made")
  }

  private func board(_ text: String) throws -> String {
    let file = try TemporaryFile(Array(text.utf8), suffix: ".dts")
    return refusal { $0.board = file.path }
  }

  @Test func brokenBoardsAreNamed() throws {
    expect(refusal { $0.board = "/nonexistent/a.dts" }, "/nonexistent/a.dts")
    expect(try board("/dts-v1/;\n/ {\n"), ".dts", "broken")
    expect(try board("/dts-v1/;\n/ { };"), "no CPU")
    let cpu = "cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { device_type = \"cpu\"; reg = <0>; compatible = "
    expect(try board("/dts-v1/;\n/ { \(cpu)\"acme,z80\"; }; }; };"), "acme,z80")
    expect(try board("/dts-v1/;\n/ { \(cpu)\"riscv\"; }; }; };"), "no memory")
    expect(
      try board("/dts-v1/;\n/ { \(cpu)\"riscv\"; }; }; memory@0 { device_type = \"memory\"; reg = <0 0 0 0 0>; }; };"),
      "memory@0", "reg")
    expect(
      try board(
        "/dts-v1/;\n/ { #address-cells = <2>; #size-cells = <2>; \(cpu)\"riscv\"; }; };"
          + " memory@0 { device_type = \"memory\"; reg = <0xffffffff 0xfffff000 0 0x2000>; }; };"), "56 bits")
    for count in [0, 8, 39, 60] {
      let file = try TemporaryFile(
        [0xd0, 0x0d, 0xfe, 0xed] + [UInt8](repeating: UInt8(count), count: count), suffix: ".dtb")
      expect(refusal { $0.board = file.path }, file.path)
    }
  }
}
