// Owns stepping by the DebugMonitor exception: DEMCR.MON_STEP (ARMv7-M manual, C1.5.1 "Debug stepping").
//
// A return from an exception to where DebugMonitor may preempt is followed by one instruction, and that by DebugMonitor.
// An exception that comes first is taken: if DebugMonitor preempts its handler, it is taken at the handler's first
// instruction; if not, the instruction is stepped after the handler has returned.

import GuestKit
import IR

struct MonitorStep: Codable, Sendable, Equatable {
  /// How many instructions had retired before the one to step.
  var start: UInt64
  /// The step is over though nothing retired.
  var isOver = false
}

extension SystemControl {
  private var isMonitorStepping: Bool { state.debugControl & 0x5_0000 == 0x5_0000 }

  private func monitorPreempts(_ core: Core) -> Bool {
    groupPriority(priority(ExceptionNumber.debugMonitor.rawValue)) < executionPriority(core)
  }

  /// An exception return is over.
  func beginStep(_ core: Core) {
    guard isMonitorStepping, monitorPreempts(core) else { return }
    if state.step == nil { state.step = MonitorStep(start: core.cpu.context.retiredInstructions) }
    core.configuration.insert(.steps)
    core.cpu.context.stepNext()
  }

  /// An exception was entered, raised by the instruction that is stepped or from outside.
  func noteStep(into number: Int, isRaised: Bool, _ core: Core) {
    guard state.step != nil else { return }
    if number != ExceptionNumber.debugMonitor.rawValue, isRaised || monitorPreempts(core) {
      state.step?.isOver = true
    } else {
      endStep(core)
    }
  }

  /// The exception that ends the step, once it has been made: DebugMonitor, or one that is more urgent.
  func completedStep(_ core: Core) -> GuestException? {
    guard let step = state.step, step.isOver || core.cpu.context.retiredInstructions != step.start else { return nil }
    endStep(core)
    guard isMonitorStepping else { return nil }
    state.debugFaultStatus |= 1
    state.pending[ExceptionNumber.debugMonitor.rawValue] = true
    return interruptToTake(core).map { GuestException(cause: UInt64($0)) }
  }

  private func endStep(_ core: Core) {
    state.step = nil
    core.configuration.remove(.steps)
  }
}
