// Owns the tests of watchpoints on instructions that access memory several times, and on what no instruction does.

import Bus
import Engine
import GuestARM
import HostInterpreter
import HostKit
import HostX86_64
import Testing

@Suite(.serialized) struct WatchpointTests {
  /// One watched word of what each moves; nothing of the instruction is to be done at the stop.
  private static let moves = [
    "stmia r4!, {r0, r1, r5, r6}", "stmdb r4!, {r0, r1, r5, r6}", "strd r0, r1, [r4, #-4]!", "strd r0, r1, [r4], #8",
    "push {r0, r1, r5, r6}", "vstmia r4!, {s0-s3}", "vstmdb r4!, {d0-d1}", "vstr d0, [r4, #-4]",
    "ldmia r4!, {r0, r1, r5, r6}", "ldmdb r4!, {r0, r1, r5, r6}", "ldrd r0, r1, [r4, #-4]!", "pop {r0, r1, r5, r6}",
    "vldmia r4!, {s0-s3}", "vldr d0, [r4, #-4]",
  ]

  @Test(.enabled(if: canAssemble), arguments: hosts, moves)
  func nothingIsDoneBeforeTheStop(host: String, move: String) throws {
    // On either side of a page's end, so that one page of two is watched.
    for middle in [0x2000_3000, 0x2000_3008] as [UInt64] {
      let bench = try Bench(
        """
          .fpu fpv4-sp-d16
          set 0xE000ED88, 0x00F00000
          isb
          ldr r4, =\(middle)
          mov sp, r4
          movs r0, 1
          movs r1, 2
          movs r5, 3
          movs r6, 4
          vmov s0, r0
          vmov s1, r1
          vmov s2, r5
          vmov s3, r6
          udf 1
        move:
          \(move)
          b end
        """, model: "cortex-m4f", host: host)
      for word in 0..<16 { try bench.space.write(middle - 32 + 4 * UInt64(word), size: 4, UInt64(100 + word)) }
      bench.engine.insertBreakpoint(try start(of: bench))
      #expect(bench.run() == .breakpoint)
      bench.engine.removeBreakpoint(bench.cpu.state.pc)
      bench.cpu.state.pc &+= 2
      bench.cpu.wasReset()
      let (pc, before) = (bench.cpu.state.pc, try Visible(bench))
      let plain = try Self.end(bench)
      var hits = 0
      for word in 0..<16 {
        let point = Watchpoint(
          address: middle - 32 + 4 * UInt64(word) + 1, length: 1, onRead: true, onWrite: true)
        try before.restore(bench, pc)
        bench.engine.insert(point)
        if bench.cpu.run(until: bench.cpu.ticks + 50) == .watchpoint {
          hits += 1
          #expect(bench.cpu.state.pc == pc && bench.cpu.watchHit?.timing == .before)
          #expect(try Visible(bench) == before, "\(move), word \(word)")
          bench.engine.remove(point)
          #expect(try Self.end(bench) == plain, "\(move), word \(word)")
        }
        bench.engine.remove(point)
      }
      #expect(hits == (move.contains("s3") || move.contains("r6") || move.contains("d1") ? 4 : 2), "\(move)")
    }
  }

  private func start(of bench: Bench) throws -> UInt64 {
    // The UDF before the instruction.
    for address in stride(from: UInt64(0x40), to: 0x400, by: 2)
    where try bench.space.read(address, size: 2) == 0xDE01 { return address }
    throw WatchError.noMark
  }

  /// What is there when the instruction is done.
  private static func end(_ bench: Bench) throws -> Visible {
    #expect(bench.cpu.step() == .stepped)
    return try Visible(bench)
  }

  /// Code that compares addresses itself does so with all that an instruction moves.
  @Test(.enabled(if: canAssemble), arguments: hosts) func comparingCodeStopsBeforeTheFirstWord(host: String) throws {
    let bench = try Bench(
      """
        ldr r4, =0x20003000
        movs r0, 0
        movs r1, 0
      again:
        adds r0, 1
        stmia r4!, {r0, r1}
        b again
      """, host: host)
    for address in [0x2000_3204, 0x2000_3430] as [UInt64] {
      bench.engine.insert(Watchpoint(address: address, length: 1, onRead: false, onWrite: true))
    }
    for address in [0x2000_3200, 0x2000_3430] as [UInt64] {
      #expect(bench.run() == .watchpoint)
      #expect(bench.guest.readRegister(bench.cpu.state, 4) == address)
      #expect(try bench.word(address) == 0)
      #expect(try UInt64(bench.word(address - 8)) == (address - 0x2000_3000) / 8)
    }
    if host == "jit" { #expect(bench.engine.statistics.slowAccesses < 300) }
  }

  // MARK: Stacking

  /// The stacking of an exception is no instruction: the stop is behind it, in the handler.
  @Test(.enabled(if: canAssemble), arguments: hosts) func stackingStopsBehindIt(host: String) throws {
    let bench = try Bench(
      """
        ldr r0, =0x20004000
        mov sp, r0
        svc 0
        b end
      .thumb_func
      svcall:
        bx lr
      """, host: host)
    bench.engine.insert(Watchpoint(address: 0x2000_3FE4, length: 4, onRead: false, onWrite: true))
    #expect(bench.run() == .watchpoint)
    let hit = try #require(bench.cpu.watchHit)
    #expect(hit.timing == .event && hit.address == 0x2000_3FE4 && hit.isWrite)
    #expect(bench.guest.readRegister(bench.cpu.state, 14) == 0xFFFF_FFF9)
  }

  // MARK: Random programs

  private struct Stop: Equatable {
    var pc: UInt64
    var retired: UInt64
    var address: UInt64
    var timing: WatchHit.Timing
    var registers: [UInt64]
    var scratch: [UInt8]

    init(_ engine: Engine, _ cpu: VCPU, _ hit: WatchHit) throws {
      (pc, retired, address, timing) = (cpu.state.pc, cpu.retiredInstructions, hit.address, hit.timing)
      registers = engine.guest.registerFile.registers.indices.map { engine.guest.readRegister(cpu.state, $0) }
      scratch = try engine.space.copyOut(at: UInt64(Place.scratch), count: Place.scratchSize)
    }
  }

  @Test(arguments: ["cortex-m0", "cortex-m4", "cortex-m33"]) func stopsAgree(model: String) throws {
    try stopsAgree(model, RandomProgram.self)
  }

  @Test(arguments: ["cortex-m4f", "cortex-m7"]) func stopsAgreeOnFloatingPoint(model: String) throws {
    try stopsAgree(model, FloatProgram.self)
  }

  /// Every host stops at the same places, sees the same there, and leaves what it leaves unwatched.
  private func stopsAgree<P: DifferentialProgram>(_ model: String, _ kind: P.Type) throws {
    let guest = try ARMGuest(model: model)
    let tests = DifferentialTests()
    let program = P(guest, cases: 200, seed: DifferentialTests.seed)
    let plain = try tests.run(program, guest, InterpreterHost.self, passes: false)
    var random = SplitMix(DifferentialTests.seed)
    var found = 0
    for _ in 0..<6 {
      let points = (0..<6).map { _ in
        let place = UInt64(random.next() >> 40) % UInt64(Place.scratchSize)
        let (isRead, isBehind) = (random.next() >> 40 & 1 == 0, random.next() >> 40 & 3 == 0)
        return Watchpoint(
          address: UInt64(Place.scratch) + place, length: 1 + random.next() >> 40 % 100, onRead: isRead,
          onWrite: true, stopsBehind: isBehind)
      }
      func stops<H: Host>(_ host: H.Type, _ interpreter: (any PackedTier.Type)? = nil, passes: Bool) throws -> [Stop] {
        var stops: [Stop] = []
        let left = try tests.run(program, guest, host, interpreter: interpreter, passes: passes) { engine, cpu in
          for point in points { engine.insert(point) }
          while true {
            let outcome = cpu.run(until: 100_000_000)
            guard outcome == .watchpoint, let hit = cpu.watchHit else { return outcome }
            if stops.count < 400 { stops.append(try Stop(engine, cpu, hit)) }
          }
        }
        #expect(left == plain, "\(host) under \(points)")
        return stops
      }
      let expected = try stops(InterpreterHost.self, passes: false)
      found += expected.count
      for theirs in [
        try stops(X86_64Host.self, passes: true), try stops(X86_64Host.self, Interpreter.self, passes: true),
      ] {
        let first = zip(theirs, expected).first { $0 != $1 }
        #expect(theirs == expected, "\(points): \(first.map { "\($0.0.pc) \($0.1.pc)" } ?? "another number")")
      }
    }
    #expect(found > 5, "the test is to hit watchpoints")
  }
}

private enum WatchError: Error { case noMark }

/// All that the guest can see of its registers and of the words around.
private struct Visible: Equatable {
  var registers: [UInt64]
  var words: [UInt8]

  init(_ bench: Bench) throws {
    registers = bench.guest.registerFile.registers.indices.map { bench.guest.readRegister(bench.cpu.state, $0) }
    words = try bench.space.copyOut(at: 0x2000_2F00, count: 0x200)
  }

  func restore(_ bench: Bench, _ pc: UInt64) throws {
    for (number, value) in registers.enumerated() { bench.guest.writeRegister(bench.cpu.state, number, value) }
    try bench.space.copyIn(words, at: 0x2000_2F00)
    bench.cpu.state.pc = pc
    bench.cpu.wasReset()
  }
}
