// Owns the tests that the boards of the article "How to write a board" run, as it gives them.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct BoardArticleTests {
  private static let article =
    String(#filePath.dropLast("Tests/CommandLineTests/BoardArticleTests.swift".count))
    + "boards/README.md"

  /// A devicetree of the article, by its own name for the board, as a file.
  private func tree(_ name: String) throws -> String {
    let text = try String(contentsOfFile: Self.article, encoding: .utf8)
    let blocks = text.components(separatedBy: "```dts\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
    let block = try #require(blocks.first { $0.contains("\"acme,\(name)\"") })
    return try Program.file(Array(block.utf8), name + ".dts")
  }

  @Test func theMicrocontrollerPrints() throws {
    let code: [UInt16] = [
      // r0 = 0x40010000, the PL011; CR (0x30) = UARTEN, TXE, RXE; DR = 'm', '3'
      0x2040, 0x0600, 0x2101, 0x0409, 0x1840, 0x2103, 0x0209, 0x3101, 0x6301, 0x216D, 0x6001, 0x2133, 0x6001, 0xE7FE,
    ]
    let halves = stride(from: 0, to: code.count, by: 2).map { UInt32(code[$0]) | UInt32(code[$0 + 1]) << 16 }
    let vectors = [0x2000_8000, 0x41] + [UInt32](repeating: 0, count: 14)
    let image = try Program.file(Guest.bytes(vectors + halves))
    let ended = try Program.run(
      ["-M", try tree("thermostat"), "-kernel", image, "-nographic", "--expect", "m3", "--timeout", "20"])
    #expect(ended.code == 0 && ended.errors.isEmpty, "\(ended.errors)")
  }

  @Test func bothUARTsPrint() throws {
    let second = Guest.say("second").map { $0 == Guest.load(5, 0x1000_0000)[0] ? Guest.load(5, 0x1000_1000)[0] : $0 }
    let image = try Program.file(Guest.bytes(Guest.say("first") + second + Guest.finish(0x5555)))
    let file = try Program.file([], "second.txt")
    let ended = try Program.run(
      ["-M", try tree("gateway"), "-bios", image, "-serial", "mon:stdio", "-serial", "file:" + file, "--timeout", "20"])
    #expect(ended.code == 0 && ended.errors.isEmpty, "\(ended.errors)")
    #expect(ended.output == "first")
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "second")
  }

  /// Every string that the article's trees use for a device is one that a model serves.
  @Test func theArticleNamesModels() throws {
    let list = try Program.run(["-device", "help"]).output
    for name in [
      "arm,pl011", "ns16550a", "arm,v7m-nvic", "soc-nv-flash", "sifive,clint0", "sifive,plic-1.0.0",
      "sifive,test0", "martlet,read-only-words", "martlet,bit-band",
    ] {
      #expect(list.contains(name), "\(name)")
    }
  }
}
