// Owns the tests of recordings at the command line: what is in the file however the run ends, what was there before, and what
// `martlet replay` makes of it.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct RecordTests {
  private func flags(_ record: String, image: [UInt32] = RunTests.echo) throws -> [String] {
    let image = try Program.file(Guest.bytes(image))
    return ["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "--timeout", "50", "--record", record]
  }

  private func replay(_ record: String, _ flags: String...) throws -> Run {
    try Program.run(["replay", record, "--timeout", "50"] + flags, input: "not for the guest")
  }

  @Test func aRecordingOutlivesItsProgram() throws {
    let record = try Program.file(Array("old".utf8), "record")
    let server = try Server(flags(record))
    for text in ["a", "bc"] {
      try server.send(text)
      #expect(server.wait(for: text).contains(text))
    }
    // Where the guest had come to is written every second.
    sleep(2)
    server.kill()
    let folder = (record as NSString).deletingLastPathComponent
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["record"])
    // The last piece of a file may have been cut as it was written.
    let handle = try #require(FileHandle(forWritingAtPath: record))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data([0x28, 0xB5, 0x2F, 0xFD, 0x24]))
    let again = try replay(record)
    #expect(again.code == 0 && again.output == "abc", "\(again.output)\(again.errors)")
    #expect(again.errors.contains("the file ends within the piece at byte "), "\(again.errors)")
    #expect(again.errors.contains("its writer was killed"), "\(again.errors)")
  }

  @Test func anOldRecordingStaysUntilTheNewOneBegins() throws {
    let record = try Program.file(Array("old".utf8), "record")
    let folder = (record as NSString).deletingLastPathComponent
    for wrong in [["-gdb", "tcp:203.0.113.1:9"], ["-serial", "unix:\(folder),server,nowait"], ["-M", "nowhere.dts"]] {
      #expect(try Program.run(flags(record) + wrong).code == 2)
      #expect(try String(contentsOfFile: record, encoding: .utf8) == "old")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["record"])
    let refused = try Program.run(flags(folder))
    #expect(refused.code == 2 && refused.errors.contains("--record"), "\(refused.errors)")
  }

  @Test func aLinkToARecordingStaysOne() throws {
    let record = try Program.file(Array("old".utf8), "record")
    let link = record + ".link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: record)
    #expect(try Program.run(flags(link), input: "xq").code == 0)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == record)
    #expect(try replay(record).output == "xq")
  }

  /// What a snapshot takes back is not gone through again.
  @Test func goingBackToASnapshotBeginsAnew() throws {
    let record = try Program.file([], "record")
    let server = try Server(flags(record))
    // Characters that nothing else on the console has.
    try server.send("#")
    #expect(server.wait(for: "#").contains("#"))
    try server.send("\u{1}csavevm here\n")
    #expect(server.wait(for: "(martlet) ").contains("(martlet) "))
    try server.send("\u{1}c~")
    #expect(server.wait(for: "~").contains("~"))
    try server.send("\u{1}cloadvm here\n\u{1}ccq")
    #expect(server.wait(for: "q").contains("q"))
    #expect(server.end() == 0)
    let again = try replay(record)
    #expect(again.code == 0 && again.output == "cq", "\(again.output)\(again.errors)")
  }

  @Test func theEndingIsThatOfTheRun() throws {
    let record = try Program.file([], "record")
    let live = try Program.run(flags(record) + ["--max-instructions", "99999999"], input: "ab")
    #expect(live.code != 0 && live.output == "ab", "\(live.code) \(live.errors)")
    let again = try replay(record)
    #expect(again.code == live.code && again.output == live.output, "\(again.errors)")
    #expect(again.errors.contains("the recorded run ended here, with exit code \(live.code)"), "\(again.errors)")
    // Its input can be given to another machine.
    let input = try Program.run(
      [
        "-M", "virt", "-m", "32M", "-bios", Program.file(Guest.bytes(RunTests.echo)), "--replay", record, "--expect",
        "ab",
      ])
    #expect(input.code == 0 && input.output == "ab", "\(input.errors)")
  }

  @Test func onlyFailuresAreKept() throws {
    let record = try Program.file([], "record")
    let words = try flags(record).dropLast(2) + ["--record-on-failure", record]
    #expect(try Program.run(Array(words), input: "xq").code == 0)
    #expect(try Data(contentsOf: URL(filePath: record)).isEmpty)
    let failed = try Program.run(words + ["--expect", "never"], input: "xyq")
    #expect(failed.code != 0 && failed.errors.contains("martlet replay"), "\(failed.errors)")
    let again = try replay(record)
    #expect(again.code == failed.code && again.output == "xyq", "\(again.errors)")
  }

  @Test func imagesMayBeInside() throws {
    for isInside in [false, true] {
      let record = try Program.file([], "record")
      let words = try flags(record)
      let image = try #require(words.firstIndex(of: "-bios").map { words[$0 + 1] })
      #expect(try Program.run(words + (isInside ? ["--record-images"] : []), input: "iq").code == 0)
      try Data(Guest.bytes(Guest.loop)).write(to: URL(filePath: image))
      let changed = try replay(record)
      try FileManager.default.removeItem(atPath: image)
      let gone = try replay(record)
      if isInside {
        for run in [changed, gone] { #expect(run.code == 0 && run.output == "iq", "\(run.errors)") }
      } else {
        #expect(changed.code == 2 && changed.errors.contains("is another one now"), "\(changed.errors)")
        #expect(gone.code == 2 && gone.errors.contains("is not here"), "\(gone.errors)")
      }
    }
  }

  @Test(arguments: [
    ([], "no recording is given"), (["/nonexistent"], "/nonexistent: No such file"),
    (["/bin/sh"], "/bin/sh: this is no recording"), (["RECORD", "-M", "virt"], "-M is part of what was recorded"),
    (["RECORD", "--timeline", "off"], "leave out '--timeline off'"),
    (["RECORD", "--goto", "nowhere"], "--goto: 'nowhere'"),
    (["RECORD", "--goto", "99999999999999"], "not at 99999999999999"), (["RECORD", "--replay", "x"], "--replay"),
  ])
  func wrongUseIsNamed(words: [String], expected: String) throws {
    let record = try Program.file([], "record")
    #expect(try Program.run(flags(record), input: "q").code == 0)
    let run = try Program.run(["replay"] + words.map { $0 == "RECORD" ? record : $0 })
    #expect(run.code == 2 && run.errors.contains(expected), "\(run.errors)")
  }

  @Test func bytesThatWereChangedAreFound() throws {
    let record = try Program.file([], "record")
    #expect(try Program.run(flags(record), input: "abcq").code == 0)
    let bytes = try Data(contentsOf: URL(filePath: record))
    for place in stride(from: 3, to: bytes.count, by: max(1, bytes.count / 24)) {
      var changed = bytes
      changed[place] ^= 0x10
      try changed.write(to: URL(filePath: record))
      let run = try replay(record)
      #expect([0, 2].contains(run.code) && run.errors.contains("piece at byte"), "\(place): \(run.code) \(run.errors)")
    }
  }
}
