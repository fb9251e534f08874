// Files that are no devicetrees: a typed error each, never a crash.
import Devicetree
import TestSupport
import Testing

@Suite struct BrokenInputTests {
  @Test func missingFileIsNamed() {
    let error = #expect(throws: DevicetreeError.self) { try Devicetree(contentsOf: "/nonexistent/board.dts") }
    #expect(error.map { "\($0)" }?.contains("/nonexistent/board.dts") == true)
  }

  @Test func compilerMessageIsPassedOn() throws {
    try withFile(Array("/dts-v1/;\n/ { a = <1>; b }\n".utf8), suffix: ".dts") { path in
      let error = #expect(throws: DevicetreeError.self) { try Devicetree(contentsOf: path) }
      guard case .source(path, let message) = error else {
        Issue.record("not a source error: \(String(describing: error))")
        return
      }
      #expect(message.contains("syntax error"))
    }
  }

  @Test func truncatedBlobsThrow() throws {
    let blob = try sample().blob()
    for count in stride(from: 0, to: blob.count, by: 7) {
      #expect(throws: DevicetreeError.self) { try Devicetree(blob: Array(blob.prefix(count)), name: "cut") }
    }
    try withFile([1, 2, 3], suffix: ".dtb") { path in
      #expect(throws: DevicetreeError.blob(name: path, reason: "3 bytes are too few for a header")) {
        try Devicetree(contentsOf: path)
      }
    }
  }

  @Test func deepNestingThrows() throws {
    var node = Node("deep")
    for _ in 0..<200 { node = Node("deep", children: [node]) }
    let blob = try Devicetree(root: Node("", children: [node])).blob()
    #expect(throws: DevicetreeError.self) { try Devicetree(blob: blob, name: "deep") }
  }

  /// Whatever still parses must also resolve or throw, and be written again.
  @Test func corruptBlobsNeverCrash() throws {
    var random = Mutations.random
    let blob = try sample().blob()
    var parsed = 0
    let count = Mutations.count(3000)
    for round in 0..<count {
      var broken = blob
      if round % 2 == 0 {
        Mutations.damage(&broken, &random)
      } else {
        // Of the size that the header says.
        for _ in 0...(round % 8) {
          broken[Int.random(in: 40..<broken.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
      }
      guard let tree = try? Devicetree(blob: broken, name: "broken") else { continue }
      parsed += 1
      for path in tree.paths {
        _ = try? tree.regions(of: path)
        _ = try? tree.interrupts(of: path)
      }
      _ = try? tree.blob()
    }
    #expect(parsed > count / 30)
  }
}
