// Owns the test of random programs against the devices of the STM32 boards: each writes, reads and waits at random. None
// brings the machine down or hangs it, and back ends and a restored snapshot agree on what comes of it.

import Bus
import Foundation
import Machine
import TestSupport
import Testing

private let clang = Toolchain.find("clang")

@Suite(.enabled(if: clang != nil && Toolchain.find("ld.lld") != nil)) struct DeviceProgramTests {
  /// Carries out a table of (kind, address, value) at 0x08008000, and over again; sums up what it reads. SysTick ends its
  /// waits. An access that faults is skipped.
  private static let firmware = """
    typedef unsigned u32;
    extern int main(void);
    static void none(void) {}
    __attribute__((naked)) static void skip(void) {
      __asm__ volatile(
        "ldr r0, [sp, #24]\\n ldrh r1, [r0]\\n lsrs r1, r1, #11\\n cmp r1, #29\\n ite lo\\n addlo r0, #2\\n addhs r0, #4\\n"
        "str r0, [sp, #24]\\n bx lr");
    }
    __attribute__((section(".vectors"), used)) static void *const vectors[16 + 112] = {
      (void *)0x20004000, main, skip, skip, skip, skip, skip, 0, 0, 0, 0, none, none, 0, none, none,
      [16 ... 127] = none };
    int main(void) {
      volatile u32 *sum = (volatile u32 *)0x20003000;
      *(volatile u32 *)0xE000E014 = 50000;
      *(volatile u32 *)0xE000E010 = 7;
      for (;;)
        for (const u32 *op = (const u32 *)0x08008000; op[0]; op += 3)
          switch (op[0]) {
            case 1: *(volatile u32 *)op[1] = op[2]; break;
            case 2: *(volatile unsigned short *)op[1] = op[2]; break;
            case 3: *(volatile unsigned char *)op[1] = op[2]; break;
            case 4: *sum = *sum * 31 + *(volatile u32 *)op[1]; break;
            case 5: for (volatile u32 i = 0; i < op[2] % 300; i++) ; break;
            case 6: __asm__ volatile("wfi"); break;
            default: __asm__ volatile("wfe"); break;
          }
    }
    """

  private static let script = """
    SECTIONS {
      . = 0x08000000; .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } /DISCARD/ : { *(.ARM*) }
    }
    """

  /// Devices of F1, and of F4 and F7, with how many bytes of registers they have.
  private static let first: [(UInt32, UInt32)] = [
    (0x4002_1000, 0x30), (0x4000_7000, 8), (0x4001_2C00, 0x50), (0x4000_0000, 0x50), (0x4000_0400, 0x50),
    (0x4001_0400, 0x18), (0x4001_0000, 0x20), (0x4001_0800, 0x1C), (0x4001_0C00, 0x1C), (0x4000_4400, 0x1C),
    (0x4002_2000, 0x24), (0x4000_2800, 0x28), (0x4000_3000, 0x10), (0x4000_2C00, 0xC), (0x4000_6C00, 0x40),
    (0x4001_3000, 0x20), (0x4000_5400, 0x24), (0x0801_0000, 0x40),
  ]
  private static let later: [(UInt32, UInt32)] = [
    (0x4002_3800, 0x94), (0x4000_7000, 16), (0x4001_0000, 0x60), (0x4000_0000, 0x54), (0x4000_0400, 0x54),
    (0x4000_1000, 0x30), (0x4001_4400, 0x38), (0x4001_3C00, 0x18), (0x4001_3800, 0x24), (0x4002_0000, 0x28),
    (0x4002_0400, 0x28), (0x4000_4400, 0x2C), (0x4002_3C00, 0x1C), (0x4000_2800, 0xA0), (0x4000_3000, 0x14),
    (0x4000_2C00, 0xC), (0x4001_3000, 0x24), (0x4000_5400, 0x2C), (0x5006_0800, 0xC), (0x0804_0000, 0x40),
  ]
  private static let core: [(UInt32, UInt32)] = [
    (0xE000_E010, 0x10), (0xE000_E100, 0x10), (0xE000_E200, 0x10), (0xE000_ED04, 8), (0xE000_1000, 8),
  ]
  /// Keys, bits that start things, and numbers at the edges.
  private static let values: [UInt32] = [
    0, 1, 2, 3, 5, 9, 0x10, 0x21, 0x61, 0x81, 0xE1, 0x80, 0x100, 0x155, 0x3FF, 0xCA, 0x53, 0x5555, 0xAAAA, 0xCCCC,
    0xFFFF, 0x4567_0123, 0xCDEF_89AB, 0x0101_0083, 0x0100_0000, 0x8101, 0x05FA_0000, 0x8000_0000, .max,
  ]

  private static func program(_ seed: Int, _ places: [(UInt32, UInt32)]) -> [UInt32] {
    var random = SplitMix(seed: UInt64(seed))
    func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }
    // A few devices a program, so that writes come together.
    let chosen = (0..<4).map { _ in places[below(places.count)] } + [core[below(core.count)]]
    return (0..<80).flatMap { _ -> [UInt32] in
      let place = chosen[below(chosen.count)]
      let address = place.0 + UInt32(below(Int(place.1))) & ~3
      let value = below(3) == 0 ? UInt32(truncatingIfNeeded: random.next()) : values[below(values.count)]
      let kind = [1, 1, 1, 1, 1, 2, 3, 4, 4, 5, 6, 7][below(12)]
      return [UInt32(kind), address, value]
    } + [0]
  }

  private static let image: String? = {
    guard let clang else { return nil }
    let folder = NSTemporaryDirectory() + "martlet-devices-\(UUID().uuidString)"
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try? Data(firmware.utf8).write(to: URL(filePath: folder + "/a.c"))
    try? Data(script.utf8).write(to: URL(filePath: folder + "/a.ld"))
    let process = Process()
    process.executableURL = URL(filePath: clang)
    process.arguments = [
      "--target=thumbv7m-none-eabi", "-mfloat-abi=soft", "-O1", "-ffreestanding", "-fno-builtin", "-nostdlib",
      "-fuse-ld=lld", "-Wl,-e,main,-T,\(folder)/a.ld", folder + "/a.c", "-o", folder + "/a.elf",
    ]
    try? process.run()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? folder + "/a.elf" : nil
  }()

  /// Runs until so many ticks have passed, the machine has stopped, or it sleeps and nothing is to come.
  private func run(_ machine: Machine, _ ticks: UInt64) {
    machine.resume()
    defer { if machine.isRunning { machine.stop() } }
    let cpu = machine.engine.vcpus[0]
    var (last, standstill) = (cpu.ticks, 0)
    while machine.isRunning, cpu.ticks < ticks, standstill < 100 {
      machine.runRounds(1)
      (last, standstill) = (cpu.ticks, cpu.ticks == last ? standstill + 1 : 0)
    }
  }

  @Test(.timeLimit(.minutes(5)), arguments: ["nucleo_f103rb", "stm32f4_disco", "stm32f746g_disco"], 0..<30)
  func programsAgree(board: String, seed: Int) throws {
    let image = try #require(Self.image)
    let places = board == "nucleo_f103rb" ? Self.first : Self.later
    let table = try TemporaryFile(words: Self.program(seed, places))
    var digests: [UInt64] = []
    for host in hosts {
      let machine = try machine(board, of: "arm", host: host) {
        $0.kernel = image
        $0.loads = [ImageFile(path: table.path, address: 0x0800_8000, forceRaw: true)]
      }
      run(machine, 1_000_000)
      if case .lockedUp = machine.lastStop {
        digests.append(try machine.digest())
        continue
      }
      let snapshot = try machine.saveSnapshot()
      for _ in 0..<2 {
        run(machine, 2_000_000)
        digests.append(try machine.digest())
        try machine.restore(snapshot)
      }
    }
    #expect(Set(digests).count == 1)
  }
}
