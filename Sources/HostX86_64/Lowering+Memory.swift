// Lowering of memory accesses: the memory window, the inline TLB, and the way to the slow path.

import HostKit
import IR

extension Lowering {
  mutating func lowerAccess(_ op: Op) {
    guard op.access.size <= 8 else { return unsupported("\(op.access.size)-byte memory accesses") }
    let direct = isPlain(op) && !op.access.bigEndian && op.access.space == .current
    switch dataPath {
    case .window where direct: lowerWindowAccess(op)
    case .tlb where direct: lowerTLBAccess(op)
    case .window, .tlb, .slow: lowerSlowAccess(op)
    }
  }

  /// What an access loads into or stores, decided before anything is emitted that the slow path might skip.
  private struct Datum {
    /// The host register loaded into.
    var destination: Register?
    var vector: VectorRegister?
    var value = ValueHome.none
  }

  private mutating func datum(_ op: Op) -> Datum {
    if op.opcode == .load {
      let isUsed = !op.result.isNone && values[Int(op.result.index)].uses > 0
      if op.type.isFloat { return Datum(vector: isUsed ? vectorDestination(op.result) : allocateVector()) }
      return Datum(destination: isUsed ? destination(op.result) : allocate())
    }
    if let value = constant(op.b), op.access.size < 8 || Int32(exactly: value) != nil {
      return Datum(value: .constant(Int32(truncatingIfNeeded: value)))
    }
    if op.type.isFloat {
      let register = vector(op.b)
      observe(register)
      return Datum(value: .vector(register))
    }
    return Datum(value: .register(register(op.b)))
  }

  // MARK: The window

  /// One instruction relative to GS, after a comparison with the window's size if addresses may exceed it.
  private mutating func lowerWindowAccess(_ op: Op) {
    let is32 = values[Int(op.a.index)].type != .i64
    var (stub, outside): (Label?, Label?)
    if let known = constant(op.a) {
      let target = UInt64(bitPattern: known &+ op.imm) & (is32 ? 0xFFFF_FFFF : .max)
      guard target <= 0xFFFF_FFFF else { return lowerSlowAccess(op) }
      let datum = datum(op)
      checkAlignment(op, &stub)
      let address = Memory(absolute: Int32(truncatingIfNeeded: target)).wrapping32.inGS
      return emitAccess(op, datum, at: address, makeSite(op, base: .none, known &+ op.imm), stub)
    }
    guard let offset = Int32(exactly: op.imm) else { return lowerSlowAccess(op) }
    let base = register(op.a)
    let datum = datum(op)
    checkAlignment(op, &stub)
    if !is32 {
      // An offset from a base within the window ends in it or in one of the guards around it.
      let label = assembler.makeLabel()
      assembler.alu(.cmp, .qword, base, ABI.state(StateOffset.windowLimit))
      assembler.jcc(.ae, label)
      outside = label
    }
    let address = is32 ? Memory(base, offset).wrapping32.inGS : Memory(base, offset).inGS
    emitAccess(op, datum, at: address, makeSite(op, base: .register(base), op.imm), stub, outside: outside)
  }

  /// Jumps to `stub` if the access must be aligned and is not. To come before any other jump there.
  private mutating func checkAlignment(_ op: Op, _ stub: inout Label?) {
    guard op.access.aligned, op.access.size > 1 else { return }
    let label = stub ?? assembler.makeLabel()
    stub = label
    let home = values[Int(op.a.index)]
    if home.place == .register, op.imm & Int64(op.access.size - 1) == 0 {
      assembler.test(.byte, home.register, Int32(op.access.size - 1))
      return assembler.jcc(.ne, label)
    }
    let address = allocate()
    loadInto(address, op.a.index)
    assembler.alu(.add, .dword, address, Int32(truncatingIfNeeded: op.imm))
    assembler.test(.byte, address, Int32(op.access.size - 1))
    assembler.jcc(.ne, label)
  }

  // MARK: The TLB

  private mutating func lowerTLBAccess(_ op: Op) {
    let is32 = values[Int(op.a.index)].type != .i64
    let width: Width = is32 ? .dword : .qword
    guard let offset = Int32(exactly: op.imm) else { return lowerSlowAccess(op) }
    let address: Register
    if let known = constant(op.a) {
      address = allocate()
      assembler.mov(address, is32 ? (known &+ op.imm) & 0xFFFF_FFFF : known &+ op.imm)
    } else {
      let base = register(op.a)
      if offset == 0 && !is32 {
        address = base
      } else {
        address = allocate()
        assembler.lea(width, address, Memory(base, offset))
        locked.remove(base)
      }
    }
    let isLoad = op.opcode == .load
    let datum = datum(op)
    let entry = allocate()
    // A temporary that will be loaded into may hold something else until then; a guest register may not.
    let page =
      if let destination = datum.destination, ABI.temporaries.contains(destination) { destination } else { allocate() }
    let label = assembler.makeLabel()
    assembler.mov(.dword, entry, address)
    assembler.shift(.shr, .dword, entry, by: UInt8(12 - SoftTLB.entrySize.trailingZeroBitCount))
    assembler.alu(.and, .dword, entry, Int32((SoftTLB.count - 1) * SoftTLB.entrySize))
    assembler.alu(.add, .qword, entry, ABI.state(StateOffset.dataTLB))
    if op.access.aligned || op.access.size == 1 {
      // A misaligned address keeps low bits, which no tag has.
      assembler.mov(width, page, address)
      assembler.alu(.and, width, page, Int32(-4096 | (op.access.size - 1)))
    } else {
      // The page of the last byte is compared, so that an access that crosses pages fails.
      assembler.lea(width, page, Memory(address, Int32(op.access.size - 1)))
      assembler.alu(.and, width, page, -4096)
    }
    assembler.alu(.cmp, .qword, page, Memory(entry, Int32(isLoad ? SoftTLB.readTag : SoftTLB.writeTag)))
    assembler.jcc(.ne, label)
    assembler.load(.qword, entry, Memory(entry, Int32(SoftTLB.addend)))
    var site = makeSite(op, base: .none, 0)
    site.base = SiteOperand(.register(address), is32 ? .i32 : .i64)
    emitAccess(op, datum, at: Memory(entry, address), site, label)
  }

  // MARK: The access itself

  /// Emits the load or store at `address` and records the site.
  ///
  /// - Parameters:
  ///   - stub: leads to the slow path.
  ///   - outside: target of the branch just emitted, for addresses outside the window: so seldom taken that it leads to
  ///     a trap of one byte, until it first is.
  private mutating func emitAccess(
    _ op: Op, _ datum: Datum, at address: Memory, _ described: MemorySite, _ stub: Label?, outside: Label? = nil
  ) {
    var site = described
    if !op.b.isNone { site.value = SiteOperand(datum.value, values[Int(op.b.index)].type) }
    site.start = UInt32(blockOffset + assembler.count)
    if let destination = datum.destination {
      site.destination = destination.rawValue
      emitLoad(op, destination, address)
    } else if let vector = datum.vector {
      site.destination = 16 + vector.rawValue
      assembler.vector(op.access.size == 4 ? .movss : .movsd, vector, address)
    } else if case .vector(let vector) = datum.value {
      assembler.vectorStore(op.access.size == 4 ? .movss : .movsd, address, vector)
    } else if case .constant(let value) = datum.value {
      assembler.store(accessWidth(op), address, value)
    } else if case .register(let register) = datum.value {
      assembler.store(accessWidth(op), address, register)
    }
    // The instruction may be replaced by a jump of five bytes.
    let length = blockOffset + assembler.count - Int(site.start)
    if length < 5 { assembler.nop(5 - length) }
    site.length = UInt8(truncatingIfNeeded: blockOffset + assembler.count - Int(site.start))
    if let stub { cold.append(ColdPart(.slowAccess, stub, argument: UInt32(sites.count))) }
    if let outside { cold.append(ColdPart(.outside, outside, argument: UInt32(sites.count))) }
    sites.append(site)
    if let vector = datum.vector { noteWritten(vector) }
    if let vector = datum.vector, op.type == .f32, boxesSingles {
      assembler.vector(.orps, vector, constantOperand(.box))
    }
  }

  @inline(__always)
  private func accessWidth(_ op: Op) -> Width {
    switch op.access.size {
    case 1: .byte
    case 2: .word
    case 4: .dword
    default: .qword
    }
  }

  private mutating func emitLoad(_ op: Op, _ register: Register, _ address: Memory) {
    let width = accessWidth(op)
    if op.access.signed && op.type.bits > op.access.size * 8 {
      assembler.movsx(from: width, to: op.type.width, register, address)
    } else {
      assembler.movzx(from: width, register, address)
    }
  }

  /// Every operand may stay where it is: the slow path looks there.
  private mutating func lowerSlowAccess(_ op: Op) {
    let displacement = isPlain(op) ? op.imm : 0
    let known = constant(op.a)
    if !op.b.isNone { observe(op.b) }
    var site = makeSite(op, base: known == nil ? home(of: op.a) : .none, (known ?? 0) &+ displacement)
    if !op.b.isNone { site.value = SiteOperand(home(of: op.b), values[Int(op.b.index)].type) }
    if !op.c.isNone { site.third = SiteOperand(home(of: op.c), values[Int(op.c.index)].type) }
    if !op.result.isNone && op.type.isFloat {
      let isUsed = values[Int(op.result.index)].uses > 0
      let register = isUsed ? vectorDestination(op.result) : allocateVector()
      noteWritten(register)
      site.destination = 16 + register.rawValue
    } else if !op.result.isNone {
      let register = values[Int(op.result.index)].uses == 0 ? allocate() : destination(op.result)
      site.destination = register.rawValue
    }
    site.start = UInt32(blockOffset + assembler.count)
    let label = assembler.makeLabel()
    assembler.jmp(label)
    site.length = UInt8(truncatingIfNeeded: blockOffset + assembler.count - Int(site.start))
    cold.append(ColdPart(.slowAccess, label, argument: UInt32(sites.count)))
    sites.append(site)
  }

  mutating func home(of value: ValueID) -> ValueHome {
    let state = values[Int(value.index)]
    switch state.place {
    case .register: return .register(register(value))
    case .vector:
      observe(value)
      return .vector(vector(value))
    case .constant: return Int32(exactly: state.immediate).map { .constant($0) } ?? .register(register(value))
    case .spill: return .spill(Int32(state.slot))
    case .state: return .state(Int32(truncatingIfNeeded: registers[Int(state.slot)].offset))
    case .none, .compare: return .none
    }
  }

  @inline(__always)
  private func isPlain(_ op: Op) -> Bool { op.opcode == .load || op.opcode == .store }

  @inline(__always)
  private func makeSite(_ op: Op, base: ValueHome, _ offset: Int64) -> MemorySite {
    var site = MemorySite(
      pc: currentPC, retired: retiredBefore, access: SlowAccess(op),
      base: SiteOperand(base, values[Int(op.a.index)].type), offset: offset)
    site.nans = nans.mask
    return site
  }
}
