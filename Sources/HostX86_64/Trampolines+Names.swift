// Owns the names of the code that blocks share, for listings.

import HostKit

extension Trampolines {
  /// In no order.
  ///
  /// - Parameter base: address of the code cache.
  func entries(at base: UInt64) -> [SharedEntry] {
    let code: [(Int, String, String)] = [
      (
        enter, "enter",
        "from the engine: saves the host's registers, loads pinned ones and the budget, goes to the block"
      ),
      (leave, "leave", "to the engine: pinned registers and budget to the state, the host's registers back"),
      (leaveUnchained, "exit-stub", "called by an exit that is not chained; where from tells which exit it is"),
      (leaveBudget, "budget-stub", "called by an exit that finds the budget used up; likewise"),
      (leaveMiss, "leave-unknown", "leaves for the guest PC in rax, which the jump cache does not know"),
      (leaveBudgetIndirect, "leave-budget", "leaves for the guest PC in rax, as the budget is used up"),
      (lookUp, "look-up", "goes on at the guest PC in rax by the jump cache"),
      (fault, "fault", "where a memory access that faulted is sent; then as the slow path"),
      (slow, "slow-path", "completes the memory access whose number was pushed, and goes on behind it"),
      (slowFloat, "slow-float", "carries out the floating-point operation whose number was pushed, likewise"),
      (saveAll, "save", "pinned registers to the state, before a helper that reads guest registers"),
      (loadAll, "load", "and back, behind one that writes them"),
      (saveVolatile, "save-some", "those that a call does not keep, before any other helper"),
      (loadVolatile, "load-some", "and back"),
      (floats.enter, "enter-float", "around enter: the guest's rounding mode and SSE registers"),
    ]
    let data = [(floats.constants, "constants", "operands of floating-point code")]
    return code.map { SharedEntry(address: base + UInt64($0.0), name: $0.1, purpose: $0.2) }
      + data.map { SharedEntry(address: base + UInt64($0.0), name: $0.1, purpose: $0.2, isCode: false) }
  }
}
