// Owns the order in which vCPUs run and time passes: rounds of slices, events, input, steps.

import Engine

extension Machine {
  /// Starts the machine's thread. The machine is stopped until ``resume(_:)``.
  public func start() {
    door.onArrival = { [engine] in engine.requestStop() }
    door.isOwnerNeeded = { [unowned self] in hasSliceToRun }
    door.open()
    gate.observe { [door] in door.post {} }
    HostThread.spawn { [self] in
      door.own()
      while door.serve() {
        engine.clearStopRequest()
        if !door.isEmpty { continue }
        if hasSliceToRun { runSlice() } else { door.rest() }
      }
    }
  }

  private var hasSliceToRun: Bool { isRunning && (!gate.isClosed || stepRequest != nil) }

  /// Runs until the end of a round, or until something stops it or wants in.
  func runSlice() {
    if let rerun = rerun ?? followKnownChanges() { return rerun.slice() }
    if round.isOver { beginRound() }
    if stopsForNote() { return }
    if let request = stepRequest {
      step(request)
    } else {
      runRound()
    }
    if round.isOver { keepMoment() }
  }

  /// Chooses the end of the next round: a function of virtual time, pending events and recorded input alone.
  func beginRound() {
    applyInput()
    let start = engine.vcpus.map(\.ticks).min() ?? 0
    // A round takes about as long as 5,000 instructions of fast code; input may wait for a fraction of a millisecond.
    let quantum = configuration.quantum ?? (engine.vcpus.count == 1 ? 400_000 : 100_000)
    let isIdle = engine.vcpus.allSatisfy(isAtRest)
    round.begin(end: isIdle ? .max : (start / quantum + 1) * quantum, isIdle: isIdle)
    round.isOver = isIdle && !idle(from: start)
    if round.isOver, roundEnd == .max, door.isEmpty { endStepWaits() }
  }

  private func runRound() {
    guard !round.isOver else { return }
    let vcpus = engine.vcpus
    while round.nextHart < vcpus.count || takeUpPassedTurns() {
      if stopsForNote() { return }
      let vcpu = vcpus[round.nextHart]
      if hasSpentTurn(vcpu) || standsStill(vcpu) {
        vcpu.idle(until: roundEnd)
        round.nextHart += 1
        continue
      }
      if case .step(let step) = hartRuns[round.nextHart] {
        guard takeStepTurn(vcpu, step) == .over else { return }
        round.nextHart += 1
        continue
      }
      let outcome = vcpu.run(until: roundEnd)
      if takePowerRequest() { return }
      switch outcome {
      case .deadline:
        if vcpu.ticks < roundEnd { return }
        round.nextHart += 1
      case .waiting:
        vcpu.idle(until: roundEnd)
        round.nextHart += 1
      case .yielded:
        giveWay(vcpu)
      default:
        if !settle(outcome, hart: round.nextHart) { return }
      }
    }
    if isDue(roundEnd) { endRound() }
  }

  /// After the last hart of the round, goes back to the first if one was passed over.
  func takeUpPassedTurns() -> Bool {
    guard round.hasPassedTurn else { return false }
    (round.hasPassedTurn, round.nextHart) = (false, 0)
    return true
  }

  /// Whether a hart has come to the end of the round: where it may be interrupted, or waits for the console in a call.
  func hasSpentTurn(_ vcpu: VCPU) -> Bool {
    vcpu.ticks >= roundEnd && (vcpu.mayInterrupt || inputWaiters.contains(vcpu.number))
  }

  /// Lets the other harts run before `hart` has spent its time of the round: what a debugger stops often keeps nobody
  /// else from running. Every hart still comes to the end of the round before time goes on.
  public func passTurn(of hart: Int) {
    guard !round.isOver, engine.vcpus.indices.contains(hart), engine.vcpus.count > 1 else { return }
    noteChange()
    (round.hasPassedTurn, round.nextHart) = (true, (hart + 1) % engine.vcpus.count)
  }

  /// Ends the part that `vcpu` has in the round, if another one can run: what it waits for will not come from itself. If none
  /// can, it waits for time, some of which passes.
  func giveWay(_ vcpu: VCPU) {
    let others = engine.vcpus.contains { $0 !== vcpu && !isAtRest($0) }
    vcpu.idle(until: others ? roundEnd : min(roundEnd, vcpu.ticks &+ Self.pause))
  }

  /// Ticks that a hart waits by a `pause` while no other one can run: longer than it takes to come here, not so long that it
  /// would miss a short delay by much.
  private static var pause: UInt64 { 4096 }

  /// Whether nothing but an interrupt, an event or input makes a vCPU go on.
  private func isAtRest(_ vcpu: VCPU) -> Bool {
    standsStill(vcpu)
      || (vcpu.isWaiting || inputWaiters.contains(vcpu.number)) && !guest.wakesFromWait(vcpu.state)
  }

  /// Whether a vCPU is switched off, or held by a debugger.
  func standsStill(_ vcpu: VCPU) -> Bool { vcpu.isHalted || isHeld(vcpu.number) }

  func endRound() {
    round.finish()
    clock.now = roundEnd &* clock.nanosecondsPerInstruction
    while let event = events.popDue(at: clock.now) {
      if devices.indices.contains(event.device) {
        devices[event.device].device.event(event.token)
      } else {
        engine.take(event)
      }
    }
    engine.debug.events.noteDevicesRan()
    if takePowerRequest() || stopsForNote() { return }
    if let limit = runLimit, roundEnd >= limit { halt(.requested) }
  }

  /// Whether something has happened, while no hart ran, that a debugger waits for.
  func stopsForNote() -> Bool {
    let hart = min(round.nextHart, engine.vcpus.count - 1)
    if let hit = engine.takeTransferHit() {
      halt(.watchpoint(hart: hart, hit))
      return true
    }
    guard let reason = engine.takeDebugStop(hart) else { return false }
    halt(.caught(hart: hart, reason))
    return true
  }

  /// Deals with an outcome that is not about time. Returns whether the vCPU goes on.
  func settle(_ outcome: RunOutcome, hart: Int) -> Bool {
    let vcpu = engine.vcpus[hart]
    switch outcome {
    case .breakpoint: stopAtBreakpoint(hart)
    case .watchpoint: if let hit = vcpu.watchHit { halt(.watchpoint(hart: hart, hit)) }
    case .semihosting:
      return serveSemihosting(vcpu)
    case .caught(let text): halt(.caught(hart: hart, text))
    case .exception(let exception): halt(.caught(hart: hart, guest.exceptionName(exception.cause)))
    case .lockedUp(let text): halt(.lockedUp(hart: hart, text))
    case .failed(let text): halt(.failed(text))
    case .deadline, .waiting, .yielded, .stepped: return true
    }
    return false
  }

  private func serveSemihosting(_ vcpu: VCPU) -> Bool {
    if !isServedHere, startRemote(vcpu) { return isRunning }
    isServedHere = false
    switch semihosting.call(vcpu, machine: self) {
    case .goOn: return true
    case .waitForInput:
      inputWaiters.insert(vcpu.number)
      vcpu.idle(until: roundEnd)
      guard stepRequest == nil else {
        catchUp(vcpu.number)
        return false
      }
      return true
    case .exit(let code):
      halt(.exited(code: code))
      return false
    }
  }

  // MARK: Steps

  /// Steps of a request that are made before others get a word in.
  private static var stepsAtOnce: Int { 1000 }

  private func step(_ request: RunRequest) {
    switch request {
    case .run: break
    case .step(let hart, let count):
      var left = count
      for _ in 0..<Self.stepsAtOnce {
        guard isRunning, engine.vcpus.indices.contains(hart) else { break }
        if stepOnce(hart) {
          left -= 1
          if left <= 0 { return halt(.stepped(hart: hart)) }
          if engine.vcpus[hart].stopsAtBreakpoint() {
            stepRequest = .step(hart: hart, count: left)
            return stopAtBreakpoint(hart)
          }
        }
        if !door.isEmpty { break }
      }
      if stepRequest != nil { stepRequest = .step(hart: hart, count: left) }
    case .stepRange(let hart, let range):
      for _ in 0..<Self.stepsAtOnce {
        guard isRunning, engine.vcpus.indices.contains(hart), stepOnce(hart) else { return }
        let vcpu = engine.vcpus[hart]
        if !range.contains(vcpu.state.pc) { return halt(.stepped(hart: hart)) }
        if vcpu.stopsAtBreakpoint() {
          return vcpu.wantedOp == nil ? halt(.stepped(hart: hart)) : stopAtBreakpoint(hart)
        }
        if !door.isEmpty { return }
      }
    }
  }

  /// Steps one hart by an instruction. Returns false when the machine stopped for another reason, or waits.
  private func stepOnce(_ hart: Int) -> Bool {
    applyKnownChange()
    noteStep(of: hart)
    let vcpu = engine.vcpus[hart]
    // Input has ended the wait that the step came to.
    if stepWaits, !vcpu.isWaiting || guest.wakesFromWait(vcpu.state) {
      (stepWaits, waitedNow) = (false, 0)
      return true
    }
    if hasFilledRound(vcpu) {
      catchUp(hart)
      guard isRunning, !round.isOver else { return false }
    }
    let wasWaiting = vcpu.isWaiting
    let outcome = vcpu.step(until: round.isOver ? .max : roundEnd)
    if takePowerRequest() { return false }
    switch outcome {
    case .stepped: break
    case .yielded: if !round.isOver { giveWay(vcpu) }
    case .waiting:
      if !wasWaiting { stepWaits = true }
      return passWait(vcpu)
    default: return settle(outcome, hart: hart)
    }
    if hasFilledRound(vcpu) { catchUp(hart) }
    return isRunning
  }

  /// Nanoseconds of virtual time that a step waits for an interrupt.
  static var longestStepWait: UInt64 { 1_000_000_000 }

  /// Lets time pass for a stepped hart that waits, up to the end of the round.
  ///
  /// A step over an instruction that waits ends behind it, a step of a hart that waits already behind what it does next. An
  /// instruction that waits may end at any time (RISC-V privileged manual, "Wait for Interrupt"; ARMv7-M manual, B1.5.18
  /// and B1.5.19), so a wait that nothing ends within a second of virtual time is ended.
  private func passWait(_ vcpu: VCPU) -> Bool {
    if !round.isOver {
      let ticks = roundEnd &- min(vcpu.ticks, roundEnd)
      stepsWaited &+= ticks
      waitedNow &+= ticks
      vcpu.idle(until: roundEnd)
    }
    catchUp(vcpu.number)
    guard isRunning else { return false }
    if vcpu.isWaiting, !guest.wakesFromWait(vcpu.state) {
      guard round.isOver || waitedNow >= engine.ticks(until: Self.longestStepWait) else { return false }
      vcpu.endWait()
      stepEndedWait = true
      noteChange()
    }
    defer { (stepWaits, waitedNow) = (false, 0) }
    return stepWaits
  }

  private func hasFilledRound(_ vcpu: VCPU) -> Bool { !round.isOver && hasSpentTurn(vcpu) }

  /// Ends the round that a stepped hart has filled: the others run up to its end, then events fire.
  func catchUp(_ hart: Int) {
    guard !round.isOver else { return }
    for (number, vcpu) in engine.vcpus.enumerated() where number != hart {
      while vcpu.ticks < roundEnd {
        if standsStill(vcpu) {
          vcpu.idle(until: roundEnd)
          continue
        }
        engine.clearStopRequest()
        let outcome = vcpu.run(until: roundEnd)
        if takePowerRequest() { return }
        switch outcome {
        case .deadline: break
        case .waiting: vcpu.idle(until: roundEnd)
        case .yielded: giveWay(vcpu)
        default: if !settle(outcome, hart: number) { return }
        }
      }
    }
    endRound()
    if isRunning, round.isOver { beginRound() }
  }

  /// Ends or restarts the machine if a device asked for it. Returns whether the round is over.
  func takePowerRequest() -> Bool {
    guard let request = controller.take() else { return false }
    switch request {
    case .off(let code): halt(.exited(code: code))
    case .reset(let cause):
      if configuration.noReboot { halt(.reset) } else { restart(cause) }
    }
    return true
  }
}

extension Machine {
  /// Runs `count` slices on the calling thread, for programs and tests that drive a machine without ``start()``.
  public func runRounds(_ count: Int) {
    for _ in 0..<count {
      _ = door.serve()
      engine.clearStopRequest()
      guard isRunning else { return }
      runSlice()
    }
  }
}
