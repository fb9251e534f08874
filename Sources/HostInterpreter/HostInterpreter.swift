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
  /// The ops of all blocks, as ``Instruction.swift`` says.
  let code: RawTable<Op>
  /// The entry each exit is linked to, by exit number; 0 for none.
  let links: RawTable<UInt32>
  /// The types of guest registers, by their places.
  let registerTypes: RawTable<Type>
  /// Of the block that runs, by number.
  let values: RawTable<UInt64>
  private let followsLinks: Bool
  let helpers: RawTable<HelperEntry>
  var used = 1

  public init(_ configuration: HostConfiguration) throws(HostError) {
    guard configuration.interrupts.isDeterministic || configuration.leavesAtExits else {
      throw .unsupported("--interrupts \(configuration.interrupts): the interpreter counts instructions; use budget")
    }
    self.configuration = configuration
    followsLinks = !configuration.leavesAtExits
    let capacity = max(2, configuration.codeCacheSize / MemoryLayout<Op>.stride)
    code = RawTable(capacity: capacity)
    links = RawTable(capacity: configuration.leavesAtExits ? 1 : capacity)
    values = RawTable(capacity: Machine.valueSlots)
    values.fill(0)
    helpers = RawTable(copying: configuration.helpers.map { unsafe HelperEntry(function: $0.function, $0.effects) })
    registerTypes = RawTable(capacity: (configuration.registers.map(\.offset).max() ?? 0) / 8 + 1)
    registerTypes.fill(.none)
    for register in configuration.registers where register.type.bits <= 64 {
      registerTypes[register.offset / 8] = register.type
    }
  }

  deinit {
    code.deallocate()
    links.deallocate()
    registerTypes.deallocate()
    values.deallocate()
    helpers.deallocate()
  }

  public func compile(
    _ block: BlockView, dataPath: DataPath, isHot: Bool, firstExit: UInt32, labels: inout [CodeAddress]
  ) throws(HostError) -> CompiledBlock {
    try compile(block, dataPath: dataPath, firstExit: firstExit, keepsMarkers: false, labels: &labels)
  }

  public func run(_ entry: CodeAddress, _ cpu: VCPUState) {
    var machine = Machine(self, entry: entry, cpu: cpu, followsLinks: followsLinks)
    while machine.step() {}
  }

  public func link(exit: UInt32, to entry: CodeAddress) { links[Int(exit)] = entry.offset }

  public func unlink(exit: UInt32) { links[Int(exit)] = 0 }

  public func jumpTarget(_ entry: CodeAddress) -> UInt64 { UInt64(entry.offset) }

  public func reset() { used = 1 }

  public func listing(_ block: CompiledBlock, of ir: Block?, dataPath: DataPath) -> [HostLine] {
    let first = Int(block.entry.offset)
    let sources = ir.map { ir in ir.ops.indices.filter { ir.ops[$0].opcode != .instruction } } ?? []
    let isAligned = sources.count == block.size / MemoryLayout<Op>.stride
    return (0..<block.size / MemoryLayout<Op>.stride).map { index in
      HostLine(
        address: UInt64(first + index), bytes: [], text: text(code[first + index]),
        op: isAligned ? sources[index] : nil)
    }
  }

  public var codeBytesUsed: Int { (used - 1) * MemoryLayout<Op>.stride }

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
