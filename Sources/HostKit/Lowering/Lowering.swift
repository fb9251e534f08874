// Owns the lowering of IR blocks to machine code, as far as all hosts do it alike: its tables, and the order of its passes.

import Bits
import IR

/// Translates blocks one after the other, reusing its tables. Used by one host.
///
/// Methods that change nothing are inlined always: a call would be given a copy of the whole struct. All of it is
/// `@inlinable`, so that a host's module makes code of it for its own ``Target``.
public struct Lowering<T: Target> {
  public typealias ABI = T.ABI
  public typealias Register = T.ABI.Register
  public typealias VectorRegister = T.ABI.VectorRegister
  public typealias ValueState = HostKit.ValueState<T.ABI>
  public typealias RegisterSet = HostKit.RegisterSet<T.ABI.Register>
  public typealias VectorSet = HostKit.RegisterSet<T.ABI.VectorRegister>

  /// What is the host's own.
  public var target: T

  // MARK: What does not change

  public let registers: [RegisterSlot]
  /// Guest register numbers that may live in host registers, hottest first.
  @usableFromInline let pinnable: [Int]
  public let helpers: [Helper]
  /// By opcode.
  @usableFromInline let opcodeEffects: RawTable<Effects>
  public let interrupts: InterruptStrategy
  /// For tests.
  @usableFromInline let checker: AllocationChecker?

  // MARK: The block at hand

  /// Guest register numbers that live in host registers, in the order of `ABI.pinned`: the common ones, or those of the
  /// block at hand.
  public var pins: [Int]
  /// Likewise in vector registers, in the order of `ABI.pinnedVector`.
  public var vectorPins: [Int]
  /// By guest register number: its index in `pins`, `ABI.pinnedCount` more than that in `vectorPins`, or
  /// `ValueState.noPin`.
  public let pinOfRegister: RawTable<UInt8>
  /// How the block's assignment differs from the common one.
  public var moves: RawList<PinMove>
  @usableFromInline var innerEntries: RawList<InnerEntry>
  /// By guest register number.
  @usableFromInline let weights: RawTable<UInt32>
  public var dataPath = DataPath.slow
  /// Guest PCs of instructions whose stores are guided.
  public var guidedPCs: Set<UInt64> = []
  /// Guest PCs of instructions whose accesses are compared with what is watched.
  public var watchedPCs: Set<UInt64> = []
  /// Whether it is worth some time to do it well.
  @usableFromInline var isHot = false
  /// Offset of the block in the code cache.
  public var blockOffset = 0
  /// By value number.
  public let values: RawTable<ValueState>
  /// By guest register number: the list of values found in it, and the value last written or read.
  public let mirrors: RawTable<UInt16>
  public let contents: RawTable<UInt16>
  /// By host register number: the value in a temporary, of integers and of vectors.
  public let owners: RawTable<UInt16>
  public let vectorOwners: RawTable<UInt16>
  /// Temporaries without a value, and those that the op at hand must not lose.
  public var free = ABI.temporaries
  public var locked = RegisterSet()
  public var freeVectors = ABI.vectorTemporaries
  public var lockedVectors = VectorSet()
  public var spillCount = 0
  public var checks: PageChecks
  /// Values from this number on are not the block's: `PageChecks` has two of them.
  public var firstPseudoValue = ValueState.noValue
  /// Index of the op at hand.
  public var position: Int32 = 0
  /// The block's ops, borrowed from it; `noOps` between blocks.
  public var ops: RawTable<Op>
  @usableFromInline let noOps = RawTable<Op>(capacity: 1)
  public var opCount = 0
  @usableFromInline var blockPC: UInt64 = 0
  public var currentPC: UInt64 = 0
  /// Guest instructions begun since the block's start or the last `retire`, the current one included.
  @usableFromInline var begun: UInt32 = 0
  @usableFromInline var firstExit: UInt32 = 0
  /// Of the block's exits, in order.
  @usableFromInline var exitLabels: RawList<ExitLabels>
  /// Offsets in the code cache of the entries at the block's labels, in order.
  @usableFromInline var labels: RawList<UInt32>
  public var cold: RawList<ColdPart<T.ExitWork>>
  @usableFromInline var failure: HostError?

  // MARK: What is kept of blocks

  /// Ascending.
  @usableFromInline var hotBlocks: RawList<HotBlock>
  @usableFromInline var hotMoves: RawList<PinMove>
  /// Whether any block compiled has values of floating-point type.
  public var usesFloat = false
  /// By site.
  public var exits: RawList<ExitCode>
  /// Reads of the poll page, in the order of their offsets.
  public var polls: RawList<PollSite>
  /// While a block is lowered for a listing: for each op its offset in the block's code, and behind the last one that
  /// of the cold parts. Else empty.
  @usableFromInline var marks: RawList<UInt32>
  @usableFromInline var takesMarks = false

  @inlinable public init(_ configuration: HostConfiguration, pins: [Int], vectorPins: [Int], target: T) {
    self.target = target
    interrupts = configuration.interrupts
    checker = configuration.checksAllocation ? AllocationChecker() : nil
    registers = configuration.registers
    helpers = configuration.helpers
    opcodeEffects = Opcode.makeEffectsTable()
    self.pins = pins
    self.vectorPins = vectorPins
    pinnable = configuration.pinOrder
    pinOfRegister = RawTable(capacity: configuration.registers.count)
    pinOfRegister.fill(ValueState.noPin)
    for (index, register) in pins.enumerated() { pinOfRegister[register] = UInt8(index) }
    for (index, register) in vectorPins.enumerated() { pinOfRegister[register] = UInt8(ABI.pinnedCount + index) }
    moves = RawList(reserving: 32)
    innerEntries = RawList(reserving: 64)
    weights = RawTable(capacity: configuration.registers.count)
    hotBlocks = RawList(reserving: 1 << 10)
    hotMoves = RawList(reserving: 1 << 10)
    values = RawTable(capacity: Self.valueLimit + 2)
    ops = noOps
    mirrors = RawTable(capacity: configuration.registers.count)
    mirrors.fill(ValueState.noValue)
    contents = RawTable(capacity: configuration.registers.count)
    contents.fill(ValueState.noValue)
    owners = RawTable(capacity: 32)
    vectorOwners = RawTable(capacity: 32)
    checks = PageChecks(
      valueLimit: Self.valueLimit, opLimit: 2 * Self.valueLimit, registerCount: configuration.registers.count)
    cold = RawList(reserving: 256)
    exitLabels = RawList(reserving: 64)
    labels = RawList(reserving: 64)
    // Room for almost all programs: growing copies everything, and memory not touched costs nothing.
    exits = RawList(reserving: 1 << 21)
    exits.append(ExitCode())
    polls = RawList(reserving: 1 << 12)
    marks = RawList(reserving: 1 << 12)
  }

  /// Values a block may have.
  @inlinable static var valueLimit: Int { Int(ValueID.none.index) - 2 }

  /// Frees the tables. Nothing may be lowered after that.
  @inlinable public mutating func deallocate() {
    target.deallocate()
    opcodeEffects.deallocate()
    pinOfRegister.deallocate()
    moves.deallocate()
    innerEntries.deallocate()
    weights.deallocate()
    hotBlocks.deallocate()
    hotMoves.deallocate()
    noOps.deallocate()
    values.deallocate()
    mirrors.deallocate()
    contents.deallocate()
    owners.deallocate()
    vectorOwners.deallocate()
    checks.deallocate()
    cold.deallocate()
    exitLabels.deallocate()
    labels.deallocate()
    exits.deallocate()
    polls.deallocate()
    marks.deallocate()
  }

  /// Drops what is kept of blocks, all code being dropped.
  @inlinable public mutating func forgetBlocks() {
    target.forgetBlocks()
    guidedPCs.removeAll()
    watchedPCs.removeAll()
    hotBlocks.removeAll()
    hotMoves.removeAll()
    // The first exit of the table stands for none.
    exits.removeAll()
    exits.append(ExitCode())
    polls.removeAll()
  }

  /// Notes that the block cannot be compiled; the rest of it is still gone through.
  @inlinable public mutating func unsupported(_ what: String) {
    if failure == nil { failure = .unsupported(what) }
  }

  /// Guest instructions begun before the current one, since the block's start or the last `retire`.
  @inlinable public var retiredBefore: UInt32 { begun == 0 ? 0 : begun - 1 }

  @inlinable @inline(__always)
  public func isLive(_ value: UInt16) -> Bool { values[Int(value)].lastUse > position }

  /// Offset in the code cache of the next instruction.
  @inlinable @inline(__always)
  public var codeOffset: UInt32 { UInt32(truncatingIfNeeded: blockOffset + target.count) }

  // MARK: A block

  /// Assembles `block` at the start of `memory`, which is byte `offset` of the code cache and runs at `address`.
  @inlinable public mutating func lower(
    _ block: BlockView, _ dataPath: DataPath, isHot: Bool,
    into memory: UnsafeMutableRawBufferPointer, runningAt address: UInt64, offset: Int
  ) throws(HostError) -> CompiledBlock {
    guard memory.count > 64 else { throw .codeCacheFull }
    guard block.valueCount <= Self.valueLimit else {
      throw .unsupported("a block of over \(Self.valueLimit) values")
    }
    guard block.opCount <= checks.plans.capacity else {
      throw .unsupported("a block of over \(checks.plans.capacity) ops")
    }
    unsafe target.begin(memory, runningAt: address)
    begin(block, dataPath, offset: offset)
    defer { ops = noOps }
    let kept = kept
    self.isHot = isHot
    choosePins()
    findUses()
    planPageChecks()
    if let checker { checkMovesIn(checker) } else { emitMovesIn() }
    alignLoopHead(0)
    if !moves.isEmpty { innerEntries[0].offset = codeOffset }
    lowerOps()
    if takesMarks { marks.append(UInt32(truncatingIfNeeded: target.count)) }
    T.emitFirstColdParts(&self)
    emitColdParts()
    T.emitLastColdParts(&self)
    emitWaysInAndOut()
    if failure == nil { failure = target.failure }
    if let failure {
      forget(backTo: kept)
      throw failure
    }
    return CompiledBlock(entry: CodeAddress(UInt32(offset)), size: target.count)
  }

  @inlinable mutating func begin(_ block: BlockView, _ dataPath: DataPath, offset: Int) {
    self.dataPath = dataPath
    blockOffset = offset
    ops = block.ops
    opCount = block.opCount
    firstExit = UInt32(exits.count)
    exitLabels.removeAll()
    blockPC = block.pc
    currentPC = block.pc
    begun = 0
    failure = nil
    free = ABI.temporaries
    locked = RegisterSet()
    freeVectors = ABI.vectorTemporaries
    lockedVectors = VectorSet()
    spillCount = 0
    labels.removeAll()
    cold.removeAll()
    mirrors.fill(ValueState.noValue)
    contents.fill(ValueState.noValue)
    owners.fill(ValueState.noValue)
    vectorOwners.fill(ValueState.noValue)
    for index in 0..<block.valueCount { values[index] = ValueState(type: block.valueTypes[index]) }
    firstPseudoValue = UInt16(block.valueCount)
  }

  /// The numbers of entries in the tables of what is kept.
  @usableFromInline typealias Kept = (exits: Int, polls: Int, hotBlocks: Int, hotMoves: Int)
  @inlinable @inline(__always)
  var kept: Kept { (exits.count, polls.count, hotBlocks.count, hotMoves.count) }

  @inlinable mutating func forget(backTo kept: Kept) {
    target.forgetBlock()
    exits.truncate(to: kept.exits)
    polls.truncate(to: kept.polls)
    hotBlocks.truncate(to: kept.hotBlocks)
    hotMoves.truncate(to: kept.hotMoves)
  }

  /// Lowers a block once more, away from the code cache, to see where each op's code starts.
  ///
  /// - Parameter block: as it was compiled at byte `offset` of the code cache to `size` bytes.
  /// - Returns: offsets in the block's code, by op, and that of the cold parts; nothing if it is not what was compiled.
  public mutating func opOffsets(
    _ block: Block, _ dataPath: DataPath, runningAt address: UInt64, offset: Int, size: Int
  ) -> [UInt32] {
    let kept = kept
    let isHot = hotBlock(at: UInt32(offset)) != nil
    takesMarks = true
    defer {
      takesMarks = false
      marks.removeAll()
    }
    // Room for branches and numbers that take more bytes than in their own place.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size * 2 + 256, alignment: 16)
    defer { unsafe memory.deallocate() }
    let lowered = try? block.withView { (view) throws(HostError) in
      try unsafe lower(view, dataPath, isHot: isHot, into: memory, runningAt: address, offset: offset)
    }
    forget(backTo: kept)
    return lowered == nil ? [] : (0..<marks.count).map { marks[$0] }
  }

  // MARK: Its ops

  @inlinable mutating func lowerOps() {
    for index in 0..<opCount {
      position = Int32(truncatingIfNeeded: index)
      if takesMarks { marks.append(UInt32(truncatingIfNeeded: target.count)) }
      let op = ops[index]
      if !op.result.isNone, values[Int(op.result.index)].uses == 0,
        opcodeEffects[Int(op.opcode.rawValue)].isDisjoint(with: .observable)
      {
        continue
      }
      if let checker { checkBegin(op, checker) }
      switch op.opcode {
      case .nop: continue
      case .instruction:
        currentPC = UInt64(bitPattern: op.imm)
        begun &+= 1
        continue
      case .const:
        setConstant(op.result, op.imm)
        continue
      case .retire:
        if interrupts.isDeterministic { target.retire(op.extra, setsFlags: false) }
        begun -= min(begun, op.extra)
      case .label: lowerLabel(op)
      case .copy: op.type.usesVectorRegister ? aliasVector(op.result, op.a) : alias(op.result, op.a)
      case .getRegister:
        lowerGet(op)
        if !usesFloat, checker == nil { continue }
      case .setRegister:
        lowerSet(op)
        if let checker { checker.set(Int(op.imm), op.a.index, in: checkedPlace(ofGuest: Int(op.imm))) }
      case .exitIf: lowerExitIf(op)
      case .exit: lowerExit(op)
      case .exitIndirect: lowerExitIndirect(op)
      case .exitWith: lowerExitWith(op)
      case .raise: lowerRaise(op)
      default: T.lower(op, &self)
      }
      endOp()
      if let checker { checkEnd(op, checker) }
    }
  }

  /// Makes `value` a constant: the low bits of `constant` as its type has them.
  @inlinable @inline(__always)
  public func setConstant(_ value: ValueID, _ constant: Int64) {
    values[Int(value.index)].place = .constant
    values[Int(value.index)].immediate = signExtended(constant, values[Int(value.index)].type)
  }
}
