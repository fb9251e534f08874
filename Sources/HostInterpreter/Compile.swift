// Owns the way from IR to the interpreter's code cache.

import HostKit
import IR

extension InterpreterHost {
  /// - Parameter starts: takes the place in the code of each op.
  func compile(
    _ block: BlockView, dataPath: DataPath, _ outline: inout BlockOutline, starts: inout [Int]?
  ) throws(HostError) -> CompiledBlock {
    guard block.opCount > 0, block.ops[block.opCount &- 1].opcode.endsBlock else {
      throw .unsupported("a block without an end")
    }
    if block.valueCount > Place.valueLimit { throw .unsupported(PackedLimit.values.description) }
    packer.value.restart(
      pc: block.pc, isPaged: dataPath == .tlb, usesTLB: dataPath != .slow, fuses: false)
    outline.removeAll()
    for index in 0..<block.opCount {
      let (op, place) = (block.ops[index], interpreter.used &+ packer.value.opCount)
      starts?.append(place)
      try pack(op, block)
      guard op.opcode == .exit || op.opcode == .exitIf else { continue }
      let target = UInt64(bitPattern: op.imm)
      let mayMove = dataPath == .tlb && (target ^ block.pc) & ~0xFFF != 0
      outline.exits.append(
        ChainSite(
          site: UInt32(truncatingIfNeeded: place), change: op.exitFlags.change,
          mayChain: !mayMove && !op.exitFlags.contains(.unchainable), target: target))
    }
    let code = packer.value.code
    let compiled = try interpreter.adopt(code)
    for label in 0..<code.labelCount { outline.labels.append(code.entry(of: label, in: compiled)) }
    return compiled
  }

  private func pack(_ op: Op, _ block: BlockView) throws(HostError) {
    let (a, b, c, result) = (Place.value(op.a), Place.value(op.b), Place.value(op.c), Place.value(op.result))
    let source = op.a.isNone ? Type.none : block.type(of: op.a)
    let target = UInt64(bitPattern: op.imm)
    switch op.opcode {
    case .nop: break
    case .fence: packer.value.fence()
    case .instruction: packer.value.instruction(pc: target, length: Int(op.aux))
    case .label: packer.value.label(pc: target, retired: op.extra)
    case .retire: packer.value.retire(op.extra)
    case .count: packer.value.count(at: target)
    case .const: packer.value.constant(op.type, op.imm, to: result)
    case .getRegister where op.type == .v128: packer.value.copy(.v128, try place(op), to: result)
    case .setRegister where op.type == .v128: packer.value.copy(.v128, a, to: try place(op))
    case .copy: packer.value.copy(op.type, a, to: result)
    case .getRegister, .setRegister:
      packer.value.register(op.opcode, op.type, a, offset: try offset(op), to: result)
    case .signExtend: packer.value.signExtend(op.type, a, from: source.bits, to: result)
    case .load, .store, .atomic, .compareExchange:
      packer.value.access(
        op.opcode, op.type, op.access, address: source, a, displacement: op.imm, b, c,
        kind: op.extra, to: result)
    case .call:
      guard Int(op.aux) < interpreter.helpers.capacity else { throw .unsupported("helper \(op.aux)") }
      packer.value.call(op.aux, op.type, a, b, c, immediate: op.imm, to: result)
    case .exit, .exitIf: packer.value.exit(op.opcode, a, to: target, op.exitFlags, retired: op.extra)
    case .exitIndirect: packer.value.exitIndirect(op.type, a, op.exitFlags, retired: op.extra)
    case .exitWith: packer.value.exitWith(op.aux, to: target, retired: op.extra)
    case .raise: packer.value.raise(op.imm, a, retired: op.extra)
    default:
      guard op.opcode.isFloat else {
        guard [.compare, .select, .vector].contains(op.opcode) || op.opcode.info.evaluator != nil else {
          throw .unsupported("the op \(op.opcode.info.name)")
        }
        return packer.value.compute(op.opcode, op.type, aux: op.aux, a, b, c, to: result)
      }
      guard interpreter.configuration.floatEnvironment != nil else {
        throw .unsupported("floating point for this guest")
      }
      packer.value.float(op.opcode, op.type, aux: op.aux, source: source, a, b, c, to: result)
    }
  }

  /// Where packed code finds the guest register of 128 bits that an op names.
  private func place(_ op: Op) throws(HostError) -> Place {
    let offset = try offset(op)
    guard offset % 8 == 0, offset / 8 < Int(UInt16.max >> 1) else {
      throw .unsupported("guest register \(op.imm) at byte \(offset) of the state")
    }
    return .register(at: offset)
  }

  /// The offset of the guest register that an op names.
  private func offset(_ op: Op) throws(HostError) -> Int {
    let registers = interpreter.configuration.registers
    guard registers.indices.contains(Int(op.imm)) else { throw .unsupported("guest register \(op.imm)") }
    let slot = registers[Int(op.imm)]
    guard slot.type.bits == op.type.bits else {
      throw .unsupported("guest register \(op.imm), \(slot.type.name), as \(op.type.name)")
    }
    return slot.offset
  }
}
