// Owns the commands that set breakpoints on code, exceptions, the console, counts and translation.

import Bits
import Engine
import Machine

extension Command {
  /// What follows in each command that sets a breakpoint.
  static let breakpointTail = [
    Parameter("IF", .words(["if"])).optional.then(.text("CONDITION").rest),
    Parameter("LOG", .words(["log"])).optional.then(.text("FORMAT")),
    Parameter("DO", .words(["do"])).optional.then(.text("COMMAND").rest),
  ]

  private static func breaks(
    _ name: String, aliases: [String] = [], _ parameters: [Parameter], _ summary: String,
    _ trigger: @escaping @Sendable (Context) throws(MonitorError) -> any Trigger
  ) -> Command {
    Command(
      name, aliases: aliases, parameters + breakpointTail, .breaks, summary,
      .look { context throws(MonitorError) in try context.add(try trigger(context)) })
  }

  static let breakpoint = breaks(
    "break", aliases: ["b"], [.place.rest],
    "Stop before the instruction at PLACE; or log \"a0={$a0:x}\", or do a command, and go on."
  ) { context throws(MonitorError) in
    guard !context.arguments.places.isEmpty else { throw context.arguments.usage }
    return CodeTrigger(context.arguments.places)
  }

  static let breakpointsByPattern = breaks(
    "rbreak", [.text("PATTERN")], "Stop at the entries of all functions whose names fit: uart_*."
  ) { context throws(MonitorError) in
    guard let pattern = context.arguments["PATTERN"] else { throw context.arguments.usage }
    return CodeTrigger(try context.memory.functions(matching: pattern), pattern: pattern)
  }

  static let breakException = breaks(
    "break exception", [.text("NAME|NUMBER").rest.optional],
    "Stop as the handler of an exception begins, or of any; a name's beginning or a pattern will do."
  ) { context throws(MonitorError) in
    try HandlerTrigger(context.arguments["NAME|NUMBER"], isInterrupt: false, context.memory)
  }

  static let breakInterrupt = breaks(
    "break interrupt", [.text("NAME|NUMBER").rest.optional], "Stop as the handler of an interrupt begins, or of any."
  ) { context throws(MonitorError) in
    try HandlerTrigger(context.arguments["NAME|NUMBER"], isInterrupt: true, context.memory)
  }

  static let breakConsole = breaks(
    "break console", [.text("/REGEX/").rest],
    "Stop soon behind what prints a line in which the regular expression is found."
  ) { context throws(MonitorError) in
    guard let text = context.arguments["/REGEX/"] else { throw context.arguments.usage }
    return try ConsoleTrigger(text)
  }

  private static let every = Parameter("EVERY", .words(["every"])).optional

  static let breakTime = breaks(
    "break time", [every, .text("TIME|@TIME")],
    "Stop when so much virtual time has passed (10ms), or at a time (@2.5s)."
  ) { context throws(MonitorError) in
    guard let word = context.arguments["TIME|@TIME"] else { throw context.arguments.usage }
    let tick = context.machine.clock.nanosecondsPerInstruction
    let wanted = context.machine.engine.ticks(until: try TimeWord.nanoseconds(String(word.drop { $0 == "@" })))
    return try context.count(.time(tick), wanted, now: context.vcpu.ticks, isAbsolute: word.hasPrefix("@"))
  }

  static let breakInstructions = breaks(
    "break instructions", [every, .text("COUNT|@COUNT")],
    "Stop when the hart has executed so many more instructions, or so many since its start (@COUNT)."
  ) { context throws(MonitorError) in
    guard let word = context.arguments["COUNT|@COUNT"] else { throw context.arguments.usage }
    guard context.machine.engine.options.interrupts.isDeterministic else {
      throw .refused("instructions are only counted with --interrupts budget")
    }
    let wanted = try Expression.value(String(word.drop { $0 == "@" }), context.memory)
    return try context.count(
      .instructions(hart: context.hart), wanted, now: context.vcpu.retired, isAbsolute: word.hasPrefix("@"))
  }

  static let breakOp = breaks(
    "break op", [.code(), .number("N")], "Stop before IR op N of the block at ADDR, as 'step op' numbers them."
  ) { context throws(MonitorError) in
    guard let address = context.arguments.address, let number = context.arguments.number("N") else {
      throw context.arguments.usage
    }
    if let block = (try? context.machine.engine.preview(context.vcpu, at: address))?.stages.last?.block,
      number >= block.ops.count
    {
      throw .refused(
        "the block at \(address.hex0x()) has \(block.ops.count) ops, from 0 on; 'ir \(address.hex0x())' lists them")
    }
    return OpTrigger(address, op: Int(clamping: number))
  }

  static let breakTranslation = breaks(
    "break translation", [.code().optional.then(.number("LENGTH").optional)],
    "Stop when code at ADDR, or in so many bytes from there, or any, has been translated."
  ) { context throws(MonitorError) in
    guard let address = context.arguments.address else { return TranslationTrigger(nil) }
    let length = max(1, context.arguments.number("LENGTH") ?? 1)
    return TranslationTrigger(address...(address &+ min(length &- 1, .max &- address)))
  }

  static let breakChain = breaks(
    "break chain", [.code("FROM").optional.then(.code("TO").optional)],
    "Stop when a compiled block has been chained to another, of all or those at FROM and TO."
  ) { context throws(MonitorError) in
    ChainTrigger(from: context.arguments.number("FROM"), to: context.arguments.number("TO"))
  }

  static let temporaryBreakpoint = Command(
    "tbreak", aliases: ["tb"], [.text("AS-FOR-BREAK").many], .breaks, "As 'break' with what follows, for one stop.",
    standsFor: "break",
    .look { context throws(MonitorError) in try context.temporarily("break", context.arguments.all("AS-FOR-BREAK")) })

  static let temporaryWatchpoint = Command(
    "twatch", [.text("AS-FOR-WATCH").many], .breaks, "As 'watch' with what follows, for one stop.", standsFor: "watch",
    .look { context throws(MonitorError) in try context.temporarily("watch", context.arguments.all("AS-FOR-WATCH")) })
}

extension Context {
  fileprivate func temporarily(_ word: String, _ words: [String]) throws(MonitorError) -> Listing {
    let resolved = try CommandTable.resolve([word] + words, wantsJSON: arguments.wantsJSON)
    guard case .look(let body) = resolved.command.body else { throw arguments.usage }
    var context = try Context(machine, monitor, resolved, style)
    context.isTemporary = true
    return try body(context)
  }

  fileprivate func count(
    _ unit: CountTrigger.Unit, _ wanted: UInt64, now: UInt64, isAbsolute: Bool
  ) throws(MonitorError) -> CountTrigger {
    let isRepeated = arguments["EVERY"] != nil
    guard !isAbsolute || !isRepeated else { throw .refused("'every' wants a distance, and no '@'") }
    let (next, overflows) = isAbsolute ? (wanted, false) : now.addingReportingOverflow(wanted)
    guard next > now, !overflows else {
      throw .refused(isAbsolute ? "that is over: give more than the present" : "give more than 0")
    }
    return CountTrigger(unit, at: next, every: isRepeated ? wanted : nil)
  }

  /// Sets a breakpoint, with the condition and the action that the arguments have.
  func add(_ trigger: any Trigger) throws(MonitorError) -> Listing {
    var condition: Breakpoint.Condition?
    if let text = arguments["CONDITION"] { condition = try Breakpoint.Condition(text, memory) }
    let action = try breakpointAction()
    let number = monitor.state.withLock { state in
      state.nextPoint += 1
      return state.nextPoint - 1
    }
    let point = Breakpoint(number: number, trigger, condition, action, isTemporary: isTemporary, of: monitor)
    monitor.state.withLock { $0.points.append(point) }
    point.setEnabled(true, machine)
    let what = point.purpose.isEmpty ? "" : ", " + point.purpose
    return .custom(
      ["\(number): \(trigger.title(memory))\(what)" + (trigger.note.map { " (\($0))" } ?? "")],
      .object([
        NamedValue("number", .count(number)), NamedValue("kind", .text(trigger.kind)),
        NamedValue("place", .text(trigger.place(memory))),
        NamedValue("what", point.purpose.isEmpty ? .nothing : .text(point.purpose)),
        NamedValue("note", trigger.note.map { .text($0) } ?? .nothing),
      ]))
  }

  private func breakpointAction() throws(MonitorError) -> Breakpoint.Action {
    switch (arguments["FORMAT"], arguments["COMMAND"]) {
    case (nil, nil): return .stop
    case (let format?, nil): return .log(try LogFormat(format, memory))
    case (nil, let line?):
      let words = try Words.split(line)
      guard !words.isEmpty else { throw arguments.usage }
      let command = try CommandTable.resolve(words.filter { $0 != "--json" }, wantsJSON: words.contains("--json"))
      guard command.command.looksOnly else {
        throw .refused("'\(line)' runs or changes the machine; a breakpoint carries out commands that look at it")
      }
      return .command(command, line)
    case (_?, _?): throw .refused("a breakpoint either logs or carries out a command")
    }
  }
}
