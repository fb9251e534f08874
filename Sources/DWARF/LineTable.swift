// Owns the line table: which source line code comes from, and where a line's code is.

@unsafe @preconcurrency import CDW

/// A line of a source file.
public struct SourceLine: Sendable, Equatable, Hashable {
  /// The file's path as the compiler had it.
  public var file: String
  /// From 1 on; 0: code that no line stands for.
  public var line: Int

  public init(file: String, line: Int) {
    self.file = file
    self.line = line
  }

  /// The file without its folders, and the line: `main.c:12`.
  public var short: String { "\(file.split(separator: "/").last.map(String.init) ?? file):\(line)" }
}

/// The rows of all line tables of a file, by address.
public struct LineTable: Sendable {
  /// What holds from an address up to the next row's.
  struct Row: Sendable {
    var address: UInt64
    /// Index into ``files``.
    var file: UInt32
    var line: UInt32
    var flags: Flags
  }
  struct Flags: OptionSet, Sendable {
    let rawValue: UInt8
    /// A good place for a breakpoint.
    static var isStatement: Self { .init(rawValue: 1) }
    /// Nothing is known from here on.
    static var endsSequence: Self { .init(rawValue: 2) }
    /// Behind a function's prologue.
    static var endsPrologue: Self { .init(rawValue: 4) }
  }

  /// Paths as the compiler had them, each once.
  public private(set) var files: [String] = []
  private var rows: [Row] = []

  init(_ information: DebugInformation) {
    guard let dwarf = unsafe information.dwarf else { return }
    let end = DiscardedCode.tombstone(addressSize: information.addressSize)
    var numbers: [String: UInt32] = [:]
    var offset: Dwarf_Off = 0
    var unit: OpaquePointer?
    while true {
      var next: Dwarf_Off = 0
      var (sources, lines): (OpaquePointer?, OpaquePointer?) = (nil, nil)
      var (sourceCount, lineCount) = (0, 0)
      let status = unsafe dwarf_next_lines(
        dwarf, offset, &next, &unit, &sources, &sourceCount, &lines, &lineCount)
      guard status == 0, next > offset else { break }
      offset = next
      guard let lines = unsafe lines else { continue }
      var known: [Int: UInt32] = [:]
      for index in 0..<lineCount {
        guard let line = unsafe dwarf_onesrcline(lines, index), let row = unsafe Self.row(line), row.address < end
        else { continue }
        var (list, place): (OpaquePointer?, Int) = (nil, 0)
        guard unsafe dwarf_line_file(line, &list, &place) == 0 else { continue }
        let number: UInt32
        if let found = known[place] {
          number = found
        } else {
          let name = unsafe dwarf_linesrc(line, nil, nil).map { unsafe String(cString: $0) } ?? ""
          number = numbers[name] ?? UInt32(files.count)
          if number == files.count { files.append(name) }
          numbers[name] = number
          known[place] = number
        }
        rows.append(Row(address: row.address, file: number, line: row.line, flags: row.flags))
      }
    }
    // Of rows at one address the last stands; the end of what lies before comes first.
    let order = rows.indices.sorted { a, b in
      let (first, second) = (rows[a], rows[b])
      if first.address != second.address { return first.address < second.address }
      let ends = (first.flags.contains(.endsSequence), second.flags.contains(.endsSequence))
      return ends.0 != ends.1 ? ends.0 : a < b
    }
    rows = order.map { rows[$0] }
  }

  private static func row(_ line: OpaquePointer) -> (address: UInt64, line: UInt32, flags: Flags)? {
    var address: Dwarf_Addr = 0
    var number: Int32 = 0
    guard unsafe dwarf_lineaddr(line, &address) == 0, unsafe dwarf_lineno(line, &number) == 0 else { return nil }
    var flags: Flags = []
    var isSet = false
    if unsafe dwarf_linebeginstatement(line, &isSet) == 0, isSet { flags.insert(.isStatement) }
    if unsafe dwarf_lineendsequence(line, &isSet) == 0, isSet { flags.insert(.endsSequence) }
    if unsafe dwarf_lineprologueend(line, &isSet) == 0, isSet { flags.insert(.endsPrologue) }
    return (address, UInt32(max(0, number)), flags)
  }

  public var isEmpty: Bool { rows.isEmpty }

  /// The number of rows at or before `address`.
  private func count(upTo address: UInt64) -> Int {
    var (low, high) = (0, rows.count)
    while low < high {
      let middle = (low + high) / 2
      if rows[middle].address <= address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The line of the instruction at `address`, and the addresses around it that belong to the same run of that line.
  public func line(at address: UInt64) -> (source: SourceLine, range: Range<UInt64>)? {
    let after = count(upTo: address)
    guard after > 0, after < rows.count else { return nil }
    let row = rows[after - 1]
    guard !row.flags.contains(.endsSequence), row.line > 0 else { return nil }
    func isSame(_ other: Row) -> Bool {
      other.file == row.file && other.line == row.line && !other.flags.contains(.endsSequence)
    }
    // Of rows at one address only the last counts.
    var last = rows[after].address
    var index = after
    while index < rows.count {
      while index + 1 < rows.count, rows[index + 1].address == rows[index].address { index += 1 }
      last = rows[index].address
      guard isSame(rows[index]) else { break }
      index += 1
    }
    var first = row.address
    for other in rows[..<(after - 1)].reversed() {
      if other.address == first { continue }
      guard isSame(other) else { break }
      first = other.address
    }
    return (SourceLine(file: files[Int(row.file)], line: Int(row.line)), first..<max(first, last))
  }

  /// Whether a statement of a line begins at `address`: where stepping by lines may stop.
  public func beginsStatement(at address: UInt64) -> Bool {
    let after = count(upTo: address)
    guard after > 0 else { return false }
    let row = rows[after - 1]
    return row.address == address && row.line > 0
      && row.flags.intersection([.isStatement, .endsSequence]) == .isStatement
  }

  /// Whether a path is meant by what a user writes: it is that, or ends with it behind a slash.
  static func matches(_ path: String, _ text: String) -> Bool { path == text || path.hasSuffix("/" + text) }

  /// Files that `text` may mean.
  public func files(named text: String) -> [String] { files.filter { Self.matches($0, text) } }

  /// Where breakpoints on a line of a file belong: the beginnings of its statements, ascending, or those of the next line
  /// that has code.
  public func places(of line: Int, in text: String) -> (line: Int, addresses: [UInt64])? {
    let wanted = Set(files.indices.filter { Self.matches(files[$0], text) }.map { UInt32($0) })
    guard !wanted.isEmpty, line > 0 else { return nil }
    let statements = rows.indices.filter {
      wanted.contains(rows[$0].file) && Int(rows[$0].line) >= line
        && rows[$0].flags.intersection([.isStatement, .endsSequence]) == .isStatement
    }
    guard let found = statements.map({ rows[$0].line }).min() else { return nil }
    var addresses: [UInt64] = []
    for index in statements where rows[index].line == found {
      let goesOn =
        index > 0 && rows[index - 1].line == found && rows[index - 1].file == rows[index].file
        && !rows[index - 1].flags.contains(.endsSequence)
      if !goesOn, addresses.last != rows[index].address { addresses.append(rows[index].address) }
    }
    return (Int(found), addresses)
  }

  /// The first instruction behind the prologue of a function: where the compiler says so, or else where its second line
  /// begins, as compilers without the mark arrange it. Nil if the table knows neither.
  public func prologueEnd(ofFunctionAt range: Range<UInt64>) -> UInt64? {
    let start = count(upTo: range.lowerBound)
    guard start > 0, rows[start - 1].address == range.lowerBound, !rows[start - 1].flags.contains(.endsSequence) else {
      return nil
    }
    let inside = rows[(start - 1)...].prefix { $0.address < range.upperBound && !$0.flags.contains(.endsSequence) }
    if let marked = inside.first(where: { $0.flags.contains(.endsPrologue) }) { return marked.address }
    return inside.first { $0.address > range.lowerBound && $0.line > 0 && $0.flags.contains(.isStatement) }?.address
  }
}
