// Tests the disassembly of every row against LLVM's, where its assembler and disassembler are at hand.

import Foundation
import GuestARM
import GuestKit
import Testing

private func run(_ program: String, _ arguments: [String]) throws -> String {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: try #require(find(program)))
  process.arguments = arguments
  let output = Pipe()
  process.standardOutput = output
  process.standardError = FileHandle.nullDevice
  try process.run()
  let data = output.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return String(decoding: data, as: UTF8.self)
}

/// What both write differently: spaces, number bases, comments, symbols, `.w`, `{r0}` for one register.
private func normalised(_ text: some StringProtocol) -> String {
  let plain = text.split(separator: "@")[0].split(separator: "<")[0].lowercased()
    .replacingOccurrences(of: "_nzcvq", with: "")
  var words: [String] = []
  for word in plain.split(whereSeparator: { " \t,#[]{}".contains($0) }) {
    if let place = word.range(of: "0x"), let value = UInt64(word[place.upperBound...], radix: 16) {
      words.append(word[..<place.lowerBound] + String(value))
    } else {
      words.append(String(word))
    }
  }
  if var mnemonic = words.first {
    for (ending, other) in [(".w", ""), (".n", "")] where mnemonic.hasSuffix(ending) {
      mnemonic = mnemonic.dropLast(ending.count) + other
    }
    words[0] = mnemonic
  }
  return words.joined(separator: " ")
}

@Suite(.enabled(if: find("clang") != nil && find("llvm-objdump") != nil))
struct DisassemblyTests {
  /// Rows that LLVM writes in another of the ways that UAL allows.
  private static let different: Set<String> = [
    "coprocessor", "coprocessor2", "nop", "nop.w", "udf.w", "bkpt", "adr", "adr.w", "it<x>", "vmov.f32", "vmov.f64",
  ]

  /// UNPREDICTABLE: a field that ends before it starts, two different operands that are to be the same, loads of less than a word to the PC; barriers that later versions
  /// of the architecture gave another name.
  private func isOdd(_ bits: UInt32, _ name: String, _ guest: ARMGuest) -> Bool {
    guard let instruction = guest.decoder.decode(bits, length: 4) else { return false }
    switch name {
    case "bfi", "bfc": return instruction["e"] < instruction["i"]
    case "rev.w", "rev16.w", "rbit", "revsh.w", "clz": return instruction["n"] != instruction["m"]
    // Registers of the Security Extension.
    case "mrs", "msr": return instruction["i"] & 0x80 != 0
    case _ where name.hasPrefix("vldm") || name.hasPrefix("vstm"):
      let (first, count) =
        name.hasSuffix(".32") ? (instruction["v"], instruction["i"]) : (2 * instruction["g"], instruction["i"])
      return count == 0 || first + count > 32 || name.hasSuffix(".64") && count & 1 != 0 || count > 32
    case "vldr", "vstr": return instruction["i"] == 0
    case "dsb": return instruction["o"] & 11 == 0
    case _ where name.hasPrefix("ldr"): return instruction["t"] == 15
    default: return false
    }
  }

  @Test(arguments: [("cortex-m7", "v7em"), ("cortex-m33", "v8m.main")])
  func everyRowReadsAsInLLVM(model: String, architecture: String) throws {
    let guest = try ARMGuest(model: model)
    var random = SplitMix(3)
    var encodings: [(name: String, bits: UInt32, length: Int)] = []
    for row in guest.decoder.rows.indices where !Self.different.contains(guest.decoder.rows[row].name) {
      let pattern = guest.decoder.patterns[row]
      for _ in 0..<24 {
        let bits = pattern.randomEncoding(using: &random)
        if isOdd(bits, guest.decoder.rows[row].name, guest) { continue }
        if guest.decoder.decode(bits, length: pattern.length)?.row == row {
          encodings.append((guest.decoder.rows[row].name, bits, pattern.length))
        }
      }
    }
    let folder = NSTemporaryDirectory() + "martlet-arm-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let lines = encodings.map { encoding in
      encoding.length == 2
        ? ".inst.n 0x" + String(encoding.bits, radix: 16) : ".inst.w 0x" + String(encoding.bits, radix: 16)
    }
    let source = ".syntax unified\n.thumb\n" + lines.joined(separator: "\n") + "\n"
    try Data(source.utf8).write(to: URL(fileURLWithPath: folder + "/a.s"))
    _ = try run("clang", ["--target=arm\(architecture)-none-eabi", "-c", folder + "/a.s", "-o", folder + "/a.o"])
    let listing = try run(
      "llvm-objdump",
      ["-d", "--no-show-raw-insn", "--triple=thumb\(architecture)", "--mattr=+dsp,+fp-armv8", folder + "/a.o"])
    var theirs: [UInt64: String] = [:]
    for line in listing.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, let address = UInt64(parts[0].trimmingCharacters(in: .whitespaces), radix: 16) else {
        continue
      }
      theirs[address] = String(parts[1])
    }
    var address: UInt64 = 0
    var compared = 0
    for encoding in encodings {
      let ours = guest.disassemble(memory(encoding.bits, encoding.length), pc: address)
      if let text = theirs[address], !text.contains("unknown"), !text.contains("undefined") {
        compared += 1
        #expect(normalised(ours.text) == normalised(text), "\(String(encoding.bits, radix: 16))")
      }
      address += UInt64(encoding.length)
    }
    #expect(compared > encodings.count / 3)
  }
}
