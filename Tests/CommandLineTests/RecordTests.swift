// Owns the tests of records: what is in the file however the run ends, and what was there before.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct RecordTests {
  private func flags(_ record: String) throws -> [String] {
    let image = try Program.file(Guest.bytes(RunTests.echo))
    return ["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "--timeout", "50", "--record", record]
  }

  @Test func aRecordOutlivesItsProgram() throws {
    let record = try Program.file(Array("old".utf8), "record")
    let server = try Server(flags(record))
    for text in ["a", "bc"] {
      try server.send(text)
      #expect(server.wait(for: text).contains(text))
    }
    server.kill()
    let lines = try String(contentsOfFile: record, encoding: .utf8).split(separator: "\n")
    #expect(lines.first == "martlet input 1")
    #expect(lines.dropFirst().map { $0.split(separator: " ").last ?? "" }.joined() == "616263", "\(lines)")
    let folder = (record as NSString).deletingLastPathComponent
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["record"])
    // The last line of a file may have been cut as it was written.
    let handle = try #require(FileHandle(forWritingAtPath: record))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data("99999999999 /soc/ser".utf8))
    let end = try Program.file(Array("quit\n".utf8), "script")
    let image = try flags(record).dropLast(2)
    let again = try Program.run(image + ["--replay", record, "--expect", "abc", "--end-script", end])
    #expect(again.code == 0 && again.output == "abc", "\(again.output)\(again.errors)")
  }

  @Test func anOldRecordStaysUntilTheNewOneBegins() throws {
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

  @Test func aLinkToARecordStaysOne() throws {
    let record = try Program.file(Array("old".utf8), "record")
    let link = record + ".link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: record)
    #expect(try Program.run(flags(link), input: "q").code == 0)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == record)
    #expect(try String(contentsOfFile: record, encoding: .utf8).hasPrefix("martlet input 1\n"))
  }

  /// What a snapshot takes back is taken out of the record.
  @Test func goingBackShortensTheRecord() throws {
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
    let lines = try String(contentsOfFile: record, encoding: .utf8).split(separator: "\n")
    #expect(lines.dropFirst().map { $0.split(separator: " ").last ?? "" }.joined() == "236371", "\(lines)")
  }
}
