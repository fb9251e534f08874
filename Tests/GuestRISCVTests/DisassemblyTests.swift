// Tests the disassembly of every row against LLVM's, where the toolchain's clang and llvm-objdump are at hand.

import Foundation
import GuestKit
import GuestRISCV
import TestSupport
import Testing

@Suite(.enabled(if: Toolchain.hasDisassembler))
struct DisassemblyTests {
  @Test(arguments: [32, 64])
  func everyRowReadsAsInLLVM(_ xlen: Int) throws {
    let guest = try RISCVGuest(xlen: xlen, .all)
    let named = Set(guest.registerFile.registers.compactMap { $0.gdbNumber.map { $0 - 65 } })
    var random = SplitMix(seed: UInt64(xlen))
    var encodings: [(name: String, bits: UInt32, length: Int)] = []
    for row in guest.decoder.rows.indices {
      let pattern = guest.decoder.patterns[row]
      for round in 0..<64 {
        var bits = pattern.randomEncoding(using: &random)
        // With some registers or immediates 0, for the pseudo-instructions.
        let kept: [UInt32] = [.max, .max, 0x1F << 7, 0x1F << 15, 0x1F << 20, 0x3FF << 15, 0x1F00_0F80, 3 << 7]
        bits = (bits & kept[round % kept.count] & ~pattern.mask) | pattern.value
        if pattern.matches(bits) { encodings.append((guest.decoder.rows[row].name, bits, pattern.length)) }
      }
    }
    let theirs = try Toolchain.disassemble(
      encodings.map { ($0.bits, $0.length) }, isa: "rv\(xlen)" + guest.extensions.isa)
    #expect(theirs.count == encodings.count)
    var address: UInt64 = 0
    var differences: [String] = []
    for (name, bits, length) in encodings {
      defer { address += UInt64(length) }
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: bits >> UInt32(8 * $0)) }
      let (text, ourLength) = guest.disassemble(bytes, pc: address)
      let their = theirs[address] ?? "nothing"
      // We name the CSRs we have and write reserved rounding modes out; LLVM shows hints with the short form's own name.
      if name.hasPrefix("csr"), !named.contains(Int(bits >> 20)) { continue }
      // Reserved fence modes are ordinary fences.
      if name == "fence", bits >> 28 != 0, their == "<unknown>" { continue }
      if text.contains("mode"), their == "<unknown>" { continue }
      if (Toolchain.normalised(text) != their && !their.hasPrefix("c.")) || ourLength != length {
        differences.append("\(name) \(String(bits, radix: 16)): \(Toolchain.normalised(text)) | \(their)")
      }
    }
    #expect(differences.isEmpty, "\(differences.count) differ:\n\(differences.prefix(20).joined(separator: "\n"))")
  }
}
