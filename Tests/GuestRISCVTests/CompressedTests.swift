// Tests the compressed instructions: each of the 49,152 encodings, against LLVM where its tools are at hand.

import GuestKit
import GuestRISCV
import TestSupport
import Testing

@Suite(.enabled(if: Toolchain.hasDisassembler))
struct CompressedTests {
  /// Without D, and without F, other instructions or none are in the place of the floating-point ones.
  @Test(arguments: ["rv32imafdc", "rv32imafc", "rv32imac", "rv64imafdc", "rv64imafc", "rv64imac"])
  func everyEncodingReadsAsInLLVM(_ model: String) throws {
    let guest = try RISCVGuest(model: model)
    let encodings = (UInt32(0)...0xFFFF).filter { $0 & 3 != 3 }
    let theirs = try Toolchain.disassemble(encodings.map { ($0, 2) }, isa: model)
    #expect(theirs.count == encodings.count)
    var differences: [String] = []
    for (index, encoding) in encodings.enumerated() {
      let pc = UInt64(2 * index)
      let (text, length) = guest.disassemble([UInt8(truncatingIfNeeded: encoding), UInt8(encoding >> 8)], pc: pc)
      let ours = text.hasPrefix(".2byte") ? "<unknown>" : Toolchain.normalised(text)
      // All zeros are illegal by definition; LLVM has a name for it.
      let their = theirs[pc].map { encoding == 0 ? "<unknown>" : $0 } ?? "nothing"
      // Hints are shown with the short form's own name.
      let isSame = their.hasPrefix("c.") ? ours != "<unknown>" : ours == their
      if !isSame || length != 2 { differences.append("\(String(encoding, radix: 16)): \(ours) | \(their)") }
    }
    #expect(differences.isEmpty, "\(differences.count) differ:\n\(differences.prefix(20).joined(separator: "\n"))")
  }
}
