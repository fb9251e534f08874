// Owns the tests of inputs of interrupt controllers that several devices drive.

import Machine
import Testing

@Suite struct InterruptWireTests {
  /// TIM1's update and TIM10 share interrupt 25 of the F4: it is high while either is.
  @Test func wiresAreSummedUp() throws {
    let file = try TemporaryFile(words: [0x2000_1000, 0x0000_0009, 0xE7FE_E7FE])
    let board = try machine("stm32f4_disco", of: "arm") { $0.kernel = file.path }
    func write(_ address: UInt64, _ value: UInt64) throws { try board.space.write(address, size: 4, value) }
    let timers: [UInt64] = [0x4001_0000, 0x4001_4400]
    // What is still high stays pending when it is cleared.
    func isHigh() throws -> Bool {
      try write(0xE000_E280, 1 << 25)
      return try board.space.read(0xE000_E200, size: 4) >> 25 & 1 == 1
    }
    for timer in timers {
      try write(timer + 0x0C, 1)
      try write(timer + 0x14, 1)
    }
    #expect(try isHigh())
    try write(timers[0] + 0x10, 0)
    #expect(try isHigh())
    try write(timers[0] + 0x14, 1)
    try write(timers[1] + 0x10, 0)
    #expect(try isHigh())
    try write(timers[0] + 0x10, 0)
    #expect(try !isHigh())
  }
}
