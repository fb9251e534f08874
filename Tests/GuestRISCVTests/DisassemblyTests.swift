// Tests the disassembly of every row against LLVM's, where the toolchain's clang and llvm-objdump are at hand.

import Foundation
import GuestKit
import GuestRISCV
import TestSupport
import Testing

/// The full path of a program of the toolchain (beside `swift`), or else on PATH.
func find(_ program: String) -> String? {
  let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
  let isThere = { FileManager.default.isExecutableFile(atPath: $0) }
  let toolchain = path.first { isThere("\($0)/swift") }
  return ((toolchain.map { [$0] } ?? []) + path).map { "\($0)/\(program)" }.first(where: isThere)
}

func run(_ program: String, _ arguments: [String]) throws -> String {
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

/// Text with single spaces, decimal numbers and no symbol after an address.
private func normalised(_ text: some StringProtocol) -> String {
  let text = text.split(separator: "<")[0]
  var words: [String] = []
  for word in text.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "," }) {
    if let place = word.range(of: "0x"), let value = UInt64(word[place.upperBound...], radix: 16) {
      words.append(word[..<place.lowerBound] + String(value))
    } else {
      words.append(String(word))
    }
  }
  return words.joined(separator: " ")
}

@Suite(.enabled(if: find("clang") != nil && find("llvm-objdump") != nil))
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
    let directory = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID())")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let source = directory.appending(path: "all.s"), object = directory.appending(path: "all.o")
    let lines = encodings.map { ".insn \($0.length), 0x\(String($0.bits, radix: 16))" }
    try (lines.joined(separator: "\n") + "\n").write(to: source, atomically: true, encoding: .utf8)
    let isa = "rv\(xlen)" + guest.extensions.isa
    _ = try run(
      "clang", ["--target=riscv\(xlen)", "-march=\(isa)", "-mno-relax", "-c", source.path, "-o", object.path])
    let listing = try run(
      "llvm-objdump", ["-d", "--no-show-raw-insn", "--no-print-imm-hex", "--mattr=+zicond,+zihintpause", object.path])
    var theirs: [UInt64: String] = [:]
    for line in listing.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2, let address = UInt64(parts[0].drop { $0 == " " }, radix: 16) {
        theirs[address] = normalised(parts[1])
      }
    }
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
      if text.contains("mode"), their.isEmpty { continue }
      if (normalised(text) != their && !their.hasPrefix("c.")) || ourLength != length {
        differences.append("\(name) \(String(bits, radix: 16)): \(normalised(text)) | \(their)")
      }
    }
    #expect(differences.isEmpty, "\(differences.count) differ:\n\(differences.prefix(20).joined(separator: "\n"))")
  }
}
