// Owns the commands that let the guest run and stop: stop, cont, step, until, reset, quit.

import Bits
import Bus
import Engine
import Machine

extension Command {
  static let stop = Command(
    "stop", aliases: ["halt"], [], .run, "Stop the guest.",
    .control { monitor, _, _ throws(MonitorError) in
      monitor.machine.stop()
      return CommandResult(listing: try monitor.perform { monitor.position($0) })
    })

  static let cont = Command(
    "cont", aliases: ["c", "continue"], [], .run, "Let the guest run on; the prompt stays.",
    .control { monitor, _, _ throws(MonitorError) in
      monitor.machine.resume(.run)
      return CommandResult()
    })

  static let until = Command(
    "until", aliases: ["advance"], [.place.rest], .run, "Run until a hart comes to PLACE.",
    .control { monitor, arguments, run throws(MonitorError) in
      let places = arguments.places
      guard !places.isEmpty else { throw arguments.usage }
      try monitor.needsStopped()
      monitor.machine.perform { machine in for place in places { machine.engine.insertBreakpoint(place) } }
      defer { monitor.machine.perform { machine in for place in places { machine.engine.removeBreakpoint(place) } } }
      let event = monitor.wait(for: .run, run)
      return CommandResult(listing: try monitor.perform { monitor.describe(event, $0, quiet: places) })
    })

  static let reset = Command(
    "reset", [.words("MODE", "halt", "run", "init").optional, cause.optional], .run,
    "Reset as a debug probe does, or as by another cause; runs on if it ran, unless told.",
    .control { monitor, arguments, _ throws(MonitorError) in
      let mode = arguments["MODE"]
      if mode == "halt" || mode == "init" { monitor.machine.stop() }
      let cause = ResetCause(word: arguments["CAUSE"]) ?? .debugger
      monitor.machine.perform { $0.reset(cause) }
      if mode == "run" { monitor.machine.resume(.run) }
      return CommandResult(listing: try monitor.perform { monitor.position($0) })
    })

  static let systemReset = Command(
    "system_reset", [cause.optional], .run, "Reset by the reset pin, or by another cause.",
    .control { monitor, arguments, _ throws(MonitorError) in
      let cause = ResetCause(word: arguments["CAUSE"]) ?? .pin
      monitor.machine.perform { $0.reset(cause) }
      return CommandResult(listing: try monitor.perform { monitor.position($0) })
    })

  private static let cause = Parameter("CAUSE", .words(ResetCause.ofMachines.map(\.rawValue)))

  static let quit = Command(
    "quit", aliases: ["q", "exit", "shutdown"], [], .run, "End Martlet.",
    .control { _, _, _ throws(MonitorError) in CommandResult(wantsQuit: true) })
}

extension ResetCause {
  fileprivate init?(word: String?) {
    guard let word, let cause = ResetCause(rawValue: word) else { return nil }
    self = cause
  }
}

extension Monitor {
  func hart(_ machine: Machine) -> Int { min(state.withLock { $0.hart }, machine.engine.vcpus.count - 1) }

  func needsStopped() throws(MonitorError) {
    guard machine.perform({ !$0.isRunning && !$0.waitsForDebugger }) else {
      throw .refused("the guest is running; 'stop' it first")
    }
  }

  /// Resumes a stopped machine, and waits for its stop. A command that is cancelled stops it.
  func wait(for request: RunRequest, _ run: CommandRun) -> StopEvent {
    let before = stops.expectStop()
    machine.resume(request)
    return awaitStop(after: before, run)
  }

  func awaitStop(after number: Int, _ run: CommandRun) -> StopEvent {
    if let event = stops.wait(after: number, run) { return event }
    machine.stop()
    return .requested
  }

  /// Where the chosen hart stands.
  func position(_ machine: Machine) -> Listing {
    let number = hart(machine)
    let memory = DebugMemory(machine: machine, vcpu: machine.engine.vcpus[number])
    let pc = memory.vcpu.state.pc
    var fields = [
      NamedValue("hart", .count(number)), NamedValue("pc", memory.address(pc)), NamedValue("symbol", memory.symbol(pc)),
    ]
    fields.append(NamedValue("instruction", memory.instruction(pc).map { .text($0.text) } ?? .nothing))
    fields.append(NamedValue("running", .truth(machine.isRunning)))
    return .custom(
      [(machine.engine.vcpus.count > 1 ? "hart \(number): " : "") + memory.location(pc)], .object(fields))
  }

  /// A stop in words, and where. A breakpoint at one of `quiet` is not mentioned.
  func describe(_ event: StopEvent, _ machine: Machine, quiet: [UInt64] = []) -> Listing {
    let (reason, hart) = words(event, machine, quiet)
    guard let hart else { return .custom([reason], .object([NamedValue("stop", .text(reason))])) }
    let memory = DebugMemory(machine: machine, vcpu: machine.engine.vcpus[hart])
    let pc = memory.vcpu.state.pc
    let lines = (reason.isEmpty ? [] : [reason]) + [memory.location(pc)]
    return .custom(
      lines,
      .object([
        NamedValue("stop", .text(reason)), NamedValue("hart", .count(hart)), NamedValue("pc", memory.address(pc)),
        NamedValue("symbol", memory.symbol(pc)),
      ]))
  }

  /// The number of a breakpoint that a stop is about: of several, the one that was hit last.
  private func hit(_ concerns: (Breakpoint) -> Bool) -> Int? {
    state.withLock { state in
      let numbers = state.points.filter { $0.isEnabled && concerns($0) }.map(\.number)
      return numbers.contains(state.lastHit) ? state.lastHit : numbers.first
    }
  }

  private func words(_ event: StopEvent, _ machine: Machine, _ quiet: [UInt64]) -> (String, hart: Int?) {
    switch event {
    case .requested: return ("stopped", hart(machine))
    case .stepped(let hart): return ("", hart)
    case .breakpoint(let hart):
      let vcpu = machine.engine.vcpus[hart]
      let pc = vcpu.state.pc
      if let position = vcpu.opPosition {
        let number = state.withLock { $0.lastHit }
        return (
          "hart \(hart): breakpoint \(number): before op \(position.next) of block \(position.block.pc.hex0x())", hart
        )
      }
      let number = hit { $0.trigger.stops(at: pc) }
      if number == nil, quiet.contains(pc) { return ("", hart) }
      return ("hart \(hart): breakpoint" + (number.map { " \($0)" } ?? ""), hart)
    case .watchpoint(let hart, let hit):
      let number = self.hit { $0.trigger.watches(hit.watchpoint) }
      return ("hart \(hart): watchpoint" + (number.map { " \($0)" } ?? "") + ": \(hit.words)", hart)
    case .historyBegins(let hart): return ("the beginning of what is kept of the past", hart)
    case .historyEnds(let hart): return ("the end of the recording", hart)
    case .exited(let code): return ("the guest switched itself off, exit code \(code)", nil)
    case .reset: return ("the guest asked for a reset", nil)
    case .caught(let hart, let text), .lockedUp(let hart, let text): return (text, hart)
    case .failed(let text): return ("Martlet failed: " + text, nil)
    }
  }
}
