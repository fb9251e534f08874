// Owns the tests that a run is a function of its inputs: snapshots, repetition, both hosts, and a debugger looking on.

import Engine
import Foundation
import Machine
import Testing

/// A program for any board with a CLINT at 0x2000000: every hart takes a timer interrupt each 2,000 instructions, adds
/// to a word that all share, and writes what it saw to a page of its own.
let interruptedProgram: [UInt32] = [
  0xf140_22f3,  //          csrr   t0, mhartid
  0x0000_0317,  //          auipc  t1, 0
  0x0703_0313,  //          addi   t1, t1, 112
  0x3053_1073,  //          csrw   mtvec, t1
  0x0200_4437,  //          lui    s0, 0x2004          mtimecmp of this hart
  0x0032_9393,  //          slli   t2, t0, 3
  0x0074_0433,  //          add    s0, s0, t2
  0x0200_c4b7,  //          lui    s1, 0x200c          mtime
  0xff84_8493,  //          addi   s1, s1, -8
  0x0004_be03,  //          ld     t3, 0(s1)
  0x0c8e_0e13,  //          addi   t3, t3, 200
  0x01c4_3023,  //          sd     t3, 0(s0)
  0x0800_0e93,  //          li     t4, 0x80
  0x304e_9073,  //          csrw   mie, t4
  0x8010_0937,  //          lui    s2, 0x80100         the shared word
  0x0209_1913,  //          slli   s2, s2, 32
  0x0209_5913,  //          srli   s2, s2, 32
  0x00c2_9393,  //          slli   t2, t0, 12
  0x0079_09b3,  //          add    s3, s2, t2          this hart's page
  0x3004_6073,  //          csrsi  mstatus, 8
  0x0009_b503,  // loop:    ld     a0, 0(s3)
  0x0035_0513,  //          addi   a0, a0, 3
  0x00a9_b023,  //          sd     a0, 0(s3)
  0x00a9_35af,  //          amoadd.d a1, a0, (s2)
  0x7f85_f613,  //          andi   a2, a1, 0x7f8
  0x0136_0633,  //          add    a2, a2, s3
  0x00b6_3423,  //          sd     a1, 8(a2)
  0xfe5f_f06f,  //          j      loop
  0x0000_0013,  //          nop
  0x0004_be03,  // handler: ld     t3, 0(s1)
  0x0c8e_0e13,  //          addi   t3, t3, 200
  0x01c4_3023,  //          sd     t3, 0(s0)
  0x001a_0a13,  //          addi   s4, s4, 1
  0x3020_0073,  //          mret
]

/// How a run ended, in one comparable value.
struct Ending: Equatable {
  var digest: UInt64
  var ticks: [UInt64]
  var retired: [UInt64]

  init(_ machine: Machine) throws(MachineError) {
    digest = try machine.digest()
    ticks = machine.engine.vcpus.map(\.ticks)
    retired = machine.engine.vcpus.map(\.retiredInstructions)
  }
}

@Suite struct DeterminismTests {
  private func made(
    _ board: String = "virt", host: String = "jit", harts: Int = 1, limit: UInt64? = nil
  ) throws -> Machine {
    let file = try TemporaryFile(words: interruptedProgram)
    return try machine(board, host: host) {
      $0.bios = file.path
      $0.cpuCount = harts
      $0.instructionLimit = limit
    }
  }

  /// The ending after 700,000 instructions, with `work` done on the machine first.
  private func ending(
    _ board: String = "virt", host: String = "jit", harts: Int = 1, _ work: (Machine) throws -> Void = { _ in }
  ) throws -> Ending {
    let machine = try made(board, host: host, harts: harts, limit: 700_000)
    try work(machine)
    #expect(machine.run(ticks: .max) == .requested)
    return try Ending(machine)
  }

  @Test func everyBoardMakesAMachine() throws {
    let folder = URL(fileURLWithPath: boardsFolder).resolvingSymlinksInPath().path
    let boards = try FileManager.default.subpathsOfDirectory(atPath: folder).filter { $0.hasSuffix(".dts") }
    #expect(boards.contains("riscv/virt.dts"))
    for board in boards {
      let configuration = MachineConfiguration(board: boardsFolder + board)
      let machine = try Machine.make(configuration, registry: registry, backends: []) { _, _ in }
      #expect(!machine.engine.vcpus.isEmpty && !machine.memories.isEmpty, "\(board)")
    }
  }

  @Test(arguments: ["virt", "spike"], hosts)
  func aRestoredSnapshotRunsTheSameAgain(board: String, host: String) throws {
    for harts in [1, 3] {
      let machine = try made(board, host: host, harts: harts)
      #expect(machine.run(ticks: 250_000) == nil)
      try machine.saveSnapshot(named: "there")
      let there = try Ending(machine)
      #expect(machine.run(ticks: 700_000) == nil)
      let end = try Ending(machine)
      #expect(end != there)
      for _ in 0..<2 {
        try machine.restoreSnapshot(named: "there")
        #expect(try Ending(machine) == there)
        #expect(machine.run(ticks: 700_000) == nil)
        #expect(try Ending(machine) == end)
      }
    }
  }

  @Test func aSnapshotMovesToAnotherMachineOfItsKind() throws {
    let first = try made(host: "jit")
    #expect(first.run(ticks: 250_000) == nil)
    let snapshot = try first.saveSnapshot()
    #expect(snapshot.ticks >= 250_000 && snapshot.memoryBytes > 0)
    #expect(first.run(ticks: 500_000) == nil)
    let second = try made(host: "interpreter")
    try second.restore(snapshot)
    #expect(second.run(ticks: 500_000) == nil)
    #expect(try Ending(first) == Ending(second))
    let other = try made("spike")
    #expect(throws: MachineError.self) { try other.restore(snapshot) }
    #expect(throws: MachineError.self) { try other.restoreSnapshot(named: "nowhere") }
  }

  @Test(arguments: [1, 4])
  func runsAreEqualOnBothHosts(harts: Int) throws {
    let first = try ending(harts: harts)
    #expect(try ending(harts: harts) == first)
    #expect(try ending(host: "interpreter", harts: harts) == first)
    #expect(first.ticks.allSatisfy { $0 >= 700_000 })
  }

  /// The way code is cut into blocks, and where it is kept, is of no consequence.
  @Test func translationChoicesDoNotShow() throws {
    let plain = try ending()
    let file = try TemporaryFile(words: interruptedProgram)
    let choices: [(Int, Set<String>, TierPolicy)] = [
      (1, [], .thorough), (3, [], .adaptive), (64, [], .quick),
      (64, ["RegisterForwarding", "DeadCodeElimination"], .thorough),
    ]
    for (length, passes, tiers) in choices {
      let machine = try machine("virt") {
        $0.bios = file.path
        $0.instructionLimit = 700_000
        $0.engine.maximumInstructions = length
        $0.engine.disabledPasses = passes
        $0.engine.tiers = tiers
        $0.engine.codeCacheSize = 1 << 16
      }
      #expect(machine.run(ticks: .max) == .requested)
      #expect(try Ending(machine) == plain)
    }
    let flushed = try ending { machine in
      for ticks in stride(from: UInt64(50_000), to: 700_000, by: 50_000) {
        #expect(machine.run(ticks: ticks) == nil)
        machine.engine.flush()
      }
    }
    #expect(flushed == plain)
  }

  @Test(arguments: hosts, [1, 2])
  func aDebuggerDoesNotShow(host: String, harts: Int) throws {
    let plain = try ending(host: host, harts: harts)
    let start: UInt64 = 0x8000_0000
    let watched = try ending(host: host, harts: harts) { machine in
      machine.engine.insertBreakpoint(start + 0x70)
      machine.engine.insertBreakpoint(start + 0x1000)
      machine.engine.insert(Watchpoint(address: 0x8010_0FF8, length: 8, onRead: true, onWrite: true))
    }
    #expect(watched == plain)
    let stopped = try ending(host: host, harts: harts) { machine in
      machine.engine.insertBreakpoint(start + 0x5c)
      machine.engine.insertBreakpoint(start + 0x74)
      for _ in 0..<3000 { #expect(machine.run(ticks: .max) != .requested) }
      machine.engine.removeBreakpoint(start + 0x5c)
      machine.engine.removeBreakpoint(start + 0x74)
    }
    #expect(stopped == plain)
    let caught = try ending(host: host, harts: harts) { machine in
      let watchpoint = Watchpoint(address: 0x8010_0000, length: 8, onRead: false, onWrite: true)
      machine.engine.insert(watchpoint)
      for _ in 0..<2000 {
        guard case .watchpoint? = machine.run(ticks: .max) else { throw MachineError.setup("no watchpoint hit") }
      }
      machine.engine.remove(watchpoint)
    }
    #expect(caught == plain)
    let stepped = try ending(host: host, harts: harts) { machine in
      for _ in 0..<150_000 {
        machine.resume(.step(hart: 0))
        machine.runRounds(1)
      }
      machine.resume(.stepRange(hart: 0, start..<start + 0x74))
      machine.runRounds(1000)
      #expect(machine.lastStop == .stepped(hart: 0))
    }
    #expect(stepped == plain)
  }
}
