// Owns the interpreter as a host.

import Bits
import HostKit
import IR

/// The reference host: executes IR as the op table says, op by op.
public final class InterpreterHost: Host {
  public static var name: String { "interpreter" }
  public static var isInterpreter: Bool { true }

  let interpreter: Interpreter
  /// What takes each chain back.
  private var befores: [UInt32: UInt32] = [:]
  /// Writes the blocks.
  let packer = RawCell(Packer())

  public convenience init(_ configuration: HostConfiguration) throws(HostError) {
    try self.init(configuration, usesJumpCache: true)
  }

  init(_ configuration: HostConfiguration, usesJumpCache: Bool) throws(HostError) {
    guard configuration.interrupts.isDeterministic else {
      throw .unsupported("--interrupts \(configuration.interrupts): the interpreter counts instructions; use budget")
    }
    interpreter = Interpreter(configuration, entryLimit: nil, usesJumpCache: usesJumpCache)
  }

  deinit { packer.value.deallocate() }

  public func compile(
    _ block: BlockView, dataPath: DataPath, isHot: Bool, _ outline: inout BlockOutline
  ) throws(HostError) -> CompiledBlock {
    var starts: [Int]?
    return try compile(block, dataPath: dataPath, &outline, starts: &starts)
  }

  public func run(_ entry: CodeAddress, _ cpu: VCPUState) { interpreter.run(entry, cpu) }

  public func chain(_ site: UInt32, to entry: CodeAddress) { befores[site] = interpreter.chain(site, to: entry) }

  public func unchain(_ site: UInt32) {
    if let before = befores.removeValue(forKey: site) { interpreter.unchain(site, before) }
  }

  public func jumpTarget(_ entry: CodeAddress) -> UInt64 { UInt64(entry.offset) }

  public func reset() {
    interpreter.reset()
    befores.removeAll()
  }

  public var codeBytesUsed: Int { interpreter.codeBytesUsed }

  public var pinnedRegisters: [(register: Int, hostRegister: String)] { [] }
}
