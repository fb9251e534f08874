// Owns the comparators of debug units that the guest programs itself, as the engine watches for them.

import GuestKit
import IR

extension VCPU {
  /// The vCPU stands at an instruction that a comparator waits for.
  func matchInstruction() -> RunOutcome? {
    let pc = state.pc
    passedBreakpoint = pc
    // The handler of the match comes back to the instruction.
    guard progress.matchedInstruction != pc else {
      progress.matchedInstruction = nil
      return nil
    }
    progress.matchedInstruction = pc
    guard let comparator = debug.comparators.first(where: { $0.isInstruction && $0.address == pc }) else { return nil }
    return report(comparator, isWrite: false)
  }

  /// An instruction has made these accesses: those of comparators count.
  func matchComparators(_ accesses: [SeenAccess]) -> RunOutcome? {
    let matches = debug.comparators.compactMap { comparator in
      accesses.first { $0.matches(comparator) }.map { (comparator, $0) }
    }
    // All of them count, and the first is reported.
    for (comparator, access) in matches.dropFirst() {
      _ = debugUnit?.comparatorMatched(state, comparator, isWrite: access.isWrite)
    }
    return matches.first.flatMap { report($0.0, isWrite: $0.1.isWrite) }
  }

  private func report(_ comparator: Comparator, isWrite: Bool) -> RunOutcome? {
    if let exception = debugUnit?.comparatorMatched(state, comparator, isWrite: isWrite) {
      return take(exception)
    }
    return debugUnit?.takeDebugStop(state).map { .caught($0) }
  }
}

/// An access that was made.
struct SeenAccess {
  var address: UInt64
  var size: Int
  var isWrite: Bool
  var value: UInt64

  var last: UInt64 { address &+ UInt64(size - 1) }

  func touches(_ point: Watchpoint) -> Bool {
    (isWrite ? point.onWrite : point.onRead) && point.address <= last && address <= point.last
  }

  func matches(_ comparator: Comparator) -> Bool {
    !comparator.isInstruction && (isWrite ? comparator.onWrite : comparator.onRead)
      && comparator.address <= last && address <= comparator.address &+ (comparator.length &- 1)
      && comparator.value?.appears(in: value, at: address, count: size) ?? true
  }
}
