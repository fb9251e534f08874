// Owns the packed form of ops that may call out of the code or leave it.

extension Packer {
  /// A load, store, atomic or compare-exchange.
  ///
  /// - Parameter address: the type of the address `a`.
  public mutating func access(
    _ opcode: Opcode, _ type: Type, _ access: MemoryAccess, address: Type, _ a: Place, displacement: Int64 = 0,
    _ b: Place = .none, _ c: Place = .none, kind: UInt32 = 0, to result: Place = .none
  ) {
    let isPlain = opcode == .load || opcode == .store
    var (a, access, displacement) = (a, access, displacement)
    let space = access.space.rawValue
    if space > 2 {
      // Its number takes the displacement's place.
      if opcode == .compareExchange { limit = .form }
      access = MemoryAccess(rawValue: access.rawValue & 0xFF | PackedOp.farSpace)
    }
    if Int64(Int16(truncatingIfNeeded: displacement)) != displacement || space > 2 && displacement != 0 {
      compute(
        .add, address, a, constant: Int64(bitPattern: UInt64(bitPattern: displacement) & address.mask), to: .scratch)
      a = .scratch
      displacement = 0
    }
    var op = PackedOp(opcode, type, aux: access.rawValue, a: a, b: b)
    op.aux |= UInt16(truncatingIfNeeded: kind >> 4 & 0xF) << 10
    op.result = result
    op.c = isPlain ? Place(rawValue: UInt16(bitPattern: Int16(truncatingIfNeeded: displacement))) : c
    if space > 2 { op.c = Place(rawValue: UInt16(space)) }
    if address.bits == 32 { op.makeAddressShort() }
    let isServed = isPlain || opcode == .atomic && !access.bigEndian
    if usesTLB, isServed, access.space == .current, access.size <= 8 { op.useTLB() }
    note(&op, kind: kind)
    last = result == .none ? -1 : ops.count
    put(op)
  }

  public mutating func call(
    _ helper: UInt16, _ type: Type, _ a: Place, _ b: Place, _ c: Place, immediate: Int64, to result: Place
  ) {
    var op = PackedOp(.call, type, aux: helper, a: a, b: b)
    op.result = result
    op.c = c
    note(&op, kind: 0)
    last = ops.count
    put(op)
    put(word(UInt64(bitPattern: immediate)))
  }

  private mutating func note(_ op: inout PackedOp, kind: UInt32) {
    let begun = (begun == 0 ? 0 : begun &- 1) &+ carried
    if !PackedOp.canNote(begun: begun, distance: distance) { limit = .distance }
    op.note(begun: begun, distance: distance, kind: kind)
  }

  // MARK: Ways out

  /// `exit`, or `exitIf` with a condition.
  public mutating func exit(
    _ opcode: Opcode, _ condition: Place = .none, to target: UInt64, _ flags: ExitFlags, retired: UInt32
  ) {
    let flags = flagsOfExit(to: target, flags)
    let offset = Int64(bitPattern: target &- pc)
    let isFar = !PackedOp.fits(target: offset)
    let owed = Int32(truncatingIfNeeded: retired &+ carried)
    if !isFar, fuses, opcode == .exitIf, last >= 0, ops[last].opcode == .compare,
      ops[last].result == condition,
      ops[last].b != .immediate, PackedOp.canFuse(retired: owed)
    {
      let comparison = ops[last]
      let holds = Condition(rawValue: comparison.aux) ?? .equal
      ops[last] = fused(comparison.a, holds, comparison.b, comparison.type, condition, offset, flags, owed)
      noteOpen(last, offset, flags)
      last = -1
      return
    }
    var op = PackedOp(opcode, aux: flags.rawValue, a: condition, b: count(retired))
    if isFar { op.makeFar() } else { op.target = offset }
    if !isFar { noteOpen(ops.count, offset, flags) }
    if opcode == .exit {
      finish(op, flags)
    } else {
      last = -1
      put(op)
    }
    if isFar { put(word(target)) }
  }

  @inline(__always)
  private func flagsOfExit(to target: UInt64, _ flags: ExitFlags) -> ExitFlags {
    // Who chains an exit looks at the flags that it leads to.
    let flags = ExitFlags(rawValue: flags.rawValue & 0xF)
    return isPaged && (target ^ pc) & ~0xFFF != 0 ? flags.union(.unchainable) : flags
  }

  /// An exit where a comparison holds, in one op.
  /// - Returns: false if it takes two; nothing was written.
  mutating func exitIf(
    _ a: Place, _ condition: Condition, _ b: Place, _ type: Type, to target: UInt64, _ flags: ExitFlags, retired: UInt32
  ) -> Bool {
    let flags = flagsOfExit(to: target, flags)
    let offset = Int64(bitPattern: target &- pc)
    let owed = Int32(truncatingIfNeeded: retired &+ carried)
    guard fuses, PackedOp.fits(target: offset), PackedOp.canFuse(retired: owed) else { return false }
    noteOpen(ops.count, offset, flags)
    put(fused(a, condition, b, type, .scratch, offset, flags, owed))
    last = -1
    return true
  }

  @inline(__always)
  private func fused(
    _ a: Place, _ condition: Condition, _ b: Place, _ type: Type, _ result: Place, _ offset: Int64, _ flags: ExitFlags,
    _ retired: Int32
  ) -> PackedOp {
    var op = PackedOp(.exitIf, type, aux: flags.rawValue, a: a, b: b)
    op.fuse(condition, retired: retired)
    op.result = result
    op.target = offset
    return op
  }

  private mutating func noteOpen(_ index: Int, _ offset: Int64, _ flags: ExitFlags) {
    if fuses, offset > Int64(bitPattern: distance), flags.isDisjoint(with: [.checksBudget, .isCall]) {
      openExits.append(Int32(truncatingIfNeeded: index))
    }
  }

  public mutating func exitIndirect(_ type: Type, _ target: Place, _ flags: ExitFlags, retired: UInt32) {
    finish(PackedOp(.exitIndirect, type, aux: flags.rawValue, a: target, b: count(retired)), flags)
  }

  /// Ends a part of the block, perhaps by a call: a word for the return goes behind that, unless what is there by then may
  /// have become other code.
  private mutating func finish(_ op: PackedOp, _ flags: ExitFlags) {
    var op = op
    let next = pc &+ end
    callsHere = flags.contains(.isCall)
    if callsHere, fuses, !op.isFar, !isPaged || (next ^ pc) & ~0xFFF == 0 { op.addReturn() }
    leave(op)
    if op.hasReturn { put(PackedOp(returnTo: next)) }
  }

  public mutating func exitWith(_ reason: UInt16, to target: UInt64, retired: UInt32) {
    var op = PackedOp(.exitWith, aux: reason, b: count(retired))
    let offset = Int64(bitPattern: target &- pc)
    let isFar = !PackedOp.fits(target: offset)
    if isFar { op.makeFar() } else { op.target = offset }
    leave(op)
    if isFar { put(word(target)) }
  }

  public mutating func raise(_ cause: Int64, _ value: Place, retired: UInt32) {
    var op = PackedOp(.raise, a: value, b: count(retired))
    note(&op, kind: 0)
    leave(op)
    put(word(UInt64(bitPattern: cause)))
  }

  private mutating func leave(_ op: PackedOp) {
    endsHere = true
    last = -1
    put(op)
  }
}
