// Owns the tests of time that is held back to the user's clock: when it waits, and that waiting changes nothing.

import Foundation
import Machine
import Testing

/// A program for the board `virt` that sleeps from one timer interrupt to the next.
/// - Parameter interval: between them, in units of 4,096 counts of 100 ns.
private func sleeper(interval: UInt32) -> [UInt32] {
  [
    0x0000_0297,  //          auipc  t0, 0
    0x03c2_8293,  //          addi   t0, t0, 60
    0x3052_9073,  //          csrw   mtvec, t0
    0x0200_4437,  //          lui    s0, 0x2004          mtimecmp
    0x0200_c4b7,  //          lui    s1, 0x200c          mtime
    0xff84_8493,  //          addi   s1, s1, -8
    interval << 12 | 0xab7,  // lui  s5, interval
    0x0004_be03,  //          ld     t3, 0(s1)
    0x015e_0e33,  //          add    t3, t3, s5
    0x01c4_3023,  //          sd     t3, 0(s0)
    0x0800_0e93,  //          li     t4, 0x80
    0x304e_9073,  //          csrw   mie, t4
    0x3004_6073,  //          csrsi  mstatus, 8
    0x1050_0073,  // loop:    wfi
    0xffdf_f06f,  //          j      loop
    0x0004_be03,  // handler: ld     t3, 0(s1)
    0x015e_0e33,  //          add    t3, t3, s5
    0x01c4_3023,  //          sd     t3, 0(s0)
    0x001a_0a13,  //          addi   s4, s4, 1
    0x3020_0073,  //          mret
  ]
}

@Suite struct RealTimeTests {
  private static let millisecond: UInt64 = 1_000_000

  @Test func theGuestWaitsForTheUsersClock() {
    let ms = Self.millisecond
    var pace = Pace(factor: 1)
    #expect(pace.wait(until: 700 * ms, now: 3 * ms) == 0)
    #expect(pace.wait(until: 705 * ms, now: 4 * ms) == 4 * ms)
    #expect(pace.wait(until: 705 * ms, now: 8 * ms) == 0)
    #expect(pace.guest(at: 9 * ms) == 706 * ms)
    pace.end()
    #expect(pace.wait(until: 5000 * ms, now: 10 * ms) == 0)
    var fast = Pace(factor: 2)
    fast.begin(at: 0, now: 0)
    fast.begin(at: 1000, now: 0)
    #expect(fast.wait(until: 10 * ms, now: ms) == 4 * ms)
    #expect(fast.guest(at: 3 * ms) == 6 * ms)
  }

  /// A little lateness is made up for, so that it does not add up; more is forgiven, so that no later wait is cut short.
  @Test func latenessIsMadeUpForOnlyInPart() {
    let ms = Self.millisecond
    var pace = Pace(factor: 1)
    pace.begin(at: 0, now: 0)
    #expect(pace.wait(until: 10 * ms, now: 50 * ms) == 0)
    #expect(pace.wait(until: 60 * ms, now: 51 * ms) == 9 * ms)
    #expect(pace.wait(until: 70 * ms, now: 1000 * ms) == 0)
    #expect(pace.wait(until: 80 * ms, now: 1000 * ms) == 10 * ms)
  }

  private func made(
    interval: UInt32, harts: Int = 1, limit: UInt64? = nil, realtime: Double? = nil
  ) throws -> Machine {
    let file = try TemporaryFile(words: sleeper(interval: interval))
    return try machine("virt") {
      $0.bios = file.path
      $0.cpuCount = harts
      $0.instructionLimit = limit
      $0.realtime = realtime
    }
  }

  @Test(arguments: [1, 3]) func waitingChangesNothing(harts: Int) throws {
    var endings: [Ending] = []
    for realtime in [nil, 1, 1000] as [Double?] {
      let machine = try made(interval: 1, harts: harts, limit: 2_000_000, realtime: realtime)
      #expect(machine.run(ticks: .max) == .requested)
      endings.append(try Ending(machine))
    }
    #expect(endings[1] == endings[0] && endings[2] == endings[0])
  }

  /// The guest sleeps for days of the user's clock; whoever comes is not kept waiting, and input takes effect in the midst
  /// of the sleep, where a replay gives it too.
  @Test func whoComesEndsTheWait() throws {
    let interval: UInt32 = 0xF_FFFF
    let machine = try made(interval: interval, realtime: 0.001)
    machine.start()
    defer { machine.shutDown() }
    machine.resume()
    machine.inject([0x41], to: machine.consolePath)
    var recorded: [RecordedInput] = []
    for _ in 0..<3000 where recorded.isEmpty {
      usleep(10_000)
      recorded = machine.perform { $0.recorded }
    }
    try #require(recorded.count == 1)
    #expect(recorded[0].ticks < UInt64(interval) << 12)
    machine.stop()
    #expect(machine.perform { $0.engine.vcpus[0].isWaiting })
    let replay = try made(interval: interval, limit: recorded[0].ticks + 1000)
    replay.setReplay(recorded)
    #expect(replay.run(ticks: .max) == .requested)
    #expect(replay.recorded == recorded)
  }
}
