// Owns the tests of semihosting calls whose answers depend on the board.

import Machine
import Testing

@Suite struct SemihostingTests {
  /// A Thumb program at 0, behind the two vectors it needs.
  private func made(_ board: String, _ code: [UInt32]) throws -> Machine {
    let file = try TemporaryFile(elf([0x2000_1000, 9] + code, at: 0, bits: 32, machine: 40), suffix: ".elf")
    return try machine(board, of: "arm") {
      $0.kernel = file.path
      $0.semihosting = true
    }
  }

  /// The heap lies in the largest memory, and not where the code is: newlib takes nothing above its end.
  @Test func theHeapIsInTheLargestMemory() throws {
    // movs r0, #0x16; ldr r1, [pc, #4]; bkpt 0xab; b .; the block's address; the block: where the answer goes.
    let machine = try made("mps2_an386", [0x4901_2016, 0xE7FE_BEAB, 0x14, 0x2000_0100])
    #expect(machine.run(ticks: 100_000) == nil)
    let words = try (0..<4).map { try machine.space.read(0x2000_0100 + 4 * $0, size: 4) }
    #expect(words == [0x2100_0000, 0x2200_0000, 0x2200_0000, 0x2100_0000])
  }

  /// Reading and writing without an open file leave all bytes; −1 would count as more than there are.
  @Test(arguments: [0x2005, 0x2006] as [UInt32]) func nothingIsTransferredWithoutAFile(operation: UInt32) throws {
    // movs r0, #operation; ldr r1, [pc, #4]; bkpt 0xab; b .; the block's address; the block: handle, address, 5 bytes.
    let machine = try made("mps2_an386", [0x4901_0000 | operation, 0xE7FE_BEAB, 0x14, 77, 0x2000_0100, 5])
    #expect(machine.run(ticks: 100_000) == nil)
    #expect(machine.guest.readRegister(machine.engine.vcpus[0].state, 0) == 5)
  }

  /// A hart that waits in a call for input, and is sent elsewhere, runs there.
  @Test func whoWaitsForInputCanBeSentElsewhere() throws {
    // movs r0, #7; bkpt 0xab; movs r5, #9; b .
    let machine = try made("mps2_an386", [0xBEAB_2007, 0xE7FE_2509])
    #expect(machine.run(ticks: 100_000) == nil)
    let vcpu = machine.engine.vcpus[0]
    #expect(vcpu.state.pc == 0xA)
    machine.setRegister(vcpu, try #require(machine.guest.registerFile.index(of: "pc")), 0xC)
    #expect(machine.run(ticks: 1_000_000) == nil)
    #expect(machine.guest.readRegister(vcpu.state, 5) == 9)
  }

  /// A guest that waits by asking for the time waits as long as others, and not for a host that answers each tick.
  @Test func askingForTheTimeTakesTime() throws {
    // movs r4, #0; loop: movs r0, #0x10; bkpt 0xab; adds r4, #1; cmp r0, #1; blt loop; b .
    let machine = try made("mps2_an386", [0x2010_2400, 0x3401_BEAB, 0xDBFA_2801, 0xE7FE_E7FE])
    #expect(machine.run(ticks: 1_100_000) == nil)
    let state = machine.engine.vcpus[0].state
    let calls = machine.guest.readRegister(state, try #require(machine.guest.registerFile.index(of: "r4")))
    #expect((9000...10_000).contains(calls), "\(calls) calls in 10 ms")
  }
}
