// Owns the way from IR to the interpreter's code.

import HostKit
import IR

extension InterpreterHost {
  /// - Parameter keepsMarkers: keeps `instruction` ops, so that code and IR have the same indices.
  func compile(
    _ block: BlockView, dataPath: DataPath, firstExit: UInt32, keepsMarkers: Bool, labels: inout [CodeAddress]
  ) throws(HostError) -> CompiledBlock {
    guard block.opCount > 0, block.ops[block.opCount &- 1].opcode.endsBlock else {
      throw .unsupported("a block without an end")
    }
    guard used &+ block.opCount < code.capacity, block.valueCount <= Machine.callResult else { throw .codeCacheFull }
    var writer = Writer(self, block, dataPath, firstExit: firstExit)
    labels.removeAll(keepingCapacity: true)
    for index in 0..<block.opCount {
      let op = block.ops[index]
      switch op.opcode {
      case .nop where !keepsMarkers: break
      case .instruction:
        writer.begin(op)
        if keepsMarkers { writer.put(op) }
      case .label: labels.append(writer.label(op))
      default: try writer.write(op)
      }
    }
    let entry = used &+ 1
    used = writer.next
    return CompiledBlock(
      entry: CodeAddress(UInt32(truncatingIfNeeded: entry)), size: (writer.next &- entry) &* MemoryLayout<Op>.stride,
      exitCount: Int(writer.exit &- firstExit))
  }
}

/// Writes the code of one block.
private struct Writer {
  let host: InterpreterHost
  let block: BlockView
  let dataPath: DataPath
  /// Where the next op goes.
  var next: Int
  /// The number of the next exit.
  var exit: UInt32
  private var begun: UInt32 = 0
  private var distance: UInt64 = 0
  /// Where the exits are whose targets lie ahead.
  private var firstOpenExit: Int

  init(_ host: InterpreterHost, _ block: BlockView, _ dataPath: DataPath, firstExit: UInt32) {
    self.host = host
    self.block = block
    self.dataPath = dataPath
    exit = firstExit
    next = host.used
    firstOpenExit = next
    put(Op(.nop, imm: Int64(bitPattern: block.pc)))
  }

  @inline(__always)
  mutating func put(_ op: Op) {
    host.code[next] = op
    next &+= 1
  }

  mutating func begin(_ op: Op) {
    begun &+= 1
    distance = UInt64(bitPattern: op.imm) &- block.pc
  }

  /// Those who jump to a label have retired their instructions themselves, so they come in behind it.
  mutating func label(_ op: Op) -> CodeAddress {
    var op = op
    let target = op.imm
    op.imm = Int64(bitPattern: block.pc)
    put(op)
    begun = 0
    if host.configuration.leavesAtExits {
      for index in firstOpenExit..<next {
        let exit = host.code[index]
        if exit.imm == target, exit.opcode == .exit || exit.opcode == .exitIf, !exit.exitFlags.contains(.checksBudget) {
          host.code[index].makeLocal(next)
        }
      }
    }
    return CodeAddress(UInt32(truncatingIfNeeded: next))
  }

  @inline(__always)
  private func type(of place: Place) -> Type {
    place.isValue ? block.valueTypes[Int(place.rawValue & 0x7FFF)] : host.registerTypes[Int(place.rawValue)]
  }

  private func place(_ id: ValueID) -> ValueID { id.isNone ? id : ValueID(Place.value(id).rawValue) }

  @inline(__always)
  mutating func write(_ op: Op) throws(HostError) {
    var op = op
    if !block.isFolded {
      op.a = place(op.a)
      op.b = place(op.b)
      op.c = place(op.c)
      op.result = place(op.result)
    }
    switch op.opcode {
    case .retire: begun &-= op.extra
    case .signExtend: op.extra = UInt32(op.a.isNone ? 1 : type(of: Place(rawValue: op.a.index)).bits)
    case .getRegister, .setRegister: try address(&op)
    case .load, .store, .atomic, .compareExchange:
      if type(of: Place(rawValue: op.a.index)).bits == 32 { op.makeAddressShort() }
      if dataPath != .slow, op.opcode == .load || op.opcode == .store, op.access.space == .current,
        !op.access.bigEndian, op.access.size <= 8
      {
        op.useTLB()
      }
      try note(&op)
    case .call:
      guard Int(op.aux) < host.helpers.capacity else { throw .unsupported("helper \(op.aux)") }
      try note(&op)
    case .raise:
      guard Op.canNote(begun: 0, distance: distance) else { throw tooFar }
      op.raiseDistance = distance
    case .exit, .exitIf: number(&op)
    default: if op.opcode.isFloat { try describe(&op) }
    }
    if op.type == .v128 { throw .unsupported("128-bit values (\(op.opcode.info.name))") }
    put(op)
  }

  /// Gives an op the place of the guest register it names.
  private func address(_ op: inout Op) throws(HostError) {
    let registers = host.configuration.registers
    guard registers.indices.contains(Int(op.imm)) else { throw .unsupported("guest register \(op.imm)") }
    let slot = registers[Int(op.imm)]
    guard slot.type.bits == op.type.bits else {
      throw .unsupported("guest register \(op.imm), \(slot.type.name), as \(op.type.name)")
    }
    op.imm = Int64(slot.offset)
  }

  private func note(_ op: inout Op) throws(HostError) {
    let begun = begun == 0 ? 0 : begun &- 1
    guard Op.canNote(begun: begun, distance: distance) else { throw tooFar }
    op.note(begun: begun, distance: distance)
  }

  private var tooFar: HostError { .unsupported("an instruction \(distance) bytes from its block's start") }

  private mutating func number(_ op: inout Op) {
    if dataPath == .tlb, UInt64(bitPattern: op.imm) & ~0xFFF != block.pc & ~0xFFF {
      op.aux |= ExitFlags.unchainable.rawValue
    }
    guard !host.configuration.leavesAtExits else { return }
    op.link = exit
    host.links[Int(exit)] = 0
    exit &+= 1
  }

  private func describe(_ op: inout Op) throws(HostError) {
    guard host.configuration.floatEnvironment != nil else { throw .unsupported("floating point for this guest") }
    let source = type(of: Place(rawValue: op.a.index))
    op.extra = UInt32(source.rawValue)
  }
}
