// Owns the tests that no devicetree, however odd its numbers, harms the program: boards are changed at random, made and run.

import Bus
import Devicetree
import Foundation
import Machine
import TestSupport
import Testing

@Suite struct BoardMutationTests {
  private static let boards: [(name: String, architecture: String)] = [
    ("virt", "riscv"), ("spike", "riscv"), ("bbc_microbit", "arm"), ("nrf52840dk", "arm"), ("nucleo_f103rb", "arm"),
    ("stm32f4_disco", "arm"), ("stm32f746g_disco", "arm"), ("mps2_an385", "arm"), ("mps2_an500", "arm"),
    ("lm3s6965evb", "arm"),
  ]

  /// Boards to make of each.
  private static let rounds = max(1, Mutations.count(300) / boards.count)

  /// Numbers at the edges of what a cell may be.
  private static let edges: [UInt32] = [0, 1, 2, 3, 7, 31, 32, 33, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF]

  private func mutate(_ tree: inout Devicetree, _ random: inout SplitMix) {
    var places: [(path: String, property: String)] = []
    for path in tree.paths {
      for property in tree[path]?.properties ?? [] where !property.bytes.isEmpty {
        places.append((path, property.name))
      }
    }
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      guard let place = places.randomElement(using: &random) else { return }
      try? tree.update(place.path) { node in
        guard var bytes = node.property(place.property)?.bytes, !bytes.isEmpty else { return }
        if bytes.count % 4 == 0, Int.random(in: 0..<3, using: &random) > 0 {
          let cell = Int.random(in: 0..<bytes.count / 4, using: &random) * 4
          let value =
            Bool.random(using: &random)
            ? Self.edges.randomElement(using: &random)! : UInt32.random(in: 0...UInt32.max, using: &random)
          bytes.replaceSubrange(
            cell..<cell + 4, with: (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) })
        } else {
          switch Int.random(in: 0..<4, using: &random) {
          case 0: bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
          case 1: bytes.removeLast(Int.random(in: 0...min(4, bytes.count), using: &random))
          case 2: bytes += bytes.prefix(8)
          default:
            node.remove(place.property)
            return
          }
        }
        node.set(place.property, .bytes(bytes))
      }
    }
  }

  private static let oddBoards = [
    """
    chosen { martlet,reset-vector = <0>; };
    cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { compatible = "arm,cortex-m3"; reg = <0>; }; };
    memory@0 { compatible = "mmio-sram"; reg = <0 0x1001>; };
    nvic: nvic@e000e100 { compatible = "arm,v7m-nvic"; reg = <0xe000e100 0xc00>; #interrupt-cells = <2>; };
    """,
    """
    cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { compatible = "riscv"; reg = <0>; riscv,isa = "rv64imac"; }; };
    memory@0 { device_type = "memory"; reg = <0 0x4000001>; };
    """,
  ]

  /// Memory may end in the middle of an instruction, where code runs into its end.
  @Test(arguments: [0, 1], hosts) func memoryOfAnOddSizeEnds(index: Int, host: String) throws {
    let text = "/dts-v1/; / { #address-cells = <1>; #size-cells = <1>; \(Self.oddBoards[index]) };"
    let board = try TemporaryFile(Array(text.utf8), suffix: ".dts")
    // A table of vectors and NOPs, or NOPs alone; and half of another.
    let vectors: [UInt32] = index == 0 ? [0x800] + [UInt32](repeating: 0x41, count: 15) : []
    let words = vectors + [UInt32](repeating: index == 0 ? 0xBF00_BF00 : 0x0001_0001, count: 0x400 - vectors.count)
    let bytes: [UInt8] = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) } }
    let image = try TemporaryFile(bytes + [0])
    var configuration = MachineConfiguration(board: board.path)
    configuration.host = host
    if index == 0 {
      configuration.kernel = image.path
    } else {
      configuration.loads = [ImageFile(path: image.path, address: 0x3FF_F000, setsEntry: true)]
    }
    let machine = try Machine.make(configuration, registry: registry, backends: [], log: { _, _ in })
    _ = machine.run(ticks: 100_000)
    // In the handler, or locked up as that runs into the end too (Armv7-M ARM B1.5.15).
    let pc = machine.engine.vcpus[0].state.pc
    #expect(pc < 0x1000 || index == 0 && pc == 0xFFFF_FFFE, "\(String(pc, radix: 16))")
  }

  @Test(arguments: boards.indices) func changedBoardsAreMadeOrRefused(index: Int) throws {
    let (name, architecture) = Self.boards[index]
    let original = try Devicetree(contentsOf: boardsFolder + "\(architecture)/\(name).dts")
    // A loop, at the reset vector's place or where a table of vectors leads.
    let words: [UInt32] =
      architecture == "riscv" ? [0x6F] : [0x2000_0400, 0x41] + [UInt32](repeating: 0x41, count: 14) + [0xE7FE_E7FE]
    let kernel = try TemporaryFile(words: words)
    var random = Mutations.random
    var made = 0
    for _ in 0..<Self.rounds {
      var tree = original
      mutate(&tree, &random)
      let board = try TemporaryFile(try tree.blob(), suffix: ".dtb")
      var configuration = MachineConfiguration(board: board.path)
      configuration.kernel = kernel.path
      configuration.force = true
      configuration.host = "interpreter"
      guard let machine = try? Machine.make(configuration, registry: registry, backends: [], log: { _, _ in }) else {
        continue
      }
      made += 1
      machine.inject([0x41, 0x42], to: machine.consolePath)
      _ = machine.run(ticks: 2000)
      for (_, device) in machine.devices { _ = device.registerDump() }
      _ = try? machine.saveSnapshot(named: "now")
      machine.perform { $0.reset(.powerOn) }
      _ = machine.run(ticks: 4000)
    }
    #expect(made > Self.rounds / 10)
  }
}
