// Lowering of atomic updates, load-reserved and store-conditional: in line wherever a store would be.
//
// vCPUs take turns on one thread, devices work between their turns, and translated code is left between instructions of
// the guest only. So nobody can look at memory between the load and the store of an update: plain host instructions do,
// none of them locked, and a fence is nothing at all.
//
// The host instructions of an update are one memory site. In the window each of them may fault; what the guest could see
// changes in the last that does, or behind it. So the slow path makes the access anew as a whole.

import HostKit
import IR

extension Lowering<X86_64> {
  mutating func lowerAtomic(_ op: Op) {
    let kind = op.atomicKind
    let known = constant(op.a)
    let mayBeAligned = known.map { $0 & Int64(op.access.size &- 1) == 0 } ?? true
    guard mayBeAligned || !op.access.aligned, !op.type.isFloat else { return lowerSlowAccess(op) }
    let isLookedUp = dataPath == .tlb || isGuided && kind != .loadReserved
    let isUsed = !op.result.isNone && values[Int(op.result.index)].uses > 0
    let base = register(op.a)
    var operand = kind == .loadReserved ? Source.immediate(0) : updateOperand(op)
    var needsNew = needsNewValue(op, operand, isUsed: isUsed)
    if isLookedUp, needsNew, case .register(let held) = operand, held != base,
      ABI.temporaries.contains(held), ABI.temporaries.contains(base)
    {
      // Two registers for the page and two for values are more than the temporaries that are left.
      guard owners[Int(held.rawValue)] == op.b.index else { return lowerSlowAccess(op) }
      locked.remove(held)
      evict(held)
      operand = updateOperand(op)
      needsNew = needsNewValue(op, operand, isUsed: isUsed)
    }

    var update = Update(base: base, operand: operand)
    if isLookedUp && kind != .storeConditional || kind == .loadReserved, isUsed {
      update.direct = pinnedDestination(op.result, avoiding: registersOf(op))
    }
    let isInPlace = !isUsed && !needsNew && kind != .loadReserved && kind != .storeConditional
    let needsFirst = update.direct == nil && (!isInPlace || isMemory(operand))
    if isLookedUp || needsFirst { update.first = allocate() }
    if isLookedUp { update.page = allocate() }
    if needsNew, update.direct == nil { update.second = allocate() }
    reach(op, &update, isLookedUp: isLookedUp, isConstant: known != nil)

    var site = makeSite(op, base: .register(base), 0)
    if kind != .loadReserved { site.value = SiteOperand(home(operand, of: op.b), values[Int(op.b.index)].type) }
    site.start = UInt32(blockOffset + assembler.count)
    switch kind {
    case .loadReserved: emitLoadReserved(op, update)
    case .storeConditional: emitStoreConditional(op, &update)
    default: isInPlace ? emitInPlace(op, update) : emitUpdate(op, update)
    }
    if isUsed { site.destination = settleResult(op, update).rawValue }
    finish(&site, update, isLookedUp: isLookedUp)
  }

  // MARK: Operands and registers

  /// Where the operand can be taken from more than once without a register of its own.
  private mutating func updateOperand(_ op: Op) -> Source {
    let state = values[Int(op.b.index)]
    return state.place == .state ? .memory(ABI.state(registers[Int(state.slot)].offset)) : source(op.b)
  }

  private func home(_ operand: Source, of value: ValueID) -> ValueHome {
    switch operand {
    case .register(let register): return .register(register)
    case .immediate(let value): return .constant(value)
    case .memory:
      let state = values[Int(value.index)]
      return state.place == .spill
        ? .spill(Int32(state.slot)) : .state(Int32(truncatingIfNeeded: registers[Int(state.slot)].offset))
    }
  }

  private func isMemory(_ operand: Source) -> Bool {
    if case .memory = operand { true } else { false }
  }

  /// Whether what is stored has to be made in a register, beside the one that takes what was there.
  private func needsNewValue(_ op: Op, _ operand: Source, isUsed: Bool) -> Bool {
    switch op.atomicKind {
    case .loadReserved, .storeConditional: false
    case .exchange: isUsed && isMemory(operand)
    case .add, .and, .or, .xor: isUsed
    case .minSigned, .maxSigned, .minUnsigned, .maxUnsigned: true
    }
  }

  /// Moves the result to where it is to be found.
  private mutating func settleResult(_ op: Op, _ update: Update) -> Register {
    if op.atomicKind == .storeConditional {
      let result = pinnedDestination(op.result, avoiding: RegisterSet()) ?? update.first
      assembler.zero(result)
      give(result, to: op.result.index)
    } else if update.direct == nil {
      settle(op.result, in: update.first)
    }
    return values[Int(op.result.index)].register
  }

  // MARK: The way to memory

  /// Checks alignment and finds out where the bytes are, up to the first instruction of the site.
  private mutating func reach(_ op: Op, _ update: inout Update, isLookedUp: Bool, isConstant: Bool) {
    let is32 = values[Int(op.a.index)].type != .i64
    let base = update.base
    if isLookedUp {
      let stub = assembler.makeLabel()
      update.stub = stub
      if dataPath == .tlb {
        emitLookUp(
          op, base, 0, offset: update.first, page: update.page, forWrites: op.atomicKind != .loadReserved, behind: 0,
          fails: stub)
      } else {
        if !isConstant { checkAlignment(of: base, op, stub) }
        assembler.mov(is32 ? .dword : .qword, update.first, base)
        emitGuide(address: update.first, line: update.page, is32: is32, fails: stub)
      }
      if dataPath == .tlb, !is32 {
        update.place = Memory(update.page, base)
      } else {
        assembler.alu(.add, .qword, update.page, update.first)
        update.place = Memory(update.page)
      }
      return
    }
    if op.access.aligned && op.access.size > 1 && !isConstant || op.atomicKind == .storeConditional {
      let stub = assembler.makeLabel()
      update.stub = stub
      if !isConstant { checkAlignment(of: base, op, stub) }
    }
    if !is32 {
      let outside = assembler.makeLabel()
      update.outside = outside
      assembler.alu(.cmp, .qword, base, ABI.state(StateOffset.windowLimit))
      assembler.jcc(.ae, outside)
    }
    update.place = is32 ? Memory(base).wrapping32.inGS : Memory(base).inGS
  }

  private mutating func checkAlignment(of base: Register, _ op: Op, _ stub: Label) {
    guard op.access.aligned, op.access.size > 1 else { return }
    assembler.test(.byte, base, Int32(op.access.size - 1))
    assembler.jcc(.ne, stub)
  }

  /// Notes the site that ends here.
  private mutating func finish(_ described: inout MemorySite, _ update: Update, isLookedUp: Bool) {
    described.isRedirected = isLookedUp
    let length = blockOffset + assembler.count - Int(described.start)
    // The first instruction in the window may be replaced by a jump of five bytes.
    if !isLookedUp, length < 5 { assembler.nop(5 - length) }
    described.length = UInt8(truncatingIfNeeded: blockOffset + assembler.count - Int(described.start))
    if let stub = update.stub { cold.append(ColdPart(.slowAccess, stub, argument: UInt32(target.sites.count))) }
    if let outside = update.outside { cold.append(ColdPart(.outside, outside, argument: UInt32(target.sites.count))) }
    append(described)
  }

  // MARK: The updates

  /// One instruction, as nobody wants to know what was there.
  private mutating func emitInPlace(_ op: Op, _ update: Update) {
    let width = accessWidth(op)
    var operand = update.operand
    if isMemory(operand) {
      loadInto(update.first, op.b.index)
      operand = .register(update.first)
    }
    switch (Self.arithmetic(op.atomicKind), operand) {
    case (let operation?, .register(let register)): assembler.alu(operation, width, update.place, register)
    case (let operation?, .immediate(let value)): assembler.alu(operation, width, update.place, value)
    case (_, let operand): emitStore(operand, op, update.place)
    }
  }

  private static func arithmetic(_ kind: AtomicKind) -> Arithmetic? {
    switch kind {
    case .add: .add
    case .and: .and
    case .or: .or
    case .xor: .xor
    default: nil
    }
  }

  private mutating func emitStore(_ operand: Source, _ op: Op, _ place: Memory) {
    switch operand {
    case .register(let register): assembler.store(accessWidth(op), place, register)
    case .immediate(let value): assembler.store(accessWidth(op), place, value)
    case .memory: unsupported("a store from memory to memory")
    }
  }

  /// A load, the computation, a store.
  private mutating func emitUpdate(_ op: Op, _ update: Update) {
    let old = update.direct ?? update.first
    let new = update.direct == nil ? update.second : update.first
    let width: Width = op.access.size == 8 ? .qword : .dword
    let isPlain = op.atomicKind == .exchange && !isMemory(update.operand)
    if !isPlain { loadInto(new, op.b.index) }
    emitLoad(op, old, update.place)
    if isPlain { return emitStore(update.operand, op, update.place) }
    if let operation = Self.arithmetic(op.atomicKind) {
      assembler.alu(operation, width, new, old)
    } else if let keepsOld = Self.condition(op.atomicKind) {
      assembler.alu(.cmp, accessWidth(op), old, new)
      assembler.cmovcc(keepsOld, width, new, old)
    }
    assembler.store(accessWidth(op), update.place, new)
  }

  /// The condition between what was there and the operand under which the former stays.
  private static func condition(_ kind: AtomicKind) -> ConditionCode? {
    switch kind {
    case .minSigned: .l
    case .maxSigned: .g
    case .minUnsigned: .b
    case .maxUnsigned: .a
    default: nil
    }
  }

  // MARK: Reservations

  private mutating func emitLoadReserved(_ op: Op, _ update: Update) {
    let value = update.direct ?? update.first
    let address = ABI.state(StateOffset.reservedAddress)
    emitLoad(op, value, update.place)
    assembler.store(accessWidth(op), ABI.state(StateOffset.reservedValue), value)
    if values[Int(op.a.index)].type == .i64 {
      assembler.store(.qword, address, update.base)
    } else {
      assembler.store(.dword, address, update.base)
      assembler.store(.dword, ABI.state(StateOffset.reservedAddress + 4), 0)
    }
    assembler.store(.dword, ABI.state(StateOffset.reservedSize), Int32(op.access.size))
  }

  /// In line if it succeeds: the slow path knows all ways to fail.
  private mutating func emitStoreConditional(_ op: Op, _ update: inout Update) {
    let stub = update.stub ?? assembler.makeLabel()
    update.stub = stub
    let isWide = values[Int(op.a.index)].type == .i64
    assembler.alu(.cmp, isWide ? .qword : .dword, ABI.state(StateOffset.reservedAddress), update.base)
    assembler.jcc(.ne, stub)
    assembler.alu(.cmp, .dword, ABI.state(StateOffset.reservedSize), Int32(op.access.size))
    assembler.jcc(.ne, stub)
    assembler.movzx(from: accessWidth(op), update.first, ABI.state(StateOffset.reservedValue))
    assembler.alu(.cmp, accessWidth(op), update.place, update.first)
    assembler.jcc(.ne, stub)
    var operand = update.operand
    if isMemory(operand) {
      loadInto(update.first, op.b.index)
      operand = .register(update.first)
    }
    emitStore(operand, op, update.place)
    assembler.store(.dword, ABI.state(StateOffset.reservedSize), 0)
  }
}

/// The registers of an update, its place in host memory, and where it goes from in line.
private struct Update {
  var base: Register
  var operand: Source
  /// Takes the result at once: a pinned register, where nothing can fault once it is written.
  var direct: Register?
  /// Takes what was in memory where there is no `direct`, else what is stored.
  var first = Register.rax
  var second = Register.rax
  /// What the page look-up found.
  var page = Register.rax
  var place = Memory(absolute: 0)
  /// Leads to the slow path.
  var stub: Label?
  /// Leads to the trap of addresses outside the window.
  var outside: Label?

  init(base: Register, operand: Source) {
    self.base = base
    self.operand = operand
  }
}
