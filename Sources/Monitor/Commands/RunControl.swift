// Owns the commands that let the guest run and stop: stop, cont, step, until, reset, quit.

import Bits
import Engine
import Machine

extension Command {
  static let stop = Command(
    "stop", aliases: ["halt"], "", .run, "Stop the guest.",
    .control { monitor, _ throws(MonitorError) in
      monitor.machine.stop()
      return Reply(listing: try monitor.perform { monitor.position($0) })
    })

  static let cont = Command(
    "cont", aliases: ["c", "continue"], "", .run, "Let the guest run on; the prompt stays.",
    .control { monitor, _ throws(MonitorError) in
      monitor.machine.resume(.run)
      return Reply()
    })

  static let step = Command(
    "step", aliases: ["s", "si", "stepi"], "[COUNT]", .run, "Execute COUNT guest instructions of the chosen hart.",
    .control { monitor, arguments throws(MonitorError) in
      if let word = arguments[0], let row = [stepBlock, stepOp].first(where: { $0.words[1] == word }),
        case .control(let body) = row.body
      {
        return try body(monitor, Arguments(words: Array(arguments.words.dropFirst()), format: "", command: row))
      }
      let count = try monitor.count(arguments[0], else: 1)
      return Reply(listing: try monitor.stepInstructions(count) { _, _ in true })
    })

  static let stepBlock = Command(
    "step block", "", .run, "Execute to the end of the block of straight code at the PC.",
    .control { monitor, _ throws(MonitorError) in
      // The block's instructions in order: any other PC after a step means that it has been left.
      let lines: [UInt64] = try monitor.perform { machine throws(MonitorError) in
        let vcpu = machine.engine.vcpus[monitor.hart(machine)]
        guard let view = try? machine.engine.preview(vcpu, at: vcpu.state.pc) else {
          throw .refused("no code is mapped at \(vcpu.state.pc.hex0x())")
        }
        return view.guest.map(\.pc)
      }
      return Reply(
        listing: try monitor.stepInstructions(max(1, lines.count)) { number, pc in
          number < lines.count && lines[number] == pc
        })
    })

  static let until = Command(
    "until", "ADDR", .run, "Run until a hart comes to ADDR.", arguments: [.address],
    .control { monitor, arguments throws(MonitorError) in
      guard !arguments.isEmpty else { throw arguments.usage }
      try monitor.needsStopped()
      let address = try monitor.perform { machine throws(MonitorError) in
        let context = Context(machine: machine, monitor: monitor, arguments: arguments)
        let address = try context.address(arguments.joined)
        machine.engine.insertBreakpoint(address)
        return address
      }
      defer { monitor.machine.perform { $0.engine.removeBreakpoint(address) } }
      guard let event = monitor.run(.run) else {
        monitor.machine.stop()
        throw .refused("\(address.hex0x()) was not reached within \(Monitor.patience) s; the guest is stopped")
      }
      return Reply(listing: try monitor.perform { monitor.describe(event, $0, quiet: address) })
    })

  static let reset = Command(
    "reset", aliases: ["system_reset"], "[halt|run]", .run, "Back to power-on; runs on if it ran, unless told.",
    arguments: [.words(["halt", "run"])],
    .control { monitor, arguments throws(MonitorError) in
      let word = arguments[0] ?? ""
      guard ["", "halt", "init", "run"].contains(word) else { throw arguments.usage }
      if word == "halt" || word == "init" { monitor.machine.stop() }
      monitor.machine.perform { $0.resetHard() }
      if word == "run" { monitor.machine.resume(.run) }
      return Reply(listing: try monitor.perform { monitor.position($0) })
    })

  static let quit = Command(
    "quit", aliases: ["q", "exit"], "", .run, "End Martlet.",
    .control { _, _ throws(MonitorError) in Reply(wantsQuit: true) })
}

extension Monitor {
  /// How long a command waits for the guest, in seconds.
  static let patience = 5

  func hart(_ machine: Machine) -> Int { min(state.withLock { $0.hart }, machine.engine.vcpus.count - 1) }

  func count(_ text: String?, else other: Int) throws(MonitorError) -> Int {
    guard let text else { return other }
    guard let value = Int(text), (1...1_000_000).contains(value) else {
      throw .refused("'\(text)' is no count (1 to 1000000)")
    }
    return value
  }

  func needsStopped() throws(MonitorError) {
    guard machine.perform({ !$0.isRunning }) else { throw .refused("the guest is running; 'stop' it first") }
  }

  /// Resumes, and waits for the stop; nil if it does not come.
  func run(_ request: RunRequest) -> StopEvent? {
    let before = stops.expectStop()
    machine.resume(request)
    return stops.wait(after: before, seconds: Self.patience)
  }

  /// Steps the chosen hart up to `count` times, as long as `goesOn` agrees to (steps done, new PC).
  func stepInstructions(
    _ count: Int, goesOn: (_ done: Int, _ pc: UInt64) -> Bool
  ) throws(MonitorError) -> Listing {
    try needsStopped()
    let hart = machine.perform { self.hart($0) }
    for done in 1...count {
      guard let event = run(.step(hart: hart)) else {
        machine.stop()
        throw .refused("hart \(hart) waits for an interrupt that did not come within \(Self.patience) s")
      }
      guard case .stepped = event else { return try perform { self.describe(event, $0) } }
      guard done < count else { break }
      let (pc, isBreakpoint) = machine.perform { machine in
        let pc = machine.engine.vcpus[hart].state.pc
        return (pc, machine.engine.debug.breakpoints.contains(pc))
      }
      if isBreakpoint { return try perform { self.describe(.breakpoint(hart: hart), $0) } }
      if !goesOn(done, pc) { break }
    }
    return try perform { self.position($0) }
  }

  /// Where the chosen hart stands.
  func position(_ machine: Machine) -> Listing {
    let number = hart(machine)
    let memory = DebugMemory(machine: machine, vcpu: machine.engine.vcpus[number])
    let pc = memory.vcpu.state.pc
    var fields = [Field("hart", .count(number)), Field("pc", memory.address(pc)), Field("symbol", memory.symbol(pc))]
    fields.append(Field("instruction", memory.instruction(pc).map { .text($0.text) } ?? .nothing))
    fields.append(Field("running", .truth(machine.isRunning)))
    return .custom(
      [(machine.engine.vcpus.count > 1 ? "hart \(number): " : "") + memory.location(pc)], .object(fields))
  }

  /// A stop in words, and where. A breakpoint at `quiet` is not mentioned.
  func describe(_ event: StopEvent, _ machine: Machine, quiet: UInt64? = nil) -> Listing {
    let (reason, hart) = words(event, machine, quiet)
    guard let hart else { return .custom([reason], .object([Field("stop", .text(reason))])) }
    let memory = DebugMemory(machine: machine, vcpu: machine.engine.vcpus[hart])
    let pc = memory.vcpu.state.pc
    let lines = (reason.isEmpty ? [] : [reason]) + [memory.location(pc)]
    return .custom(
      lines,
      .object([
        Field("stop", .text(reason)), Field("hart", .count(hart)), Field("pc", memory.address(pc)),
        Field("symbol", memory.symbol(pc)),
      ]))
  }

  private func words(_ event: StopEvent, _ machine: Machine, _ quiet: UInt64?) -> (String, hart: Int?) {
    switch event {
    case .requested: return ("stopped", hart(machine))
    case .stepped(let hart): return ("", hart)
    case .breakpoint(let hart):
      let pc = machine.engine.vcpus[hart].state.pc
      let point = state.withLock { $0.points.first { $0.isBreakpoint(at: pc) } }
      if point == nil, pc == quiet { return ("", hart) }
      return ("hart \(hart): breakpoint" + (point.map { " \($0.number)" } ?? ""), hart)
    case .watchpoint(let hart, let hit):
      let point = state.withLock { $0.points.first { $0.kind == .watch(hit.watchpoint) } }
      let verb = hit.isWrite ? "wrote" : "read"
      return (
        "hart \(hart): watchpoint" + (point.map { " \($0.number)" } ?? "")
          + ": \(verb) \(hit.size) bytes at \(hit.address.hex0x())", hart
      )
    case .exited(let code): return ("the guest switched itself off, exit code \(code)", nil)
    case .reset: return ("the guest asked for a reset", nil)
    case .caught(let hart, let text), .lockedUp(let hart, let text): return (text, hart)
    case .failed(let text): return ("Martlet failed: " + text, nil)
    }
  }
}
