// Owns the differential tests: random instructions of every extension, run in several ways that must agree.
//
// The environment variable MARTLET_RANDOM sets how many random instructions of the extension each test runs.

import Foundation
import GuestRISCV
import Testing

@Suite(.serialized) struct DifferentialTests {
  static let count = Int(ProcessInfo.processInfo.environment["MARTLET_RANDOM"] ?? "") ?? 4000
  static let seed = UInt64(ProcessInfo.processInfo.environment["MARTLET_SEED"] ?? "") ?? 1
  static let batchSize = 500

  /// Calls `body` with batches of cases until they hold `count` instructions of the extension.
  private func forEachBatch(
    _ guest: RISCVGuest, _ tested: TestedExtension, machineOnly: Bool, _ body: (Batch, UInt64) throws -> Void
  ) throws {
    let names = Set(tested.groups.flatMap { guest.decoder.rows(of: $0) }.map { guest.decoder.rows[$0].name })
    var done = 0
    var seed = Self.seed
    while done < Self.count {
      var generator = CaseGenerator(guest, tested, seed: seed, machineOnly: machineOnly)
      var cases: [RandomCase] = []
      while done < Self.count, cases.count < Self.batchSize {
        let one = generator.next()
        done += one.instructions.count { names.contains($0.form.name) }
        cases.append(one)
      }
      try body(Batch(cases, seed: seed, xlen: guest.xlen), seed)
      seed &+= 1
    }
  }

  /// Registers, memory, exceptions and counts are the same on every host, data path and with or without passes.
  @Test(arguments: [32, 64], TestedExtension.allCases)
  func hostsAgree(xlen: Int, tested: TestedExtension) throws {
    let guest = try RISCVGuest(model: "rv\(xlen)")
    let reference = try EngineRunner(guest, .reference)
    let others = try EngineSetup.others.map { try EngineRunner(guest, $0) }
    var tally = Tally()
    try forEachBatch(guest, tested, machineOnly: true) { batch, seed in
      let expected = try reference.run(batch)
      tally.add(batch, expected)
      for other in others {
        let found = try other.run(batch)
        guard let index = expected.indices.first(where: { expected[$0] != found[$0] }) else { continue }
        let report = try Disagreement(
          batch.cases[index], guest, seed: seed, between: "\(EngineSetup.reference) against \(other.setup)"
        ) { one in
          var small = Batch([one], seed: seed, xlen: xlen)
          small.memory = batch.memory
          let (a, b) = (try reference.run(small)[0], try other.run(small)[0])
          return (small.spans[0].lowerBound, a.differences(from: b))
        }
        Issue.record("\(report)\n  at first: \(expected[index].differences(from: found[index]).prefix(4))")
        throw RunnerError("\(tested.rawValue): the rest of the run is left out")
      }
    }
    tally.print("rv\(xlen) \(tested.rawValue), hosts", setups: others.count + 1)
  }

  /// Registers and memory are what QEMU's user-mode emulation makes them. QEMU 7.2 has no Zicond.
  @Test(arguments: [32, 64], TestedExtension.allCases.filter { $0 != .zicond })
  func userModeEmulationAgrees(xlen: Int, tested: TestedExtension) throws {
    guard let emulator = UserModeRunner(xlen: xlen) else {
      print("qemu-riscv\(xlen) is not installed: not compared")
      return
    }
    let guest = try RISCVGuest(model: "rv\(xlen)")
    let setup = EngineSetup(isJIT: true, hasPasses: true, isPaged: false)
    let runner = try EngineRunner(guest, setup)
    var tally = Tally()
    try forEachBatch(guest, tested, machineOnly: false) { batch, seed in
      let found = try runner.run(batch)
      tally.add(batch, found)
      let causes = Set(found.map(\.cause)).subtracting(tested.userModeCauses)
      #expect(causes == [3], "exceptions that these instructions do not raise")
      let expected = try emulator.run(batch, expected: found)
      guard let index = expected.indices.first(where: { !expected[$0].agrees(with: found[$0]) }) else { return }
      let report = try Disagreement(
        batch.cases[index], guest, seed: seed, between: "qemu-riscv\(xlen) against \(setup)"
      ) { one in
        var small = Batch([one], seed: seed, xlen: xlen)
        small.memory = batch.memory
        let found = try runner.run(small)
        return (
          small.spans[0].lowerBound, try emulator.run(small, expected: found)[0].differences(from: found[0])
        )
      }
      Issue.record("\(report)\n  at first: \(expected[index].differences(from: found[index]).prefix(4))")
      throw RunnerError("\(tested.rawValue): the rest of the run is left out")
    }
    tally.print("rv\(xlen) \(tested.rawValue), user mode", setups: 2)
  }
}

/// What a run was made of, for the log of long runs.
struct Tally {
  private var cases = 0
  private var instructions = 0
  private var retired: UInt64 = 0
  private var causes: [UInt64: Int] = [:]

  mutating func add(_ batch: Batch, _ outcomes: [Outcome]) {
    cases += batch.cases.count
    for one in batch.cases { instructions += one.instructions.count }
    for outcome in outcomes {
      retired += outcome.words[Outcome.userCount + 1]
      causes[outcome.cause, default: 0] += 1
    }
  }

  func print(_ title: String, setups: Int) {
    guard DifferentialTests.count > 10000 else { return }
    let exceptions = causes.filter { $0.key != 3 }.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
    Swift.print(
      "\(title): \(cases) cases, \(instructions) instructions, \(retired) retired, in \(setups) ways;",
      "exceptions by cause \(exceptions.joined(separator: ", "))")
  }
}
