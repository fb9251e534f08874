// Owns the tests of IR as text: the cases of what is read, refused and printed, and random blocks read back.

import IR
import TestSupport
import Testing

@Suite struct TextTests {
  static let cases = FileCase.all(in: "cases")

  @Test(arguments: cases) func file(_ file: FileCase) throws {
    let result = try result(file)
    let expected = try file.blessed(result)
    #expect(result == expected)
  }

  @Test func hasCases() { #expect(!Self.cases.isEmpty) }

  @Test func textReadsBack() throws {
    for seed in 0..<500 as Range<UInt64> {
      let block = RandomBlock.make(seed: seed)
      try TestGuest.verifier.verify(block)
      let text = Printer(TestGuest.names).text(block)
      #expect(try Parser(TestGuest.names).block(text) == block, "seed \(seed)")
    }
  }

  /// Parses, verifies, prints. A fault found is the result.
  private func result(_ file: FileCase) throws -> String {
    do {
      let blocks = try Parser(TestGuest.names).blocks(file.input)
      for block in blocks { try TestGuest.verifier.verify(block) }
      let text = blocks.map(Printer(TestGuest.names).text).joined()
      #expect(try Parser(TestGuest.names).blocks(text) == blocks, "the text does not read back as what was printed")
      return text
    } catch let error as ParseError {
      return "parse error: \(error)\n"
    } catch let error as VerificationError {
      return "verification error: \(error)\n"
    }
  }
}
