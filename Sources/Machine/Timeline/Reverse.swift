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

  /// Goes back, a stopped machine; it stops there, and the observers hear of it. Throws ``MachineError/badInput(_:)`` where the
  /// past is not kept.
  public func reverse(_ request: ReverseRequest) throws(MachineError) {
    guard let timeline else { throw .badInput("the past is not kept; start with --timeline SIZE") }
    guard !isRunning else { throw .badInput("the guest runs; stop it first") }
    keepChange()
    stepRequest = nil
    let rerun = try Rerun(request, self, timeline)
    guard let rerun else { return halt(.historyBegins(hart: 0)) }
    self.rerun = rerun
    isRunning = true
  }

  /// The machine was changed from outside: by a debugger, a reset, a snapshot.
  package func noteChange() { timeline?.hasChanged = true }

  /// Before the guest goes on: keeps what has been changed.
  func keepChange() {
    // Inside of a block there is no condition to keep.
    guard let timeline, timeline.hasChanged, engine.vcpus.allSatisfy({ $0.opPosition == nil }) else { return }
    timeline.hasChanged = false
    keep { () throws(MachineError) in try timeline.noteChange(self) }
  }

  /// Keeps a moment, if one is due.
  func keepMoment() {
    guard let timeline, isRunning else { return }
    if timeline.hasChanged { return keepChange() }
    keep { () throws(MachineError) in try timeline.roundEnded(self) }
  }

  private func keep(_ body: () throws(MachineError) -> Void) {
    do throws(MachineError) { try body() } catch {
      engine.log.write(.guestErrors, "the timeline ends: \(error)")
      timeline = nil
    }
  }
}
