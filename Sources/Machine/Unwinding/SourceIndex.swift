// Owns the debugging information of the files that a machine was given.

import DWARF

/// Source lines of all loaded ELF files. Nothing is read before it is asked for. On the machine's thread only.
public final class SourceIndex {
  private let files: [(name: String, bytes: [UInt8])]
  /// Of the files that have any.
  private(set) lazy var information: [DebugInformation] = files.compactMap {
    try? DebugInformation($0.bytes, name: $0.name)
  }

  init(_ files: [(name: String, bytes: [UInt8])]) { self.files = files }

  /// Whether any file has line numbers.
  public var hasLines: Bool { information.contains { !$0.lines.isEmpty } }

  /// The line of the instruction at an address, and the addresses around it that belong to the same run of the line.
  public func line(at address: UInt64) -> (source: SourceLine, range: Range<UInt64>)? {
    information.lazy.compactMap { $0.lines.line(at: address) }.first
  }

  /// Whether a statement of a line begins at an address.
  public func beginsStatement(at address: UInt64) -> Bool {
    information.contains { $0.lines.beginsStatement(at: address) }
  }

  /// The loaded files, as they were named.
  public var loadedFiles: [String] { files.map(\.name) }

  /// Paths of source files that `text` may mean.
  public func files(named text: String) -> [String] { information.flatMap { $0.lines.files(named: text) } }

  /// Paths of all source files.
  public var allFiles: [String] { information.flatMap(\.lines.files) }

  /// Where the code of a line begins, or that of the next line that has code.
  public func places(of line: Int, in file: String) -> (line: Int, addresses: [UInt64])? {
    let found = information.compactMap { $0.lines.places(of: line, in: file) }
    guard let first = found.map(\.line).min() else { return nil }
    return (first, found.filter { $0.line == first }.flatMap(\.addresses).sorted())
  }

  /// The first instruction behind the prologue of the function in a range.
  public func prologueEnd(ofFunctionAt range: Range<UInt64>) -> UInt64? {
    information.lazy.compactMap { $0.lines.prologueEnd(ofFunctionAt: range) }.first
  }
}
