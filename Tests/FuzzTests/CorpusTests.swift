// Owns the replay of the fuzzer's corpus: its seeds, and each input that once did harm.

import Foundation
import FuzzTargets
import Testing

@Suite(.serialized) struct CorpusTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fuzz/corpus")
    .standardized

  private static func files(in folder: URL) -> [URL] {
    let files = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    return (files ?? []).sorted { $0.path() < $1.path() }
  }

  @Test func eachFolderIsATargets() {
    let folders = Self.files(in: Self.folder).map(\.lastPathComponent)
    #expect(folders == FuzzTarget.all.map(\.name).sorted())
  }

  @Test(arguments: FuzzTarget.all.map(\.name)) func everyInputIsTakenInTime(name: String) throws {
    let target = try #require(FuzzTarget.named(name))
    let inputs = Self.files(in: Self.folder.appending(path: name))
    #expect(!inputs.isEmpty)
    for input in inputs {
      let bytes = [UInt8](try Data(contentsOf: input))
      let duration = ContinuousClock().measure { target.run(bytes) }
      #expect(duration < .seconds(10), "\(name)/\(input.lastPathComponent)")
    }
  }
}
