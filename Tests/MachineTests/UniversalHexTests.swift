// Owns the tests of Universal Hex files: each board takes its own parts.

import Machine
import Testing

enum UniversalHex {
  /// A section for version 1 of the micro:bit and one for version 2, padded, with data of some tool behind them.
  static let text = """
    :020000040000FA
    :0400000A9900C0DEBB
    :0400000001020304F2
    :020004000506EF
    :020000041000EA
    :0110C0000728
    :1000000CFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF4
    :0000000BF5
    :020000040000FA
    :0400000A9903C0DEB8
    :0400000D11121314A5
    :020000040003F7
    :0100200D15BD
    :1000000CFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF4
    :1000000BFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5
    :0300000E010203E9
    :00000001FF

    """
}

@Suite struct UniversalHexTests {
  private func read(_ boards: [UInt16]) throws(MachineError) -> Image {
    try ImageReader.read(Array(UniversalHex.text.utf8), name: "x", address: nil, forceRaw: false, boards: boards)
  }

  @Test func aBoardTakesItsOwnPart() throws {
    let first = try read([0x9900, 0x9901])
    #expect(first.segments.map(\.address) == [0, 0x1000_10C0])
    #expect(first.segments.map(\.bytes) == [[1, 2, 3, 4, 5, 6], [7]])
    let second = try read([0x9903])
    #expect(second.segments.map(\.address) == [0, 0x3_0020])
    #expect(second.segments.map(\.bytes) == [[0x11, 0x12, 0x13, 0x14], [0x15]])
  }

  @Test func aFileWithoutAPartForTheBoardIsRefused() {
    for (boards, expected) in [
      ([], "with parts for 0x9900, 0x9903, and this board takes none of them"),
      ([0x9901, 0x9905], "and this board takes only those for 0x9901, 0x9905"),
    ] as [([UInt16], String)] {
      let error = #expect(throws: MachineError.self) { try read(boards) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(expected), "\(String(describing: error))")
    }
  }

  /// What belongs to no part is for all, as older interface chips see it.
  @Test func recordsOutsideOfPartsAreTaken() throws {
    let text = ":0100000042BD\n" + UniversalHex.text
    let image = try ImageReader.read(Array(text.utf8), name: "x", address: nil, forceRaw: false, boards: [0x9903])
    #expect(image.segments.first?.bytes == [0x42])
  }

  /// The board of the package says what it takes.
  @Test func theMicrobitTakesVersionOne() throws {
    // A vector table: a stack pointer into RAM, and a loop at 8.
    let start = ":020000040000FA\n"
    let rows = [
      ":0400000A9900C0DEBB", ":0A0000000004002009000000FEE7E4", ":0000000BF5",
      ":020000040000FA", ":0400000A9903C0DEB8", ":0400000DFFFFFFFFF3", ":0000000BF5", ":00000001FF",
    ]
    let file = try TemporaryFile(Array((start + rows.joined(separator: "\n") + "\n").utf8), suffix: ".hex")
    let machine = try machine("bbc_microbit", of: "arm") { $0.kernel = file.path }
    #expect(machine.run(ticks: 1000) == nil)
    #expect(machine.engine.vcpus[0].state.pc == 8)
    #expect(refusal { $0.bios = file.path }.contains("a Universal Hex file"))
  }
}
