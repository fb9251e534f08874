// Owns the tests of the spike board: console and exit through HTIF, wherever its words are.

import Foundation
import Machine
import Testing

/// A folder of built riscv-tests (`rv64ui-p-add` …), named by RISCV_TESTS. They are no part of the repository.
private let riscvTests: String? = ProcessInfo.processInfo.environment["RISCV_TESTS"]

@Suite struct HTIFTests {
  /// Writes `value` to `tohost`, which lies in the loaded segment, as riscv-tests do.
  private func exit(_ value: UInt32, bits: Int) -> [UInt8] {
    let words: [UInt32] = [
      0x0000_0297,  // auipc t0, 0
      0x0402_8293,  // addi  t0, t0, 64
      value << 20 | 0x313,  // li t1, value
      0x0062_a023,  // sw    t1, 0(t0)
      0x0002_a223,  // sw    zero, 4(t0)
      0x0000_006f,  // j     .
    ]
    let padded = words + [UInt32](repeating: 0, count: 32 - words.count)
    return elf(padded, bits: bits, symbols: [("tohost", 0x8000_0040), ("fromhost", 0x8000_0048)])
  }

  @Test(arguments: hosts, [32, 64]) func aWordInTohostEndsTheRun(host: String, bits: Int) throws {
    for code in [0, 1, 7] as [UInt32] {
      let file = try TemporaryFile(exit(code << 1 | 1, bits: bits))
      let machine = try machine("spike", host: host) {
        $0.bios = file.path
        $0.cpuModel = "rv\(bits)"
      }
      #expect(machine.run(ticks: 100_000) == .exited(code: Int32(code)))
    }
  }

  @Test func theGuestIsToldWhereTheWordsAre() throws {
    let file = try TemporaryFile(exit(1, bits: 64))
    let placed = try machine("spike") { $0.bios = file.path }
    #expect(placed.tree["/htif"]?.cells("reg") == [0, 0x8000_0048, 0, 8, 0, 0x8000_0040, 0, 8])
    #expect(placed.space.region(at: 0x8000_0040)?.isOverlay == true)
    let unplaced = try machine("spike")
    #expect(unplaced.tree["/htif"]?.cells("reg") == [0, 0x100_0000, 0, 0x1000])
  }

  @Test(.enabled(if: Files.exist(Files.openSBI, Files.openSBIExecutable)), arguments: hosts)
  func openSBITalksThroughIt(host: String) throws {
    let console = Collector()
    let machine = try machine("spike", host: host, console: console) {
      $0.bios = host == "jit" ? Files.openSBIExecutable : Files.openSBI
      $0.cpuCount = 2
    }
    #expect(machine.run(until: "Boot HART MEDELEG", on: console, ticks: 50_000_000) == nil)
    for text in [
      "OpenSBI v1.1", "Platform Name             : ucbbar,spike-bare,martlet", "Platform HART Count       : 2",
      "Platform Console Device   : htif",
    ] {
      #expect(console.text.contains(text), "\(text) in \(console.text)")
    }
  }

  @Test(.enabled(if: riscvTests != nil)) func riscvTestsPass() throws {
    let folder = try #require(riscvTests)
    for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() where name.contains("-p-") {
      let machine = try machine("spike") {
        $0.bios = folder + "/" + name
        $0.cpuModel = String(name.prefix(4))
      }
      #expect(machine.run(ticks: 10_000_000) == .exited(code: 0), "\(name)")
    }
  }
}
