// Lowering of memory accesses: the memory window, the inline TLB, and the way to the slow path.

import HostKit
import IR

/// What an access loads into or stores, decided before anything is emitted that the slow path might skip.
struct Datum: BitwiseCopyable {
  /// The host register loaded into.
  var destination: Register?
  var vector: VectorRegister?
  var value = ValueHome.none
  /// What a vector register's bytes pass through to be reversed.
  var reversal: Register?
}

/// An access that does not lie in the page looked up for its neighbourhood, or whose page allows less than that look-up
/// asks for: a look-up of its own.
struct SeparateAccess: BitwiseCopyable {
  var label: Label
  /// Behind the access in line.
  var resume: Label
  /// Leads to the slow path.
  var slow: Label
  var position: Int32
  var base: Register
  var hasBase: Bool
  var datum: Datum
  var offset: Register
  var page: Register
}

extension Lowering<X86_64> {
  mutating func lowerAccess(_ op: Op) {
    let isVector = op.type == .v128
    guard isVector ? target.hasVectors && isPlain(op) : op.access.size <= 8 else {
      return unsupported("this \(op.access.size)-byte memory access")
    }
    var isDirect = op.access.space == .current && (op.opcode != .atomic || !op.access.bigEndian)
    // Store guide and comparisons are for 8 bytes at most.
    if isVector, isWatched || dataPath == .window && op.opcode == .store && isGuided { isDirect = false }
    switch (op.opcode, dataPath) {
    case (.atomic, .window), (.atomic, .tlb): isDirect ? lowerAtomic(op) : lowerSlowAccess(op)
    case (.store, .window) where isDirect && isGuided: lowerGuidedStore(op)
    case (.load, .window) where isDirect && isWatched, (.store, .window) where isDirect && isWatched:
      lowerWatchedWindowAccess(op)
    case (.load, .tlb) where isDirect && isWatched, (.store, .tlb) where isDirect && isWatched:
      lowerWatchedTLBAccess(op)
    case (.load, .window), (.store, .window): isDirect ? lowerWindowAccess(op) : lowerSlowAccess(op)
    case (.load, .tlb), (.store, .tlb): isDirect ? lowerTLBAccess(op) : lowerSlowAccess(op)
    default: lowerSlowAccess(op)
    }
  }

  mutating func datum(_ op: Op) -> Datum {
    let isFloat = (op.opcode == .load ? op.type : values[Int(op.b.index)].type).usesVectorRegister
    let reversal = isFloat && op.access.bigEndian ? allocate() : nil
    if op.opcode == .load {
      let isUsed = !op.result.isNone && values[Int(op.result.index)].uses > 0
      if isFloat {
        return Datum(vector: isUsed ? vectorDestination(op.result) : allocateVector(), reversal: reversal)
      }
      return Datum(destination: isUsed ? destination(op.result) : allocate())
    }
    let isWide = op.access.size == 8
    if let value = constant(op.b), !isWide || !op.access.bigEndian && Int32(exactly: value) != nil {
      return Datum(value: .constant(Int32(truncatingIfNeeded: value)))
    }
    if isFloat {
      let register = vector(op.b)
      observe(register)
      return Datum(value: .vector(register), reversal: reversal)
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
  mutating func checkAlignment(_ op: Op, _ stub: inout Label?) {
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

  /// Looks the page up in line, or shares the look-up of an access before it (`PageChecks`).
  private mutating func lowerTLBAccess(_ op: Op) {
    guard let displacement = Int32(exactly: op.imm) else { return lowerSlowAccess(op) }
    let plan = checks.plans[Int(position)]
    if let (offset, page) = sharedRegisters, let distance = distanceFromShared(op, plan),
      !checks.shared.isWide || constant(op.a) == nil
    {
      locked.insert(offset)
      locked.insert(page)
      noteUse(ValueID(offsetValue))
      noteUse(ValueID(pageValue))
      checks.shared.followers &-= 1
      let base = addressBase(op)
      let datum = datum(op)
      let label = assembler.makeLabel()
      assembler.alu(.cmp, .qword, offset, Int32(4096 - op.access.size) - Int32(distance))
      assembler.jcc(.a, label)
      let address = hostAddress(
        op, checks.shared.isWide ? base : nil, offset: offset, page: page, behind: Int32(distance))
      return finish(op, datum, base, address, offset: offset, page: page, separate: label)
    }
    let keepsOther = sharedRegisters != nil && checks.shared.followers >= plan.followers
    let shares = plan.followers > 0 && plan.distance &- plan.lowest <= 2048 && !keepsOther
    let base = addressBase(op)
    let datum = datum(op)
    if shares { endSharing() }
    let offset = allocate()
    // A temporary that will be loaded into may hold something else until then; a guest register may not.
    let page =
      if !shares, let destination = datum.destination, ABI.temporaries.contains(destination) { destination } else {
        allocate()
      }
    let behind = shares ? Int32(plan.distance &- plan.lowest) : 0
    let isWrite = op.opcode == .store
    let forWrites = shares ? plan.stores : isWrite
    let label = assembler.makeLabel()
    emitLookUp(
      op, base, displacement &- behind, offset: offset, page: page, forWrites: forWrites, behind: behind, fails: label)
    if shares { share(plan, forWrites: forWrites, isWide: isWide(op, base), offset: offset, page: page) }
    let address = hostAddress(op, base, offset: offset, page: page, behind: behind)
    let mayBeElsewhere = behind != 0 || forWrites != isWrite
    finish(
      op, datum, base, address, offset: offset, page: page, separate: mayBeElsewhere ? label : nil,
      slow: mayBeElsewhere ? nil : label)
  }

  /// The register with the address an access starts from; nil for a constant.
  private mutating func addressBase(_ op: Op) -> Register? { constant(op.a) == nil ? register(op.a) : nil }

  /// Whether host memory is reached from the guest's address as it is in a register: not where addresses wrap around.
  private func isWide(_ op: Op, _ base: Register?) -> Bool { base != nil && values[Int(op.a.index)].type == .i64 }

  /// Looks up the page of the address `displacement` from `base`.
  ///
  /// - Parameters:
  ///   - offset: takes the address' offset in the page.
  ///   - page: takes what an address is added to, or an offset if addresses wrap around.
  ///   - behind: how far behind the address the access itself lies; it must end in the same page.
  ///   - table: offset of the TLB.
  mutating func emitLookUp(
    _ op: Op, _ base: Register?, _ displacement: Int32, offset: Register, page: Register, forWrites: Bool,
    behind: Int32, fails: Label, in table: Int = 0
  ) {
    let is32 = values[Int(op.a.index)].type != .i64
    var indexed = offset
    if let base {
      if displacement == 0 {
        assembler.mov(is32 ? .dword : .qword, offset, base)
        indexed = base
      } else {
        assembler.lea(is32 ? .dword : .qword, offset, Memory(base, displacement))
      }
    } else {
      let address = (constant(op.a) ?? 0) &+ Int64(displacement)
      assembler.mov(offset, is32 ? address & 0xFFFF_FFFF : address)
    }
    assembler.rorx(.dword, page, indexed, by: 12)
    assembler.movzx(from: .byte, page, page)
    let tags = table + (forWrites ? SoftTLB.writeTags : SoftTLB.readTags)
    assembler.alu(.sub, .qword, offset, Memory(index: page, .x8, Int32(tags)).inGS)
    let room = 4096 - Int32(op.access.size) - behind
    if op.access.aligned, op.access.size > 1 {
      // What has bits of its own is misaligned or of another page.
      assembler.test(.qword, offset, ~room)
      assembler.jcc(.ne, fails)
    } else {
      assembler.alu(.cmp, .qword, offset, room)
      assembler.jcc(.a, fails)
    }
    let places = table + (isWide(op, base) ? SoftTLB.addends : SoftTLB.hostPages)
    assembler.load(.qword, page, Memory(index: page, .x8, Int32(places)).inGS)
  }

  func hostAddress(_ op: Op, _ base: Register?, offset: Register, page: Register, behind: Int32) -> Memory {
    if let base, isWide(op, base) { return Memory(page, base, .x1, Int32(truncatingIfNeeded: op.imm)) }
    return Memory(page, offset, .x1, behind)
  }

  /// Makes the access once its page is known.
  ///
  /// - Parameters:
  ///   - separate: where to look up the page of this access alone.
  ///   - slow: leads to the slow path instead.
  private mutating func finish(
    _ op: Op, _ datum: Datum, _ base: Register?, _ address: Memory, offset: Register, page: Register,
    separate: Label?, slow: Label? = nil
  ) {
    let stub = slow ?? assembler.makeLabel()
    let resume = assembler.makeLabel()
    if let separate {
      target.separate.append(
        SeparateAccess(
          label: separate, resume: resume, slow: stub, position: position, base: base ?? .rax, hasBase: base != nil,
          datum: datum, offset: offset, page: page))
    }
    let known = constant(op.a)
    let home: ValueHome = if let base { .register(base) } else { .none }
    let site = makeSite(op, base: home, (known ?? 0) &+ op.imm)
    emitAccess(op, datum, at: address, site, stub, resume: separate == nil ? nil : resume)
  }

  /// The accesses that look up their pages out of line. The shared offset fits no page after.
  mutating func emitSeparateAccesses() {
    for index in 0..<target.separate.count {
      let part = target.separate[index]
      let op = ops[Int(part.position)]
      let base: Register? = part.hasBase ? part.base : nil
      assembler.bind(part.label)
      emitLookUp(
        op, base, Int32(truncatingIfNeeded: op.imm), offset: part.offset, page: part.page,
        forWrites: op.opcode == .store, behind: 0, fails: part.slow)
      emitMove(op, part.datum, hostAddress(op, base, offset: part.offset, page: part.page, behind: 0))
      assembler.alu(.or, .qword, part.offset, -1)
      assembler.jmp(part.resume)
    }
  }

  // MARK: The access itself

  /// Emits the load or store at `address` and records the site.
  ///
  /// - Parameters:
  ///   - stub: leads to the slow path.
  ///   - outside: target of the branch just emitted, for addresses outside the window: so seldom taken that it leads to
  ///     a trap of one byte, until it first is.
  ///   - resume: where the access goes on that was made out of line.
  ///   - isLookedUp: whether code before it has made sure that the access can be made.
  mutating func emitAccess(
    _ op: Op, _ datum: Datum, at address: Memory, _ described: MemorySite, _ stub: Label?, outside: Label? = nil,
    resume: Label? = nil, isLookedUp: Bool = false
  ) {
    var site = described
    if !op.b.isNone { site.value = SiteOperand(datum.value, values[Int(op.b.index)].type) }
    if let destination = datum.destination { site.destination = destination.rawValue }
    if let vector = datum.vector { site.destination = 16 + vector.rawValue }
    site.start = UInt32(blockOffset + assembler.count)
    emitMove(op, datum, address)
    if isLookedUp || dataPath == .tlb {
      // Whoever comes here has been looked up.
      site.isRedirected = true
    } else {
      // The instruction may be replaced by a jump of five bytes.
      let length = blockOffset + assembler.count - Int(site.start)
      if length < 5 { assembler.nop(5 - length) }
    }
    site.length = UInt8(truncatingIfNeeded: blockOffset + assembler.count - Int(site.start))
    if let resume { assembler.bind(resume) }
    if let stub { cold.append(ColdPart(.slowAccess, stub, argument: UInt32(target.sites.count))) }
    if let outside { cold.append(ColdPart(.outside, outside, argument: UInt32(target.sites.count))) }
    append(site)
    if let vector = datum.vector { noteWritten(vector) }
    if let vector = datum.vector, op.type == .f32, target.boxesSingles {
      assembler.vector(.orps, vector, target.constantOperand(.box))
    }
  }

  mutating func append(_ described: MemorySite) {
    var site = described
    if let (offset, _) = sharedRegisters { site.sharedOffset = offset.rawValue }
    if let address = sharedHostAddress { site.sharedOffset = address.rawValue }
    target.sites.append(site)
  }

  /// The instruction that moves the data.
  private mutating func emitMove(_ op: Op, _ datum: Datum, _ address: Memory) {
    let isReversed = op.access.bigEndian && op.access.size > 1
    if let destination = datum.destination {
      emitLoad(op, destination, address)
    } else if let vector = datum.vector, let reversal = datum.reversal {
      assembler.loadReversed(accessWidth(op), reversal, address)
      assembler.mov(accessWidth(op), vector, reversal)
    } else if case .vector(let vector) = datum.value, let reversal = datum.reversal {
      assembler.mov(accessWidth(op), reversal, vector)
      assembler.storeReversed(accessWidth(op), address, reversal)
    } else if let vector = datum.vector {
      assembler.vector(accessType(op).loading, vector, address)
    } else if case .vector(let vector) = datum.value {
      assembler.vectorStore(accessType(op).storing, address, vector)
    } else if case .constant(let value) = datum.value {
      let reversed = value.byteSwapped >> (op.access.size == 2 ? 16 : 0)
      assembler.store(accessWidth(op), address, isReversed ? reversed : value)
    } else if case .register(let register) = datum.value {
      if isReversed { return assembler.storeReversed(accessWidth(op), address, register) }
      assembler.store(accessWidth(op), address, register)
    }
  }

  /// As what a vector register's bytes are moved.
  @inline(__always)
  private func accessType(_ op: Op) -> Type { op.access.size == 16 ? .v128 : op.access.size == 4 ? .f32 : .f64 }

  @inline(__always)
  func accessWidth(_ op: Op) -> Width {
    switch op.access.size {
    case 1: .byte
    case 2: .word
    case 4: .dword
    default: .qword
    }
  }

  mutating func emitLoad(_ op: Op, _ register: Register, _ address: Memory) {
    let width = accessWidth(op)
    let extendsSign = op.access.signed && op.type.bits > op.access.size * 8
    if op.access.bigEndian, width != .byte {
      assembler.loadReversed(width, register, address)
      if extendsSign {
        assembler.movsx(from: width, to: op.type.width, register, register)
      } else if width == .word {
        assembler.movzx(from: .word, register, register)
      }
    } else if extendsSign {
      assembler.movsx(from: width, to: op.type.width, register, address)
    } else {
      assembler.movzx(from: width, register, address)
    }
  }

  /// Every operand may stay where it is: the slow path looks there.
  mutating func lowerSlowAccess(_ op: Op) {
    let displacement = isPlain(op) ? op.imm : 0
    let known = constant(op.a)
    if !op.b.isNone { observe(op.b) }
    var site = makeSite(op, base: known == nil ? home(of: op.a) : .none, (known ?? 0) &+ displacement)
    if !op.b.isNone { site.value = SiteOperand(home(of: op.b), values[Int(op.b.index)].type) }
    if !op.c.isNone { site.third = SiteOperand(home(of: op.c), values[Int(op.c.index)].type) }
    if !op.result.isNone && op.type.usesVectorRegister {
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
    cold.append(ColdPart(.slowAccess, label, argument: UInt32(target.sites.count)))
    append(site)
  }

  mutating func home(of value: ValueID) -> ValueHome {
    noteUse(value)
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
  func makeSite(_ op: Op, base: ValueHome, _ offset: Int64) -> MemorySite {
    var site = MemorySite(
      pc: currentPC, retired: retiredBefore, access: SlowAccess(op),
      base: SiteOperand(base, values[Int(op.a.index)].type), offset: offset)
    site.nans = target.nans.mask
    return site
  }
}
