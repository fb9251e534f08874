// Owns the command table, and the finding of a row by the words of a line.

/// All commands. Help, completion and GDB's `monitor …` are derived from it.
enum CommandTable {
  static let commands = rows + Command.openOCDMemory

  private static let rows: [Command] = [
    // Run control
    .stop, .cont, .step, .stepLine, .next, .stepBlock, .stepOp, .until, .finish, .reset, .systemReset, .maskInterrupts,
    .cortexMask, .resume, .waitHalt, .sleep, .reverseStep, .reverseContinue, .reverseUntil, .reverseFinish, .goTo,
    .lastWrite, .lastAccess, .nextWrite, .nextAccess, .bookmark, .timeline, .quit,
    // Look at the machine
    .infoStatus, .infoCPUs, .cpu, .infoRegisters, .setRegister, .examine, .examinePhysical, .print, .peek, .poke,
    .disassemble, .infoMemoryTree, .infoDeviceTree, .infoDevicetreeSource, .infoDevice, .deviceReads,
    .registerDescription, .infoInterrupts, .infoTLB, .walk, .infoSymbols, .infoLine, .infoSources, .directory,
    .backtrace, .frame, .up, .down, .infoTasks, .threads, .register,
    // Breakpoints and watchpoints
    .breakpoint, .breakpointsByPattern, .breakException, .breakInterrupt, .breakConsole, .breakTime, .breakInstructions,
    .breakOp, .breakTranslation, .breakChain, .temporaryBreakpoint, .watch, .watchSystemRegister, .temporaryWatchpoint,
    .breakpointCondition, .ignore, .disable, .enable, .delete, .infoBreakpoints, .catchVectors, .cortexCatch,
    // Translation blocks
    .blocks, .block, .hostStubs, .events, .storyChaining, .infoJIT, .profile, .why, .whyCauses, .whyChains, .stops,
    .chainForbid, .chainAllow,
    .unchain, .flush, .graph,
    // IR and passes
    .ir, .irDiff, .passList, .passOff, .passOn, .retranslate, .bisect,
    // Files and flash memory
    .loadImage, .verifyImage, .dumpImage, .saveMemory, .savePhysicalMemory, .symbolFile, .dumpDTB, .flashBanks,
    .flashWriteImage, .flashErase, .armSemihosting, .rttSetup, .rttStart,
    // Monitor
    .help, .complete, .saveSnapshot, .loadSnapshot, .infoSnapshots, .columns, .pager, .log, .logFilter,
  ]

  /// The row that the first words of a line mean, and what the words that follow are to it. Names may be cut as long as
  /// one row fits.
  static func resolve(_ words: [String], wantsJSON: Bool) throws(MonitorError) -> Arguments {
    var words = words
    var format = ""
    if let slash = words[0].firstIndex(of: "/"), slash != words[0].startIndex {
      format = String(words[0][words[0].index(after: slash)...])
      words[0] = String(words[0][..<slash])
    }
    let (command, rest) = try find(words)
    guard format.isEmpty || command.takesFormat else {
      throw .refused("'\(command.name)' takes no format after '/'")
    }
    return try Arguments(command, format: format, rest, wantsJSON: wantsJSON)
  }

  /// A row, and the words behind its name.
  static func find(_ given: [String]) throws(MonitorError) -> (Command, [String]) {
    let words = withoutAlias(given)
    let exact = commands.filter { row in
      row.words.count <= words.count && zip(row.words, words).allSatisfy { String($0) == $1 }
    }
    if let row = exact.max(by: { $0.words.count < $1.words.count }) {
      return (row, Array(words.dropFirst(row.words.count)))
    }
    let close = commands.filter { row in
      row.words.count <= words.count && zip(row.words, words).allSatisfy { $0.hasPrefix($1) }
    }
    let longest = close.map(\.words.count).max() ?? 0
    let rows = close.filter { $0.words.count == longest }
    if rows.count == 1 { return (rows[0], Array(words.dropFirst(longest))) }
    guard rows.isEmpty else { throw .ambiguous(words.prefix(longest).joined(separator: " "), rows.map(\.name)) }
    let family = commands.filter { $0.words.count > 1 && $0.words[0] == words[0] }
    guard family.isEmpty else {
      throw .refused(
        "'\(words[0])' wants one of: " + family.map { $0.words[1...].joined(separator: " ") }.joined(separator: ", "))
    }
    throw .unknownCommand(words[0])
  }

  /// The words with an alias at their beginning replaced by what it stands for: `s block` is `step block`.
  private static func withoutAlias(_ words: [String]) -> [String] {
    for row in commands {
      for alias in row.aliases.map({ $0.split(separator: " ").map(String.init) }) where words.starts(with: alias) {
        return row.words.map(String.init) + words.dropFirst(alias.count)
      }
    }
    return words
  }
}
