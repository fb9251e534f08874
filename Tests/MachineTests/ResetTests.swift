// Owns the tests of what a machine's memory holds after a reset of each cause, and where the CPU is.

import Bus
import Machine
import Testing

@Suite struct ResetTests {
  /// Stack, entry, an endless loop.
  private static let image: [UInt32] = [0x2000_1000, 0x0000_0009, 0xE7FE_E7FE]

  /// RAM outlives every reset but power-on, flash memory those too, and the image is in it again after power-on.
  @Test(arguments: ResetCause.ofMachines) func memoryIsKept(cause: ResetCause) throws {
    let file = try TemporaryFile(words: Self.image)
    let board = try machine("nucleo_f103rb", of: "arm") { $0.kernel = file.path }
    let state = board.engine.vcpus[0].state
    let start = state.pc
    try board.space.write(0x2000_0800, size: 4, 0x600D_C0DE)
    try board.space.copyIn([0x10], at: 0x0800_0008)
    try board.space.copyIn([0x55, 0xAA], at: 0x0801_0000)
    state.pc = 0x0800_0100
    board.reset(cause)
    let isPowerOn = cause == .powerOn
    #expect(try board.space.read(0x2000_0800, size: 4) == (isPowerOn ? 0 : 0x600D_C0DE))
    #expect(try board.space.read(0x0800_0008, size: 1) == (isPowerOn ? 0xFE : 0x10))
    #expect(try board.space.read(0x0801_0000, size: 2) == 0xAA55)
    #expect(state.pc == start)
  }

  /// Where firmware is in RAM and no ROM puts it there, each reset does.
  @Test func firmwareInRAMIsLoadedAgain() throws {
    let file = try TemporaryFile(words: [0x0000_006F, 1, 2])
    let board = try machine("virt") { $0.bios = file.path }
    try board.space.write(0x8000_0004, size: 4, 7)
    try board.space.write(0x8100_0000, size: 4, 7)
    board.reset(.software)
    #expect(try board.space.read(0x8000_0004, size: 4) == 1)
    #expect(try board.space.read(0x8100_0000, size: 4) == 7)
    board.reset(.powerOn)
    #expect(try board.space.read(0x8100_0000, size: 4) == 0)
  }
}
