// Owns which harts run: those that a debugger does not hold, and single ones that step while others run on.

import Engine

/// What a hart does while the machine runs.
enum HartRun: Sendable {
  case run
  /// Stands still for its debugger, though time goes on.
  case held
  case step(HartStep)
}

/// A hart's step while other harts run on.
struct HartStep: Sendable {
  /// It goes on while the PC is in there; nil: it is one instruction.
  var range: Range<UInt64>?
  /// When the hart's present wait for an interrupt began, in ticks.
  var waitStart: UInt64?
  /// It has executed an instruction that waits, and ends behind it.
  var endsWithWait = false
}

/// What a debugger wants of one hart.
public enum HartRequest: Sendable, Equatable {
  case run
  /// One instruction, or all while the PC is in the range.
  case step(while: Range<UInt64>?)
}

extension Machine {
  // MARK: Non-stop

  /// Harts stop one by one: what stops a hart holds that hart alone. The machine stops, and its time, when all are held.
  public var isNonStop: Bool { hartStopHandler != nil }

  /// Begins non-stop. `handler` is told of each hart that stops by itself, on the machine's thread; what stops the whole
  /// machine is for the observers. Harts run if the machine does, and are held if it stands.
  public func beginNonStop(_ handler: @escaping (_ hart: Int, StopEvent) -> Void) {
    noteChange()
    hartStopHandler = handler
    stepRequest = nil
    setAllHarts(isRunning ? .run : .held)
  }

  /// Ends non-stop. Harts that were held run on if the machine does.
  public func endNonStop() {
    hartStopHandler = nil
    setAllHarts(.run)
  }

  /// Lets a held hart go on, and the machine if it stands. Without effect on a hart that runs, and outside of non-stop.
  public func resume(hart: Int, _ request: HartRequest) {
    guard isNonStop, isHeld(hart), !waitsForDebugger else { return }
    if !isRunning { startRun() }
    engine.vcpus[hart].passBreakpoint(false)
    switch request {
    case .run: hartRuns[hart] = .run
    case .step(let range): hartRuns[hart] = .step(HartStep(range: range))
    }
  }

  /// Holds a hart that runs. The observers hear of ``StopEvent/requested`` if it was the last one; the handler is not told.
  /// - Returns: whether it ran.
  public func hold(hart: Int) -> Bool {
    guard isNonStop, hartRuns.indices.contains(hart), !isHeld(hart) else { return false }
    hartRuns[hart] = .held
    if hartRuns.allSatisfy(\.isHeld), isRunning { halt(.requested) }
    return true
  }

  /// Whether a debugger has the hart stand still.
  public func isHeld(_ hart: Int) -> Bool { hartRuns.indices.contains(hart) && hartRuns[hart].isHeld }

  /// All run together, but those in `held`.
  func setAllHarts(_ run: HartRun, but held: [Int] = []) {
    for hart in hartRuns.indices { hartRuns[hart] = held.contains(hart) ? .held : run }
  }

  /// In non-stop, takes a stop of one hart for what it is. Returns whether the machine runs on.
  func holdsAlone(_ event: StopEvent) -> Bool {
    guard let handler = hartStopHandler, let hart = event.hart else { return false }
    hartRuns[hart] = .held
    handler(hart, event)
    return hartRuns.contains { !$0.isHeld }
  }

  // MARK: Steps beside running harts

  /// What became of a hart's turn.
  enum StepTurn {
    /// It is over for this round.
    case over
    /// Others want a word in, or the machine has stopped.
    case interrupted
  }

  /// Carries out a hart's step as far as its time in the round goes.
  func takeStepTurn(_ vcpu: VCPU, _ step: HartStep) -> StepTurn {
    var step = step
    let hart = vcpu.number
    defer { if case .step = hartRuns[hart] { hartRuns[hart] = .step(step) } }
    while !hasSpentTurn(vcpu) {
      if let start = step.waitStart {
        if vcpu.isWaiting, !guest.wakesFromWait(vcpu.state) {
          guard vcpu.ticks &- start >= engine.ticks(until: Self.longestStepWait) else { break }
          vcpu.endWait()
        }
        step.waitStart = nil
        if step.endsWithWait { return end(vcpu) }
      }
      let wasWaiting = vcpu.isWaiting
      let outcome = vcpu.step(until: roundEnd)
      if takePowerRequest() { return .interrupted }
      switch outcome {
      case .waiting:
        (step.waitStart, step.endsWithWait) = (vcpu.ticks, !wasWaiting)
        continue
      case .stepped, .yielded:
        guard let range = step.range, range.contains(vcpu.state.pc), !vcpu.stopsAtBreakpoint() else { return end(vcpu) }
        if outcome == .yielded { giveWay(vcpu) }
      default:
        if !settle(outcome, hart: hart) { return .interrupted }
        // A call of the guest's that the host has carried out is an instruction as others are.
        if outcome == .semihosting, step.range == nil, !inputWaiters.contains(hart) { return end(vcpu) }
      }
      if !door.isEmpty { return .interrupted }
    }
    vcpu.idle(until: roundEnd)
    return .over
  }

  private func end(_ vcpu: VCPU) -> StepTurn {
    halt(.stepped(hart: vcpu.number))
    return .interrupted
  }

  /// Ends waits that steps have come to, since nothing else will.
  func endStepWaits() {
    for (vcpu, run) in zip(engine.vcpus, hartRuns) where run.isStep && vcpu.isWaiting { vcpu.endWait() }
  }

  var hasSteppingHart: Bool { hartRuns.contains(where: \.isStep) }
}

extension HartRun {
  var isHeld: Bool { if case .held = self { true } else { false } }
  var isStep: Bool { if case .step = self { true } else { false } }
}
