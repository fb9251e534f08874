// Owns the tests of harts that wait for one another: by `pause`, by a loop that only looks, by an interrupt.

import Engine
import Machine
import Testing

@Suite struct WaitingHartTests {
  /// Hart 0 counts down from 299,008 and stores 1 at 0x80001000; the others wait for that in `loop`.
  private static func program(_ loop: [UInt32]) -> [UInt32] {
    [
      0xF140_22F3,  //        csrr t0, mhartid
      0x8000_1437,  //        lui  s0, 0x80001
      0x0204_1413,  //        slli s0, s0, 32
      0x0204_5413,  //        srli s0, s0, 32
      0x0002_9E63,  //        bnez t0, loop
      0x0004_9337,  //        lui  t1, 73
      0xFFF3_0313,  //        addi t1, t1, -1
      0xFE03_1EE3,  //        bnez t1, -4
      0x0010_0493,  //        li   s1, 1
      0x0094_2023,  //        sw   s1, 0(s0)
      0x0000_006F,  //        j    .
    ] + loop + [0x0000_006F]
  }

  private static let pausing: [UInt32] = [
    0x0004_2E03,  // loop: lw   t3, 0(s0)
    0x0100_000F,  //       pause
    0xFE0E_0CE3,  //       beqz t3, loop
  ]
  private static let looking: [UInt32] = [
    0x0004_2E03,  // loop: lw   t3, 0(s0)
    0x001E_7E93,  //       andi t4, t3, 1
    0xFE0E_8CE3,  //       beqz t4, loop
  ]

  private func made(
    _ words: [UInt32], host: String = "jit", _ edit: (inout MachineConfiguration) -> Void = { _ in }
  ) throws -> Machine {
    let file = try TemporaryFile(words: words)
    return try machine("virt", host: host) {
      $0.bios = file.path
      $0.cpuCount = 2
      edit(&$0)
    }
  }

  /// What a run comes to while the others wait, and after.
  private func endings(_ machine: Machine) throws -> [Ending] {
    try ([500_000, 900_000] as [UInt64]).map { ticks in
      #expect(machine.run(ticks: ticks) == nil)
      return try Ending(machine)
    }
  }

  @Test func aPauseLetsTheOthersRun() throws {
    let expected = try endings(try made(Self.program(Self.pausing), host: "interpreter"))
    #expect(expected[0].retired[0] >= 500_000 && expected[0].retired[1] < 1000)
    for tiers in TierPolicy.allCases {
      #expect(try endings(try made(Self.program(Self.pausing)) { $0.engine.tiers = tiers }) == expected, "\(tiers)")
    }
  }

  /// A wait that an interrupt ends at once, since it is pending, but held off.
  @Test func aWaitThatEndsAtOnceLetsTimePass() throws {
    let waiting: [UInt32] = [
      0x0200_0EB7,  //       lui  t4, 0x2000
      0x0010_0F13,  //       li   t5, 1
      0x01EE_A223,  //       sw   t5, 4(t4)
      0x0080_0393,  //       li   t2, 8
      0x3043_9073,  //       csrw mie, t2
      0x1050_0073,  // loop: wfi
      0xFFDF_F06F,  //       j    loop
    ]
    let expected = try endings(try made(Self.program(waiting), host: "interpreter"))
    #expect(expected[0].retired[0] >= 500_000 && expected[0].retired[1] < 1000)
    for tiers in TierPolicy.allCases {
      #expect(try endings(try made(Self.program(waiting)) { $0.engine.tiers = tiers }) == expected, "\(tiers)")
    }
  }

  /// Where executions are counted no turn of a loop is left out.
  @Test func aLoopThatLooksEndsAsIfItHadTurned() throws {
    let slow = try made(Self.program(Self.looking)) { $0.engine.countsExecutions = true }
    let expected = try endings(slow)
    #expect(slow.engine.statistics.spinsSkipped == 0 && expected[0].retired[1] >= 500_000)
    for host in hosts {
      for tiers in TierPolicy.allCases {
        let machine = try made(Self.program(Self.looking), host: host) { $0.engine.tiers = tiers }
        #expect(try endings(machine) == expected, "\(host), \(tiers)")
        #expect(machine.engine.statistics.spinsSkipped > 0, "\(host), \(tiers)")
      }
    }
  }

  /// Whoever interrupts another hart waits for it next: 50 requests, each answered by the other's handler.
  @Test func anInterruptLetsTheOtherRun() throws {
    let words: [UInt32] = [
      0xF140_22F3,  //          csrr  t0, mhartid
      0x0200_0437,  //          lui   s0, 0x2000        msip
      0x0000_1497,  //          auipc s1, 1             the answer
      0x0202_9E63,  //          bnez  t0, other
      0x0320_0913,  //          li    s2, 50
      0x0010_0313,  // request: li    t1, 1
      0x0004_A023,  //          sw    zero, 0(s1)
      0x0064_2223,  //          sw    t1, 4(s0)
      0x001A_8A93,  // wait:    addi  s5, s5, 1
      0x0004_AE03,  //          lw    t3, 0(s1)
      0xFE0E_0CE3,  //          beqz  t3, wait
      0xFFF9_0913,  //          addi  s2, s2, -1
      0xFE09_12E3,  //          bnez  s2, request
      0x0000_5EB7,  //          lui   t4, 5
      0x555E_8E93,  //          addi  t4, t4, 0x555
      0x0010_0F37,  //          lui   t5, 0x100         the test finisher
      0x01DF_2023,  //          sw    t4, 0(t5)
      0x0000_006F,  //          j     .
      0x0000_0317,  // other:   auipc t1, 0
      0x0203_0313,  //          addi  t1, t1, 32
      0x3053_1073,  //          csrw  mtvec, t1
      0x0080_0393,  //          li    t2, 8
      0x3043_9073,  //          csrw  mie, t2
      0x3004_6073,  //          csrsi mstatus, 8
      0x1050_0073,  //          wfi
      0xFFDF_F06F,  //          j     -4
      0x0004_2223,  // handler: sw    zero, 4(s0)
      0x0010_0E13,  //          li    t3, 1
      0x01C4_A023,  //          sw    t3, 0(s1)
      0x3020_0073,  //          mret
    ]
    for host in hosts {
      let machine = try made(words, host: host)
      #expect(machine.run(ticks: 50_000_000) != nil)
      #expect(machine.engine.vcpus[0].retired < 10_000, "\(host)")
    }
  }
}
