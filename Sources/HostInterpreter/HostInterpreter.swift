// Owns the interpreter as a host: its code cache, and the ways in and out.

import HostKit
import IR

/// The reference host: executes IR as the op table says.
///
/// A ``HostKit/CodeAddress`` is an index into one array of ops, so the jump cache and links hold such indices. Ordinary
/// loads and stores go through the softmmu TLB in every mode, all others through the slow path.
public final class InterpreterHost: Host {
  public static var name: String { "interpreter" }

  public let configuration: HostConfiguration
  let code: RawTable<PackedOp>
  /// The entry each exit is linked to, by exit number; 0 for none.
  let links: RawTable<UInt32>
  /// Writes the blocks that come as IR.
  let packer = RawCell(Packer())
  /// Where the exits are that were connected, and where they led.
  let connections = RawCell(RawList<Connection>(reserving: 1 << 10))
  let returns = ReturnStack()
  let helpers: RawTable<HelperEntry>
  let families = Families()
  /// The first place that is free.
  var used: Int {
    @inline(__always)
    _read { yield usedCell.value }
    @inline(__always)
    _modify { yield &usedCell.value }
  }
  private let usedCell = RawCell(1)

  public init(_ configuration: HostConfiguration) throws(HostError) {
    guard configuration.interrupts.isDeterministic || configuration.entryLimit != nil else {
      throw .unsupported("--interrupts \(configuration.interrupts): the interpreter counts instructions; use budget")
    }
    self.configuration = configuration
    let capacity = max(2, configuration.codeCacheSize / MemoryLayout<PackedOp>.stride)
    code = RawTable(capacity: capacity)
    links = RawTable(capacity: configuration.entryLimit != nil ? 1 : capacity)
    // Where nothing returns to.
    code[0] = PackedOp(returnTo: .max)
    helpers = RawTable(copying: configuration.helpers.map { unsafe HelperEntry(function: $0.function, $0.effects) })
  }

  deinit {
    code.deallocate()
    links.deallocate()
    packer.value.deallocate()
    connections.value.deallocate()
    returns.deallocate()
    helpers.deallocate()
    families.deallocate()
  }

  public func compile(
    _ block: BlockView, dataPath: DataPath, isHot: Bool, firstExit: UInt32, labels: inout [CodeAddress]
  ) throws(HostError) -> CompiledBlock {
    var starts: [Int]?
    return try compile(block, dataPath: dataPath, firstExit: firstExit, labels: &labels, starts: &starts)
  }

  public func run(_ entry: CodeAddress, _ cpu: VCPUState) {
    var machine = Machine(self, entry: entry, cpu: cpu, followsLinks: true)
    while machine.step() {}
  }

  public func link(exit: UInt32, to entry: CodeAddress) { links[Int(exit)] = entry.offset }

  public func unlink(exit: UInt32) { links[Int(exit)] = 0 }

  public func jumpTarget(_ entry: CodeAddress) -> UInt64 { UInt64(entry.offset) }

  public func reset() {
    used = 1
    connections.value.removeAll()
    returns.clear()
  }

  public var codeBytesUsed: Int { (used - 1) * MemoryLayout<PackedOp>.stride }

  public var pinnedRegisters: [(register: Int, hostRegister: String)] { [] }
}

/// A helper without its name, for quick calls.
@safe struct HelperEntry: BitwiseCopyable {
  private let address: UInt
  /// See ``IR/Effects/callsOut``.
  let callsOut: Bool
  let mayRaise: Bool

  init(function: @escaping HelperFunction, _ effects: Effects) {
    address = unsafe unsafeBitCast(function, to: UInt.self)
    callsOut = !effects.isDisjoint(with: .callsOut)
    mayRaise = effects.contains(.mayRaise)
  }

  var function: HelperFunction { unsafe unsafeBitCast(address, to: HelperFunction.self) }
}
