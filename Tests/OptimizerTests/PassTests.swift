// Owns the tests of what passes make of blocks. That they do not change what a block does, FileTests see, on hosts.

import IR
import Optimizer
import TestSupport
import Testing

@Suite struct PassTests {
  static let cases = FileCase.all(in: "cases")

  @Test(arguments: cases) func file(_ file: FileCase) throws {
    let result = try result(file)
    let expected = try file.blessed(result)
    #expect(result == expected)
  }

  @Test func hasCases() { #expect(!Self.cases.isEmpty) }

  /// Runs the passes that the directive `passes` names (all, if there is none) and prints.
  private func result(_ file: FileCase) throws -> String {
    let passes = try file.directives("passes").flatMap { $0.split(separator: " ") }.map {
      try #require(Pass(name: $0), "no pass \($0)")
    }
    let optimizer = Optimizer(
      passes: passes.isEmpty ? Pass.pipeline : passes, helpers: TestGuest.helpers.map(\.effects))
    var text = ""
    for var block in try Parser(TestGuest.names).blocks(file.input) {
      try TestGuest.verifier.verify(block)
      optimizer.run(&block)
      try TestGuest.verifier.verify(block)
      text += Printer(TestGuest.names).text(block)
    }
    return text
  }

  /// The observer sees every pass once, in order, and the last block is what a plain run gives.
  @Test func observerSeesEachPass() {
    let optimizer = Optimizer(
      disabled: ["DeadWriteElimination", "nonsense"], helpers: TestGuest.helpers.map(\.effects))
    var seen: [String] = []
    var last: Block?
    var block = RandomBlock.make(seed: 3)
    var plain = block
    optimizer.run(&block) { pass, block in
      seen.append(pass)
      last = block
    }
    optimizer.run(&plain)
    #expect(seen == Pass.pipeline.map(\.name).filter { $0 != "DeadWriteElimination" })
    #expect(last == block && block == plain)
  }
}
