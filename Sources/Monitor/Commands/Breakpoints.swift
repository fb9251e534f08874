// Owns the commands that list breakpoints of all kinds and change them.

import Bits
import Engine
import Machine

extension Command {
  static let breakpointCondition = Command(
    "condition", [.number("NUMBER"), .text("CONDITION").rest.optional], .breaks,
    "Give a breakpoint a condition, or take it away.",
    .look { context throws(MonitorError) in
      let point = try context.breakpoint()
      point.condition = try context.arguments["CONDITION"].map { text throws(MonitorError) in
        try Breakpoint.Condition(text, context.memory)
      }
      return .empty
    })

  static let ignore = Command(
    "ignore", [.number("NUMBER"), .number("COUNT")], .breaks, "Let the next COUNT hits of a breakpoint pass.",
    .look { context throws(MonitorError) in
      try context.breakpoint().ignored = Int(clamping: context.arguments.number("COUNT") ?? 0)
      return .empty
    })

  static let delete = Command(
    "delete", aliases: ["d"], [.text("NUMBER|all").many], .breaks, "Delete breakpoints and watchpoints.",
    .look { context throws(MonitorError) in
      context.monitor.delete(Set(try context.breakpoints().map(\.number)), context.machine)
      return .empty
    })

  static let disable = Command(
    "disable", [.text("NUMBER|all").many], .breaks, "Keep breakpoints, but let nothing hit them.",
    .look { context throws(MonitorError) in
      for point in try context.breakpoints() { point.setEnabled(false, context.machine) }
      return .empty
    })

  static let enable = Command(
    "enable", [.text("NUMBER|all").many], .breaks, "The reverse of 'disable'.",
    .look { context throws(MonitorError) in
      for point in try context.breakpoints() { point.setEnabled(true, context.machine) }
      return .empty
    })

  static let infoBreakpoints = Command(
    "info breakpoints", [], .breaks, "Breakpoints and watchpoints of all kinds, those of GDB too.",
    .look { context throws(MonitorError) in
      let memory = context.memory
      let points = context.monitor.state.withLock { $0.points }
      var rows: [[Value]] = points.map { point in
        let place = point.trigger.place(memory)
        return [
          .count(point.number), .text(point.trigger.kind), place.isEmpty ? .nothing : .text(place), .count(point.hits),
          point.purpose.isEmpty ? .nothing : .text(point.purpose),
        ]
      }
      let debug = context.machine.engine.debug
      let planted = points.filter(\.isEnabled)
      for pc in debug.breakpoints where !planted.contains(where: { $0.trigger.isPlanted(at: pc) }) {
        let place = memory.addressText(pc) + memory.symbolSuffix(pc)
        rows.append([.nothing, .text("break"), .text(place), .nothing, .nothing])
      }
      for point in debug.watchpoints where !planted.contains(where: { $0.trigger.watches(point) }) {
        rows.append(
          [.nothing, .text(MemoryTrigger.kind(point)), .text(MemoryTrigger.place(point, memory)), .nothing, .nothing])
      }
      guard !rows.isEmpty else { return .text("No breakpoints or watchpoints.") }
      return .table([.right("number"), .left("kind"), .left("place"), .right("hits"), .left("what")], rows)
    })
}

extension Context {
  private static func noBreakpoint(_ word: String) -> MonitorError {
    .refused("no breakpoint '\(word)'; 'info breakpoints' lists them")
  }

  /// The breakpoint that `NUMBER` names.
  fileprivate func breakpoint() throws(MonitorError) -> Breakpoint {
    let number = arguments.number("NUMBER") ?? 0
    let point = monitor.state.withLock { $0.points.first { UInt64($0.number) == number } }
    guard let point else { throw Self.noBreakpoint(String(number)) }
    return point
  }

  /// Those that `NUMBER|all` names.
  fileprivate func breakpoints() throws(MonitorError) -> [Breakpoint] {
    let points = monitor.state.withLock { $0.points }
    var chosen: [Breakpoint] = []
    for word in arguments.all("NUMBER|all") {
      let found = points.filter { word == "all" || String($0.number) == word }
      guard !found.isEmpty || word == "all" else { throw Self.noBreakpoint(word) }
      chosen += found
    }
    return chosen
  }
}

extension Command {
  /// Whether it may be carried out between two instructions of the guest.
  var looksOnly: Bool {
    guard case .look = body else { return false }
    return [.look, .blocks, .ir].contains(group)
  }
}

extension Monitor {
  /// Deletes breakpoints by number.
  func delete(_ numbers: Set<Int>, _ machine: Machine) {
    let chosen = state.withLock { state in
      defer { state.points.removeAll { numbers.contains($0.number) } }
      return state.points.filter { numbers.contains($0.number) }
    }
    for point in chosen { point.setEnabled(false, machine) }
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
