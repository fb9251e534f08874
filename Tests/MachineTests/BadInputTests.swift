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

  /// Up to the last address, and beyond it.
  @Test func imagesAtTheEndOfAddressesAreNamed() throws {
    for (address, count) in [(UInt64.max - 0xFFE, 0xFFF), (.max - 7, 8)] as [(UInt64, Int)] {
      let image = try TemporaryFile([UInt8](repeating: 1, count: count))
      let kernel = try TemporaryFile([0x6F, 0, 0, 0])
      let load = ImageFile(path: image.path, address: address)
      expect(
        refusal {
          $0.kernel = kernel.path; $0.loads = [load]
        }, image.path, "does not fit", "0x\(String(address, radix: 16))")
      expect(
        refusal {
          $0.kernel = kernel.path; $0.loads = [load]; $0.initrd = kernel.path
        }, image.path, "does not fit")
    }
    // Firmware there leaves the kernel where it would be without.
    let top = try TemporaryFile(elf([0x6F], at: .max - 3), suffix: ".elf")
    let kernel = try TemporaryFile([0x6F, 0, 0, 0])
    expect(
      refusal {
        $0.bios = top.path; $0.kernel = kernel.path
      }, top.path, "does not fit: 4 bytes at 0xfffffffffffffffc")
  }

  /// A kernel that needs firmware, and none is installed.
  @Test func missingFirmwareIsNamed() throws {
    var entry = riscv
    entry.firmware = InstalledFirmware(
      name: "the firmware", places: { ["/nonexistent/\($0)/fw.bin"] }, isNeeded: { $0.first == 0x42 })
    var parts = registry
    parts.guests = [entry]
    let (needy, plain) = (try TemporaryFile([0x42, 0, 0, 0]), try TemporaryFile([0x6F, 0, 0, 0]))
    for (kernel, bios, isMade) in [
      (needy.path, nil, false), (needy.path, "none", true), (plain.path, nil, true), (plain.path, "default", false),
    ] as [(String, String?, Bool)] {
      var configuration = MachineConfiguration(board: boardsFolder + "riscv/virt.dts")
      configuration.kernel = kernel
      configuration.bios = bios
      do throws(MachineError) {
        _ = try Machine.make(configuration, registry: parts, backends: []) { _, _ in }
        #expect(isMade)
      } catch {
        #expect(!isMade)
        expect("\(error)", "the firmware is at none of /nonexistent/64/fw.bin", "-bios FILE")
      }
    }
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

  /// Devices hold the directory that finds them, and with it memory and descriptors.
  @Test func refusedBoardsLeaveNothing() throws {
    weak var left: Collector?
    do {
      let console = Collector()
      left = console
      #expect(throws: MachineError.self) { _ = try machine("virt", console: console) { $0.host = "nonsense" } }
    }
    #expect(left == nil)
  }
}
