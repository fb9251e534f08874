// Owns what others ask of the past: to keep it, to go back in it, and to say that it has been changed.

import Bus
import Engine

extension Machine {
  /// Keeps the past from now on, in so many bytes, with moments at least so many seconds of the host's time apart. Throws ``MachineError/setup(_:)`` where that cannot be.
  public func keepTimeline(limit: Int, spacing: Double = 0.01) throws(MachineError) {
    guard configuration.engine.interrupts.isDeterministic else {
      throw .badInput("there is no time travel under --interrupts other than 'budget': runs do not repeat themselves")
    }
    let timeline: Timeline
    do throws(MemoryError) { timeline = try Timeline(limit: limit, spacing: spacing) } catch {
      throw .setup("the timeline: \(error)")
    }
    try timeline.begin(self)
    self.timeline = timeline
  }

  /// Whether the past is kept.
  public var hasTimeline: Bool { timeline != nil }

  /// Whether the machine runs to find a place in its past: what comes of that was shown and noted the first time.
  public var isGoingBack: Bool { rerun?.isBackwards ?? false }

  /// Goes back, a stopped machine; it stops there, and the observers hear of it. Throws ``MachineError/badInput(_:)`` where the
  /// past is not kept.
  public func reverse(_ request: ReverseRequest) throws(MachineError) {
    let timeline = try kept()
    guard !isRunning else { throw .badInput("the guest runs; stop it first") }
    guard !isNonStop else { throw .badInput("there is no going back while harts stop one by one (non-stop)") }
    keepChange()
    timeline.noteEnd(self)
    if case .reach(let hart, let ticks) = request {
      let (begin, end) = (timeline.moments[0].position.harts[hart].ticks, timeline.end.harts[hart].ticks)
      guard (begin...max(begin, end)).contains(ticks) else {
        throw .badInput("hart \(hart) was at ticks \(begin) to \(end) in what is kept, not at \(ticks)")
      }
    }
    stepRequest = nil
    let rerun = Rerun(request, self, timeline)
    self.rerun = rerun
    isRunning = true
    rerun.begin()
  }

  /// The machine was changed from outside: by a debugger, a reset, a snapshot.
  package func noteChange() {
    guard let timeline, timeline.changedAt == nil else { return }
    timeline.changedAt = position
  }

  /// Before the guest goes on: keeps what has been changed.
  func keepChange() {
    // Inside of a block there is no condition to keep.
    guard let timeline, !isNonStop, let cut = timeline.changedAt, engine.vcpus.allSatisfy({ $0.opPosition == nil })
    else { return }
    timeline.changedAt = nil
    keep { () throws(MachineError) in try timeline.noteChange(self, cut: cut) }
  }

  /// Whether running on from a moment comes to here: not where a debugger holds or steps single harts. What happens then counts
  /// as changed from outside.
  private var isRepeatable: Bool {
    !isNonStop && !hartRuns.contains(where: \.isHeld) && (stepRequest == nil || engine.vcpus.count == 1)
  }

  /// Keeps a moment, if one is due.
  func keepMoment() {
    guard let timeline, isRunning, isRepeatable else { return }
    if timeline.changedAt != nil { return keepChange() }
    keep { () throws(MachineError) in try timeline.roundEnded(self) }
  }

  /// A step of a hart whose turn it is not is a change from outside.
  func noteStep(of hart: Int) {
    guard timeline != nil, engine.vcpus.count > 1 else { return }
    if hart != (round.isOver ? 0 : round.nextHart) || round.hasPassedTurn { noteChange() }
  }

  /// Whether the machine stands where it has been, and has gone on from.
  var isInKnownPast: Bool { timeline.map { $0.isPast(self) || $0.cutAhead != nil } ?? false }

  /// Input up to where the history is known to.
  var knownInputs: [RecordedInput] { isInKnownPast ? recorded + replay.reversed() : recorded }

  /// Has what somebody has changed in the future that is known change again.
  func followKnownChanges() -> Rerun? {
    guard let timeline, timeline.cutAhead != nil || timeline.recordingEndAhead(of: self) != nil,
      stepRequest == nil, isRepeatable
    else {
      return nil
    }
    rerun = Rerun(following: self, timeline)
    return rerun
  }

  /// What somebody has changed where the machine stands in the past changes now, as it did then.
  func applyKnownChange() {
    while let timeline, let cut = timeline.cutAhead, timeline.moments[cut].cut == position {
      keep { () throws(MachineError) in try timeline.restore(cut, self) }
      for vcpu in engine.vcpus { vcpu.passBreakpoint() }
    }
  }

  /// What was kept of the past is of another run: it begins here.
  func keepFromHere() {
    guard let timeline else { return }
    rerun = nil
    keep { () throws(MachineError) in try timeline.beginAgain(self) }
  }

  private func keep(_ body: () throws(MachineError) -> Void) {
    do throws(MachineError) { try body() } catch {
      engine.log.write(.guestErrors, "the timeline ends: \(error)")
      timeline = nil
    }
  }
}
