// Owns `step line` and `next`: guest code by lines of its sources.

import Bits
import DWARF
import Engine
import Machine

extension Command {
  static let stepLine = Command(
    "step line", aliases: ["sl"], [.count.optional], .run,
    "Step to where another source line begins, COUNT times, into functions that have lines.",
    .control { monitor, arguments, run throws(MonitorError) in
      CommandResult(listing: try LineSteps(monitor, run, stepsOver: false).steps(arguments.count(else: 1)))
    })

  static let next = Command(
    "next", aliases: ["n"], [.count.optional], .run, "As 'step line', but over the functions that are called.",
    .control { monitor, arguments, run throws(MonitorError) in
      CommandResult(listing: try LineSteps(monitor, run, stepsOver: true).steps(arguments.count(else: 1)))
    })
}

/// A call of a function, whatever it is doing: the function, and where the stack of its caller ends.
private struct Call: Sendable {
  var function: UInt64?
  var callersStack: UInt64?

  func isSame(_ other: Call) -> Bool {
    guard function == other.function else { return false }
    // The outermost function has no caller, and in some places none is found.
    guard let stack = callersStack, let others = other.callersStack else { return true }
    return stack == others
  }
}

/// The innermost calls of a hart.
private struct Calls: Sendable {
  var innermost: Call
  /// What called it, or was interrupted by it, and where that goes on.
  var caller: (call: Call, place: FramePlace)?
  /// There is an exception in between.
  var isHandler = false

  init(_ machine: Machine, _ vcpu: VCPU) {
    let frames = Unwinder(machine, vcpu)?.backtrace(limit: 6).frames ?? []
    let functions = frames.enumerated().filter { !$0.element.isMarker }
    func call(_ index: Int) -> Call {
      Call(
        function: machine.symbols.covering(functions[index].element.codeAddress)?.symbol.address,
        callersStack: functions.dropFirst(index + 1).first?.element.stackPointer)
    }
    guard !functions.isEmpty else {
      innermost = Call(function: machine.symbols.covering(vcpu.state.pc)?.symbol.address)
      return
    }
    innermost = call(0)
    guard functions.count > 1 else { return }
    isHandler = frames[..<functions[1].offset].contains { $0.exception != nil }
    caller = (call(1), FramePlace(functions[1].element, isInterrupted: isHandler, machine, vcpu))
  }
}

/// Steps of one hart by source lines.
///
/// A step ends where a statement of another line begins. What is in the middle of a line, as behind a call that has
/// returned, is executed to its end; what interrupts a line is let run, as is what it calls, if lines are not to be followed
/// there.
private struct LineSteps {
  private let monitor: Monitor
  private let run: CommandRun
  private let stepsOver: Bool
  private let hart: Int

  init(_ monitor: Monitor, _ run: CommandRun, stepsOver: Bool) throws(MonitorError) {
    try monitor.needsStopped()
    self.monitor = monitor
    self.run = run
    self.stepsOver = stepsOver
    hart = monitor.machine.perform { monitor.hart($0) }
  }

  /// The line that is being left, in its call.
  private struct Line: Sendable {
    var source: SourceLine?
    var range: Range<UInt64>
    var calls: Calls
  }

  private enum Decision: Sendable {
    case arrived, breakpoint
    /// On within the line's range.
    case goOn(Line)
    /// Let run what was called, up to where the caller goes on.
    case runUntil(FramePlace, Line)
    /// Through the prologue of a function that is followed.
    case enter(Range<UInt64>)
  }

  func steps(_ count: Int) throws(MonitorError) -> Listing {
    for _ in 0..<count {
      try run.check()
      if let event = try step() { return try monitor.perform { monitor.describe(event, $0) } }
    }
    return try monitor.perform { machine in place(machine) }
  }

  /// - Returns: what stopped the step before its end.
  private func step() throws(MonitorError) -> StopEvent? {
    var line = try monitor.perform { machine throws(MonitorError) in try start(machine) }
    while true {
      if let event = try walk(line.range) { return event }
      var decision = try monitor.perform { [line] machine in decide(machine, line) }
      while case .runUntil(let place, let next) = decision {
        monitor.state.withLock { $0.lastHit = 0 }
        let event = monitor.run(until: place, run)
        guard monitor.machine.perform({ isAt(place, event, $0) }) else { return event }
        decision = try monitor.perform { machine in
          next.range.contains(machine.engine.vcpus[hart].state.pc) ? .goOn(next) : decide(machine, next)
        }
      }
      switch decision {
      case .goOn(let next), .runUntil(_, let next): line = next
      case .enter(let prologue): return try walk(prologue)
      case .arrived: return nil
      case .breakpoint: return .breakpoint(hart: hart)
      }
    }
  }

  /// Steps until the hart has left a range.
  /// - Returns: what stopped it before.
  private func walk(_ range: Range<UInt64>) throws(MonitorError) -> StopEvent? {
    let event = monitor.wait(for: .stepRange(hart: hart, range), run)
    guard case .stepped = event else { return event }
    try run.check()
    return monitor.machine.perform { machine in
      let vcpu = machine.engine.vcpus[hart]
      // Inside of the range breakpoints have been asked, and one has stopped it.
      let isStopped = range.contains(vcpu.state.pc) || vcpu.stopsAtBreakpoint()
      return isStopped ? .breakpoint(hart: hart) : nil
    }
  }

  /// The line at hand, or, where there is none, the whole function.
  private func start(_ machine: Machine) throws(MonitorError) -> Line {
    let vcpu = machine.engine.vcpus[hart]
    let pc = vcpu.state.pc
    let calls = Calls(machine, vcpu)
    if let (source, range) = machine.sources.line(at: pc) { return Line(source: source, range: range, calls: calls) }
    guard machine.sources.hasLines else {
      throw .refused("no source lines are known: load an ELF file that was built with -g; 'step' goes by instructions")
    }
    guard let (symbol, _) = machine.symbols.covering(pc), symbol.size > 0 else {
      throw .refused("no source line is known of \(pc.hex0x()), nor a function; 'step' goes by instructions")
    }
    return Line(source: nil, range: symbol.address..<(symbol.address &+ symbol.size), calls: calls)
  }

  /// What to do where the hart has come to by leaving a line.
  private func decide(_ machine: Machine, _ line: Line) -> Decision {
    let vcpu = machine.engine.vcpus[hart]
    let pc = vcpu.state.pc
    let calls = Calls(machine, vcpu)
    let here = machine.sources.line(at: pc)
    if calls.innermost.isSame(line.calls.innermost) {
      var line = line
      if here == nil || here?.source == line.source || !machine.sources.beginsStatement(at: pc) {
        line.range = here?.range ?? pc..<(pc &+ 1)
        return .goOn(line)
      }
      return .arrived
    }
    if let caller = calls.caller {
      let isCalled = caller.call.isSame(line.calls.innermost)
      // Jumped to in place of a call and a return.
      let isTailCalled =
        calls.innermost.function == pc && line.calls.caller.map { $0.call.isSame(caller.call) } == true
      if isCalled && calls.isHandler { return .runUntil(caller.place, line) }
      if isCalled || isTailCalled {
        guard !stepsOver, line.source != nil, here != nil else { return .runUntil(caller.place, line) }
        let body = DebugMemory(machine: machine, vcpu: vcpu).behindPrologue(pc)
        return body > pc ? .enter(pc..<body) : .arrived
      }
    }
    // Returned to a caller, or gone elsewhere.
    let hasLines = here != nil || calls.innermost.function.map { machine.sources.line(at: $0) != nil } == true
    if !hasLines || machine.sources.beginsStatement(at: pc) { return .arrived }
    return .goOn(Line(source: here?.source, range: here?.range ?? pc..<(pc &+ 1), calls: calls))
  }

  /// Whether a stop is that at a place which was run to, and not at a breakpoint of the user's.
  private func isAt(_ place: FramePlace, _ event: StopEvent, _ machine: Machine) -> Bool {
    let vcpu = machine.engine.vcpus[hart]
    return event == .breakpoint(hart: hart) && place.pcs.contains(vcpu.state.pc)
      && machine.guest.readRegister(vcpu.state, machine.guest.stackPointer) == place.stackPointer
      && monitor.state.withLock { $0.lastHit == 0 }
  }

  /// Where steps have led: the place, its line, and that line's text, or the instruction where it cannot be read.
  private func place(_ machine: Machine) -> Listing {
    let vcpu = machine.engine.vcpus[hart]
    let memory = DebugMemory(machine: machine, vcpu: vcpu)
    let pc = vcpu.state.pc
    let source = machine.sources.line(at: pc)?.source
    let text = source.flatMap { SourceReader(machine, monitor, run.files).text(of: $0) }
    let prefix = machine.engine.vcpus.count > 1 ? "hart \(hart): " : ""
    let words = source.map { " at \($0.short)" } ?? ""
    return .custom(
      [
        prefix + memory.addressText(pc) + memory.symbolSuffix(pc) + words
          + ((text ?? memory.instruction(pc)?.text).map { "  " + $0 } ?? "")
      ],
      .object([
        NamedValue("hart", .count(hart)), NamedValue("pc", memory.address(pc)), NamedValue("symbol", memory.symbol(pc)),
        NamedValue("file", source.map { .text($0.file) } ?? .nothing),
        NamedValue("line", source.map { .count($0.line) } ?? .nothing),
        NamedValue("source", text.map { .text($0) } ?? .nothing),
      ]))
  }
}
