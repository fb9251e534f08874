// Owns the commands that set and delete breakpoints and watchpoints.

import Bits
import Engine
import Machine

/// A breakpoint or watchpoint of the monitor's own.
struct DebugPoint: Sendable {
  enum Kind: Sendable {
    case breakpoint(CodeBreakpoint)
    case watch(Watchpoint)
  }
  var number: Int
  var kind: Kind

  func isBreakpoint(at pc: UInt64) -> Bool {
    if case .breakpoint(let point) = kind { point.address == pc } else { false }
  }
  func watches(_ watchpoint: Watchpoint) -> Bool {
    if case .watch(let own) = kind { own == watchpoint } else { false }
  }
}

extension Command {
  private static let condition = Parameter("IF", .words(["if"])).optional.then(.text("CONDITION").rest)

  static let breakpoint = Command(
    "break", aliases: ["b"],
    [
      .code().rest, condition, Parameter("LOG", .words(["log"])).optional.then(.text("FORMAT")),
      Parameter("DO", .words(["do"])).optional.then(.text("COMMAND").rest),
    ], .breaks,
    "Stop before the instruction at ADDR; or log \"a0={$a0:x}\", or do a command, and go on.",
    .look { context throws(MonitorError) in try context.addBreakpoint(isTemporary: false) })

  static let temporaryBreakpoint = Command(
    "tbreak", aliases: ["tb"], [.code().rest, condition], .breaks, "As 'break', for one stop.",
    .look { context throws(MonitorError) in try context.addBreakpoint(isTemporary: true) })

  static let breakpointCondition = Command(
    "condition", [.number("NUMBER"), .text("CONDITION").rest.optional], .breaks,
    "Give a breakpoint a condition, or take it away.",
    .look { context throws(MonitorError) in
      let point = try context.codeBreakpoint()
      point.condition = try context.arguments["CONDITION"].map { text throws(MonitorError) in
        try CodeBreakpoint.Condition(text, context.memory)
      }
      return .empty
    })

  static let ignore = Command(
    "ignore", [.number("NUMBER"), .number("COUNT")], .breaks, "Let the next COUNT hits of a breakpoint pass.",
    .look { context throws(MonitorError) in
      try context.codeBreakpoint().ignored = Int(clamping: context.arguments.number("COUNT") ?? 0)
      return .empty
    })

  static let watch = Command(
    "watch", [.address, .number("LENGTH").optional, .words("MODE", "r", "w", "rw").optional], .breaks,
    "Stop behind an access to memory, and show what was and what is there; writes by default.",
    .look { context throws(MonitorError) in
      guard let word = context.arguments["ADDR"], let address = context.arguments.address else {
        throw context.arguments.usage
      }
      let mode = context.arguments["MODE"] ?? "w"
      let symbol = try context.memory.symbol(named: word)
      let length =
        context.arguments.number("LENGTH") ?? symbol.map { max(1, $0.size) } ?? UInt64(context.memory.wordSize)
      guard (1...1 << 20).contains(length) else { throw .refused("a watchpoint covers 1 to 1048576 bytes") }
      let point = Watchpoint(
        address: address, length: length, onRead: mode.contains("r"), onWrite: mode.contains("w"),
        stopsBehind: true)
      context.machine.engine.insert(point)
      return context.add { _ in .watch(point) }
    })

  static let delete = Command(
    "delete", aliases: ["d"], [.text("NUMBER|all").many], .breaks, "Delete breakpoints and watchpoints.",
    .look { context throws(MonitorError) in
      let points = context.monitor.state.withLock { $0.points }
      var chosen: Set<Int> = []
      for word in context.arguments.all("NUMBER|all") {
        let found = points.filter { word == "all" || String($0.number) == word }
        guard !found.isEmpty || word == "all" else { throw Context.noBreakpoint(word) }
        chosen.formUnion(found.map(\.number))
      }
      context.monitor.delete(chosen, context.machine)
      return .empty
    })

  static let infoBreakpoints = Command(
    "info breakpoints", [], .breaks, "Breakpoints and watchpoints, those of GDB too.",
    .look { context throws(MonitorError) in
      let memory = context.memory
      let points = context.monitor.state.withLock { $0.points }
      var rows = points.map { [.count($0.number)] + describe($0.kind, memory) }
      let debug = context.machine.engine.debug
      for pc in debug.breakpoints where !points.contains(where: { $0.isBreakpoint(at: pc) }) {
        rows.append([.nothing, .text("break"), memory.address(pc), .nothing, .nothing, memory.symbol(pc), .nothing])
      }
      for point in debug.watchpoints where !points.contains(where: { $0.watches(point) }) {
        rows.append([.nothing] + describe(.watch(point), memory))
      }
      guard !rows.isEmpty else { return .text("No breakpoints or watchpoints.") }
      return .table(
        [
          .right("number"), .left("kind"), .left("address"), .right("length"), .right("hits"), .left("symbol"),
          .left("what"),
        ], rows)
    })

  /// All columns but the number.
  fileprivate static func describe(_ kind: DebugPoint.Kind, _ memory: DebugMemory) -> [Value] {
    switch kind {
    case .breakpoint(let point):
      return [
        .text("break"), memory.address(point.address), .nothing, .count(point.hits), memory.symbol(point.address),
        point.purpose.isEmpty ? .nothing : .text(point.purpose),
      ]
    case .watch(let point):
      let mode = "watch " + (point.onRead ? "r" : "") + (point.onWrite ? "w" : "")
      return [
        .text(mode), memory.address(point.address), .count(point.length), .nothing, memory.symbol(point.address),
        .nothing,
      ]
    }
  }
}

extension Context {
  fileprivate static func noBreakpoint(_ word: String) -> MonitorError {
    .refused("no breakpoint '\(word)'; 'info breakpoints' lists them")
  }

  /// The breakpoint on code that `NUMBER` names.
  fileprivate func codeBreakpoint() throws(MonitorError) -> CodeBreakpoint {
    let number = arguments.number("NUMBER") ?? 0
    for point in monitor.state.withLock({ $0.points }) where UInt64(point.number) == number {
      guard case .breakpoint(let breakpoint) = point.kind else { throw .refused("\(number) is a watchpoint") }
      return breakpoint
    }
    throw Self.noBreakpoint(String(number))
  }

  fileprivate func addBreakpoint(isTemporary: Bool) throws(MonitorError) -> Listing {
    guard let address = arguments.address else { throw arguments.usage }
    var condition: CodeBreakpoint.Condition?
    if let text = arguments["CONDITION"] { condition = try CodeBreakpoint.Condition(text, memory) }
    let action = try breakpointAction()
    return add { number in
      let point = CodeBreakpoint(
        number: number, at: address, condition, action, isTemporary: isTemporary, of: monitor)
      machine.engine.insertBreakpoint(address, filter: point)
      return .breakpoint(point)
    }
  }

  private func breakpointAction() throws(MonitorError) -> CodeBreakpoint.Action {
    switch (arguments["FORMAT"], arguments["COMMAND"]) {
    case (nil, nil): return .stop
    case (let format?, nil): return .log(try LogFormat(format, memory))
    case (nil, let line?):
      let words = try Words.split(line)
      let command = try CommandTable.resolve(words.filter { $0 != "--json" }, wantsJSON: words.contains("--json"))
      guard command.command.looksOnly else {
        throw .refused("'\(line)' runs or changes the machine; a breakpoint carries out commands that look at it")
      }
      return .command(command)
    case (_?, _?): throw .refused("a breakpoint either logs or carries out a command")
    }
  }

  fileprivate func add(_ make: (Int) -> DebugPoint.Kind) -> Listing {
    let number = monitor.state.withLock { state in
      state.nextPoint += 1
      return state.nextPoint - 1
    }
    let kind = make(number)
    monitor.state.withLock { $0.points.append(DebugPoint(number: number, kind: kind)) }
    let row = Command.describe(kind, memory)
    let place = "\(number): \(row[0].text) at \(row[1].text)" + (row[4] == .nothing ? "" : " <\(row[4].text)>")
    let what = row[5] == .nothing ? "" : ", \(row[5].text)"
    return .custom(
      [place + what],
      .object([
        NamedValue("number", .count(number)), NamedValue("kind", row[0]), NamedValue("address", row[1]),
        NamedValue("what", row[5]),
      ]))
  }
}

extension Command {
  /// Whether it may be carried out between two instructions of the guest.
  fileprivate var looksOnly: Bool {
    guard case .look = body else { return false }
    return [.look, .blocks, .ir].contains(group)
  }
}

extension Monitor {
  /// Deletes points by number.
  func delete(_ numbers: Set<Int>, _ machine: Machine) {
    let chosen = state.withLock { state in
      defer { state.points.removeAll { numbers.contains($0.number) } }
      return state.points.filter { numbers.contains($0.number) }
    }
    for point in chosen {
      switch point.kind {
      case .breakpoint(let point): machine.engine.removeBreakpoint(point.address, filter: point)
      case .watch(let watchpoint): machine.engine.remove(watchpoint)
      }
    }
  }

  /// What a command that looks at the machine shows of a hart.
  func look(_ arguments: Arguments, _ vcpu: VCPU, _ machine: Machine) throws(MonitorError) -> String {
    guard case .look(let body) = arguments.command.body else { return "" }
    let chosen = state.withLock { state in
      defer { state.hart = vcpu.number }
      return state.hart
    }
    defer { state.withLock { $0.hart = chosen } }
    return try body(try Context(machine, self, arguments)).text(asJSON: arguments.wantsJSON)
  }

  /// Shows a line that no command has asked for: to the command that waits for the guest, or else at the prompt. Never
  /// waits for a reader.
  func show(_ text: String) {
    if !stops.post(text) { announce(.lines([text])) }
  }
}
