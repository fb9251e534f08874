// The line table against llvm-symbolizer, and lines back to addresses.

import DWARF
import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: CallProgram.canBuild, "clang is not installed")) struct LineTests {
  static let variants: [(CallProgram.Guest, [String])] = [
    (.arm, ["-Og", "-g"]), (.arm, ["-O2", "-g", "-gdwarf-4"]), (.riscv32, ["-O2", "-g"]),
    (.riscv64, ["-O0", "-g", "-gdwarf-3"]), (.riscv64, ["-O2", "-g", "-gz"]),
  ]

  private static func open(_ program: CallProgram) throws -> DebugInformation {
    try DebugInformation([UInt8](Data(contentsOf: URL(filePath: program.path))), name: "calls.elf")
  }

  private static var isInstalled: Bool { Toolchain.find("llvm-symbolizer") != nil }

  @Test(.enabled(if: isInstalled, "llvm-symbolizer is not installed"), arguments: variants)
  func agreesWithAnotherReader(_ guest: CallProgram.Guest, _ flags: [String]) throws {
    let program = try CallProgram(guest, flags)
    let lines = try Self.open(program).lines
    let symbols = try Toolchain.run("llvm-nm", ["--print-size", program.path]).split(separator: "\n")
    var compared = 0
    for symbol in symbols {
      let words = symbol.split(separator: " ")
      guard words.count == 4, words[2] == "T", let start = UInt64(words[0], radix: 16),
        let size = UInt64(words[1], radix: 16)
      else { continue }
      let addresses = stride(from: start & ~1, to: (start & ~1) + size, by: 2).map { "0x" + String($0, radix: 16) }
      let text = try Toolchain.run("llvm-symbolizer", ["--obj=" + program.path, "--no-inlines"] + addresses)
      let places = text.split(separator: "\n").filter { !$0.isEmpty }
      for (index, address) in addresses.enumerated() where 2 * index + 1 < places.count {
        let parts = places[2 * index + 1].split(separator: ":")
        guard parts.count >= 2, parts[0] != "??", let line = Int(parts[1]), line > 0 else { continue }
        let found = lines.line(at: UInt64(address.dropFirst(2), radix: 16) ?? 0)?.source
        #expect(found?.line == line, "\(words[3]) \(address): \(places[2 * index + 1])")
        #expect(found?.file.hasSuffix("calls.c") == true)
        compared += 1
      }
    }
    #expect(compared > 200)
  }

  @Test(arguments: variants) func linesLeadToCode(_ guest: CallProgram.Guest, _ flags: [String]) throws {
    let lines = try Self.open(try CallProgram(guest, flags)).lines
    let source = try String(contentsOf: CallProgram.folder.appending(path: "calls.c"), encoding: .utf8)
    let texts = source.split(separator: "\n", omittingEmptySubsequences: false)
    let leaf = try #require(texts.firstIndex { $0.contains("int leaf(") }) + 1
    let (line, addresses) = try #require(lines.places(of: leaf, in: "calls.c"))
    #expect(line == leaf)
    #expect(!addresses.isEmpty)
    for address in addresses { #expect(lines.line(at: address)?.source.line == leaf) }
    // The line before has no code; nor has any behind the last one.
    #expect(lines.places(of: leaf - 1, in: "calls.c")?.line == leaf)
    #expect(lines.places(of: 100_000, in: "calls.c") == nil)
    #expect(lines.places(of: leaf, in: "other.c") == nil)
    #expect(lines.files(named: "calls.c").count == 1)
  }

  @Test func prologuesEndBehindWhatIsSaved() throws {
    let program = try CallProgram(.riscv64, ["-O0", "-g"])
    let lines = try Self.open(program).lines
    let symbols = try Toolchain.run("llvm-nm", ["--print-size", program.path])
    let words = try #require(symbols.split(separator: "\n").first { $0.hasSuffix(" fib") }).split(separator: " ")
    let start = try #require(UInt64(words[0], radix: 16))
    let size = try #require(UInt64(words[1], radix: 16))
    let end = try #require(lines.prologueEnd(ofFunctionAt: start..<start + size))
    let code = try Toolchain.run("llvm-objdump", ["-d", "--no-show-raw-insn", program.path])
      .split(separator: "\n").drop { !$0.hasSuffix("<fib>:") }
    let before = code.prefix { !$0.contains(String(end, radix: 16) + ":") }.joined(separator: "\n")
    #expect(before.contains("ra, "))
    #expect(end > start && end < start + 24)
  }

  @Test func otherFilesAreRefused() {
    for bytes in [[], [0x7F], Array("int main;".utf8), [0x7F, 0x45, 0x4C, 0x46]] as [[UInt8]] {
      #expect(throws: DWARFError.self) { _ = try DebugInformation(bytes, name: "x") }
    }
  }
}
