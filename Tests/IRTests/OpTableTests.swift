// Owns the tests that the op table is complete: what is not computed by a row's evaluator is known, and every op is written
// and read in the file of all of them.

import Foundation
import IR
import TestSupport
import Testing

@Suite struct OpTableTests {
  /// The ops with a result that interpreters and folding know by themselves.
  private static let special: Set<Opcode> = [
    .const, .getRegister, .compare, .select, .load, .atomic, .compareExchange, .vector, .call,
  ]

  @Test(arguments: Opcode.allCases) func everyResultIsComputed(opcode: Opcode) {
    let info = opcode.info
    let isKnown = Self.special.contains(opcode) || opcode.isFloat || info.result == .none
    #expect((info.evaluator != nil) != isKnown, "\(info.name)")
  }

  @Test func everyOpIsInTheFileOfAll() throws {
    let path = #filePath.dropLast("OpTableTests.swift".count) + "cases/every-op.txt"
    let file = try String(contentsOfFile: String(path), encoding: .utf8)
    let text = file.components(separatedBy: "\n---")[0]
    let found = Set(try Parser(TestGuest.names).blocks(text).flatMap { $0.ops.map(\.opcode) })
    #expect(Opcode.allCases.filter { !found.contains($0) } == [])
  }
}
