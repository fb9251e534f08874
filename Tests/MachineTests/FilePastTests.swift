// Tests of going back over files: the guest sees what it saw, and the host's files are touched once.

import Foundation
import Machine
import Testing

@Suite struct FilePastTests {
  /// Thumb, behind two vectors: opens `o` for writing and `i` for reading, with a parameter block at 0x20000100; writes an `o`
  /// twenty times, by as many calls; reads 4 bytes to 0x20000200; then turns on the spot.
  private static let program: [UInt32] = [
    0x490D_2001, 0x4C0E_BEAB, 0x480E_6020, 0x2001_6060, 0x2514_60A0, 0x4621_2005, 0x3D01_BEAB, 0x2001_D1FA, 0xBEAB_4906,
    0x4808_6020, 0x2004_6060, 0x2006_60A0, 0xBEAB_4621, 0xBF00_E7FE, 0x54, 0x60, 0x2000_0100, 0x6C, 0x2000_0200, 0x6C,
    4,
    1, 0x6E, 0, 1, 0x0069_006F,
  ]

  @Test func whatWasReadAndWrittenStays() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (input, output) = (folder.appending(path: "i"), folder.appending(path: "o"))
    try Data("past".utf8).write(to: input)
    let image = try TemporaryFile(elf([0x2000_1000, 9] + Self.program, at: 0, bits: 32, machine: 40), suffix: ".elf")
    let machine = try machine("mps2_an386", of: "arm") {
      $0.kernel = image.path
      $0.semihosting = true
      $0.semihostingRoot = folder.path
    }
    try machine.keepTimeline(limit: 16 << 20, spacing: 0)
    let begin = machine.position
    #expect(machine.run(ticks: 50_000) == nil)
    machine.stop()
    let (end, ending) = (machine.position, try Ending(machine))
    #expect(try machine.space.read(0x2000_0200, size: 4) == 0x7473_6170)
    #expect(try Data(contentsOf: output).count == 20)
    try Data("none".utf8).write(to: input)

    for ticks in [UInt64](60...140) + [begin.ticks] {
      try machine.reverse(.reach(hart: 0, ticks: ticks))
      machine.runRounds(1000)
      #expect(machine.lastStop == .requested && machine.position.ticks >= ticks)
      try machine.reverse(.go(end))
      machine.runRounds(1000)
      #expect(try Ending(machine) == ending)
    }
    #expect(try Data(contentsOf: output) == Data(repeating: UInt8(ascii: "o"), count: 20))

    // Another future: what has not been asked yet is answered by the files as they are.
    try machine.reverse(.go(begin))
    machine.runRounds(1000)
    machine.setRegister(machine.engine.vcpus[0], 7, 1)
    #expect(machine.run(ticks: 50_000) == nil)
    #expect(try machine.space.read(0x2000_0200, size: 4) == 0x656E_6F6E)
  }
}
