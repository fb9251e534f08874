// Owns the running again of a stretch of the past, up to an instruction, and the search in it for where to stop.

import Engine

/// What is looked for in the past.
public enum ReverseRequest: Sendable, Equatable {
  /// Where the harts stood at a position.
  case go(Position)
  /// The first place where a hart has come to a time, in ticks.
  case reach(hart: Int, ticks: UInt64)
  /// Before the last instruction of a hart.
  case step(hart: Int)
  /// The last stop of a debugger's before here. A watchpoint stops behind its access.
  /// - Parameter includesHere: whether the access that the machine stands behind counts.
  case run(includesHere: Bool)
  /// Behind the last access before here that this watchpoint sees.
  case access(Watchpoint)
}

/// Runs from moments up to positions, in slices. The machine runs meanwhile, as far as others can tell.
final class Rerun {
  private enum Phase {
    /// From a moment up to ``target``, noting where to stop.
    case search
    /// To ``target``, where the machine stops with this event.
    case land(StopEvent)
    /// Forward to ``target``, where somebody has changed the machine, which changes again, or a recording ends; stops are
    /// the machine's own.
    case follow
  }
  private unowned let machine: Machine
  private let timeline: Timeline
  private let request: ReverseRequest
  /// The stretch at hand is the last before where the machine stood.
  private var isFirst = true
  /// What has run up to ``target`` may stop there.
  private var hasMoved = false
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

  init(_ request: ReverseRequest, _ machine: Machine, _ timeline: Timeline) {
    (self.machine, self.timeline, self.request) = (machine, timeline, request)
    index = timeline.base
    target = machine.position
    switch request {
    case .go(let position): (target, phase) = (position, .land(.requested))
    case .reach(let hart, let ticks):
      (target, phase) = (Position(reaching: ticks, of: hart, harts: target.harts.count), .land(.requested))
    case .step, .run, .access: break
    }
  }

  /// Goes to where the run begins. The machine runs.
  func begin() {
    if case .land = phase { return start(from: timeline.moment(upTo: target) ?? 0) }
    if case .access(let watchpoint) = request { machine.engine.insert(watchpoint) }
    if let last = timeline.moment(before: target, from: index) { start(from: last) } else { retreat() }
  }

  /// Nothing of it is left in the machine.
  func leave() { if case .access(let watchpoint) = request { machine.engine.remove(watchpoint) } }

  var isBackwards: Bool { if case .follow = phase { false } else { true } }

  /// Where it goes on from ``index`` no more, moments may change.
  private var keepsMoments: Bool { if case .search = phase { false } else { true } }

  private var isThere: Bool {
    if case .reach(let hart, let ticks) = request { return machine.engine.vcpus[hart].ticks >= ticks }
    return machine.position == target
  }

  /// Follows what is known of the future up to the next change that somebody has made, or the end of a recording. Nil if
  /// there is none.
  init?(following machine: Machine, _ timeline: Timeline) {
    let cut = timeline.cutAhead
    guard let target = cut.map({ timeline.moments[$0].arrival }) ?? timeline.recordingEndAhead(of: machine) else {
      return nil
    }
    (self.machine, self.timeline, self.target) = (machine, timeline, target)
    (request, phase, index) = (.go(target), .follow, cut ?? timeline.base)
  }

  // MARK: Stretches

  /// Goes back over the moment that a stretch began at, to the last stretch before that which is not empty.
  private func retreat() {
    while index > 0 {
      let moment = timeline.moments[index]
      index -= 1
      target = moment.arrival
      if let event = moment.cut.flatMap({ stop(at: $0, moment.position) }) {
        phase = .land(event)
        return start(from: index)
      }
      if target != timeline.moments[index].position { return start(from: index) }
    }
    start(from: nil)
  }

  /// A change that somebody has made may have been a step, from where there may be a breakpoint.
  private func stop(at cut: Position, _ position: Position) -> StopEvent? {
    let moved = cut.harts.indices.filter { cut.harts[$0].ticks < position.harts[$0].ticks }
    switch request {
    case .step(let hart): return moved.contains(hart) ? .stepped(hart: hart) : nil
    case .run:
      let breakpoints = machine.engine.debug.breakpoints
      return moved.first { breakpoints.contains(cut.harts[$0].pc) }.map { .breakpoint(hart: $0) }
    case .go, .reach, .access: return nil
    }
  }

  private func start(from index: Int?) {
    do throws(MachineError) { try timeline.restore(index ?? 0, machine) } catch { return fail("\(error)") }
    guard let index else { return end(.historyBegins(hart: hart)) }
    self.index = index
  }

  // MARK: Slices

  func slice() {
    for _ in 0..<Self.turnsAtOnce {
      if isThere { return arrive() }
      guard turn() else { return fail("the run did not come to where it had been: \(machine.position) for \(target)") }
      guard machine.rerun === self, machine.door.isEmpty else { return }
    }
  }

  /// Whether a stop is the run's own affair.
  func takes(_ event: StopEvent) -> Bool {
    switch event {
    case .requested, .failed: return false
    default:
      if case .follow = phase { return false }
      self.event = event
      return true
    }
  }

  private func arrive() {
    switch phase {
    case .land(let event):
      _ = machine.controller.take()
      return end(event)
    case .follow:
      machine.rerun = nil
      if timeline.cutAhead != nil { machine.applyKnownChange() }
      return machine.position == timeline.recordingEnd ? machine.halt(.historyEnds(hart: 0)) : ()
    case .search: _ = machine.controller.take()
    }
    isFirst = false
    switch (request, found) {
    case (_, let found?):
      (target, phase) = (found.position, .land(found.event))
      start(from: timeline.moment(upTo: target, from: index) ?? index)
    case (.step, nil) where waitStart != nil:
      target = waitStart ?? target
      waitStart = nil
      if let last = timeline.moment(before: target, from: index) { start(from: last) } else { retreat() }
    default: retreat()
    }
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
      if keepsMoments { machine.keepMoment() }
      return true
    }
    let vcpu = vcpus[machine.round.nextHart]
    let goal = target.harts[vcpu.number].ticks
    event = nil
    if machine.hasSpentTurn(vcpu) || machine.standsStill(vcpu) {
      vcpu.idle(until: machine.roundEnd)
      machine.round.nextHart += 1
    } else if goal > machine.roundEnd &+ Self.margin {
      settle(vcpu.run(until: machine.roundEnd), vcpu)
    } else if goal > vcpu.ticks &+ Self.margin {
      settle(vcpu.run(until: goal - Self.margin, ofRound: machine.roundEnd), vcpu)
    } else {
      return step(vcpu)
    }
    return machine.rerun !== self || isThere || vcpu.ticks <= target.harts[vcpu.number].ticks
  }

  /// Steps a hart to the end of its turn, or to the target.
  private func step(_ vcpu: VCPU) -> Bool {
    while !machine.hasSpentTurn(vcpu) {
      let before = machine.position
      if isThere { return true }
      switch (phase, request) {
      case (.follow, _):
        if hasMoved, vcpu.stopsAtBreakpoint() {
          settle(.breakpoint, vcpu)
          return true
        }
      case (.search, .run): if vcpu.stopsAtBreakpoint() { found = (before, .breakpoint(hart: vcpu.number)) }
      default: break
      }
      guard vcpu.ticks <= target.harts[vcpu.number].ticks else { return false }
      let outcome = vcpu.step(until: machine.roundEnd)
      if case .step(vcpu.number) = request, case .search = phase, outcome != .waiting || before != machine.position {
        found = (before, .stepped(hart: vcpu.number))
      }
      hasMoved = true
      settle(outcome, vcpu)
      guard machine.rerun === self else { return true }
      if outcome == .waiting { return vcpu.ticks <= target.harts[vcpu.number].ticks }
    }
    return true
  }

  private func settle(_ outcome: RunOutcome, _ vcpu: VCPU) {
    // A run that did not go by steps heard of it where it could be interrupted.
    if outcome != .stepped || vcpu.mayInterrupt, machine.takePowerRequest() { return }
    hasMoved = true
    switch outcome {
    case .deadline, .stepped: break
    case .waiting:
      if case .step(vcpu.number) = request { waitStart = machine.position }
      vcpu.idle(until: min(machine.roundEnd, max(vcpu.ticks, target.harts[vcpu.number].ticks)))
    case .yielded: machine.giveWay(vcpu)
    default: _ = machine.settle(outcome, hart: vcpu.number)
    }
    guard let event else { return }
    self.event = nil
    vcpu.passBreakpoint(true)
    if case .watchpoint(_, let hit) = event, hit.timing == .before {
      let rest = vcpu.step(until: machine.roundEnd)
      if rest != .watchpoint { settle(rest, vcpu) }
    }
    guard case .search = phase else { return }
    let position = machine.position
    let hit: WatchHit? = if case .watchpoint(_, let hit) = event { hit } else { nil }
    switch request {
    case .run(let includesHere):
      let isHere = hit != nil && includesHere && isFirst && position == target
      if isHere || position.isBefore(target) { found = (position, event) }
    case .access(let watchpoint):
      if hit?.watchpoint == watchpoint, position.isBefore(target) { found = (position, event) }
    case .go, .reach, .step: break
    }
  }
}
