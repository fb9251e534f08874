// Owns the tests over random blocks: no pass and no host changes what a block does.

import Foundation
import HostInterpreter
import HostKit
import IR
import Optimizer
import TestSupport
import Testing

@Suite struct RandomBlockTests {
  static let count: UInt64 = UInt64(ProcessInfo.processInfo.environment["RANDOM_BLOCKS"] ?? "") ?? 8000

  /// The whole pipeline, and for every block one random subset of the passes in random order; each on every host.
  @Test(arguments: HostSetup.all)
  func blocksDoTheSame(_ setup: HostSetup) throws {
    let effects = TestGuest.helpers.map(\.effects)
    let whole = Optimizer(helpers: effects)
    let reference = try InterpreterHost(TestGuest.configuration)
    let host = try setup.type.init(TestGuest.configuration)
    let (expected, result) = (TestCPU(), TestCPU())
    for seed in 0..<Self.count {
      let block = RandomBlock.make(seed: seed)
      var random = SplitMix(seed: ~seed)
      let some = Pass.pipeline.shuffled(using: &random).prefix(random.below(5))
      for optimizer in [whole, Optimizer(passes: Array(some), helpers: effects)] {
        var copy = block
        optimizer.run(&copy)
        try TestGuest.verifier.verify(copy)
        #expect(copy.ops.count <= block.ops.count)
        guard try differs(copy, block, seed) else { continue }
        if try differs(copy, copy, seed) {
          // The host is at fault, not a pass.
          let small = try shrunk(copy) { try differs($0, $0, seed) }
          Issue.record(report(seed, "host \(setup)", small, small))
        } else {
          let names = optimizer.passes.map(\.name).joined(separator: " ")
          let small = try shrunk(block) {
            var optimised = $0
            optimizer.run(&optimised)
            return try differs(optimised, $0, seed)
          }
          var optimised = small
          optimizer.run(&optimised)
          Issue.record(report(seed, "passes \(names)", small, optimised))
        }
        return
      }
    }

    /// Whether `block` on the host ends otherwise than `original` on the reference.
    func differs(_ block: Block, _ original: Block, _ seed: UInt64) throws -> Bool {
      try run(original, on: reference, setup.dataPath, expected, seed)
      try run(block, on: host, setup.dataPath, result, seed)
      return expected.outcome != result.outcome || !expected.isEqual(to: result)
    }

    func report(_ seed: UInt64, _ what: String, _ block: Block, _ copy: Block) -> Comment {
      _ = try? differs(copy, block, seed)
      let start = TestCPU()
      start.randomise(seed)
      let printer = Printer(TestGuest.names)
      return """
        seed \(seed), \(what)
        \(printer.text(block))as \(printer.text(copy))expected: \(expected.outcome)
        \(expected.changes(since: start))result: \(result.outcome)
        \(result.changes(since: start))from: \(start.changes(since: TestCPU()).prefix(600))
        """
    }
  }

  /// `block` without the ops that can go with `fails` still holding.
  private func shrunk(_ block: Block, _ fails: (Block) throws -> Bool) rethrows -> Block {
    var block = block
    var index = block.ops.count - 2
    while index >= 0 {
      var smaller = block
      smaller.ops.remove(at: index)
      if (try? TestGuest.verifier.verify(smaller)) != nil, try fails(smaller) { block = smaller }
      index -= 1
    }
    return block
  }

  private func run(
    _ block: Block, on host: any HostKit.Host, _ dataPath: DataPath, _ cpu: TestCPU, _ seed: UInt64,
    chained: Bool = true
  ) throws {
    cpu.randomise(seed)
    host.reset()
    let compiled =
      chained
      ? try host.compileChained(block, dataPath: dataPath) : try host.compile(block, dataPath: dataPath).block
    cpu.reachData(by: dataPath)
    host.run(compiled.entry, cpu.state)
  }

  /// Stepping by IR op ends as running does, where every exit leaves, and shows each value once its op has run.
  @Test func steppingEqualsRunning() throws {
    let host = try InterpreterHost(TestGuest.configuration)
    let (whole, stepped) = (TestCPU(), TestCPU())
    for seed in 0..<200 as Range<UInt64> {
      let block = RandomBlock.make(seed: seed)
      try run(block, on: host, .slow, whole, seed, chained: false)
      stepped.randomise(seed)
      let stepper = try InterpreterHost.Stepper(TestGuest.configuration, block, stepped.state)
      #expect(stepper.opIndex == 0)
      var steps = 0
      while !stepper.hasLeft {
        let op = block.ops[stepper.opIndex]
        let number = Int(op.imm)
        let expected =
          op.opcode == .getRegister ? Vector128(stepped[register: number], stepped[upper: number]) : nil
        stepper.step()
        steps += 1
        if let expected { #expect(stepper.value(op.result) == expected) }
        if !stepper.hasLeft { #expect(stepper.opIndex == steps) }
      }
      #expect(stepped.outcome == whole.outcome && stepped.isEqual(to: whole), "seed \(seed)")
    }
  }
}

extension HostKit.Host {
  /// Compiles a block, and chains its exits to its own labels.
  func compileChained(_ block: Block, dataPath: DataPath) throws(HostError) -> CompiledBlock {
    let (compiled, outline) = try compile(block, dataPath: dataPath)
    let labels = block.ops.filter { $0.opcode == .label }.map { UInt64(bitPattern: $0.imm) }
    for exit in outline.exits where exit.mayChain {
      if let label = labels.firstIndex(of: exit.target) { chain(exit.site, to: outline.labels[label]) }
    }
    return compiled
  }
}

extension TestCPU {
  /// Sets registers and memory to what `seed` gives: small and large numbers, some alike.
  func randomise(_ seed: UInt64) {
    var random = SplitMix(seed: seed ^ 0x5EED)
    for number in TestGuest.registers.indices {
      self[register: number] =
        switch random.below(4) {
        case 0: UInt64(random.below(8))
        case 1: UInt64(bitPattern: random.pick(RandomBlock.constants))
        default: random.next()
        }
      self[upper: number] = random.chance(30) ? self[register: number] : random.next()
    }
    fillMemory()
    state.store(UInt32(0), at: StateOffset.reservedSize)
    state.budget = 20
    state.store(Int64(20), at: StateOffset.budgetStart)
  }
}
