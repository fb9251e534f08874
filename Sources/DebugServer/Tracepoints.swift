// Owns tracepoints in the machine: breakpoints that collect and never stop, and followers of the instructions behind them and of
// branches.

import Engine
import GDBRemote
import Machine

/// The breakpoint of a tracepoint.
final class PlantedTracepoint: BreakpointFilter {
  let index: Int
  let address: UInt64
  private unowned let machine: Machine
  private let side: MachineSide
  /// The hart that came here last, and what it had retired then: a hart that is stopped here and goes on has not come again.
  private var last: (hart: Int, retired: UInt64)?

  init(_ index: Int, at address: UInt64, _ machine: Machine, _ side: MachineSide) {
    self.index = index
    self.address = address
    self.machine = machine
    self.side = side
  }

  func stops(_ vcpu: VCPU) -> Bool {
    if machine.isGoingBack { return false }
    if let last, last == (vcpu.number, vcpu.retired) { return false }
    last = (vcpu.number, vcpu.retired)
    let steps = side.trace.hit(index, in: side.context(vcpu, machine))
    if steps > 0 { side.followers[vcpu.number].follow(vcpu, tracepoint: index, steps: steps) }
    if !side.trace.isRunning { side.plantTracepoints(machine) }
    return false
  }
}

/// Follows one hart: for its branches, and for what tracepoints collect behind a hit. Used on the machine's thread only.
final class HartFollower: InstructionFollower {
  private struct Steps {
    let tracepoint: Int
    var left: UInt64
    /// Nothing was executed since the hit.
    var isFresh = true
  }

  private unowned let machine: Machine
  private let side: MachineSide
  private(set) var branches: BranchTrace?
  private var steps: [Steps] = []
  /// The instruction told of last, and what had been retired then.
  private var last: (pc: UInt64, retired: UInt64)?

  init(_ machine: Machine, _ side: MachineSide) {
    self.machine = machine
    self.side = side
  }

  /// Begins a trace of branches, or ends it.
  func trace(_ vcpu: VCPU, _ branches: BranchTrace?) {
    self.branches = branches
    update(vcpu)
  }

  func readBranches(_ part: BranchTrace.Part, at pc: UInt64) -> [BranchTrace.Block]? { branches?.read(part, at: pc) }

  /// Has a tracepoint collect behind each of the next instructions, that at the PC included.
  func follow(_ vcpu: VCPU, tracepoint: Int, steps count: UInt64) {
    // One that comes to its own place again begins anew.
    steps.removeAll { $0.tracepoint == tracepoint }
    steps.append(Steps(tracepoint: tracepoint, left: count))
    update(vcpu)
  }

  func forgetSteps(_ vcpu: VCPU) {
    steps.removeAll()
    update(vcpu)
  }

  private func update(_ vcpu: VCPU) { vcpu.follower = branches == nil && steps.isEmpty ? nil : self }

  func willExecute(_ vcpu: VCPU, next: UInt64) {
    if machine.isGoingBack { return }
    let now = (vcpu.state.pc, vcpu.retired)
    if let last, last == now { return }
    last = now
    branches?.execute(now.0, next: next)
    if !steps.isEmpty { collect(vcpu) }
  }

  private func collect(_ vcpu: VCPU) {
    let context = side.context(vcpu, machine)
    for index in steps.indices {
      if steps[index].isFresh {
        steps[index].isFresh = false
        continue
      }
      steps[index].left -= 1
      side.trace.step(steps[index].tracepoint, isLast: steps[index].left == 0, in: context)
    }
    steps.removeAll { $0.left == 0 }
    update(vcpu)
    if !side.trace.isRunning { side.plantTracepoints(machine) }
  }
}
