// Owns the facet of guests that have a timer of their own.

import IR

/// A guest whose CPUs have a timer that compares the platform's count with a value (RISC-V `stimecmp`, Arm's generic timer).
public protocol TimerHardware: AnyObject {
  /// The time asked for by ``VCPUContext/schedule(at:)`` has come. Called between rounds, when no code of the vCPU runs.
  func timeReached(_ cpu: VCPUState)
}
