// Owns file tests: each file in a folder of cases is a text, a line `---`, and the blessed result.
//
// `BLESS=1` in the environment rewrites the results. Lines `; key: value` at the top of a case are directives.

import Foundation

/// A file of a folder of cases.
public struct FileCase: CustomStringConvertible, Sendable {
  private let url: URL
  public let input: String
  /// Nil: not blessed yet.
  public let expected: String?

  private static let separator = "---\n"

  public var name: String { url.deletingPathExtension().lastPathComponent }
  public var description: String { url.deletingLastPathComponent().lastPathComponent + "/" + url.lastPathComponent }

  public init(_ url: URL) throws {
    self.url = url
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
  public func directives(_ key: String) -> [String] {
    input.split(separator: "\n").filter { $0.hasPrefix("; \(key):") }
      .map { $0.dropFirst(key.count + 3).trimmingCharacters(in: .whitespaces) }
  }

  /// What the result is to be; nil if that was not blessed yet. Where results are to be blessed, the result is that.
  public func blessed(_ result: String) throws -> String? {
    guard ProcessInfo.processInfo.environment["BLESS"] == "1" else { return expected }
    try (input + Self.separator + result).write(to: url, atomically: true, encoding: .utf8)
    return result
  }

  /// The cases of a folder beside a file of tests.
  public static func all(in folder: String, beside file: String = #filePath) -> [FileCase] {
    let url = URL(filePath: file).deletingLastPathComponent().appending(path: folder)
    let files = try? FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil)
    return (files ?? []).filter { $0.pathExtension == "txt" }.sorted { $0.path < $1.path }
      .compactMap { try? FileCase($0) }
  }
}
