// Lowering of one IR block to machine code: the backward pass over its ops, and the dispatch by opcode.

import HostKit
import IR

/// Translates blocks one after the other, reusing its tables. Used by one host.
///
/// Methods that change nothing are inlined always: a call would be given a copy of the whole struct.
struct Lowering {
  // MARK: What does not change

  let registers: [RegisterSlot]
  /// Guest register numbers that may live in host registers, hottest first.
  let pinnable: [Int]
  let helpers: [Helper]
  /// By opcode.
  let opcodeEffects: RawTable<Effects>
  let trampolines: Trampolines
  let floatEnvironment: FloatEnvironment?
  /// Whether an f32 in a register or spill slot has ones in its upper half, so that it is NaN-boxed already. Guests whose
  /// registers are of type f32 have no boxes.
  let boxesSingles: Bool
  /// Whether the CPU has AVX and FMA.
  let hasFMA: Bool
  /// Host address of the code cache.
  let cacheBase: UInt64
  let interrupts: InterruptStrategy
  let checksAllocation: Bool
  /// Offset in the code cache of the page that `InterruptStrategy.page` reads.
  let pollPage: UInt32

  // MARK: The block at hand

  var assembler: Assembler
  /// Guest register numbers that live in host registers, in the order of `ABI.pinned`: the common ones, or those of the
  /// block at hand.
  var pins: [Int]
  /// Likewise in SSE registers, in the order of `ABI.pinnedVector`.
  var vectorPins: [Int]
  /// By guest register number: its index in `pins`, `ABI.pinnedCount` more than that in `vectorPins`, or
  /// `ValueState.noPin`.
  let pinOfRegister: RawTable<UInt8>
  /// How the block's assignment differs from the common one.
  var moves: RawList<PinMove>
  var innerEntries: RawList<InnerEntry>
  /// By guest register number.
  let weights: RawTable<UInt32>
  var dataPath = DataPath.slow
  /// Guest PCs of instructions whose stores are guided.
  var guidedPCs: Set<UInt64> = []
  /// Guest PCs of instructions whose accesses are compared with what is watched, and with how many ranges.
  var watchedPCs: Set<UInt64> = []
  var watchRanges = 1
  /// Offset of the `WatchGuide` in the code cache.
  let watchGuide: Int
  /// Whether it is worth some time to do it well.
  var isHot = false
  /// Offset of the block in the code cache.
  var blockOffset = 0
  /// By value number.
  let values: RawTable<ValueState>
  /// By guest register number: the list of values found in it, and the value last written or read.
  let mirrors: RawTable<UInt16>
  let contents: RawTable<UInt16>
  /// By host register number: the value in a temporary.
  let owners: RawTable<UInt16>
  var free = ABI.temporaries
  var locked = RegisterSet()
  var spillCount = 0
  var vectors = VectorAllocation()
  var nans = PendingNaNs()
  var checks: PageChecks
  /// Values from this number on are not the block's: `PageChecks` has two of them.
  var firstPseudoValue = ValueState.noValue
  /// Index of the op at hand.
  var position: Int32 = 0
  /// The block's ops, borrowed from it; ``noOps`` between blocks.
  var ops: RawTable<Op>
  private let noOps = RawTable<Op>(capacity: 1)
  var opCount = 0
  var blockPC: UInt64 = 0
  var currentPC: UInt64 = 0
  /// Guest instructions begun since the block's start or the last `retire`, the current one included.
  var begun: UInt32 = 0
  /// Of these, the ones before the current instruction.
  var retiredBefore: UInt32 { begun == 0 ? 0 : begun - 1 }
  var firstExit: UInt32 = 0
  /// Of the block's exits, in order.
  var exitLabels: RawList<ExitLabels>
  /// Offsets in the code cache of the entries at the block's labels, in order.
  var labels: RawList<UInt32>
  var cold: RawList<ColdPart>
  var floatCold: RawList<FloatColdPart>
  var failure: HostError?

  // MARK: What the host keeps of blocks

  /// Ascending.
  var hotBlocks: RawList<HotBlock>
  var hotMoves: RawList<PinMove>
  var sites: RawList<MemorySite>
  var floatSites: RawList<FloatSite>
  /// Whether any block compiled has values of floating-point type.
  var usesFloat = false
  /// By site.
  var exits: RawList<ExitCode>
  /// Reads of the poll page, in the order of their offsets.
  var polls: RawList<PollSite>
  /// While a block is lowered for a listing: for each op its offset in the block's code, and behind the last one that
  /// of the cold parts. Else empty.
  var marks: RawList<UInt32>
  var takesMarks = false

  init(
    _ configuration: HostConfiguration, pins: [Int], vectorPins: [Int], hasFMA: Bool, trampolines: Trampolines,
    cacheBase: UInt64, watchGuide: Int, pollPage: UInt32, assembler: Assembler
  ) {
    self.watchGuide = watchGuide
    interrupts = configuration.interrupts
    checksAllocation = configuration.checksAllocation
    self.pollPage = pollPage
    registers = configuration.registers
    helpers = configuration.helpers
    opcodeEffects = Opcode.makeEffectsTable()
    self.pins = pins
    self.vectorPins = vectorPins
    floatEnvironment = configuration.floatEnvironment
    boxesSingles = !configuration.registers.contains { $0.type == .f32 }
    self.hasFMA = hasFMA
    self.trampolines = trampolines
    self.cacheBase = cacheBase
    self.assembler = assembler
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
    owners = RawTable(capacity: 16)
    checks = PageChecks(
      valueLimit: Self.valueLimit, opLimit: 2 * Self.valueLimit, registerCount: configuration.registers.count)
    cold = RawList(reserving: 256)
    floatCold = RawList(reserving: 64)
    exitLabels = RawList(reserving: 64)
    labels = RawList(reserving: 64)
    // Room for almost all programs: growing copies everything, and memory not touched costs nothing.
    sites = RawList(reserving: 1 << 21)
    floatSites = RawList(reserving: 1 << 16)
    exits = RawList(reserving: 1 << 21)
    exits.append(ExitCode())
    polls = RawList(reserving: 1 << 12)
    marks = RawList(reserving: 1 << 12)
  }

  /// Values a block may have.
  private static var valueLimit: Int { Int(ValueID.none.index) - 2 }

  /// Frees the tables. Nothing may be lowered after that.
  mutating func deallocate() {
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
    checks.deallocate()
    cold.deallocate()
    floatCold.deallocate()
    nans.results.deallocate()
    floatSites.deallocate()
    exitLabels.deallocate()
    labels.deallocate()
    sites.deallocate()
    exits.deallocate()
    polls.deallocate()
    marks.deallocate()
  }

  /// Notes that the block cannot be compiled; the rest of it is still gone through.
  mutating func unsupported(_ what: String) {
    if failure == nil { failure = .unsupported(what) }
  }

  /// Assembles `block` at the start of `memory`, which is byte `offset` of the code cache.
  mutating func lower(
    _ block: BlockView, _ dataPath: DataPath, isHot: Bool,
    into memory: UnsafeMutableRawBufferPointer, offset: Int
  ) throws(HostError) -> CompiledBlock {
    guard memory.count > 64 else { throw .codeCacheFull }
    guard block.valueCount <= Self.valueLimit else {
      throw .unsupported("a block of over \(Self.valueLimit) values")
    }
    guard block.opCount <= checks.plans.capacity else {
      throw .unsupported("a block of over \(checks.plans.capacity) ops")
    }
    unsafe assembler.restart(memory, runningAt: cacheBase + UInt64(offset))
    begin(block, dataPath, offset: offset)
    defer { ops = noOps }
    let (oldSites, oldFloatSites, oldPolls) = (sites.count, floatSites.count, polls.count)
    self.isHot = isHot
    choosePins()
    findUses()
    planPageChecks()
    moveIn()
    alignLoopHead(0)
    if !moves.isEmpty { innerEntries[0].offset = UInt32(truncatingIfNeeded: blockOffset + assembler.count) }
    lower(block.ops)
    if takesMarks { marks.append(UInt32(truncatingIfNeeded: assembler.count)) }
    emitSeparateAccesses()
    emitColdParts()
    emitFloatColdParts()
    emitWaysInAndOut()
    if failure == nil && assembler.failure != .none {
      failure = assembler.failure == .bufferFull ? .codeCacheFull : .unsupported("a block of over 2 GiB")
    }
    if let failure {
      sites.truncate(to: oldSites)
      floatSites.truncate(to: oldFloatSites)
      polls.truncate(to: oldPolls)
      exits.truncate(to: Int(firstExit))
      if hotBlocks.count > 0, hotBlocks[hotBlocks.count - 1].start == UInt32(offset) {
        hotBlocks.truncate(to: hotBlocks.count - 1)
      }
      throw failure
    }
    return CompiledBlock(entry: CodeAddress(UInt32(offset)), size: assembler.count)
  }

  private mutating func begin(_ block: BlockView, _ dataPath: DataPath, offset: Int) {
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
    spillCount = 0
    vectors = VectorAllocation()
    nans.begin()
    labels.removeAll()
    cold.removeAll()
    floatCold.removeAll()
    mirrors.fill(ValueState.noValue)
    contents.fill(ValueState.noValue)
    owners.fill(ValueState.noValue)
    for index in 0..<block.valueCount { values[index] = ValueState(type: block.valueTypes[index]) }
    firstPseudoValue = UInt16(block.valueCount)
  }

  // MARK: The backward pass

  /// Finds each value's last use and number of uses, the pinned register it should be computed in, and the
  /// comparisons that need not become values.
  private mutating func findUses() {
    let (ops, values, pinOfRegister, opcodeEffects) = (ops, values, pinOfRegister, opcodeEffects)
    // For each pinned register: the value it is set to next, valid while nothing in between observes it.
    var pending = InlineArray<24, UInt16>(repeating: ValueState.noValue)
    var pendingMask: UInt32 = 0
    var next = opCount
    while next > 0 {
      next &-= 1
      let index = next
      let op = ops[index]
      if op.opcode == .instruction || op.opcode == .const { continue }
      if op.opcode == .setRegister {
        let pin = pinOfRegister[Int(op.imm)]
        Self.use(op.a, at: index, values)
        if pin != ValueState.noPin, (pin >= UInt8(ABI.pinnedCount)) == values[Int(op.a.index)].type.isFloat {
          pending[Int(pin)] = op.a.index
          pendingMask |= 1 &<< UInt32(pin)
          values[Int(op.a.index)].hint = pin
        }
        continue
      }
      if op.opcode == .getRegister {
        let pin = pinOfRegister[Int(op.imm)]
        if pin != ValueState.noPin { pendingMask &= ~(1 &<< UInt32(pin)) }
        continue
      }
      let effects = opcodeEffects[Int(op.opcode.rawValue)]
      var wanted = ValueState.noPin
      if !op.result.isNone {
        let result = Int(op.result.index)
        let hint = values[result].hint
        if hint != ValueState.noPin && pendingMask &>> UInt32(hint) & 1 != 0 && pending[Int(hint)] == op.result.index {
          wanted = hint
        } else {
          values[result].hint = ValueState.noPin
        }
        if values[result].uses == 0 && effects.isDisjoint(with: .observable) { continue }
      }
      if !effects.isDisjoint(with: [.mayRaise, .exits, .terminates, .readsMemory, .writesMemory]) || op.opcode == .call
      {
        pendingMask = 0
        wanted = ValueState.noPin
      }
      var place = index
      if op.opcode == .compare, values[Int(op.result.index)].uses == 1 {
        let user = Int(values[Int(op.result.index)].lastUse)
        if (ops[user].opcode == .exitIf || ops[user].opcode == .select) && ops[user].a == op.result {
          values[Int(op.result.index)].place = .compare
          values[Int(op.result.index)].immediate = Int64(index)
          place = user
        }
      }
      if !op.a.isNone {
        let isLast = values[Int(op.a.index)].uses == 0
        Self.use(op.a, at: place, values)
        if isLast && wanted != ValueState.noPin && op.opcode != .select,
          (wanted >= UInt8(ABI.pinnedCount)) == values[Int(op.a.index)].type.isFloat
        {
          pending[Int(wanted)] = op.a.index
          values[Int(op.a.index)].hint = wanted
        }
      }
      if !op.b.isNone { Self.use(op.b, at: place, values) }
      if !op.c.isNone { Self.use(op.c, at: place, values) }
    }
  }

  @inline(__always)
  private static func use(_ value: ValueID, at index: Int, _ values: RawTable<ValueState>) {
    let number = Int(value.index)
    values[number].uses = values[number].uses == 0 ? 1 : 2
    values[number].lastUse = max(values[number].lastUse, Int32(truncatingIfNeeded: index))
  }

  // MARK: Dispatch

  @inline(__always)
  private func define(constant op: Op) {
    values[Int(op.result.index)].place = .constant
    values[Int(op.result.index)].immediate = signExtended(op.imm, op.type)
  }

  private mutating func lower(_ ops: RawTable<Op>) {
    for index in 0..<opCount {
      position = Int32(truncatingIfNeeded: index)
      if takesMarks { marks.append(UInt32(truncatingIfNeeded: assembler.count)) }
      let op = ops[index]
      if !op.result.isNone, values[Int(op.result.index)].uses == 0,
        opcodeEffects[Int(op.opcode.rawValue)].isDisjoint(with: .observable)
      {
        continue
      }
      switch op.opcode {
      case .nop: continue
      case .instruction:
        currentPC = UInt64(bitPattern: op.imm)
        begun &+= 1
        continue
      case .const:
        define(constant: op)
        continue
      case .retire:
        if interrupts.isDeterministic {
          assembler.alu(.sub, .qword, ABI.budget, Int32(truncatingIfNeeded: op.extra))
        }
        begun -= min(begun, op.extra)
      case .label: lowerLabel(op)
      case .count:
        let register = allocate()
        assembler.mov(register, op.imm)
        assembler.inc(.qword, Memory(register))
      case .copy: op.type.isFloat ? aliasVector(op.result, op.a) : alias(op.result, op.a)
      case .bitcast: lowerBitcast(op)
      case .getRegister:
        lowerGet(op)
        if !usesFloat { continue }
      case .setRegister: lowerSet(op)
      case .add: lowerAdd(op)
      case .sub: lowerSubtract(op)
      case .and: lowerCommuting(.and, op)
      case .or: lowerCommuting(.or, op)
      case .xor: lowerCommuting(.xor, op)
      case .andNot: lowerAndNot(op)
      case .mul: lowerMultiply(op)
      case .mulHighSigned, .mulHighUnsigned, .mulHighSignedUnsigned: lowerMultiplyHigh(op)
      case .divSigned, .divUnsigned, .remSigned, .remUnsigned: lowerDivide(op)
      case .shiftLeft, .shiftRight, .shiftRightArithmetic: lowerShift(op)
      case .rotateLeft, .rotateRight: lowerRotate(op)
      case .countLeadingZeros, .countTrailingZeros, .populationCount: lowerCount(op)
      case .byteSwap: lowerByteSwap(op)
      case .compare:
        if values[Int(op.result.index)].place != .compare {
          let register = destination(op.result, avoiding: registersOf(op))
          materializeCompare(Int(position), into: register)
        }
      case .select: op.type.isFloat ? lowerFloatSelect(op) : lowerSelect(op)
      case .signExtend: lowerSignExtend(op)
      case .zeroExtend: lowerZeroExtend(op)
      case .truncate: lowerTruncate(op)
      case .load, .store, .atomic, .compareExchange: lowerAccess(op)
      // Nobody looks at memory while translated code runs but that code.
      case .fence: continue
      case .floatAdd, .floatSub, .floatMul, .floatDiv, .floatSqrt, .floatFused, .floatMinimum, .floatMaximum,
        .floatCompare, .floatOrder, .floatToInteger, .floatFromInteger, .floatConvert, .floatSign, .floatBox,
        .floatUnbox:
        lowerFloat(op)
      case .call: lowerCall(op)
      case .exitIf: lowerExitIf(op)
      case .exit: lowerExit(op)
      case .exitIndirect: lowerExitIndirect(op)
      case .exitWith: lowerExitWith(op)
      case .raise: lowerRaise(op)
      }
      endOp()
      if checksAllocation { checkAllocation() }
    }
  }

  // MARK: Guest registers

  private mutating func lowerGet(_ op: Op) {
    let guest = Int(op.imm)
    let pin = pinOfRegister[guest]
    let value = Int(op.result.index)
    guard op.type != .v128 else { return unsupported("128-bit guest registers") }
    if let pinned = vectorPin(of: guest) { return lowerVectorGet(op, pinned) }
    if pin != ValueState.noPin {
      values[value].place = .register
      values[value].register = ABI.pinned(Int(pin))
    } else {
      values[value].place = .state
    }
    values[value].slot = UInt16(guest)
    addMirror(op.result.index, guest)
    setContents(guest, op.result.index)
  }

  private mutating func lowerSet(_ op: Op) {
    let guest = Int(op.imm)
    let value = op.a.index
    let pin = pinOfRegister[guest]
    let state = values[Int(value)]
    if state.type.isFloat || vectorPin(of: guest) != nil { return lowerVectorSet(op) }
    if state.place == .register && ABI.temporaries.contains(state.register) { locked.insert(state.register) }
    if isFound(value, in: guest) {
      preserveMirrors(of: guest, except: value)
      addMirror(value, guest)
      setContents(guest, value)
      return
    }
    // From here on a temporary that is evicted must not be sought in the guest register.
    contents[guest] = ValueState.noValue
    preserveMirrors(of: guest, except: value)
    if pin != ValueState.noPin {
      let register = ABI.pinned(Int(pin))
      let now = values[Int(value)]
      if now.place == .constant && now.immediate == 0 {
        assembler.zero(register)
      } else {
        loadInto(register, value)
      }
      let isTemporary = now.place == .register && ABI.temporaries.contains(now.register)
      if isTemporary {
        owners[Int(now.register.rawValue)] = ValueState.noValue
        free.insert(now.register)
      }
      if isTemporary || now.place == .state || now.place == .spill || now.place == .compare {
        give(register, to: value)
        values[Int(value)].slot = UInt16(guest)
        addMirror(value, guest)
      }
    } else {
      let slot = registers[guest]
      if let immediate = constant(op.a).flatMap({ Int32(exactly: $0) }) {
        assembler.store(slot.type.exactWidth, ABI.state(slot.offset), immediate)
      } else {
        assembler.store(slot.type.exactWidth, ABI.state(slot.offset), register(op.a))
      }
    }
    setContents(guest, value)
  }
}
