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

/// What a step by IR op came to.
public enum OpStep: Equatable, Sendable {
  /// The vCPU stands in a block, before op ``OpPosition/next``.
  case inside
  /// The block has been left; what ends a run, if anything, as ``Engine/run(_:until:)`` would say.
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
  public var values: [UInt64]
}

extension Engine {
  /// Where `vcpu` stands within a block; nil between blocks, where it is otherwise.
  public func opPosition(_ vcpu: VCPU) -> OpPosition? {
    guard let stepper = vcpu.opSession?.stepper else { return nil }
    let values = stepper.block.valueTypes.indices.map { stepper.value(ValueID(UInt16(truncatingIfNeeded: $0))) }
    return OpPosition(block: stepper.block, next: stepper.opIndex, values: values)
  }

  /// Goes into the block at the PC, or executes its next op if the vCPU stands in one. Instruction markers are passed
  /// over, so that the next op is always one that does something.
  ///
  /// - Parameter deadline: as of ``run(_:until:)``.
  public func stepOp(_ vcpu: VCPU, until deadline: UInt64) -> OpStep {
    begin(vcpu, deadline)
    defer { end(vcpu) }
    if isInsideBlock(vcpu), let session = vcpu.opSession {
      session.stepper.step()
    } else {
      if vcpu.isWaiting, !guest.wakesFromWait(vcpu.state) { return .left(.waiting) }
      vcpu.isWaiting = false
      if vcpu.mayInterrupt { takeInterrupt(vcpu) }
      if let refusal = enterOps(vcpu) { return refusal }
    }
    return passMarkers(vcpu)
  }

  /// Executes the rest of a block that is half done.
  /// - Returns: what ends the run, if anything.
  @discardableResult
  public func finishOps(_ vcpu: VCPU) -> RunOutcome? {
    guard isInsideBlock(vcpu), let session = vcpu.opSession else { return nil }
    while session.stepper.step() {}
    return leaveOps(vcpu)
  }

  private func enterOps(_ vcpu: VCPU) -> OpStep? {
    guard let opStepper else { return .refused("this build has no stepper for IR ops") }
    let pc = vcpu.state.pc
    var block: Block
    do throws(GuestException) {
      let physical = try physicalPC(vcpu, pc)
      let key = BlockKey(pc: pc, physicalPC: physical.address, flags: vcpu.flags, variant: .normal)
      block = try decode(vcpu, key, maximumInstructions: physical.wholePage ? options.maximumInstructions : 1)
    } catch {
      vcpu.state.raise(error)
      return .left(handle(vcpu, .exception))
    }
    optimizer.run(&block)
    prepare(vcpu)
    do throws(HostError) {
      vcpu.opSession = OpSession(try opStepper(hostConfiguration, block, vcpu.state), pc: pc)
    } catch { return .refused("\(EngineError.host(error))") }
    vcpu.passedBreakpoint = nil
    return nil
  }

  private func passMarkers(_ vcpu: VCPU) -> OpStep {
    guard let session = vcpu.opSession else { return .left(nil) }
    let stepper = session.stepper
    while !stepper.hasLeft, stepper.block.ops[stepper.opIndex].opcode == .instruction {
      session.shownPC = UInt64(bitPattern: stepper.block.ops[stepper.opIndex].imm)
      session.begun &+= 1
      vcpu.state.pc = session.shownPC
      stepper.step()
    }
    return stepper.hasLeft ? .left(leaveOps(vcpu)) : .inside
  }

  private func leaveOps(_ vcpu: VCPU) -> RunOutcome? {
    vcpu.opSession = nil
    account(vcpu)
    switch vcpu.state.exitReason {
    case .unchained, .indirectMiss: return nil
    case let reason: return handle(vcpu, reason)
    }
  }

  /// Whether the vCPU stands in a block that is half done. If a user set another PC, what is left of it is not to run.
  func isInsideBlock(_ vcpu: VCPU) -> Bool {
    guard let session = vcpu.opSession else { return false }
    guard session.shownPC != vcpu.state.pc else { return true }
    vcpu.opSession = nil
    let completed = session.begun == 0 ? 0 : session.begun - 1
    vcpu.ticks &+= completed
    vcpu.retired &+= completed
    vcpu.state.budget = 0
    vcpu.state.store(Int64(0), at: StateOffset.budgetStart)
    return false
  }
}
