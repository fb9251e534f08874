// Owns the text of source lines: where the files of the guest's sources are looked for on the host, and what is shown of them.

import DWARF
import Glibc
import Machine

/// Reads lines of source files, each file once.
///
/// An ELF file may claim any path for its sources. So only folders are looked into in which users have them: those that were
/// named with `directory`, the one that Martlet was started in, and those of the loaded files, with what is below. A file is
/// looked for by its whole path, then by the end of it in each folder, the longest first.
final class SourceReader {
  private let folders: [HostFiles]
  private var files: [String: [Substring]] = [:]

  /// In bytes.
  private static var largestFile: Int { 8 << 20 }

  /// - Parameter files: what whoever asks may read.
  init(_ machine: Machine, _ monitor: Monitor, _ files: HostFiles) {
    let loaded = machine.sources.loadedFiles.map { path in
      path.contains("/") ? String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]) : "."
    }
    var names: [String] = []
    for name in monitor.state.withLock({ $0.sourceFolders }) + ["."] + loaded where !names.contains(name) {
      names.append(name.isEmpty ? "/" : name)
    }
    folders = names.compactMap { files.narrowed(to: $0) }
  }

  /// A line without its indentation; nil if it cannot be read.
  func text(of source: SourceLine) -> String? {
    let lines = lines(of: source.file)
    guard source.line > 0, source.line <= lines.count else { return nil }
    return Self.shown(lines[source.line - 1])
  }

  private func lines(of path: String) -> [Substring] {
    if let known = files[path] { return known }
    let bytes = folders.lazy.compactMap { Self.read(path, $0) }.first ?? []
    let lines = String(decoding: bytes, as: UTF8.self).split(
      omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    files[path] = lines
    return lines
  }

  private static func read(_ path: String, _ folder: HostFiles) -> [UInt8]? {
    if path.hasPrefix("/"), let bytes = try? folder.read(path, maximum: largestFile) { return bytes }
    var parts = path.split(separator: "/").filter { $0 != "." }[...]
    if let up = parts.lastIndex(of: "..") { parts = parts[(up + 1)...] }
    while !parts.isEmpty {
      if let bytes = try? folder.read(parts.joined(separator: "/"), maximum: largestFile) { return bytes }
      parts = parts.dropFirst()
    }
    return nil
  }

  /// Nothing of a file moves the cursor.
  private static func shown(_ line: Substring) -> String {
    let text = String(
      line.unicodeScalars.map { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: " "
        default: Character(scalar)
        }
      })
    return trimmed(String(text.drop { $0 == " " }))
  }
}

extension Command {
  static let directory = Command(
    "directory", [.text("FOLDER").rest.optional], .look,
    "Look for source files in FOLDER and below it too; without one, list the folders that were named.",
    .look { context throws(MonitorError) in
      if let folder = context.arguments["FOLDER"] {
        guard context.files.narrowed(to: folder) != nil else {
          throw .refused("\(folder): this is no folder, or files in it cannot be used from here")
        }
        context.monitor.state.withLock { state in
          state.sourceFolders.removeAll { $0 == folder }
          state.sourceFolders.insert(folder, at: 0)
        }
      }
      return .lines(context.monitor.state.withLock { $0.sourceFolders })
    })
}
