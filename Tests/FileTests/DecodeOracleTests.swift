// Tests that what the decode cases call instructions, and what they call illegal, is so in LLVM's eyes as well.

import GuestRISCV
import TestSupport
import Testing

@Suite(.enabled(if: Toolchain.hasDisassembler))
struct DecodeOracleTests {
  /// A blessed line `instruction 0x80000000 2  ; 0808  addi    a0, sp, 16`.
  private struct Line {
    var address: UInt64
    var length: Int
    var bits: UInt32
    var text: String

    init?(_ line: Substring) {
      let halves = line.split(separator: "  ; ", maxSplits: 1)
      guard halves.count == 2, let words = Optional(halves[0].split(separator: " ")), words.count == 3,
        words[0] == "instruction", let address = UInt64(words[1].dropFirst(2), radix: 16), let length = Int(words[2])
      else { return nil }
      let parts = halves[1].split(separator: " ", maxSplits: 1)
      // Where the code ends within an instruction there is nothing to compare.
      guard parts.count == 2, parts[0].count == 2 * length, let bits = UInt32(parts[0], radix: 16) else { return nil }
      (self.address, self.length, self.bits) = (address, length, bits)
      text = Toolchain.normalised(parts[1])
    }

    var isIllegal: Bool { text.hasPrefix(".2byte") || text.hasPrefix(".4byte") }
  }

  @Test(arguments: FileKind.portable[0].cases)
  func blessedLinesReadAsInLLVM(_ file: FileCase) throws {
    let guest = try RISCVGuest(model: file.directives("cpu").first ?? "rv64")
    let lines = try #require(file.expected).split(separator: "\n").compactMap(Line.init)
    #expect(!lines.isEmpty)
    var differences: [String] = []
    // A gap between lines is code that belongs to no block.
    var runs: [[Line]] = []
    for line in lines {
      // LLVM takes what begins with 0x1f in its lower bits for a longer instruction, with all that follows.
      if let last = runs.last?.last, last.address + UInt64(last.length) == line.address, last.bits & 0x1F != 0x1F {
        runs[runs.count - 1].append(line)
      } else {
        runs.append([line])
      }
    }
    for run in runs {
      let theirs = try Toolchain.disassemble(
        run.map { ($0.bits, $0.length) }, isa: "rv\(guest.xlen)\(guest.extensions.isa)", at: run[0].address)
      for line in run {
        let their = theirs[line.address] ?? "nothing"
        let isSame =
          switch their {
          // Reserved rounding modes are shown, and illegal; all zeros have a name in LLVM.
          case "<unknown>": line.isIllegal || line.text.contains("mode")
          case "unimp": line.isIllegal
          case _ where their.hasPrefix("c."): !line.isIllegal
          default: line.text == their
          }
        if !isSame { differences.append("\(String(line.bits, radix: 16)): \(line.text) | \(their)") }
      }
    }
    #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
  }
}
