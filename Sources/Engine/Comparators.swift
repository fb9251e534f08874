// Owns the comparators of debug units that the guest programs itself, as the engine watches for them.

import GuestKit
import IR

extension Engine {
  /// Watches for these in place of those before.
  func setComparators(_ new: [Comparator]) {
    for old in debug.comparators {
      if old.isInstruction { removeBreakpoint(old.address) } else { remove(Watchpoint(old)) }
    }
    debug.comparators = new
    for comparator in new {
      if comparator.isInstruction {
        insertBreakpoint(comparator.address)
      } else {
        insert(Watchpoint(comparator))
      }
    }
  }

  /// The vCPU stands at an instruction that a comparator waits for.
  func matchInstruction(_ vcpu: VCPU) -> RunOutcome? {
    let pc = vcpu.state.pc
    vcpu.passedBreakpoint = pc
    // The handler of the match comes back to the instruction.
    guard vcpu.matchedInstruction != pc else {
      vcpu.matchedInstruction = nil
      return nil
    }
    vcpu.matchedInstruction = pc
    guard let comparator = debug.comparators.first(where: { $0.isInstruction && $0.address == pc }) else { return nil }
    return report(vcpu, comparator, isWrite: false)
  }

  /// An access was held up because a comparator waits for it: it is made, and then counts.
  func matchAccess(_ vcpu: VCPU) -> RunOutcome? {
    guard let hit = vcpu.watchHit,
      let comparator = debug.comparators.first(where: { $0.number == hit.watchpoint.comparator })
    else { return nil }
    vcpu.watchHit = nil
    vcpu.suppressesWatchpoints = true
    let outcome = executeOne(vcpu)
    vcpu.suppressesWatchpoints = false
    return outcome ?? report(vcpu, comparator, isWrite: hit.isWrite)
  }

  private func report(_ vcpu: VCPU, _ comparator: Comparator, isWrite: Bool) -> RunOutcome? {
    if let exception = guest.comparatorMatched(vcpu.state, comparator, isWrite: isWrite) {
      return take(vcpu, exception)
    }
    return guest.takeDebugStop(vcpu.state).map { .caught($0) }
  }
}

extension Watchpoint {
  init(_ comparator: Comparator) {
    self.init(
      address: comparator.address, length: comparator.length, onRead: comparator.onRead, onWrite: comparator.onWrite)
    self.comparator = comparator.number
  }
}
