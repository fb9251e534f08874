// Owns single-stepping by IR op, for the monitor.

import HostKit
import IR

extension InterpreterHost {
  /// Runs one block one IR op at a time. It never goes on in another block: every exit leaves, as ``ExitReason``
  /// `.unchained` or `.indirectMiss` with the guest PC to go on at (the site is of no use to another host).
  ///
  /// While a block is half done, guest registers in the state block are as of the next op.
  public final class Stepper: OpStepper {
    private let host: InterpreterHost
    private var execution: Execution
    /// Where each op's code begins, and the last one's ends. Some have none.
    private let starts: [Int]

    public let block: Block
    /// Whether the block has been left: the state's header says how.
    public private(set) var hasLeft = false

    /// Stands before the first op of `block`. The budget and `exitReason` of `cpu` are taken over as by a run.
    public init(_ configuration: HostConfiguration, _ block: Block, _ cpu: VCPUState) throws(HostError) {
      var configuration = configuration
      configuration.codeCacheSize = (2 * block.ops.count + 4) * MemoryLayout<PackedOp>.stride
      let host = try InterpreterHost(configuration, usesJumpCache: false)
      var outline = BlockOutline()
      var starts: [Int]? = []
      let compiled = try block.withView { (view) throws(HostError) in
        try host.compile(view, dataPath: .slow, &outline, starts: &starts)
      }
      self.host = host
      self.block = block
      self.starts = (starts ?? []) + [host.interpreter.used]
      execution = Execution(host.interpreter, entry: compiled.entry, cpu: cpu)
    }

    /// Index in the block of the next op.
    public private(set) var opIndex = 0

    /// What `id` holds, zero-extended; 0 before its op has run.
    public func value(_ id: ValueID) -> Vector128 {
      block.type(of: id) == .v128 ? execution.cpu.loadVector(.value(id)) : Vector128(execution.value(.value(id)))
    }

    /// Executes the next op.
    /// - Returns: false when that left the block (or it had been left before).
    @discardableResult
    public func step() -> Bool {
      guard !hasLeft else { return false }
      while execution.position < starts[opIndex + 1] {
        guard execution.step() else {
          hasLeft = true
          return false
        }
      }
      opIndex += 1
      return true
    }

    /// Runs the rest of the block, so that the guest stands between blocks again.
    public func finish() {
      while step() {}
    }
  }
}
