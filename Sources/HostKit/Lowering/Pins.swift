// Owns the choice of the guest registers that a hot block keeps in host registers.
//
// Blocks agree on the common assignment wherever they are entered and left. A hot block with loops may use another one
// inside, that of the registers its loops use most: registers change places at its entries and exits, out of the loops'
// way. Where it calls helpers, or its loops leave it at every turn, changing would cost more than it gains.

import Bits
import IR

/// A host register that holds another guest register inside a block than outside.
public struct PinMove: BitwiseCopyable {
  /// Index in `ABI.pinned`, or `ABI.pinnedCount` more than that in `ABI.pinnedVector`.
  public var place: UInt8
  public var outside: UInt16
  public var inside: UInt16
  /// Whether the block writes the one inside.
  public var isWritten: Bool

  @inlinable init(place: UInt8, outside: UInt16, inside: UInt16, isWritten: Bool) {
    self.place = place
    self.outside = outside
    self.inside = inside
    self.isWritten = isWritten
  }
}

/// A block that was compiled as a hot one.
public struct HotBlock: BitwiseCopyable {
  /// Offsets in the code cache.
  public var start: UInt32
  public var end: UInt32
  /// Leaves, with all registers as inside the block.
  public var leave: UInt32
  /// Its assignment, among all that hot blocks have.
  public var firstMove: UInt32
  public var moveCount: UInt32

  @inlinable init(start: UInt32, end: UInt32, leave: UInt32, firstMove: UInt32, moveCount: UInt32) {
    self.start = start
    self.end = end
    self.leave = leave
    self.firstMove = firstMove
    self.moveCount = moveCount
  }
}

/// A label of the block at hand, its top included.
@usableFromInline struct InnerEntry: BitwiseCopyable {
  @usableFromInline var pc: UInt64
  /// Index of its op.
  @usableFromInline var position: Int32
  /// Whether a loop of the block starts there.
  @usableFromInline var isLoopHead = false
  /// Where exits of the block itself come in; offset in the code cache, once it is known.
  @usableFromInline var offset: UInt32 = 0

  @inlinable init(pc: UInt64, position: Int32) {
    self.pc = pc
    self.position = position
  }
}

extension Lowering {
  /// Decides on the assignment for the block at hand.
  @inlinable mutating func choosePins() {
    for index in 0..<moves.count { assign(moves[index].place, to: Int(moves[index].outside)) }
    moves.removeAll()
    innerEntries.removeAll()
    guard isHot, weighRegisters() else { return }
    choose(0..<pins.count) { $0.isInteger }
    choose(ABI.pinnedCount..<ABI.pinnedCount + vectorPins.count) { $0.usesVectorRegister }
    for index in 0..<moves.count { assign(moves[index].place, to: Int(moves[index].inside)) }
  }

  @inlinable mutating func assign(_ place: UInt8, to guest: Int) {
    let index = Int(place)
    if index < ABI.pinnedCount {
      pinOfRegister[pins[index]] = ValueState.noPin
      pins[index] = guest
    } else {
      pinOfRegister[vectorPins[index - ABI.pinnedCount]] = ValueState.noPin
      vectorPins[index - ABI.pinnedCount] = guest
    }
    pinOfRegister[guest] = place
  }

  /// Finds the block's loops, and counts uses of guest registers in them, the deeper the more.
  /// - Returns: false if the common assignment is to stay.
  @inlinable mutating func weighRegisters() -> Bool {
    innerEntries.append(InnerEntry(pc: blockPC, position: -1))
    var callsOut = false
    for index in 0..<opCount {
      if ops[index].opcode == .label {
        innerEntries.append(InnerEntry(pc: UInt64(bitPattern: ops[index].imm), position: Int32(index)))
      }
      if ops[index].opcode == .call { callsOut = true }
    }
    var loops: [ClosedRange<Int>] = []
    for index in 0..<opCount where ops[index].opcode == .exit || ops[index].opcode == .exitIf {
      let target = UInt64(bitPattern: ops[index].imm)
      for head in 0..<innerEntries.count where innerEntries[head].pc == target && innerEntries[head].position < index {
        innerEntries[head].isLoopHead = true
        loops.append(Int(innerEntries[head].position) + 1...index)
      }
    }
    if callsOut { return false }
    for loop in loops where leavesAlways(loop) { return false }
    for register in registers.indices { weights[register] = 0 }
    for loop in loops {
      let depth = loops.count { $0 != loop && $0.contains(loop.lowerBound) && $0.contains(loop.upperBound) }
      let weight: UInt32 = 1 << UInt32(3 * min(depth, 4))
      for index in loop {
        let op = ops[index]
        if op.opcode == .getRegister || op.opcode == .setRegister { weights[Int(op.imm)] &+= weight }
      }
    }
    return !loops.isEmpty
  }

  /// Whether there is a way out in the loop that is no side exit.
  @inlinable @inline(__always)
  func leavesAlways(_ loop: ClosedRange<Int>) -> Bool {
    for index in loop {
      switch ops[index].opcode {
      case .exitIndirect: return true
      case .exit where innerEntry(at: UInt64(bitPattern: ops[index].imm)) == nil: return true
      default: break
      }
    }
    return false
  }

  /// The label at `pc`, if the block has an assignment of its own to choose or chosen.
  @inlinable @inline(__always)
  func innerEntry(at pc: UInt64) -> InnerEntry? {
    for index in 0..<innerEntries.count where innerEntries[index].pc == pc { return innerEntries[index] }
    return nil
  }

  /// Fills places with the registers used most, leaving those alone that have one already.
  @inlinable mutating func choose(_ places: Range<Int>, _ fits: (Type) -> Bool) {
    var wanted = pinnable.filter { fits(registers[$0].type) && weights[$0] > 0 }
    wanted.sort { (weights[$1], $0) < (weights[$0], $1) }
    wanted = Array(wanted.prefix(places.count))
    var free = places.filter { !wanted.contains(guest(inPlace: $0)) }
    for inside in wanted where pinOfRegister[inside] == ValueState.noPin {
      let place = free.removeLast()
      var isWritten = false
      for index in 0..<opCount where ops[index].opcode == .setRegister && Int(ops[index].imm) == inside {
        isWritten = true
      }
      moves.append(
        PinMove(
          place: UInt8(place), outside: UInt16(guest(inPlace: place)), inside: UInt16(inside), isWritten: isWritten))
    }
  }

  @inlinable @inline(__always)
  func guest(inPlace place: Int) -> Int {
    place < ABI.pinnedCount ? pins[place] : vectorPins[place - ABI.pinnedCount]
  }

  /// Pads with no-operations where a loop starts, so that its first instructions are fetched together.
  @inlinable mutating func alignLoopHead(_ number: Int) {
    guard number < innerEntries.count, innerEntries[number].isLoopHead else { return }
    target.alignLoopHead(blockOffset)
  }

  // MARK: Code at entries and exits; it keeps the flags

  /// From the common assignment to the block's own.
  @inlinable mutating func emitMovesIn() {
    for index in 0..<moves.count {
      store(moves[index].place, Int(moves[index].outside))
      load(moves[index].place, Int(moves[index].inside))
    }
  }

  /// From the block's own assignment to the common one.
  @inlinable mutating func moveOut() {
    if let checker { checkMovesOut(checker) } else { emitMovesOut() }
  }

  @inlinable mutating func emitMovesOut() {
    for index in 0..<moves.count {
      if moves[index].isWritten { store(moves[index].place, Int(moves[index].inside)) }
      load(moves[index].place, Int(moves[index].outside))
    }
  }

  @inlinable mutating func store(_ place: UInt8, _ guest: Int) {
    let slot = registers[guest]
    if let checker { checker.copy(checkedPlace(ofPin: place), to: .state(guest)) }
    if Int(place) < ABI.pinnedCount {
      target.store(slot.type, ABI.pinned(Int(place)), state: slot.offset)
    } else {
      target.store(slot.type.inVectorPin, ABI.pinnedVector(Int(place) - ABI.pinnedCount), state: slot.offset)
    }
  }

  @inlinable mutating func load(_ place: UInt8, _ guest: Int) {
    let slot = registers[guest]
    if let checker { checker.copy(.state(guest), to: checkedPlace(ofPin: place)) }
    if Int(place) < ABI.pinnedCount {
      target.load(slot.type, ABI.pinned(Int(place)), state: slot.offset)
    } else {
      target.load(slot.type.inVectorPin, ABI.pinnedVector(Int(place) - ABI.pinnedCount), state: slot.offset)
    }
  }

  /// Behind the cold parts: the ways in at labels, and the way out for accesses that end in an exception.
  @inlinable mutating func emitWaysInAndOut() {
    guard isHot else { return }
    var leave = UInt32(truncatingIfNeeded: target.offset(of: .leave))
    if !moves.isEmpty {
      for index in 0..<labels.count {
        let inner = labels[index]
        labels[index] = codeOffset
        emitMovesIn()
        target.jump(toCode: Int(inner))
      }
      leave = codeOffset
      moveOut()
      target.jump(.leave)
      for index in Int(firstExit)..<exits.count {
        if let entry = innerEntry(at: exits[index].pc) { exits[index].inner = entry.offset }
      }
    }
    hotBlocks.append(
      HotBlock(
        start: UInt32(truncatingIfNeeded: blockOffset), end: codeOffset,
        leave: leave, firstMove: UInt32(hotMoves.count), moveCount: UInt32(moves.count)))
    for index in 0..<moves.count { hotMoves.append(moves[index]) }
  }

  /// The hot block that `offset` lies in, if it does.
  @inlinable @inline(__always)
  public func hotBlock(at offset: UInt32) -> HotBlock? {
    var (low, high) = (0, hotBlocks.count)
    while low < high {
      let middle = (low + high) / 2
      if hotBlocks[middle].end <= offset { low = middle + 1 } else { high = middle }
    }
    return low < hotBlocks.count && hotBlocks[low].start <= offset ? hotBlocks[low] : nil
  }
}

extension Type {
  /// As what a guest register of this type is moved to and from a vector register: with all of its 8 or 16 bytes.
  @inlinable public var inVectorPin: Type { self == .v128 ? .v128 : .f64 }
}
