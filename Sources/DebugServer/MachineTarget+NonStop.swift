// Owns harts that run and halt each for itself: GDB's non-stop mode, on the server's thread.

import GDBRemote
import Machine

extension MachineTarget: NonStopTarget {
  func setNonStop(_ isOn: Bool) throws(TargetError) {
    isNonStop = isOn
    // Stops that are still on their way are no news.
    runNumber += 1
    haltedHarts = machine.perform { [side, observation, runNumber] machine in
      if !isOn { machine.stop() }
      side.runNumber = runNumber
      if isOn {
        side.beginNonStop(machine) { [observation] report in observation.send(runNumber, report) }
      } else {
        side.endNonStop(machine)
      }
      return Set(side.hartStops.indices.filter { side.hartStops[$0] != nil })
    }
  }

  /// The client is about to hear of a stop.
  func note(_ stop: Stop) {
    if isNonStop, let hart = try? hart(stop.thread) { haltedHarts.insert(hart) }
  }

  func stop(of thread: ThreadID) -> Stop? {
    guard let hart = try? hart(thread), haltedHarts.contains(hart) else { return nil }
    return machine.perform { [side] _ in side.hartStops.indices.contains(hart) ? side.hartStops[hart] : nil }
  }

  /// All that a plan starts goes on at the same time.
  func resumeHarts(_ plan: ResumePlan) {
    let wanted = threads.enumerated().compactMap { hart, thread in
      plan.entries.first { $0.threads.matches(thread) }.map { (hart: hart, action: $0.action) }
    }
    let entries = wanted.filter { $0.action == .halt || haltedHarts.contains($0.hart) }
    // What the client has not attached to runs when anything does.
    let joining = entries.contains { $0.action != .halt } ? leftHarts : []
    haltedHarts.subtract(joining.union(entries.filter { $0.action != .halt }.map(\.hart)))
    machine.perform { [side, observation, runNumber] machine in
      for hart in joining { side.resume(hart, .run, machine) }
      for (hart, action) in entries {
        switch action {
        case .continue: side.resume(hart, .run, machine)
        case .step: side.resume(hart, .step(while: nil), machine)
        case .stepRange(let range): side.resume(hart, .step(while: range), machine)
        case .halt: if let report = side.hold(hart, .none, machine) { observation.send(runNumber, report) }
        }
      }
    }
  }

  func interruptHart() {
    machine.perform { [side, observation, runNumber, leftHarts] machine in
      guard let hart = side.firstRunningHart(but: leftHarts), let report = side.hold(hart, .interrupt, machine) else {
        return
      }
      observation.send(runNumber, report)
    }
  }
}
