// Owns the commands that go through the past: those that begin with reverse, goto, bookmark, timeline.

import Bits
import Engine
import Machine

extension Command {
  static let reverseStep = Command(
    "reverse step", aliases: ["rsi"], [.count.optional], .run, "Go back COUNT instructions of the chosen hart.",
    .control { monitor, arguments, run throws(MonitorError) in
      var event = StopEvent.requested
      for _ in 0..<arguments.count(else: 1) {
        event = try monitor.reverse(run) { .step(hart: monitor.hart($0)) }
        guard case .stepped = event else { break }
      }
      return CommandResult(listing: try monitor.perform { [event] in monitor.describe(event, $0) })
    })

  static let reverseContinue = Command(
    "reverse cont", aliases: ["rc"], [], .run, "Go back to the last breakpoint, or to the beginning.",
    .control { monitor, _, run throws(MonitorError) in
      let event = try monitor.reverse(run) { _ in .run(includesHere: false) }
      return CommandResult(listing: try monitor.perform { monitor.describe(event, $0) })
    })

  static let reverseUntil = Command(
    "reverse until", aliases: ["reverse advance"], [.place.rest], .run, "Go back to where a hart last was at PLACE.",
    .control { monitor, arguments, run throws(MonitorError) in
      let places = arguments.places
      guard !places.isEmpty else { throw arguments.usage }
      let event = try monitor.reverse(run, to: places)
      return CommandResult(listing: try monitor.perform { monitor.describe(event, $0, quiet: places) })
    })

  static let reverseFinish = Command(
    "reverse finish", aliases: ["rfin"], [], .run,
    "Go back to the call of the chosen frame's function; out of a handler, to the instruction that was interrupted.",
    .control { monitor, _, run throws(MonitorError) in
      try monitor.needsStopped()
      let (places, filter) = try monitor.perform { machine throws(MonitorError) in
        let caller = try monitor.caller(machine.engine.vcpus[monitor.hart(machine)], machine)
        return (caller.origins(machine.guest), FrameFilter(caller, machine.guest))
      }
      let event = try monitor.reverse(run, to: places, filter)
      return CommandResult(listing: try monitor.perform { monitor.describe(event, $0, quiet: places) })
    })

  static let goTo = Command(
    "goto", [.text("WHEN")], .run,
    "Go to where the chosen hart was at a tick, +N or -N ticks from here, at a time (2.5ms), at a bookmark, begin or end.",
    .control { monitor, arguments, run throws(MonitorError) in
      guard let text = arguments["WHEN"] else { throw arguments.usage }
      let event = try monitor.reverse(run) { machine throws(MonitorError) in try monitor.way(to: text, machine) }
      return CommandResult(listing: try monitor.perform { monitor.describe(event, $0) })
    })

  static let bookmark = Command(
    "bookmark", [.text("NAME")], .monitor, "Name the place of the run where the machine stands, for 'goto'.",
    .look { context throws(MonitorError) in
      guard let name = context.arguments["NAME"] else { throw context.arguments.usage }
      guard name.first?.isLetter == true, name != "begin", name != "end" else {
        throw .refused("'\(name)' is no name of a bookmark: it begins with a letter, and is neither 'begin' nor 'end'")
      }
      do throws(MachineError) { try context.machine.setBookmark(name) } catch { throw .refused(error.description) }
      return .empty
    })

  static let timeline = Command(
    "timeline", [], .monitor, "What is kept of the past: how far it goes, and what happened in it, in ticks.",
    .look { context throws(MonitorError) in
      guard let history = context.machine.history else {
        throw .refused("the past is not kept; start with --timeline SIZE")
      }
      let nanoseconds = context.machine.clock.nanosecondsPerInstruction
      let end = String(history.end).count
      func line(_ ticks: UInt64, _ text: String) -> String {
        let time = fixedPoint(Double(ticks &* nanoseconds) / 1e6, 3)
        return "\(padded(left: String(ticks), end))  \(padded(left: time, 12)) ms  \(text)"
      }
      var lines = [
        (history.begin, 0, "begins"), (history.here, 2, "the machine stands here"), (history.end, 3, "ends"),
      ]
      lines += history.entries.map { ($0.ticks, 1, $0.words) }
      let summary =
        "\(history.moments) moments kept in \(history.bytes >> 10) KiB of \(history.limit >> 10) KiB"
      return .custom(
        lines.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map { line($0.0, $0.2) } + [summary],
        .object([
          NamedValue("begin", .number(history.begin)), NamedValue("here", .number(history.here)),
          NamedValue("end", .number(history.end)), NamedValue("moments", .count(history.moments)),
          NamedValue("bytes", .count(history.bytes)), NamedValue("limit", .count(history.limit)),
          NamedValue(
            "entries",
            .list(
              history.entries.map {
                .object([NamedValue("ticks", .number($0.ticks)), NamedValue("what", .text($0.words))])
              })),
        ]))
    })
}

extension HistoryEntry {
  fileprivate var words: String {
    switch kind {
    case .input(let device, 0): "the end of the input for \(device)"
    case .input(let device, let count): "\(count) character\(count == 1 ? "" : "s") for \(device)"
    case .change: "changed from outside"
    case .bookmark(let name): "bookmark \(name)"
    }
  }
}

extension Monitor {
  /// Goes back to the last of some places, or to what stops the way there.
  fileprivate func reverse(
    _ run: CommandRun, to places: [UInt64], _ filter: (any BreakpointFilter & Sendable)? = nil
  ) throws(MonitorError) -> StopEvent {
    // A running guest would stop there.
    try needsStopped()
    machine.perform { machine in for place in places { machine.engine.insertBreakpoint(place, filter: filter) } }
    defer {
      machine.perform { machine in for place in places { machine.engine.removeBreakpoint(place, filter: filter) } }
    }
    return try reverse(run) { _ in .run(includesHere: false) }
  }

  /// Goes back, and waits until the machine stands.
  func reverse(
    _ run: CommandRun, _ request: @escaping @Sendable (Machine) throws(MonitorError) -> ReverseRequest
  ) throws(MonitorError) -> StopEvent {
    try needsStopped()
    let before = stops.expectStop()
    let failure: MonitorError? = machine.perform { machine in
      do throws(MonitorError) {
        let request = try request(machine)
        do throws(MachineError) { try machine.reverse(request) } catch { return .refused(error.description) }
      } catch {
        return error
      }
      return nil
    }
    if let failure {
      stops.giveUp()
      throw failure
    }
    return awaitStop(after: before, run)
  }

  /// What the words of `goto` mean.
  fileprivate func way(to text: String, _ machine: Machine) throws(MonitorError) -> ReverseRequest {
    let hart = hart(machine)
    let here = machine.engine.vcpus[hart].ticks
    do throws(MachineError) {
      if text == "begin" || text == "end" { return try machine.historyEnd(isFirst: text == "begin") }
    } catch {
      throw .refused(error.description)
    }
    if let way = machine.bookmark(text) { return way }
    if let ticks = UInt64(text) { return .reach(hart: hart, ticks: ticks) }
    if let sign = text.first, sign == "+" || sign == "-", let count = UInt64(text.dropFirst()) {
      return .reach(hart: hart, ticks: sign == "+" ? here &+ count : here - min(here, count))
    }
    guard text.first?.isNumber == true else {
      throw .refused(
        "'\(text)' is no bookmark; 'timeline' lists them. Or: a tick, +N, -N, a time such as 2.5ms, begin, end")
    }
    return .reach(hart: hart, ticks: machine.engine.ticks(until: try TimeWord.nanoseconds(text)))
  }
}
