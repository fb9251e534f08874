// Owns the interpreter as a host: "compiling" a block copies its ops, running it executes them.

import HostKit
import IR

/// The reference host: executes IR as the op table says, with every memory access through the slow path.
///
/// A ``HostKit/CodeAddress`` is an index into one array of ops, so the jump cache and links hold such indices.
public final class InterpreterHost: Host {
  public static var name: String { "interpreter" }

  public let configuration: HostConfiguration
  let code: RawTable<Instruction>
  /// The entry each exit is linked to, by exit number; 0 for none.
  let links: RawTable<UInt32>
  private let values: RawTable<UInt64>
  private var used = 1

  /// Value slots of a running block: one for each number, the last (`ValueID.none`) always 0.
  static var valueSlots: Int { 1 << 16 }

  public init(_ configuration: HostConfiguration) throws(HostError) {
    guard configuration.interrupts.isDeterministic else {
      throw .unsupported("--interrupts \(configuration.interrupts): the interpreter counts instructions; use budget")
    }
    self.configuration = configuration
    let capacity = configuration.codeCacheSize / MemoryLayout<Instruction>.stride
    code = RawTable(capacity: max(2, capacity))
    links = RawTable(capacity: max(2, capacity))
    values = RawTable(capacity: Self.valueSlots)
    values.fill(0)
  }

  deinit {
    code.deallocate()
    links.deallocate()
    values.deallocate()
  }

  public func compile(
    _ block: BlockView, dataPath: DataPath, isHot: Bool, firstExit: UInt32, labels: inout [CodeAddress]
  ) throws(HostError) -> CompiledBlock {
    guard block.opCount > 0, block.ops[block.opCount - 1].opcode.endsBlock else {
      throw .unsupported("a block without an end")
    }
    guard used + block.opCount <= code.capacity else { throw .codeCacheFull }
    let entry = used
    var exit = firstExit
    labels.removeAll(keepingCapacity: true)
    for index in 0..<block.opCount {
      let op = block.ops[index]
      var instruction = Instruction(
        op: op, mask: op.type.mask, detail: 0, bits: UInt8(op.type.bits),
        sourceBits: op.a.isNone ? 64 : UInt8(block.type(of: op.a).bits))
      if op.type == .v128 { throw .unsupported("128-bit values (\(op.opcode.info.name))") }
      if op.opcode.isFloat {
        guard configuration.floatEnvironment != nil else { throw .unsupported("floating point for this guest") }
        instruction.detail = UInt32(block.type(of: op.a).rawValue)
      }
      switch op.opcode {
      case .getRegister, .setRegister:
        guard configuration.registers.indices.contains(Int(op.imm)) else {
          throw .unsupported("guest register \(op.imm)")
        }
        let slot = configuration.registers[Int(op.imm)]
        guard slot.type.bits == op.type.bits else {
          throw .unsupported("guest register \(op.imm), \(slot.type.name), as \(op.type.name)")
        }
        instruction.detail = UInt32(slot.offset)
      case .call:
        guard configuration.helpers.indices.contains(Int(op.aux)) else { throw .unsupported("helper \(op.aux)") }
        instruction.detail = UInt32(configuration.helpers[Int(op.aux)].effects.rawValue)
      case .exit, .exitIf:
        guard Int(exit) < links.capacity else { throw .codeCacheFull }
        instruction.detail = exit
        if dataPath == .tlb, UInt64(bitPattern: op.imm) & ~0xFFF != block.pc & ~0xFFF {
          instruction.op.aux |= ExitFlags.unchainable.rawValue
        }
        links[Int(exit)] = 0
        exit += 1
      // Those who jump there have retired their instructions themselves.
      case .label: labels.append(CodeAddress(UInt32(entry + index + 1)))
      default: break
      }
      code[entry + index] = instruction
    }
    used += block.opCount
    return CompiledBlock(
      entry: CodeAddress(UInt32(entry)), size: block.opCount * MemoryLayout<Instruction>.stride,
      exitCount: Int(exit - firstExit))
  }

  public func run(_ entry: CodeAddress, _ cpu: VCPUState) {
    var machine = Machine(self, values: values, entry: entry, cpu: cpu, followsLinks: true)
    while machine.step() {}
  }

  public func link(exit: UInt32, to entry: CodeAddress) { links[Int(exit)] = entry.offset }

  public func unlink(exit: UInt32) { links[Int(exit)] = 0 }

  public func jumpTarget(_ entry: CodeAddress) -> UInt64 { UInt64(entry.offset) }

  public func reset() { used = 1 }

  public func listing(_ block: CompiledBlock, of ir: Block?, dataPath: DataPath) -> [HostLine] {
    let first = Int(block.entry.offset)
    return (0..<block.size / MemoryLayout<Instruction>.stride).map { index in
      let op = code[first + index].op
      return HostLine(
        address: UInt64(first + index), bytes: [], text: Printer().line(op), op: index)
    }
  }

  public var codeBytesUsed: Int { (used - 1) * MemoryLayout<Instruction>.stride }

  public var pinnedRegisters: [(register: Int, hostRegister: String)] { [] }
}
