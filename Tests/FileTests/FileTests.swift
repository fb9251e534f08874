// Owns the runner of file tests: each file in `cases/<kind>` is a text, a line `---`, and the blessed result.
//
// `BLESS=1` in the environment rewrites the results. Lines `; key: value` at the top of a case are directives.

import Foundation
import Testing

/// One file of `cases`.
struct FileCase: CustomTestStringConvertible, Sendable {
  let url: URL
  let kind: FileKind
  let input: String
  /// Nil: not blessed yet.
  let expected: String?

  static let separator = "---\n"

  var testDescription: String { "\(kind.folder)/\(url.lastPathComponent)" }

  init(_ url: URL, _ kind: FileKind) throws {
    self.url = url
    self.kind = kind
    let text = try String(contentsOf: url, encoding: .utf8)
    if let range = text.range(of: "\n" + Self.separator) {
      input = text[..<range.lowerBound] + "\n"
      expected = String(text[range.upperBound...])
    } else {
      input = text.hasSuffix("\n") ? text : text + "\n"
      expected = nil
    }
  }

  /// The values of the directive `key`, in order.
  func directives(_ key: String) -> [String] {
    input.split(separator: "\n").filter { $0.hasPrefix("; \(key):") }
      .map { $0.dropFirst(key.count + 3).trimmingCharacters(in: .whitespaces) }
  }

  static var folder: URL { URL(filePath: #filePath).deletingLastPathComponent().appending(path: "cases") }

  static func all(_ kind: FileKind) -> [FileCase] {
    let files = try? FileManager.default.contentsOfDirectory(
      at: folder.appending(path: kind.folder), includingPropertiesForKeys: nil)
    return (files ?? []).filter { $0.pathExtension == "txt" }.sorted { $0.path < $1.path }
      .compactMap { try? FileCase($0, kind) }
  }
}

@Suite struct FileTests {
  @Test(arguments: FileKind.portable.flatMap(FileCase.all))
  func file(_ file: FileCase) throws { try check(file) }

  @Test(
    .enabled(if: FileKind.isX86_64, "codegen/x86_64 needs an x86-64 host"), arguments: FileCase.all(FileKind.x86_64))
  func codegenX86_64(_ file: FileCase) throws { try check(file) }

  private func check(_ file: FileCase) throws {
    let result = try file.kind.run(file)
    if ProcessInfo.processInfo.environment["BLESS"] == "1" {
      try (file.input + FileCase.separator + result).write(to: file.url, atomically: true, encoding: .utf8)
    } else {
      #expect(result == file.expected)
    }
  }

  /// A folder that moved or a filter that fits nothing must not pass as "no cases".
  @Test func everyKindHasCases() {
    for kind in FileKind.portable + [.x86_64] { #expect(!FileCase.all(kind).isEmpty, "\(kind.folder)") }
  }
}
