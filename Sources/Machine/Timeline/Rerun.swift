// Owns the running again of a stretch of the past, up to an instruction, and the search in it for where to stop.

import Engine

/// What is looked for in the past.
public enum ReverseRequest: Sendable, Equatable {
  /// Where the harts stood at a position.
  case go(Position)
  /// Before the last instruction of a hart.
  case step(hart: Int)
  /// The last stop of a debugger's before here.
  case run
}

/// Runs from moments up to positions, in slices. The machine runs meanwhile, as far as others can tell.
final class Rerun {
  private enum Phase {
    /// From a moment up to ``target``, noting where to stop.
    case search
    /// To ``target``, where the machine stops with this event.
    case land(StopEvent)
  }
  private unowned let machine: Machine
  private let timeline: Timeline
  private let request: ReverseRequest
  private var phase = Phase.search
  private(set) var target: Position
  /// The moment that the run began at.
  private var index: Int
  /// Where to stop, as far as is known, and why.
  private var found: (position: Position, event: StopEvent)?
  /// Where the stepped hart's last wait began.
  private var waitStart: Position?
  /// What the turn at hand has stopped for.
  private var event: StopEvent?

  /// Instructions that are stepped over one by one before a position that is to be met exactly: more than lie between two
  /// places where a run can end, mostly.
  private static let margin: UInt64 = 512
  /// Turns in a slice.
  private static let turnsAtOnce = 16

  /// Begins a run from the last moment before what is looked for. Nil if there is none: the machine stands at the beginning.
  init?(_ request: ReverseRequest, _ machine: Machine, _ timeline: Timeline) throws(MachineError) {
    (self.machine, self.timeline, self.request) = (machine, timeline, request)
    let here = machine.position
    switch request {
    case .go(let position):
      (target, phase) = (position, .land(.requested))
    case .step, .run: target = here
    }
    let strictly = if case .go = request { false } else { true }
    guard let index = timeline.moment(before: target, strictly: strictly) else { return nil }
    self.index = index
    try timeline.restore(index, machine)
  }

  // MARK: Slices

  func slice() {
    for _ in 0..<Self.turnsAtOnce {
      if machine.position == target { return arrive() }
      guard turn() else { return fail("the run did not come to where it had been: \(machine.position) for \(target)") }
      guard machine.rerun === self, machine.door.isEmpty else { return }
    }
  }

  /// Whether a stop is the run's own affair.
  func takes(_ event: StopEvent) -> Bool {
    switch event {
    case .requested, .failed: return false
    default:
      self.event = event
      return true
    }
  }

  private func arrive() {
    _ = machine.controller.take()
    if case .land(let event) = phase { return end(event) }
    switch (request, found) {
    case (_, let found?):
      (target, phase) = (found.position, .land(found.event))
      start(from: timeline.moment(before: found.position, strictly: false) ?? 0)
    case (.step, nil) where waitStart != nil:
      target = waitStart ?? target
      waitStart = nil
      start(from: timeline.moment(before: target, strictly: true))
    default:
      target = timeline.moments[index].position
      start(from: index > 0 ? index - 1 : nil)
    }
  }

  private func start(from index: Int?) {
    guard let index else {
      do throws(MachineError) { try timeline.restore(0, machine) } catch { return fail("\(error)") }
      return end(.historyBegins(hart: hart))
    }
    self.index = index
    do throws(MachineError) { try timeline.restore(index, machine) } catch { fail("\(error)") }
  }

  private var hart: Int { if case .step(let hart) = request { hart } else { 0 } }

  private func end(_ event: StopEvent) {
    machine.rerun = nil
    machine.halt(event)
  }

  private func fail(_ text: String) { end(.caught(hart: hart, "going back: \(text)")) }

  // MARK: Turns

  /// Runs one hart up to the end of its turn, or to its part of the target. Returns false if the target was missed.
  private func turn() -> Bool {
    if machine.round.isOver {
      machine.beginRound()
      return !machine.round.isOver
    }
    let vcpus = machine.engine.vcpus
    guard machine.round.nextHart < vcpus.count || machine.takeUpPassedTurns() else {
      machine.endRound()
      return true
    }
    let vcpu = vcpus[machine.round.nextHart]
    let goal = target.harts[vcpu.number].ticks
    event = nil
    if vcpu.ticks >= machine.roundEnd && vcpu.mayInterrupt || machine.standsStill(vcpu) {
      vcpu.idle(until: machine.roundEnd)
      machine.round.nextHart += 1
    } else if goal > machine.roundEnd &+ Self.margin {
      settle(vcpu.run(until: machine.roundEnd), vcpu)
    } else if goal > vcpu.ticks &+ Self.margin {
      settle(vcpu.run(until: goal - Self.margin), vcpu)
    } else {
      return step(vcpu)
    }
    return vcpu.ticks <= target.harts[vcpu.number].ticks
  }

  /// Steps a hart to the end of its turn, or to the target.
  private func step(_ vcpu: VCPU) -> Bool {
    while vcpu.ticks < machine.roundEnd || !vcpu.mayInterrupt {
      let before = machine.position
      if before == target { return true }
      if case .run = request, case .search = phase, vcpu.stopsAtBreakpoint() {
        found = (before, .breakpoint(hart: vcpu.number))
      }
      guard vcpu.ticks <= target.harts[vcpu.number].ticks else { return false }
      let outcome = vcpu.step(until: machine.roundEnd)
      if case .step(vcpu.number) = request, case .search = phase, outcome != .waiting || before != machine.position {
        found = (before, .stepped(hart: vcpu.number))
      }
      settle(outcome, vcpu)
      if outcome == .waiting { return vcpu.ticks <= target.harts[vcpu.number].ticks }
    }
    return true
  }

  private func settle(_ outcome: RunOutcome, _ vcpu: VCPU) {
    if machine.takePowerRequest() { return }
    switch outcome {
    case .deadline, .stepped: break
    case .waiting:
      if case .step(vcpu.number) = request { waitStart = machine.position }
      vcpu.idle(until: min(machine.roundEnd, max(vcpu.ticks, target.harts[vcpu.number].ticks)))
    case .yielded: machine.giveWay(vcpu)
    default: _ = machine.settle(outcome, hart: vcpu.number)
    }
    guard let event else { return }
    if case .run = request, case .search = phase, machine.position.isBefore(target) {
      found = (machine.position, event)
    }
    vcpu.passBreakpoint(true)
  }
}
