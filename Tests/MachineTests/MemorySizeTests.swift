// Owns the tests of where boards have memory, of how much by option, and of what chips say of it themselves.

import Bus
import Machine
import Testing

@Suite struct MemorySizeTests {
  /// Address lines that are not decoded: FreeRTOS's MPU demo has its stack at the end of the second copy.
  @Test(arguments: ["mps2_an385", "mps2_an386", "mps2_an500"]) func memoryOfTheMPS2Repeats(board: String) throws {
    // movs r0, 5; push {r0}; ldr r1, [pc, 4]; ldr r2, [r1]; b .; word 0x203ffffc
    let image: [UInt32] = [0x2080_0000, 0x41] + [UInt32](repeating: 0, count: 14) + [0xB401_2005, 0x680A_4901, 0xE7FE]
    let file = try TemporaryFile(elf(image + [0x203F_FFFC], at: 0, bits: 32, machine: 40))
    for host in hosts {
      let machine = try machine(board, of: "arm", host: host) { $0.kernel = file.path }
      #expect(machine.run(ticks: 100) == nil)
      #expect(machine.guest.readRegister(machine.engine.vcpus[0].state, 2) == 5)
    }
    let machine = try machine(board, of: "arm")
    let space = machine.space
    let blockRAM: [(UInt64, UInt64)] = board == "mps2_an500" ? [] : [(0x0100_0004, 0x0100_C004)]
    for (first, second) in [(0x0030_0000, 0x0070_0000), (0x2000_0000, 0x2040_0000)] + blockRAM {
      try space.write(first, size: 4, 0x1234_5678)
      #expect(try space.read(second, size: 4) == 0x1234_5678)
    }
    #expect(space.region(at: 0x0080_0000) == nil && space.region(at: 0x2080_0000) == nil)
  }

  /// Code that runs at one copy is seen to change at the other.
  @Test(arguments: hosts) func codeIsOneInBothCopies(host: String) throws {
    // At 0x40: adds r0, 1; b .-2
    let image: [UInt32] = [0x2000_2000, 0x41] + [UInt32](repeating: 0, count: 14) + [0xE7FD_3001]
    let file = try TemporaryFile(elf(image, at: 0, bits: 32, machine: 40))
    let machine = try machine("mps2_an386", of: "arm", host: host) { $0.kernel = file.path }
    let cpu = machine.engine.vcpus[0]
    #expect(machine.run(ticks: 1000) == nil)
    #expect(machine.guest.readRegister(cpu.state, 0) > 400)
    try machine.space.write(0x40_0040, size: 2, 0x3000)
    let stood = machine.guest.readRegister(cpu.state, 0)
    #expect(machine.run(ticks: cpu.ticks + 1000) == nil)
    #expect(machine.guest.readRegister(cpu.state, 0) == stood)
  }

  /// QEMU's -m is the PSRAM's size.
  @Test func mainMemoryIsWhatTheBoardSays() throws {
    let small = try machine("mps2_an385", of: "arm") { $0.memorySize = 1 << 20 }
    #expect(small.space.region(at: 0x2100_0000)?.size == 1 << 20 && small.space.region(at: 0)?.size == 4 << 20)
  }

  struct Size: Sendable {
    var board: String
    var flash: UInt64
    var memory: UInt64
    /// What the chip says of itself: addresses, and words there.
    var words: [UInt64: UInt64]
  }

  static let sizes = [
    Size(
      board: "bbc_microbit", flash: 256, memory: 16,
      words: [0x1000_0010: 0x400, 0x1000_0014: 256, 0x1000_0034: 2, 0x1000_0038: 0x2000]),
    Size(board: "bbc_microbit", flash: 128, memory: 32, words: [0x1000_0014: 128, 0x1000_0034: 4]),
    Size(
      board: "nrf52840dk", flash: 1024, memory: 256, words: [0x1000_0014: 256, 0x1000_010C: 256, 0x1000_0110: 1024]),
    Size(board: "nrf52840dk", flash: 512, memory: 128, words: [0x1000_0014: 128, 0x1000_010C: 128, 0x1000_0110: 512]),
    Size(board: "nucleo_f103rb", flash: 128, memory: 20, words: [0x1FFF_F7E0: 0xFFFF_0080]),
    Size(board: "nucleo_f103rb", flash: 64, memory: 20, words: [0x1FFF_F7E0: 0xFFFF_0040]),
    Size(board: "stm32f4_disco", flash: 1024, memory: 128, words: [0x1FFF_7A20: 0x0400_FFFF]),
    Size(board: "stm32f4_disco", flash: 512, memory: 64, words: [0x1FFF_7A20: 0x0200_FFFF]),
    Size(board: "stm32f746g_disco", flash: 512, memory: 64, words: [0x1FF0_F440: 0x0200_FFFF]),
    Size(board: "lm3s6965evb", flash: 256, memory: 64, words: [0x400F_E008: 0x00FF_007F]),
    Size(board: "lm3s6965evb", flash: 64, memory: 8, words: [0x400F_E008: 0x001F_001F]),
  ]

  @Test(arguments: sizes) func chipsTellTheirSizes(_ size: Size) throws {
    let machine = try machine(size.board, of: "arm") {
      $0.flashSize = size.flash << 10
      $0.memorySize = size.memory << 10
    }
    let start: UInt64 = size.board.contains("stm32") || size.board.contains("f103") ? 0x0800_0000 : 0
    #expect(machine.space.region(at: start)?.size == size.flash << 10)
    #expect(machine.space.region(at: start + size.flash << 10) == nil)
    #expect(machine.space.region(at: 0x2000_0000)?.size == size.memory << 10)
    for (address, word) in size.words { #expect(try machine.space.read(address, size: 4) == word) }
  }

  @Test func sizesThatCannotBeAreRefused() {
    func refusal(_ board: String, _ edit: (inout MachineConfiguration) -> Void) -> String {
      do throws(MachineError) {
        _ = try machine(board, of: "arm", edit)
        return "made"
      } catch { return "\(error)" }
    }
    #expect(refusal("bbc_microbit") { $0.flashSize = 1000 }.contains("whole blocks of 1024"))
    #expect(refusal("bbc_microbit") { $0.flashSize = 1 << 29 }.contains("flash-size"))
    #expect(refusal("stm32f4_disco") { $0.flashSize = 100 << 10 }.contains("martlet,sectors"))
    #expect(refusal("mps2_an385") { $0.flashSize = 1 << 20 }.contains("no flash memory"))
    #expect(refusal("bbc_microbit") { $0.memorySize = 1 << 32 }.contains("smaller -m"))
    #expect(refusal("bbc_microbit") { $0.drives = [DriveFile(path: "/dev/null")] }.contains("no slot"))
  }

  /// QEMU's Cortex-M3 has 8 bits, which FreeRTOS's MPU demo counts on; the FPGA image's has 3.
  @Test(arguments: [(nil, 0xE0), (8, 0xFF), (2, 0xC0)] as [(UInt64?, UInt64)])
  func prioritiesHaveAsManyBitsAsWanted(bits: UInt64?, expected: UInt64) throws {
    let machine = try machine("mps2_an385", of: "arm") { $0.priorityBits = bits }
    try machine.space.write(0xE000_E400, size: 1, 0xFF)
    #expect(try machine.space.read(0xE000_E400, size: 1) == expected)
  }

  /// A card's image is copied; a file that cannot be one is refused by name.
  @Test func imagesOfCardsAreCopied() throws {
    let file = try TemporaryFile([UInt8](repeating: 7, count: 1000))
    let machine = try machine("lm3s6965evb", of: "arm") { $0.drives = [DriveFile(path: file.path)] }
    let medium = try #require(machine.memories.first { $0.name == "medium" })
    #expect(medium.size == 512 << 10 && medium.bytes(at: 998, count: 3) == [7, 7, 0])
    for path in ["/dev/zero", "/nowhere"] {
      #expect(throws: MachineError.self) {
        _ = try Self.evaluationBoard(DriveFile(path: path))
      }
    }
    #expect(throws: MachineError.self) { _ = try Self.evaluationBoard(DriveFile(path: file.path), twice: true) }
  }

  private static func evaluationBoard(_ drive: DriveFile, twice: Bool = false) throws -> Machine {
    try machine("lm3s6965evb", of: "arm") { $0.drives = twice ? [drive, drive] : [drive] }
  }
}
