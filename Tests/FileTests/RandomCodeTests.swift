// Owns the differential test of guest code: random instructions of each extension, interpreter against the other hosts,
// plain against optimised.

import Foundation
import GuestKit
import GuestRISCV
import HostInterpreter
import HostKit
import IR
import Optimizer
import TestSupport
import Testing

/// An extension of one base ISA, and one host.
struct CodeSetup: Sendable, CustomStringConvertible {
  let model: String
  let group: String
  let host: HostSetup

  var description: String { "\(model) \(group) on \(host)" }

  static let all: [CodeSetup] = ["rv32", "rv64"].flatMap { model in
    ["I", "Zicond", "M", "A", "F", "D", "C", "Zba", "Zbb", "Zbs"].flatMap { group in
      HostSetup.all.map { CodeSetup(model: model, group: group, host: $0) }
    }
  }
}

@Suite struct RandomCodeTests {
  /// Instructions for each extension and host; `RANDOM_INSTRUCTIONS` overrides.
  static let count = Int(ProcessInfo.processInfo.environment["RANDOM_INSTRUCTIONS"] ?? "") ?? 8000
  static let perBlock = 8
  static let pc: UInt64 = 0x1000

  @Test(arguments: CodeSetup.all)
  func hostsAgree(_ setup: CodeSetup) throws {
    let guest = try RISCVGuest(model: setup.model)
    let rows = guest.decoder.rows(of: setup.group)
    try #require(!rows.isEmpty)
    let configuration = unsafe HostConfiguration(
      registers: guest.registerFile.registers.map { RegisterSlot(offset: $0.offset, type: $0.type) },
      pinOrder: guest.registerFile.pinOrder, helpers: guest.helpers, slowAccess: TestMemory.access,
      floatEnvironment: guest.registerFile.floatEnvironment, codeCacheSize: 4 << 20,
      checksAllocation: true)
    let reference = try InterpreterHost(configuration)
    let host = try setup.host.type.init(configuration)
    let optimizer = Optimizer(helpers: guest.helpers.map(\.effects))
    let (expected, result) = (TestCPU(guest.registerFile), TestCPU(guest.registerFile))
    let blocks = UInt64(Self.count / Self.perBlock)
    var long: UInt64 = 0
    for seed in 0..<blocks {
      let block = makeBlock(guest, rows, expected, seed)
      var optimised = block
      optimizer.run(&optimised)
      try run(block, guest, reference, setup.host.dataPath, expected, seed)
      if expected.state.budget < 19 { long += 1 }
      for copy in [block, optimised] {
        try run(copy, guest, host, setup.host.dataPath, result, seed)
        guard expected.outcome == result.outcome, expected.isEqual(to: result) else {
          let names = TextNames(registers: guest.registerFile.registers.map(\.name), helpers: guest.helpers.map(\.name))
          let start = TestCPU(guest.registerFile)
          randomise(start, guest, seed)
          Issue.record(
            """
            seed \(seed)
            \(Printer(names).text(copy))expected: \(expected.outcome)
            \(expected.changes(since: start))result: \(result.outcome)
            \(result.changes(since: start))
            """)
          return
        }
      }
    }
    #expect(long > blocks / 8, "hardly a block gets beyond its first instruction")
  }

  /// Random encodings of `rows`, translated as the engine would. A jump ends the block early.
  private func makeBlock(_ guest: RISCVGuest, _ rows: [Int], _ cpu: TestCPU, _ seed: UInt64) -> Block {
    var random = SplitMix(seed: seed)
    var bytes: [UInt8] = []
    for _ in 0..<Self.perBlock {
      let pattern = guest.decoder.patterns[random.pick(rows)]
      let bits = pattern.randomEncoding(using: &random)
      for byte in 0..<pattern.length { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(8 * byte))) }
    }
    randomise(cpu, guest, seed)
    var builder = Builder(pc: Self.pc)
    unsafe bytes.withUnsafeBytes { bytes in
      let code = unsafe CodeBytes(bytes) { .success([UInt8](repeating: 0, count: $0)) }
      let request = TranslationRequest(
        pc: Self.pc, flags: guest.translationFlags(cpu.state), code: code, maximumInstructions: Self.perBlock,
        stopBefore: [])
      guest.translate(request, into: &builder)
    }
    return builder.block
  }

  private func run(
    _ block: Block, _ guest: RISCVGuest, _ host: any HostKit.Host, _ dataPath: DataPath, _ cpu: TestCPU, _ seed: UInt64
  ) throws {
    randomise(cpu, guest, seed)
    host.reset()
    let (compiled, _) = try host.compile(block, dataPath: dataPath)
    cpu.reachData(by: dataPath)
    host.run(compiled.entry, cpu.state)
  }

  /// Reset state with floating point on; integer and float registers hold addresses of the memory, small and special
  /// numbers, proper and improper boxes, or anything.
  private func randomise(_ cpu: TestCPU, _ guest: RISCVGuest, _ seed: UInt64) {
    var random = SplitMix(seed: seed ^ 0xC0DE)
    cpu.fillMemory()
    guest.reset(cpu.state, number: 0, pc: Self.pc)
    for (number, register) in cpu.registers.enumerated() {
      let isFloat = register.group == "float" && register.name.first == "f" && Int(register.name.dropFirst()) != nil
      let isInteger = register.group == "general" && register.name != "pc" && register.name != "x0"
      guard isInteger || isFloat else { continue }
      cpu[register: number] =
        switch random.below(6) {
        case 0 where isFloat: 0xFFFF_FFFF_0000_0000 | random.next() >> 32
        case 0, 1: UInt64(random.below(480) * 8)
        case 2: UInt64(bitPattern: random.pick(RandomBlock.constants))
        case 3 where isFloat:
          random.pick([0, 1 << 63, 0x7FF0 << 48, 0xFFF0 << 48, 0x7FF8 << 48, 0x7FF0_0000_0000_0001, 0x3FF0 << 48, 1])
        case 3: UInt64(random.below(16))
        default: random.next()
        }
    }
    if let status = guest.registerFile.index(of: "mstatus") { cpu[register: status] |= 3 << 13 }
    if let rounding = guest.registerFile.index(of: "frm") { cpu[register: rounding] = UInt64(random.below(5)) }
    cpu.state.store(UInt32(0), at: StateOffset.reservedSize)
    cpu.state.budget = 20
    cpu.state.store(Int64(20), at: StateOffset.budgetStart)
  }
}
