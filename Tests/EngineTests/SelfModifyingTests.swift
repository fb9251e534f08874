// Owns the tests of guest code that is written while it runs, and of code caches that fill up.
//
// A store is seen by the very next instruction, with or without `fence.i`: the architecture allows less, but only so is
// a run the same however its code is cut into blocks.

import Engine
import HostInterpreter
import HostKit
import HostX86_64
import Testing

/// A program, where it goes, and what x10 is when it has reached its end.
struct Case: CustomTestStringConvertible, Sendable {
  var testDescription: String
  var program: [UInt32]
  var offset: UInt64 = 0
  var expected: UInt64
}

@Suite struct SelfModifyingTests {
  /// What compiles code, and what runs it before that.
  private static let hosts: [(any Host.Type, interpreter: (any PackedTier.Type)?)] = [
    (X86_64Host.self, nil), (InterpreterHost.self, nil), (X86_64Host.self, Interpreter.self),
  ]

  private func rig(
    _ host: Int, _ program: [UInt32], offset: UInt64 = 0, options: EngineOptions = EngineOptions(),
    isMirrored: Bool = false
  ) throws -> Rig {
    let (host, interpreter) = Self.hosts[host]
    return try Rig(host, interpreter: interpreter, program, offset: offset, options: options, isMirrored: isMirrored)
  }

  /// The instruction behind the store changes from "x10 = 2" to "x10 = 7".
  private static let nextInstruction = Case(
    testDescription: "the next instruction",
    program: [
      Code.auipc(6), Code.lw(5, 24, 6), Code.addi(10, 0, 1), Code.sw(5, 16, 6), Code.addi(10, 0, 2), Code.stop,
      Code.addi(10, 0, 7),
    ], expected: 7)

  private static let behindFence = Case(
    testDescription: "the next instruction, behind fence.i",
    program: [
      Code.auipc(6), Code.lw(5, 28, 6), Code.addi(10, 0, 1), Code.sw(5, 20, 6), Code.fenceI, Code.addi(10, 0, 2),
      Code.stop, Code.addi(10, 0, 7),
    ], expected: 7)

  /// The store overwrites itself, and is not executed again.
  private static let itself = Case(
    testDescription: "the storing instruction itself",
    program: [
      Code.auipc(6), Code.addi(10, 10, 5), Code.sw(0, 8, 6), Code.addi(10, 10, 6), Code.stop,
    ], expected: 11)

  /// The loop adds 0 + 1 + … + 499: each time round, it raises the immediate of its own addition.
  private static let loop = Case(
    testDescription: "a loop that counts in its own code",
    program: [
      Code.auipc(6), Code.addi(7, 0, 500), Code.lui(8, 0x100), Code.lw(5, 16, 6),
      Code.addi(10, 10, 0), Code.add(5, 5, 8), Code.sw(5, 16, 6), Code.addi(7, 7, -1), Code.bne(7, 0, -16), Code.stop,
    ], expected: 499 * 500 / 2)

  /// An outer loop changes the body of a chained inner loop of 20 rounds: 20 × (0 + 1 + … + 99).
  private static let chained = Case(
    testDescription: "a chained loop, from outside",
    program: [
      Code.auipc(6), Code.addi(7, 0, 100), Code.lui(8, 0x100), Code.lw(5, 20, 6), Code.addi(9, 0, 20),
      Code.addi(10, 10, 0), Code.addi(9, 9, -1), Code.bne(9, 0, -8),
      Code.add(5, 5, 8), Code.sw(5, 20, 6), Code.addi(7, 7, -1), Code.bne(7, 0, -28), Code.stop,
    ], expected: 20 * 99 * 100 / 2)

  /// A store goes a thousand times beside the code, and then changes the instruction behind it.
  private static let guided = Case(
    testDescription: "the next instruction, by a guided store",
    program: [
      Code.auipc(6), Code.addi(7, 0, 1000), Code.lw(5, 56, 6), Code.addi(9, 6, 256),
      Code.sw(5, 0, 9), Code.addi(10, 0, 2), Code.addi(7, 7, -1), Code.bne(7, 0, -12),
      Code.addi(9, 6, 20), Code.addi(7, 0, 1), Code.bne(11, 0, 12), Code.addi(11, 0, 1), Code.jal(0, -32),
      Code.stop, Code.addi(10, 0, 7),
    ], expected: 7)

  /// The same by an atomic swap, which looks its line up as a guided store does.
  private static let guidedSwap: Case = {
    var test = guided
    test.testDescription = "the next instruction, by a guided swap"
    test.program[4] = Code.amoswapw(12, 5, 9)
    return test
  }()

  /// A store goes a thousand times into the line before the code, and then reaches with two bytes over its end: the first
  /// instruction, which has counted once in x10, counts in x12.
  private static let intoNextLine = Case(
    testDescription: "half an instruction, by a guided store that starts in the line before",
    program: [
      Code.addi(10, 10, 1), Code.bne(11, 0, 52), Code.auipc(6), Code.addi(7, 0, 1000), Code.addi(9, 6, -24),
      Code.lw(5, 52, 6), Code.sw(5, 0, 9), Code.addi(7, 7, -1), Code.bne(7, 0, -8), Code.addi(9, 6, -10),
      Code.bne(11, 0, -40), Code.addi(11, 0, 1), Code.addi(7, 0, 1), Code.jal(0, -28), Code.stop,
      Code.addi(12, 10, 1) << 16,
    ], offset: 0x100, expected: 1)

  private static let swap = Case(
    testDescription: "the next instruction, by an atomic swap",
    program: [
      Code.auipc(6), Code.lw(5, 28, 6), Code.addi(6, 6, 20), Code.addi(10, 0, 1), Code.amoswapw(11, 5, 6),
      Code.addi(10, 0, 2), Code.stop, Code.addi(10, 0, 7),
    ], expected: 7)

  private static let conditional = Case(
    testDescription: "the same block, by store-conditional",
    program: [
      Code.auipc(6), Code.lw(8, 36, 6), Code.addi(6, 6, 28), Code.addi(10, 0, 1),
      Code.lrw(5, 6), Code.scw(7, 8, 6), Code.bne(7, 0, -8), Code.addi(10, 0, 2), Code.stop, Code.addi(10, 0, 7),
    ], expected: 7)

  /// The addition lies at 0xFFE, across two pages, and its half with the immediate is written: 0 + 1 + … + 99.
  private static let acrossPages = Case(
    testDescription: "an instruction across two pages",
    program: Code.behindHalfword([
      Code.auipc(6), Code.addi(7, 0, 100), Code.lh(5, 18, 6), Code.nop,
      Code.addi(10, 10, 0), Code.addi(5, 5, 16), Code.sh(5, 18, 6), Code.addi(7, 7, -1), Code.bne(7, 0, -16), Code.stop,
    ]), offset: 0xFEC, expected: 99 * 100 / 2)

  private static let cases = [
    nextInstruction, behindFence, itself, loop, chained, guided, guidedSwap, intoNextLine, swap, conditional,
    acrossPages,
  ]

  @Test(arguments: cases, 0..<3) func storesAreSeenAtOnce(_ test: Case, _ host: Int) throws {
    let whole = try rig(host, test.program, offset: test.offset)
    #expect(whole.run(50_000) == .deadline)
    #expect(whole.x(10) == test.expected)

    var options = EngineOptions()
    options.maximumInstructions = 1
    let single = try rig(host, test.program, offset: test.offset, options: options)
    #expect(single.run(50_000) == .deadline)
    #expect(single.outcome == whole.outcome)

    let stepped = try rig(host, test.program, offset: test.offset)
    while !stepped.vcpu.mayInterrupt || stepped.vcpu.ticks < 50_000 {
      guard stepped.vcpu.step(until: 50_000) == .stepped else { break }
    }
    #expect(stepped.outcome == whole.outcome)
  }

  /// The program goes to its own memory at another address.
  private static let intoMirror: [UInt32] = [Code.auipc(6), Code.lui(9, 0x10000), Code.add(6, 6, 9)]

  private static let mirrored = [
    Case(
      testDescription: "the next instruction",
      program: intoMirror + [
        Code.lw(5, 32, 6), Code.addi(10, 0, 1), Code.sw(5, 24, 6), Code.addi(10, 0, 2), Code.stop, Code.addi(10, 0, 7),
      ], expected: 7),
    Case(
      testDescription: "a loop that counts in its own code",
      program: intoMirror + [
        Code.addi(7, 0, 500), Code.lui(8, 0x100), Code.lw(5, 24, 6),
        Code.addi(10, 10, 0), Code.add(5, 5, 8), Code.sw(5, 24, 6), Code.addi(7, 7, -1), Code.bne(7, 0, -16), Code.stop,
      ], expected: 499 * 500 / 2),
  ]

  @Test(arguments: mirrored, 0..<3) func storesAtAnotherAddressAreSeen(_ test: Case, _ host: Int) throws {
    let rig = try self.rig(host, test.program, isMirrored: true)
    #expect(rig.run(50_000) == .deadline)
    #expect(rig.x(10) == test.expected)
  }

  /// Data beside code is written 2,000 times; the code is translated once more, for the guided store, at each of its
  /// entries. The data are the word right behind the code.
  @Test(arguments: 0..<3) func dataInACodePageLeavesTheCodeAlone(_ host: Int) throws {
    let rig = try self.rig(
      host,
      [
        Code.auipc(6), Code.addi(7, 0, 2000), Code.lw(5, 32, 6), Code.addi(5, 5, 3), Code.sw(5, 32, 6),
        Code.addi(7, 7, -1), Code.bne(7, 0, -16), Code.stop, 0,
      ])
    #expect(rig.run(50_000) == .deadline)
    #expect(rig.x(5) == 6000)
    #expect(rig.engine.statistics.quick.blocks < 8)
    #expect(rig.engine.statistics.invalidations <= 2)
    #expect(rig.engine.statistics.slowAccesses < 100 || Self.hosts[host].0 != X86_64Host.self)
  }

  /// 6,000 blocks, three times round, in a cache that holds a part of them.
  @Test(arguments: 0..<3) func aFullCodeCacheIsEmptiedAndFilledAgain(_ host: Int) throws {
    let hops = (0..<6000).flatMap { _ in [Code.addi(10, 10, 1), Code.jal(0, 8), Code.nop] }
    let program =
      [Code.addi(7, 0, 3)] + hops
      + [Code.addi(7, 7, -1), Code.bne(7, 0, 8), Code.stop, Code.jal(0, Int32(-4 * (hops.count + 3)))]
    var options = EngineOptions()
    options.codeCacheSize = 1 << 16
    let rig = try self.rig(host, program, options: options)
    #expect(rig.run(60_000) == .deadline)
    #expect(rig.x(10) == 18_000)
    if Self.hosts[host].0 == X86_64Host.self { #expect(rig.engine.statistics.flushes > 3) }
  }

  /// Self-modification and a full cache at once.
  @Test(arguments: [loop, chained], 0..<3) func rewrittenLoopsSurviveATinyCache(_ test: Case, _ host: Int) throws {
    var options = EngineOptions()
    options.codeCacheSize = 1 << 16
    let rig = try self.rig(host, test.program, options: options)
    for ticks in stride(from: UInt64(500), through: 50_000, by: 500) { #expect(rig.run(ticks) == .deadline) }
    #expect(rig.x(10) == test.expected)
  }
}
