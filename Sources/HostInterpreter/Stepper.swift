// Owns single-stepping by IR op, for the monitor.

import HostKit
import IR

extension InterpreterHost {
  /// Runs one block one IR op at a time. It never goes on in another block: every exit leaves, as ``ExitReason``
  /// `.unlinked` or `.indirectMiss` with the guest PC to go on at (the exit number is of no use to another host).
  ///
  /// While a block is half done, guest registers in the state block are as of the next op.
  public final class Stepper: OpStepper {
    private let host: InterpreterHost
    private var machine: Machine
    private let entry: Int

    public let block: Block
    /// Whether the block has been left: the state's header says how.
    public private(set) var hasLeft = false

    /// Stands before the first op of `block`. The budget and `exitReason` of `cpu` are taken over as by a run.
    public init(_ configuration: HostConfiguration, _ block: Block, _ cpu: VCPUState) throws(HostError) {
      var configuration = configuration
      configuration.codeCacheSize = (block.ops.count + 3) * MemoryLayout<Op>.stride
      let host = try InterpreterHost(configuration)
      var labels: [CodeAddress] = []
      let compiled = try block.withView { (view) throws(HostError) in
        try host.compile(view, dataPath: .slow, firstExit: 0, keepsMarkers: true, labels: &labels)
      }
      self.host = host
      self.block = block
      entry = Int(compiled.entry.offset)
      machine = Machine(host, entry: compiled.entry, cpu: cpu, followsLinks: false)
    }

    /// Index in the block of the next op.
    public var opIndex: Int { machine.position - entry }

    /// What `id` holds, zero-extended; 0 before its op has run.
    public func value(_ id: ValueID) -> UInt64 { host.values[Int(id.index)] }

    /// Executes the next op.
    /// - Returns: false when that left the block (or it had been left before).
    @discardableResult
    public func step() -> Bool {
      guard !hasLeft else { return false }
      hasLeft = !machine.step()
      return !hasLeft
    }

    /// Runs the rest of the block, so that the guest stands between blocks again.
    public func finish() {
      while step() {}
    }
  }
}
