// Owns what follows when a recorded run has been gone through to its end.

import Machine

struct ReplayEnd {
  private let recording: Recording
  private let stays: Bool

  /// - Parameter stays: the machine stands there for somebody to look at.
  init(_ recording: Recording, stays: Bool) { (self.recording, self.stays) = (recording, stays) }

  /// Whether a stop is where the recorded run ended, and is dealt with.
  func takes(_ event: StopEvent, _ machine: Machine, _ verdict: Verdict) -> Bool {
    guard !machine.isGoingBack, isLast(event), let isSame = try? machine.standsAtEnd(of: recording) else {
      return false
    }
    guard isSame else {
      verdict.reach(
        .failed(
          "the run has ended otherwise than the one that was recorded by \(recording.header.program): the machine is not"
            + " in the same condition; please report this with the recording"))
      return true
    }
    if stays {
      Log.note("\(words); look around and back; the guest can go on from here")
    } else {
      let ending = recording.ending
      verdict.reach(.replayed(ending?.code ?? ExitCode.success.rawValue, ending?.message == "" ? nil : words))
    }
    return true
  }

  private func isLast(_ event: StopEvent) -> Bool {
    switch event {
    case .exited, .reset, .lockedUp, .failed, .historyEnds, .requested: true
    case .breakpoint, .watchpoint, .caught, .stepped, .historyBegins: false
    }
  }

  private var words: String {
    guard let ending = recording.ending else { return "the recording ends here, where its writer was killed" }
    return "the recorded run ended here, with exit code \(ending.code)"
      + (ending.message.isEmpty ? "" : " (\(ending.message))")
  }
}
