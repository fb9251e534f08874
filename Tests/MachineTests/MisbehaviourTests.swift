// Owns the tests of guests that misbehave: each gets its exception, or is found to be locked up; Martlet survives.

import Machine
import Testing

@Suite struct MisbehaviourTests {
  /// Sets a handler that ends the run with `mcause` as exit code, then goes on behind it.
  private static let prelude: [UInt32] = [
    0x0000_0297,  // auipc t0, 0
    0x0102_8293,  // addi  t0, t0, 16
    0x3052_9073,  // csrw  mtvec, t0
    0x0240_006f,  // j     behind the handler
    0x3420_2373,  // csrr  t1, mcause
    0x0103_1313,  // slli  t1, t1, 16
    0x0000_33b7,  // lui   t2, 3
    0x3333_8393,  // addi  t2, t2, 0x333
    0x0073_0333,  // add   t1, t1, t2
    0x0010_02b7,  // lui   t0, 0x100
    0x0062_a023,  // sw    t1, 0(t0)
    0x0000_006f,  // j     .
  ]
  private static let body: UInt64 = 0x8000_0030

  private static let load: UInt32 = 0x000e_3e83  // ld t4, 0(t3)
  private static let store: UInt32 = 0x01de_3023  // sd t4, 0(t3)
  private static let jump: UInt32 = 0x000e_0067  // jr t3

  struct Misdeed: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var words: [UInt32]
    var cause: Int32
    var address: UInt64
    var isJump = false
  }

  static let misdeeds: [Misdeed] = [
    Misdeed(
      testDescription: "jump into nothing", words: [0x4000_0e37, jump], cause: 1, address: 0x4000_0000, isJump: true),
    Misdeed(testDescription: "jump to the top", words: [0xff80_0e13, jump], cause: 1, address: .max - 7, isJump: true),
    Misdeed(
      testDescription: "jump into a device", words: [0x1000_0e37, jump], cause: 1, address: 0x1000_0000, isJump: true),
    Misdeed(testDescription: "load from nothing", words: [0x4000_0e37, load], cause: 5, address: 0x4000_0000),
    Misdeed(testDescription: "store into nothing", words: [0x4000_0e37, store], cause: 7, address: 0x4000_0000),
    Misdeed(testDescription: "load from the top", words: [0xff80_0e13, load], cause: 5, address: .max - 7),
    Misdeed(testDescription: "store to the top", words: [0xff80_0e13, store], cause: 7, address: .max - 7),
    Misdeed(
      testDescription: "load behind the memory", words: [0x8800_0e37, 0x020e_1e13, 0x020e_5e13, load], cause: 5,
      address: 0x8800_0000),
    Misdeed(
      testDescription: "store across the end of memory", words: [0x8800_0e37, 0x020e_1e13, 0x020e_5e13, 0xffce_3e23],
      cause: 7, address: 0x8800_0000),
    Misdeed(testDescription: "no instruction", words: [0], cause: 2, address: 0),
  ]

  @Test(arguments: misdeeds, hosts) func eachMisdeedHasItsException(_ misdeed: Misdeed, _ host: String) throws {
    let file = try TemporaryFile(words: Self.prelude + misdeed.words)
    let machine = try machine("virt", host: host) { $0.bios = file.path }
    #expect(machine.run(ticks: 100_000) == .exited(code: misdeed.cause))
    func register(_ name: String) throws -> UInt64 {
      let index = try #require(machine.guest.registerFile.index(of: name))
      return machine.guest.readRegister(machine.engine.vcpus[0].state, index)
    }
    let last = Self.body + 4 * UInt64(misdeed.words.count - 1)
    #expect(try register("mepc") == (misdeed.isJump ? misdeed.address & ~1 : last))
    if misdeed.cause != 2 { #expect(try register("mtval") == misdeed.address) }
  }

  /// `mtvec` leads to where nothing is, or to a handler that raises the same exception.
  @Test(arguments: hosts) func endlessTrapsAreALockUp(host: String) throws {
    let programs: [([UInt32], String)] = [
      ([0x0000_0073], "instruction access fault at 0x0"),  // ecall
      ([0x4000_0e37, Self.jump], "instruction access fault at 0x0"),
      ([0x0000_0297, 0x0102_8293, 0x3052_9073, 0x0000_0073, 0], "illegal instruction at 0x80000010"),
      ([0x0000_0297, 0x0102_8293, 0x3052_9073, 0x0000_0073, 0x0010_0073], "breakpoint at 0x80000010"),
    ]
    for (words, expected) in programs {
      let file = try TemporaryFile(words: words)
      let machine = try machine("virt", host: host) { $0.bios = file.path }
      guard case .lockedUp(let hart, let text)? = machine.run(ticks: 1_000_000) else {
        Issue.record("not locked up: \(machine.lastStop)")
        continue
      }
      #expect(hart == 0 && text.contains(expected), "\(text)")
      machine.resume(.step(hart: 0))
      machine.runRounds(1)
      #expect(!machine.isRunning)
    }
  }

  /// Waiting for ever is not an error: input may come.
  @Test(arguments: hosts) func waitingForEverIsNoHang(host: String) throws {
    let file = try TemporaryFile(words: [0x1050_0073, 0xffdf_f06f])  // wfi; j -4
    let machine = try machine("virt", host: host) { $0.bios = file.path }
    machine.resume()
    machine.runRounds(3)
    #expect(machine.isRunning)
    machine.stop()
    #expect(machine.lastStop == .requested)
  }
}
