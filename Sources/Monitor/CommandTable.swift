// Owns the command table, and the finding of a row by the words of a line.

/// All commands. Help, completion and GDB's `monitor …` are derived from it.
enum CommandTable {
  static let commands: [Command] = [
    // Run control
    .stop, .cont, .step, .stepBlock, .stepOp, .until, .reset, .maskInterrupts,
    .cortexMask, .quit,
    // Look at the machine
    .infoStatus, .infoCPUs, .cpu, .infoRegisters, .setRegister, .examine, .examinePhysical, .print, .peek, .poke,
    .disassemble, .infoMemoryTree, .infoDeviceTree, .infoDevice, .deviceReads, .registerDescription, .infoInterrupts,
    .infoTLB, .walk,
    .infoSymbols,
    // Breakpoints and watchpoints
    .breakpoint, .watch, .delete, .infoBreakpoints, .catchVectors, .cortexCatch,
    // Translation blocks
    .blocks, .block, .infoJIT, .profile, .why, .stops, .chainForbid, .chainAllow, .unchain, .flush, .graph,
    // IR and passes
    .ir, .irDiff, .passList, .passOff, .passOn,
    // Monitor
    .help, .saveSnapshot, .loadSnapshot, .infoSnapshots,
  ]

  /// The row that the first words of a line mean, and the words that follow. Names may be cut as long as one row fits.
  static func resolve(_ words: [String]) throws(MonitorError) -> Arguments {
    var words = words
    var format = ""
    if let slash = words[0].firstIndex(of: "/"), slash != words[0].startIndex {
      format = String(words[0][words[0].index(after: slash)...])
      words[0] = String(words[0][..<slash])
    }
    let command = try find(words)
    guard format.isEmpty || command.takesFormat else {
      throw .refused("'\(command.name)' takes no format after '/'")
    }
    let used = command.aliases.contains(words[0]) ? 1 : command.words.count
    return Arguments(words: Array(words.dropFirst(used)), format: format, command: command)
  }

  private static func find(_ words: [String]) throws(MonitorError) -> Command {
    if let row = commands.first(where: { $0.aliases.contains(words[0]) }) { return row }
    let exact = commands.filter { row in
      row.words.count <= words.count && zip(row.words, words).allSatisfy { String($0) == $1 }
    }
    if let row = exact.max(by: { $0.words.count < $1.words.count }) { return row }
    let close = commands.filter { row in
      row.words.count <= words.count && zip(row.words, words).allSatisfy { $0.hasPrefix($1) }
    }
    let longest = close.map(\.words.count).max() ?? 0
    let rows = close.filter { $0.words.count == longest }
    if rows.count == 1 { return rows[0] }
    guard rows.isEmpty else { throw .ambiguous(words.prefix(longest).joined(separator: " "), rows.map(\.name)) }
    let family = commands.filter { $0.words.count > 1 && $0.words[0] == words[0] }
    guard family.isEmpty else {
      throw .refused(
        "'\(words[0])' wants one of: " + family.map { $0.words[1...].joined(separator: " ") }.joined(separator: ", "))
    }
    throw .unknownCommand(words[0])
  }
}
