// Owns the tests that every Arm board runs a firmware: it says hello on the board's UART, answers what is typed, takes
// interrupts of a timer, and writes its flash memory.

import Foundation
import Machine
import Testing

/// The full path of a program of the toolchain (beside `swift`), or else on PATH.
private func find(_ program: String) -> String? {
  let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
  let isThere = { FileManager.default.isExecutableFile(atPath: $0) }
  let toolchain = path.first { isThere("\($0)/swift") }
  return ((toolchain.map { [$0] } ?? []) + path).map { "\($0)/\(program)" }.first(where: isThere)
}

/// A board and what of the firmware below it takes.
struct ArmBoard: CustomTestStringConvertible, Sendable {
  var name: String
  /// Macros that choose the UART and the flash.
  var macros: [String]
  var flash: UInt64 = 0
  var ram = 0x2000_0000
  var target = "thumbv7m-none-eabi"
  /// Path of the UART.
  var uart: String
  var answer: String

  var testDescription: String { name }

  static let all: [ArmBoard] = [
    .init(
      name: "bbc_microbit", macros: ["NRF", "NRF_PAGE=0x30000"], target: "thumbv6m-none-eabi",
      uart: "/soc/uart@40002000", answer: "flash"),
    .init(name: "nrf52840dk", macros: ["NRF", "NRF_PAGE=0x80000"], uart: "/soc/uart@40002000", answer: "flash"),
    .init(name: "lm3s6965evb", macros: ["PL011"], uart: "/soc/uart@4000c000", answer: "none"),
    .init(name: "mps2_an385", macros: ["CMSDK"], uart: "/soc/uart@40004000", answer: "none"),
    .init(name: "mps2_an386", macros: ["CMSDK"], uart: "/soc/uart@40004000", answer: "none"),
    .init(name: "mps2_an500", macros: ["CMSDK"], uart: "/soc/uart@40004000", answer: "none"),
    .init(
      name: "nucleo_f103rb", macros: ["STM32F1", "USART=0x40004400"], flash: 0x0800_0000, uart: "/soc/serial@40004400",
      answer: "flash"),
    .init(
      name: "stm32f4_disco", macros: ["STM32F4", "USART=0x40004400"], flash: 0x0800_0000, uart: "/soc/serial@40004400",
      answer: "flash"),
    .init(
      name: "stm32f746g_disco", macros: ["STM32F4", "STM32F7", "USART=0x40011000"], flash: 0x0800_0000,
      uart: "/soc/serial@40011000", answer: "flash"),
  ]
}

@Suite(.enabled(if: find("clang") != nil && find("ld.lld") != nil)) struct ArmBoardTests {
  private static let firmware = """
    #define REG(address) (*(volatile unsigned *)(address))
    extern int main(void);
    static volatile unsigned ticks;
    static void systick(void) { ticks++; }
    static void stop(void) { for (;;) ; }
    __attribute__((section(".vectors"), used)) static void *const vectors[16] = {
      (void *)0x20002000, main, stop, stop, stop, stop, stop, 0, 0, 0, 0, stop, 0, 0, stop, systick };

    #if defined(NRF)
    enum { uart = 0x40002000 };
    static void init(void) {
      REG(0x40000000) = 1;
      while (!REG(0x40000100)) ;
      REG(uart + 0x500) = 4, REG(uart + 8) = 1, REG(uart) = 1;
    }
    static void put(char c) {
      REG(uart + 0x11C) = 0, REG(uart + 0x51C) = c;
      while (!REG(uart + 0x11C)) ;
    }
    static char get(void) {
      while (!REG(uart + 0x108)) ;
      REG(uart + 0x108) = 0;
      return REG(uart + 0x518);
    }
    static int flash(void) {
      REG(0x4001E504) = 2, REG(0x4001E508) = NRF_PAGE;
      while (!REG(0x4001E400)) ;
      REG(0x4001E504) = 1, REG(NRF_PAGE) = 0x12345678, REG(0x4001E504) = 0;
      REG(NRF_PAGE + 4) = 0;
      return REG(NRF_PAGE) == 0x12345678 && REG(NRF_PAGE + 4) == 0xFFFFFFFF;
    }
    #elif defined(PL011)
    enum { uart = 0x4000C000 };
    static void init(void) {
      REG(0x400FE104) = 1;
      while (!(REG(0x400FE050) & 0x40)) ;
      REG(uart + 0x2C) = 0x60, REG(uart + 0x30) = 0x301;
    }
    static void put(char c) { while (REG(uart + 0x18) & 0x20) ; REG(uart) = c; }
    static char get(void) { while (REG(uart + 0x18) & 0x10) ; return REG(uart); }
    static int flash(void) { return 0; }
    #elif defined(CMSDK)
    enum { uart = 0x40004000 };
    static void init(void) { REG(uart + 16) = 16, REG(uart + 8) = 3; }
    static void put(char c) { while (REG(uart + 4) & 1) ; REG(uart) = c; }
    static char get(void) { while (!(REG(uart + 4) & 2)) ; return REG(uart); }
    static int flash(void) { return 0; }
    #else
    #ifdef STM32F1
    enum { rcc = 0x40021000, clocks = 0x1C, flashes = 0x40022000 };
    #else
    enum { rcc = 0x40023800, clocks = 0x40, flashes = 0x40023C00 };
    #endif
    static void init(void) {
      REG(rcc) |= 1 << 16;
      while (!(REG(rcc) & 1 << 17)) ;
    #ifdef STM32F1
      REG(rcc + 4) = 1 << 16 | 7 << 18;
    #else
      REG(rcc + 4) = 8 | 336 << 6 | 1 << 22;
    #endif
      REG(rcc) |= 1 << 24;
      while (!(REG(rcc) & 1 << 25)) ;
      REG(rcc + (clocks == 0x1C ? 4 : 8)) |= 2;
      while ((REG(rcc + (clocks == 0x1C ? 4 : 8)) & 12) != 8) ;
      REG(rcc + clocks) = 1 << 17;
    #ifdef STM32F7
      REG(USART) = 0xD;
    #else
      REG(USART + 12) = 0x200C;
    #endif
    }
    #ifdef STM32F7
    static void put(char c) { while (!(REG(USART + 0x1C) & 0x80)) ; REG(USART + 0x28) = c; }
    static char get(void) { while (!(REG(USART + 0x1C) & 0x20)) ; return REG(USART + 0x24); }
    #else
    static void put(char c) { while (!(REG(USART) & 0x80)) ; REG(USART + 4) = c; }
    static char get(void) { while (!(REG(USART) & 0x20)) ; return REG(USART + 4); }
    #endif
    static int flash(void) {
      REG(flashes + 4) = 0x45670123, REG(flashes + 4) = 0xCDEF89AB;
    #ifdef STM32F1
      volatile unsigned short *const place = (volatile unsigned short *)0x08010000;
      REG(flashes + 16) = 2, REG(flashes + 20) = 0x08010000, REG(flashes + 16) = 0x42;
      REG(flashes + 16) = 1, place[0] = 0x5678, REG(flashes + 16) = 0x80, place[1] = 0;
      return place[0] == 0x5678 && place[1] == 0xFFFF && REG(0x00010000) == 0xFFFF5678;
    #else
      volatile unsigned *const place = (volatile unsigned *)0x08020000;
    #ifdef STM32F7
      REG(flashes + 16) = 2 | 4 << 3 | 1 << 16;
    #else
      REG(flashes + 16) = 2 | 5 << 3 | 1 << 16;
    #endif
      while (REG(flashes + 12) & 1 << 16) ;
      REG(flashes + 16) = 0x201, place[0] = 0x12345678, REG(flashes + 16) = 1u << 31, place[1] = 0;
      return place[0] == 0x12345678 && place[1] == 0xFFFFFFFF;
    #endif
    }
    #endif

    static void say(const char *text) { while (*text) put(*text++); }
    int main(void) {
      ticks = 0;
      init();
      say("hello from " BOARD "\\n");
      REG(0xE000E014) = 9999, REG(0xE000E018) = 0, REG(0xE000E010) = 7;
      while (ticks < 3) ;
      say("3 ticks\\n");
      for (;;) switch (get()) {
        case 'f': say(flash() ? "flash\\n" : "none\\n"); break;
        default: say("?\\n");
      }
    }
    """

  private func build(_ board: ArmBoard, in folder: String) throws -> String {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(Self.firmware.utf8).write(to: URL(filePath: folder + "/a.c"))
    let script = """
      SECTIONS {
        . = \(board.flash); .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
        . = \(board.ram); .bss (NOLOAD) : { *(.data*) *(.bss*) } /DISCARD/ : { *(.ARM*) }
      }
      """
    try Data(script.utf8).write(to: URL(filePath: folder + "/a.ld"))
    let process = Process()
    process.executableURL = URL(filePath: try #require(find("clang")))
    process.arguments =
      [
        "--target=\(board.target)", "-mfloat-abi=soft", "-Os", "-ffreestanding", "-fno-builtin", "-nostdlib",
        "-fuse-ld=lld",
      ]
      + board.macros.map { "-D\($0)" } + ["-DBOARD=\"\(board.name)\"", "-Wl,-T,\(folder)/a.ld", folder + "/a.c"]
      + ["-o", folder + "/a.elf"]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return folder + "/a.elf"
  }

  @Test(arguments: ArmBoard.all) func itsFirmwareRuns(board: ArmBoard) throws {
    let folder = NSTemporaryDirectory() + "martlet-board-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let image = try build(board, in: folder)
    for host in hosts {
      let console = Collector()
      let machine = try machine(board.name, of: "arm", host: host, console: console) { $0.kernel = image }
      #expect(machine.run(until: "3 ticks\n", on: console, ticks: 2_000_000) == nil, "\(console.text)")
      machine.inject(Array("xf".utf8), to: board.uart)
      let expected = "hello from \(board.name)\n3 ticks\n?\n\(board.answer)\n"
      #expect(machine.run(until: board.answer + "\n", on: console, ticks: 4_000_000) == nil, "\(console.text)")
      #expect(console.text == expected)
      let snapshot = try machine.saveSnapshot()
      let digest = try machine.digest()
      #expect(machine.run(ticks: machine.engine.vcpus[0].ticks + 10_000) == nil)
      try machine.restore(snapshot)
      #expect(try machine.digest() == digest)
    }
  }

  /// Flash memory that a debugger programs at one of its addresses changes code that runs at the other.
  @Test(arguments: [("stm32f4_disco", 0 as UInt64), ("stm32f746g_disco", 0x20_0000)])
  func flashIsOneAtAllItsAddresses(board: String, alias: UInt64) throws {
    let flash: UInt64 = 0x0800_0000
    for (executed, written) in [(alias, flash), (flash, alias)] {
      // Vectors, then at 0x40: adds r0, 1; b .-2
      let image = [0x2000_2000, UInt32(executed) + 0x41] + [UInt32](repeating: 0, count: 14) + [0xE7FD_3001]
      let file = try TemporaryFile(elf(image, at: flash, bits: 32, machine: 40))
      let machine = try machine(board, of: "arm") { $0.kernel = file.path }
      let cpu = machine.engine.vcpus[0]
      #expect(machine.run(ticks: 1000) == nil)
      #expect(machine.guest.readRegister(cpu.state, 0) > 400)
      try machine.programFlash([0, 0x30], at: written + 0x40)
      #expect(machine.run(ticks: cpu.ticks + 1000) == nil)
      let stood = machine.guest.readRegister(cpu.state, 0)
      #expect(machine.run(ticks: cpu.ticks + 1000) == nil)
      #expect(machine.guest.readRegister(cpu.state, 0) == stood)
    }
  }

  /// Every board is listed here.
  @Test func allBoardsAreTested() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: boardsFolder + "arm")
    let names = files.filter { $0.hasSuffix(".dts") }.map { String($0.dropLast(4)) }
    #expect(names.sorted() == ArmBoard.all.map(\.name).sorted())
  }
}
