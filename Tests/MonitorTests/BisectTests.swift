// Owns the tests of `bisect`: planted faults are found where they are.

import Bits
import Engine
import IR
import Machine
import Optimizer
import Testing

@Suite struct BisectTests {
  /// Makes 5 of each 3 that is added.
  private static let wrong = CustomPass("Wrong") { block in
    for index in block.ops.indices where block.ops[index].opcode == .const && block.ops[index].imm == 3 {
      block.ops[index].imm = 5
    }
  }

  private func bench(_ passes: [CustomPass], tiers: TierPolicy = .thorough) throws -> Bench {
    try Bench(host: "jit", tiers: tiers) { $0.engine.customPasses = passes }
  }

  @Test func aWrongPassIsFound() throws {
    let bench = try bench([CustomPass("Harmless") { _ in }, Self.wrong])
    #expect(bench("pass list").contains("Wrong"))
    let text = bench("bisect 1000")
    let place = "in the 6 instructions from 0x0000000080000000 <_start> on, entered after 0 instructions"
    #expect(text.contains(place), "\(text)")
    #expect(text.contains("  a3 is 0x0000000000000003 interpreted, 0x0000000000000005 compiled"), "\(text)")
    #expect(text.contains("It does so from pass Wrong on"), "\(text)")
    #expect(bench.machine.perform { $0.engine.vcpus[0].retiredInstructions } == 0)
    // A machine without it, and one where it is off for what it spoils.
    #expect(bench("pass off Wrong in loop").contains("0x80000008–0x80000017"))
    #expect(bench("pass off Wrong").contains("off"))
    #expect(bench("bisect 1000") == "equal up to 1000 instructions\nNo difference in 1000 instructions.")
  }

  /// A constant that another pass has to put together before, in code that comes later.
  @Test func laterCodeIsFound() throws {
    let late = CustomPass("Late") { block in
      for index in block.ops.indices where block.ops[index].opcode == .const && block.ops[index].imm == 0x5555 {
        block.ops[index].imm = 0x5556
      }
    }
    let text = try bench([late])("bisect 1000")
    #expect(
      text.contains("in the 10 instructions from 0x0000000080000008 <loop> on, entered after 18 instructions"),
      "\(text)")
    #expect(text.contains("t0 is 0x0000000000005555 interpreted, 0x0000000000005556 compiled"), "\(text)")
    #expect(text.contains("It does so from pass Late on"), "\(text)")
  }

  @Test func machinesThatAreRightStayEqual() throws {
    for tiers in [TierPolicy.adaptive, .quick, .thorough] {
      let bench = try bench([], tiers: tiers)
      #expect(bench("bisect 30000").hasSuffix("No difference in 30000 instructions."))
    }
  }

  @Test func passesAreOffForRanges() throws {
    let bench = try bench([Self.wrong])
    _ = bench("pass off Wrong in loop")
    bench.finish()
    #expect(bench("print $a3").hasPrefix("0x1e "))
    _ = bench("pass on Wrong in loop 4")
    #expect(!bench("pass list").contains("0x80000008"))
    #expect(bench("pass off Wrong in loop 0") == "ERROR: no 0 bytes are at 0x80000008")
    #expect(bench("retranslate loop quick").contains("quick tier"))
    #expect(bench("retranslate 0x10").contains("ERROR"))
  }
}
