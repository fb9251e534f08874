// Owns stepping through a block by IR op on the real state of a vCPU. A block half done is finished, on the stepper,
// before the vCPU runs in any other way, so that the guest never notices.

import GuestKit
import HostKit
import IR

/// A block that is being stepped through.
final class OpSession {
  let stepper: any OpStepper
  /// The PC the state shows: that of the current instruction. Another one there means that a user moved the PC.
  var shownPC: UInt64
  /// Guest instructions begun.
  var begun: UInt64 = 0

  init(_ stepper: any OpStepper, pc: UInt64) {
    self.stepper = stepper
    shownPC = pc
  }
}

/// An op that somebody waits for.
public struct WantedOp {
  /// Its index in the block.
  public var index: Int
  public var filter: any OpFilter

  public init(_ index: Int, _ filter: any OpFilter) {
    self.index = index
    self.filter = filter
  }
}

/// Decides whether a vCPU that is about to execute an op stops there.
public protocol OpFilter: AnyObject {
  func stopsBeforeOp(_ vcpu: VCPU) -> Bool
}

/// What a step by IR op came to.
public enum OpStep: Equatable, Sendable {
  /// The vCPU stands in a block, before op ``OpPosition/next``.
  case inside
  /// The block has been left; what ends a run, if anything, as ``VCPU/run(until:)`` would say.
  case left(RunOutcome?)
  /// No block could be made.
  case refused(String)
}

/// Where a vCPU stands in a block that is being stepped through.
public struct OpPosition: Sendable {
  public var block: Block
  /// Index of the next op.
  public var next: Int
  /// What each value holds so far, by number.
  public var values: [Vector128]
}

extension VCPU {
  /// Where the vCPU stands within a block; nil between blocks, where it is otherwise.
  public var opPosition: OpPosition? {
    guard let stepper = opSession?.stepper else { return nil }
    let values = stepper.block.valueTypes.indices.map { stepper.value(ValueID(UInt16(truncatingIfNeeded: $0))) }
    return OpPosition(block: stepper.block, next: stepper.opIndex, values: values)
  }

  /// Goes into the block at the PC, or executes its next op if the vCPU stands in one. Instruction markers are passed
  /// over, so that the next op is always one that does something.
  ///
  /// - Parameter deadline: as of ``VCPU/run(until:)``.
  public func stepOp(until deadline: UInt64) -> OpStep {
    begin(deadline)
    defer { end() }
    if isInsideBlock(), let session = opSession {
      session.stepper.step()
    } else {
      if progress.isWaiting, !guest.wakesFromWait(state) { return .left(.waiting) }
      progress.isWaiting = false
      if progress.mayInterrupt { takeInterrupt() }
      if let refusal = enterOps() { return refusal }
    }
    return passMarkers()
  }

  /// Executes the rest of a block that is half done.
  /// - Returns: what ends the run, if anything.
  @discardableResult
  public func finishOps() -> RunOutcome? {
    guard isInsideBlock(), let session = opSession else { return nil }
    while session.stepper.step() {}
    return leaveOps()
  }

  private func enterOps() -> OpStep? {
    guard let opStepper = engine.opStepper else { return .refused("this build has no stepper for IR ops") }
    let pc = state.pc
    var block: Block
    do throws(GuestException) {
      let physical = try physicalPC(pc)
      let isAlone = progress.runsNextAlone || !physical.wholePage
      let key = BlockKey(
        pc: pc, physicalPC: physical.address, flags: modes.flags, variant: progress.runsNextAlone ? .step : .normal)
      progress.runsNextAlone = false
      block = try translator.decode(self, key, maximumInstructions: isAlone ? 1 : options.maximumInstructions)
    } catch {
      state.raise(error)
      return .left(handle(.exception))
    }
    translator.passes.optimizer(for: block).run(&block)
    prepare()
    do throws(HostError) {
      opSession = OpSession(try opStepper(engine.hostConfiguration, block, state), pc: pc)
    } catch { return .refused("\(EngineError.host(error))") }
    passedBreakpoint = nil
    return nil
  }

  private func passMarkers() -> OpStep {
    guard let session = opSession else { return .left(nil) }
    let stepper = session.stepper
    while !stepper.hasLeft, stepper.block.ops[stepper.opIndex].opcode == .instruction {
      session.shownPC = UInt64(bitPattern: stepper.block.ops[stepper.opIndex].imm)
      session.begun &+= 1
      state.pc = session.shownPC
      stepper.step()
    }
    return stepper.hasLeft ? .left(leaveOps()) : .inside
  }

  private func leaveOps() -> RunOutcome? {
    opSession = nil
    account()
    switch state.exitReason {
    case .unchained, .indirectMiss: return takeTransitions() ?? countOutcome()
    case let reason: return handle(reason) ?? takeTransitions() ?? countOutcome()
    }
  }

  /// Whether the vCPU stands in a block that is half done. If a user set another PC, what is left of it is not to run.
  func isInsideBlock() -> Bool {
    guard let session = opSession else { return false }
    guard session.shownPC != state.pc else { return true }
    opSession = nil
    let completed = session.begun == 0 ? 0 : session.begun - 1
    progress.ticks &+= completed
    progress.retired &+= completed
    state.budget = 0
    state.store(Int64(0), at: StateOffset.budgetStart)
    return false
  }
}
