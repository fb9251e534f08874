// Owns the list of an engine's vCPUs, which of them runs, and how the one that runs is made to come back.
//
// Whatever one vCPU causes others to forget goes through here: the one place where a runner reaches into another's state.

import GuestKit
import HostKit
import IR

/// The vCPUs that share memory and translated code.
final class Runners {
  private(set) var all: [VCPU] = []
  /// The vCPU that runs now.
  var current: VCPU?
  /// Nil where the budget stops code.
  let kicks: Kicks?
  let stopFlag = StopFlag()
  let stopProbe = StopProbe()
  var isSeveral: Bool { all.count > 1 }

  init(_ kicks: Kicks?) { self.kicks = kicks }

  func add(_ vcpu: VCPU) { all.append(vcpu) }

  /// Ends timers, and the circle of vCPUs and what they share.
  func dissolve() {
    kicks?.timer.stop()
    all.removeAll()
  }

  func requestStop() {
    stopFlag.raise()
    kicks?.kickAll()
  }

  /// Calls `body` with what each vCPU keeps of each mode.
  func forEachMode(_ body: (ModeContext) -> Void) {
    for vcpu in all { for mode in vcpu.modes.all { body(mode) } }
  }

  /// Has code look again for what it finds windows, guides and twins by.
  func publishGuides() {
    for vcpu in all {
      vcpu.publishGuide()
      vcpu.publishWatchGuide()
    }
  }
}
