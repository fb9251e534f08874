// Owns the seam through which a monitor walks a block one IR op at a time, whatever host runs the guest otherwise.

import IR

/// A block in the middle of its execution, on the real state of a vCPU.
public protocol OpStepper: AnyObject {
  var block: Block { get }
  /// Index in `block` of the next op.
  var opIndex: Int { get }
  /// Whether the block has been left: the state's header says how. Every exit leaves; none goes on in another block.
  var hasLeft: Bool { get }
  /// What a value holds, zero-extended; 0 before its op has run.
  func value(_ id: ValueID) -> Vector128
  /// Executes the next op.
  /// - Returns: false when that left the block, or it had been left before.
  @discardableResult func step() -> Bool
}

/// Makes a stepper that stands before the first op of a block. The budget and `exitReason` of the state are taken over
/// as by ``Host/run(_:_:)``.
public typealias OpStepperFactory =
  @Sendable (HostConfiguration, Block, VCPUState) throws(HostError) -> any OpStepper
