// Owns stepping a hart by IR op within the order in which vCPUs run and time passes.

import Engine

extension Machine {
  /// Executes one IR op of a hart of a stopped machine; see ``VCPU/stepOp(until:)``. On the machine's thread.
  public func stepOp(hart: Int) -> OpStep {
    if round.isOver { beginRound() }
    let vcpu = engine.vcpus[hart]
    let step = vcpu.stepOp(until: round.isOver ? .max : roundEnd)
    guard case .left(let outcome) = step else { return step }
    if takePowerRequest() { return step }
    switch outcome {
    case nil, .deadline, .stepped, .waiting: break
    case .yielded: if !round.isOver { giveWay(vcpu) }
    case let outcome?: _ = settle(outcome, hart: hart)
    }
    if vcpu.ticks >= roundEnd, vcpu.mayInterrupt { catchUp(hart) }
    return step
  }

  /// A hart has come to a breakpoint that stops it: there, or before an op of the block there, if it gets that far.
  func stopAtBreakpoint(_ hart: Int) {
    let vcpu = engine.vcpus[hart]
    guard let wanted = vcpu.wantedOp else { return halt(.breakpoint(hart: hart)) }
    vcpu.wantedOp = nil
    let pc = vcpu.state.pc
    while isRunning, case .inside = stepOp(hart: hart), let position = vcpu.opPosition, position.block.pc == pc {
      guard position.next >= wanted.index else { continue }
      if wanted.filter.stopsBeforeOp(vcpu) { halt(.breakpoint(hart: hart)) }
      return
    }
  }
}
