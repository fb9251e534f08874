// Owns what the machine's thread has to know of the client: its breakpoints, and how to put a stop into the
// protocol's words.

import Engine
import GDBRemote
import Machine

/// A stop, and a line for the client's console where the protocol has no words for it.
struct StopReport: Sendable {
  var reason: StopReason
  var text: String?
}

/// The client's state beside the machine. Used on the machine's thread only.
final class MachineSide: @unchecked Sendable {
  let layout: RegisterLayout
  let threads: TaskThreads
  private var breakpoints: [Breakpoint: ProgrammedBreakpoint?] = [:]
  /// What the client has collected here, and the evaluator of its expressions.
  var trace = Trace()
  private var planted: [PlantedTracepoint] = []
  /// By hart.
  private(set) var followers: [HartFollower] = []
  private var contexts: [HartContext] = []
  /// Takes text for the client's console.
  let show: (String) -> Void
  /// In non-stop, why the client believes each hart halted; nil while it runs.
  var hartStops: [Stop?] = []
  /// The hart that stopped last.
  var hart = 0
  /// It stopped by itself, not because somebody asked.
  private var isTurnOver = false
  var runNumber: UInt64 = 0
  private var requestSignal = Signal.interrupt

  init(_ layout: RegisterLayout, _ threads: TaskThreads, show: @escaping (String) -> Void) {
    self.threads = threads
    self.layout = layout
    self.show = show
  }

  // MARK: Registers and runs

  /// - Returns: false if a task that does not run has not saved the register.
  func write(
    _ entry: RegisterLayout.Entry, _ bytes: [UInt8], of subject: TaskThreads.Subject, _ machine: Machine
  ) -> Bool {
    switch subject.registers {
    case .cpu(let hart):
      machine.setRegister(machine.engine.vcpus[hart], entry.register, bytes: bytes)
      return true
    case .saved(let context):
      threads.invalidate()
      return machine.setSavedRegister(entry.register, of: context, bytes: bytes)
    case .unknown: return false
    }
  }

  /// Lets the guest run, but not the harts in `held`.
  func run(_ request: RunRequest, held: [Int], _ machine: Machine) {
    threads.invalidate()
    if isTurnOver, case .run = request { machine.passTurn(of: self.hart) }
    machine.resume(request, passesBreakpoints: false, holding: held)
  }

  // MARK: Breakpoints

  /// Sets a breakpoint; one that is set already gets another program.
  func insert(_ breakpoint: Breakpoint, _ program: BreakpointProgram, _ machine: Machine) {
    let harts = breakpoint.process.map { threads.harts(ofProcess: $0) }
    let filter = program.isEmpty && harts == nil ? nil : ProgrammedBreakpoint(program, harts, machine, self)
    if let watchpoint = breakpoint.watchpoint {
      if breakpoints[breakpoint] == nil { machine.engine.insert(watchpoint) }
    } else {
      // The new one first, so that code is not made anew in between.
      machine.engine.insertBreakpoint(breakpoint.address, filter: filter)
      if let old = breakpoints[breakpoint] { machine.engine.removeBreakpoint(breakpoint.address, filter: old) }
    }
    breakpoints[breakpoint] = .some(filter)
  }

  func remove(_ breakpoint: Breakpoint, _ machine: Machine) {
    guard let filter = breakpoints.removeValue(forKey: breakpoint) else { return }
    if let watchpoint = breakpoint.watchpoint {
      machine.engine.remove(watchpoint)
    } else {
      machine.engine.removeBreakpoint(breakpoint.address, filter: filter)
    }
  }

  /// A hart as expressions see it.
  func context(_ vcpu: VCPU, _ machine: Machine) -> HartContext {
    if contexts.isEmpty {
      contexts = machine.engine.vcpus.map { HartContext($0, machine, layout, show: show) }
    }
    let context = contexts[vcpu.number]
    context.refresh(machine)
    return context
  }

  /// Puts the tracepoints that are active in place, and no others.
  func plantTracepoints(_ machine: Machine) {
    if followers.isEmpty { followers = machine.engine.vcpus.map { _ in HartFollower(machine, self) } }
    let active = trace.active
    if planted.map(\.address) == trace.tracepoints[active].map(\.address) { return }
    let old = planted
    planted = active.map { PlantedTracepoint($0, at: trace.tracepoints[$0].address, machine, self) }
    for point in planted { machine.engine.insertBreakpoint(point.address, filter: point) }
    for point in old { machine.engine.removeBreakpoint(point.address, filter: point) }
    if planted.isEmpty { for vcpu in machine.engine.vcpus { followers[vcpu.number].forgetSteps(vcpu) } }
  }

  /// Begins a trace of a hart's branches, or ends it.
  func traceBranches(_ branches: BranchTrace?, hart: Int, _ machine: Machine) {
    plantTracepoints(machine)
    followers[hart].trace(machine.engine.vcpus[hart], branches)
  }

  /// The client is gone. What it has asked for beyond its end stays.
  func forget(_ machine: Machine) {
    trace.clientLeft(at: machine.clock.now / 1000)
    for hart in machine.engine.vcpus.indices { traceBranches(nil, hart: hart, machine) }
    for (breakpoint, filter) in breakpoints where filter?.persists != true { remove(breakpoint, machine) }
    threads.forget()
    endNonStop(machine)
  }

  // MARK: Stops

  /// The state of a halted machine, for a client that asks. A machine that came to its end before the client came is
  /// shown as halted, so that it can be looked at.
  func state(of machine: Machine, tellsEnd: Bool) -> StopReason {
    if tellsEnd, case .exited(let status) = report(machine.lastStop, machine).reason { return .exited(status) }
    return .stopped(stop(hart, .trap, .signal, machine))
  }

  /// Stops the machine; quietly for a client that attaches.
  func interrupt(quietly: Bool, _ machine: Machine) {
    requestSignal = quietly ? .trap : .interrupt
    machine.stop()
    requestSignal = .interrupt
  }

  func report(_ event: StopEvent, _ machine: Machine) -> StopReport {
    threads.invalidate()
    var report = report(of: event, machine)
    if threads.areTasks(machine), let news = threads.news(machine) {
      report.text = [report.text, news].compactMap { $0 }.joined(separator: "\n")
    }
    return report
  }

  private func report(of event: StopEvent, _ machine: Machine) -> StopReport {
    isTurnOver = event != .requested
    switch event {
    case .requested: return StopReport(reason: .stopped(stop(hart, requestSignal, .signal, machine)))
    case .stepped(let hart):
      let text = machine.stepWait.map { "(\($0.words))" }
      return StopReport(reason: .stopped(stop(hart, .trap, .signal, machine)), text: text)
    case .breakpoint(let hart):
      let pc = machine.engine.vcpus[hart].state.pc
      let kinds = breakpoints.keys.filter { $0.watchpoint == nil && $0.address == pc }.map(\.kind)
      let cause: Stop.Cause =
        kinds.contains(.software) ? .softwareBreakpoint : kinds.contains(.hardware) ? .hardwareBreakpoint : .signal
      return StopReport(reason: .stopped(stop(hart, .trap, cause, machine)))
    case .watchpoint(let hart, let hit):
      let cause = cause(of: hit)
      let isPlain = cause != .signal && hit.timing == .before
      return StopReport(
        reason: .stopped(stop(hart, .trap, cause, machine)), text: isPlain ? nil : "Watched memory: \(hit.words).")
    case .historyBegins(let hart): return StopReport(reason: .stopped(stop(hart, .trap, .replayLogBegin, machine)))
    case .historyEnds(let hart): return StopReport(reason: .stopped(stop(hart, .trap, .replayLogEnd, machine)))
    case .exited(let code): return StopReport(reason: .exited(UInt8(truncatingIfNeeded: code)))
    case .reset: return StopReport(reason: .exited(0), text: "The guest asked for a reset.")
    case .caught(let hart, let text):
      return StopReport(reason: .stopped(stop(hart, .trap, .signal, machine)), text: text)
    case .lockedUp(let hart, let text):
      return StopReport(reason: .stopped(stop(hart, .abort, .signal, machine)), text: text)
    case .failed(let text): return StopReport(reason: .stopped(stop(hart, .abort, .signal, machine)), text: text)
    }
  }

  private func cause(of hit: WatchHit) -> Stop.Cause {
    guard breakpoints.keys.contains(where: { $0.watchpoint == hit.watchpoint }) else { return .signal }
    let kind: Stop.WatchpointKind = !hit.watchpoint.onRead ? .write : hit.watchpoint.onWrite ? .access : .read
    // GDB looks for a watchpoint at the address: the first byte accessed that is watched.
    return .watchpoint(kind, address: max(hit.address, hit.watchpoint.address))
  }

  func stop(_ hart: Int, _ signal: Signal, _ cause: Stop.Cause, _ machine: Machine) -> Stop {
    self.hart = hart
    let state = machine.engine.vcpus[hart].state
    let registers = [layout.stackPointer, layout.programCounter].compactMap { $0 }
      .map { (number: $0.number, value: layout.read($0, state)) }
    return Stop(
      thread: threads.thread(on: hart, machine), signal: signal, cause: cause, core: hart, registers: registers)
  }
}

extension Breakpoint {
  /// What the engine is to watch, if this is a watchpoint.
  var watchpoint: Watchpoint? {
    switch kind {
    case .software, .hardware: nil
    case .writeWatchpoint: Watchpoint(address: address, length: length, onRead: false, onWrite: true)
    case .readWatchpoint: Watchpoint(address: address, length: length, onRead: true, onWrite: false)
    case .accessWatchpoint: Watchpoint(address: address, length: length, onRead: true, onWrite: true)
    }
  }
}
