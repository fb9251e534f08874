// Owns the tests of how running code is stopped: interrupts that another thread sends at random are counted.

import Bus
import Engine
import Foundation
import Glibc
import HostKit
import Machine
import Synchronization
import Testing

@Suite(.serialized) struct StopTests {
  /// Loops, indirect calls and returns for ever; counts software interrupts at 0x80001000.
  static let program: [UInt32] = [
    0x0000_0297,  // _start: auipc t0, 0
    0x0582_8293,  // addi t0, t0, 88
    0x3052_9073,  // csrw mtvec, t0
    0x0008_0437,  // lui s0, 128
    0x0014_0413,  // addi s0, s0, 1
    0x00c4_1413,  // slli s0, s0, 12
    0x0080_0293,  // li t0, 8
    0x3042_9073,  // csrw mie, t0
    0x3004_6073,  // csrsi mstatus, 8
    0x0014_8493,  // loop: addi s1, s1, 1
    0x0050_0313,  // li t1, 5
    0xfff3_0313,  // addi t1, t1, -1
    0xfe03_1ee3,  // bnez t1, 0x8000002c
    0x0000_0397,  // auipc t2, 0
    0x0143_8393,  // addi t2, t2, 20
    0x0003_80e7,  // jalr t2
    0x0100_00ef,  // jal 0x80000050
    0xfe1f_f06f,  // j 0x80000024
    0x0019_0913,  // leaf: addi s2, s2, 1
    0x0000_8067,  // ret
    0x0019_8993,  // other: addi s3, s3, 1
    0x0000_8067,  // ret
    0x0200_0e37,  // handler: lui t3, 8192
    0x000e_2023,  // sw zero, 0(t3)
    0x0004_3e83,  // ld t4, 0(s0)
    0x001e_8e93,  // addi t4, t4, 1
    0x01d4_3023,  // sd t4, 0(s0)
    0x3020_0073,  // mret
  ]
  static let counter: UInt64 = 0x8000_1000
  static let msip: UInt64 = 0x200_0000

  /// What the threads of a test share.
  final class Progress: Sendable {
    /// Times the machine was reached, and interrupts sent.
    let reached = Atomic<Int>(0)
    let sent = Atomic<Int>(0)
    let isOver = Atomic<Bool>(false)
  }

  private func machine(_ strategy: InterruptStrategy, _ words: [UInt32] = program) throws -> Machine {
    let image = try TemporaryFile(words: words)
    var configuration = MachineConfiguration(board: boardsFolder + "riscv/virt.dts")
    configuration.kernel = image.path
    configuration.engine.interrupts = strategy
    // No end of a time slice is to help a kick that was lost.
    if !strategy.isDeterministic { configuration.quantum = 1 << 40 }
    return try Machine.make(configuration, registry: registry, backends: [Collector()]) { _, _ in }
  }

  private static var seconds: Double {
    ProcessInfo.processInfo.environment["MARTLET_STRESS_SECONDS"].flatMap(Double.init) ?? 1.5
  }

  /// Sends interrupts at random moments, each after the one before was taken, for some seconds.
  private func send(to machine: Machine, _ progress: Progress) {
    var random = SystemRandomNumberGenerator()
    let end = Date(timeIntervalSinceNow: Self.seconds)
    while Date() < end {
      for _ in 0..<Int.random(in: 0..<2000, using: &random) { _ = progress.isOver.load(ordering: .relaxed) }
      if Int.random(in: 0..<4, using: &random) == 0 { usleep(UInt32.random(in: 0..<100, using: &random)) }
      let isNew = machine.perform { machine -> Bool in
        guard machine.space.peek(Self.msip, size: 4) == 0 else { return false }
        return (try? machine.space.write(Self.msip, size: 4, 1)) != nil
      }
      if isNew { progress.sent.add(1, ordering: .relaxed) }
      progress.reached.add(1, ordering: .relaxed)
    }
  }

  /// Whatever holding the guest leaves behind, three hundred thousand times of it would fill the stack.
  @Test func theGateLeavesNothingBehind() throws {
    let machine = try machine(.budget)
    machine.start()
    for _ in 0..<300_000 {
      machine.gate.hold()
      machine.gate.release()
    }
    #expect(machine.perform { $0.isRunning } == false)
  }

  /// Threads that reach a machine which stands work in its own thread's place; still only one works at once, and no start
  /// of the guest is lost.
  @Test func whoeverWorksDoesSoAlone() throws {
    final class Plain: @unchecked Sendable {
      var count = 0
      var starts = 0
    }
    let machine = try machine(.budget)
    let plain = Plain()
    machine.start()
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      for turn in 0..<5000 {
        machine.perform { _ in plain.count += 1 }
        switch (thread, turn % 128) {
        case (0, 0):
          machine.perform { machine in
            if !machine.isRunning { plain.starts += 1 }
            machine.resume()
          }
        case (1, 64): machine.stop()
        default: break
        }
      }
    }
    machine.stop()
    #expect(machine.perform { _ in plain.count } == 20_000)
    let before = machine.perform { $0.engine.vcpus[0].retiredInstructions }
    #expect(plain.starts > 0 && before > 0)
    machine.resume()
    var isMoving = false
    for _ in 0..<5000 where !isMoving {
      usleep(1000)
      isMoving = machine.perform { $0.engine.vcpus[0].retiredInstructions > before }
    }
    #expect(isMoving)
    machine.shutDown()
  }

  /// In the second case another thread asks for stops for no reason meanwhile.
  @Test(arguments: InterruptStrategy.allCases, [false, true])
  func noInterruptIsLostOrDoubled(strategy: InterruptStrategy, disturbed: Bool) throws {
    let machine = try machine(strategy)
    machine.start()
    machine.resume()
    let progress = Progress()
    if disturbed {
      Thread {
        var state: UInt32 = 7
        while !progress.isOver.load(ordering: .relaxed) {
          state = state &* 1_664_525 &+ 1_013_904_223
          usleep(state >> 24)
          machine.engine.requestStop()
        }
      }.start()
    }
    Thread {
      send(to: machine, progress)
      progress.isOver.store(true, ordering: .relaxed)
    }.start()
    var (last, idle) = (-1, 0)
    while !progress.isOver.load(ordering: .relaxed) {
      usleep(10_000)
      let reached = progress.reached.load(ordering: .relaxed)
      idle = reached == last ? idle + 1 : 0
      last = reached
      // The threads cannot be freed: the guest is never left again.
      try #require(idle < 500, "a stop was lost after \(reached) were heard")
    }
    let sent = UInt64(progress.sent.load(ordering: .relaxed))
    let count = { machine.perform { $0.space.peek(Self.counter, size: 8) ?? 0 } }
    for _ in 0..<100 where count() < sent { usleep(10_000) }
    usleep(20_000)
    #expect(count() == sent)
    #expect(sent > 20)
    if Self.seconds > 10 { print("\(strategy)\(disturbed ? ", disturbed" : ""): \(sent) interrupts") }
    machine.stop()
    let loops = machine.perform { $0.guest.readRegister($0.engine.vcpus[0].state, 9) }
    #expect(loops > 1000)
    machine.shutDown()
  }

  /// A device's event comes at its time, though nothing counts instructions.
  @Test(arguments: InterruptStrategy.allCases)
  func timersFire(strategy: InterruptStrategy) throws {
    let machine = try machine(strategy)
    machine.start()
    machine.perform { machine in
      // mtimecmp of hart 0: 20 ms at 10 MHz.
      try? machine.space.write(0x200_4000, size: 8, 200_000)
    }
    machine.resume()
    var fired = false
    for _ in 0..<400 where !fired {
      usleep(5000)
      fired = machine.perform { $0.events.nextDeadline == .max }
    }
    #expect(fired)
    machine.shutDown()
  }

  /// Goes from machine mode to a supervisor behind page tables and back for ever.
  static let modeSwitches: [UInt32] = [
    0x0000_0297,  // _start: auipc t0, 0
    0x0782_8293,  // addi t0, t0, 120
    0x3052_9073,  // csrw mtvec, t0
    0xfff0_0293,  // li t0, -1
    0x3b02_9073,  // csrw pmpaddr0, t0
    0x01f0_0293,  // li t0, 31
    0x3a02_9073,  // csrw pmpcfg0, t0
    0x4000_12b7,  // lui t0, 262145
    0x0012_9293,  // slli t0, t0, 1
    0x0082_8293,  // addi t0, t0, 8
    0x2000_0337,  // lui t1, 131072
    0x0cf3_0313,  // addi t1, t1, 207
    0x0062_b023,  // sd t1, 0(t0)
    0xfff0_02b7,  // lui t0, 1048320
    0xffb2_8293,  // addi t0, t0, -5
    0x0012_d293,  // srli t0, t0, 1
    0xfff2_c293,  // not t0, t0
    0x1802_9073,  // csrw satp, t0
    0x1200_0073,  // sfence.vma
    0x0010_0293,  // li t0, 1
    0x00b2_9293,  // slli t0, t0, 11
    0x3002_a073,  // csrs mstatus, t0
    0x0000_0397,  // auipc t2, 0
    0x0183_8393,  // addi t2, t2, 24
    0x4000_02b7,  // lui t0, 262144
    0x4053_83b3,  // sub t2, t2, t0
    0x3413_9073,  // csrw mepc, t2
    0x3020_0073,  // mret
    0x0014_8493,  // supervisor: addi s1, s1, 1
    0x0000_0073,  // ecall
    0x3420_22f3,  // handler: csrr t0, mcause
    0x0090_0313,  // li t1, 9
    0x0062_9c63,  // bne t0, t1, 0x80000098
    0x0010_0293,  // li t0, 1
    0x00b2_9293,  // slli t0, t0, 11
    0x3002_a073,  // csrs mstatus, t0
    0x3413_9073,  // csrw mepc, t2
    0x3020_0073,  // mret
    0x0019_0913,  // wrong: addi s2, s2, 1
    0xffdf_f06f,  // j 0x80000098
  ]

  /// A return to another mode asks for a look at the mode before the next block is looked up.
  @Test(arguments: InterruptStrategy.allCases)
  func returnsChangeTheMode(strategy: InterruptStrategy) throws {
    let machine = try machine(strategy, Self.modeSwitches)
    machine.start()
    machine.resume()
    usleep(100_000)
    machine.stop()
    let (rounds, faults) = machine.perform { machine in
      let state = machine.engine.vcpus[0].state
      return (machine.guest.readRegister(state, 9), machine.guest.readRegister(state, 18))
    }
    #expect(rounds > 100)
    #expect(faults == 0)
    machine.shutDown()
  }

  @Test func onlyTheJITStopsOtherwise() {
    for strategy in InterruptStrategy.allCases where !strategy.isDeterministic {
      var configuration = MachineConfiguration(board: boardsFolder + "riscv/virt.dts")
      configuration.host = "interpreter"
      configuration.engine.interrupts = strategy
      #expect(throws: MachineError.self) {
        try Machine.make(configuration, registry: registry, backends: [Collector()]) { _, _ in }
      }
    }
  }
}
