// Owns all translation blocks and their lists: by key, by physical page, by chain. Flat arrays, numbers for references.

import Bits
import GuestKit
import HostKit
import IR

/// The blocks of both tiers. Knows which are chained to which, not how a host jumps.
public struct BlockStore: ~Copyable {
  private var blocks = RawList<TranslationBlock>(reserving: 1 << 17)
  private var exits = ExitTable()
  /// How many exits of interpreted code are chained.
  private(set) var interpretedChainCount = 0
  private var index = BlockIndex()
  private var pages = CodePages()
  /// How often a physical PC's block was thrown away.
  private var invalidated: [UInt64: UInt32] = [:]

  init() {
    clear()
  }

  deinit {
    blocks.deallocate()
    index.deallocate()
  }

  public subscript(id: BlockID) -> TranslationBlock {
    @inline(__always)
    get { blocks[Int(id)] }
  }
  /// Whether `id` was given out since the last flush.
  public func contains(_ id: BlockID) -> Bool { id > 0 && Int(id) < blocks.count }
  /// Valid blocks, oldest first.
  public var valid: [BlockID] {
    (1..<UInt32(blocks.count)).filter { blocks[Int($0)].isValid && !blocks[Int($0)].isEntry }
  }
  /// A way out of a block, by number.
  public func exit(_ number: UInt32) -> BlockExit { exits[number] }
  public var exitNumbers: Range<UInt32> { 1..<UInt32(exits.count) }

  func find(_ key: BlockKey) -> BlockID { index.find(key.pc, key.flags) { blocks[Int($0)].key == key } }

  @inline(__always)
  func hasCode(inPage page: UInt64) -> Bool { pages.first(page) != 0 }
  /// How often the code at the PC of `id` was translated before.
  public func retranslations(_ id: BlockID) -> UInt32 { invalidated[blocks[Int(id)].key.physicalPC] ?? 0 }

  /// Whether any of up to 64 bytes of one physical page is code of a valid block.
  @inline(__always)
  func hasCode(_ physical: UInt64, count: Int) -> Bool { pages.hasCode(physical, count: count) }

  /// Adds a compiled block with what its host told of it: its exits, and its entries at the labels of the IR.
  mutating func insert(_ block: TranslationBlock, _ ir: BlockView, _ outline: BlockOutline) -> BlockID {
    let id = insert(block)
    blocks[Int(id)].firstExit = exits.append(outline.exits, of: id, mayChain: block.key.variant == .normal)
    blocks[Int(id)].exitCount = UInt16(outline.exits.count)
    if !outline.labels.isEmpty { insertEntries(into: id, ir, outline.labels) }
    return id
  }

  /// Adds a block of packed code, and its entries at labels.
  mutating func insert(_ block: TranslationBlock, _ code: PackedCode) -> BlockID {
    let id = insert(block)
    guard code.labelCount > 0 else { return id }
    blocks[Int(id)].entryCount = UInt16(code.labelCount)
    var entry = blocks[Int(id)]
    entry.container = id
    entry.firstIncoming = 0
    entry.entryCount = 0
    entry.exitCount = 0
    for number in 0..<code.labelCount {
      let label = code.labels[number]
      let isLast = number &+ 1 == code.labelCount
      let end = isLast ? UInt32(truncatingIfNeeded: code.size) : code.labels[number &+ 1].endBefore
      let instructions = isLast ? code.instructionCount : code.labels[number &+ 1].instruction
      entry.key.pc = block.key.pc &+ UInt64(label.offset)
      entry.key.physicalPC = block.key.physicalPC &+ UInt64(label.offset)
      entry.compiled = CompiledBlock(entry: code.entry(of: number, in: block.compiled), size: 0)
      entry.guestSize = UInt16(truncatingIfNeeded: end &- label.offset)
      entry.instructionCount = UInt16(truncatingIfNeeded: instructions &- label.instruction)
      append(entry: entry)
    }
    return id
  }

  private mutating func insert(_ block: TranslationBlock) -> BlockID {
    let id = BlockID(blocks.count)
    var block = block
    index.insert(block.key.pc, block.key.flags, id)
    let page = block.key.physicalPC & ~0xFFF
    block.nextInPage = pages.first(page)
    pages.setFirst(page, id)
    pages.mark(block.physicalRange, isCode: true)
    blocks.append(block)
    return id
  }

  private mutating func insertEntries(into container: BlockID, _ ir: BlockView, _ labels: [CodeAddress]) {
    blocks[Int(container)].entryCount = UInt16(labels.count)
    var entry = blocks[Int(container)]
    entry.container = container
    entry.firstIncoming = 0
    entry.entryCount = 0
    entry.exitCount = 0
    let start = entry.key
    var number = 0
    for index in 0..<ir.opCount {
      let op = ir.ops[index]
      switch op.opcode {
      case .instruction:
        entry.instructionCount &+= 1
        let end = UInt64(bitPattern: op.imm) &+ UInt64(op.aux)
        entry.guestSize = UInt16(truncatingIfNeeded: end &- entry.key.pc)
      case .label:
        if number > 0 { append(entry: entry) }
        let offset = UInt64(bitPattern: op.imm) &- start.pc
        entry.key.pc = start.pc &+ offset
        entry.key.physicalPC = start.physicalPC &+ offset
        entry.compiled = CompiledBlock(entry: labels[number], size: 0)
        entry.guestSize = 0
        entry.instructionCount = 0
        number += 1
      default: break
      }
    }
    append(entry: entry)
  }

  private mutating func append(entry: TranslationBlock) {
    index.insert(entry.key.pc, entry.key.flags, BlockID(blocks.count))
    blocks.append(entry)
  }

  /// The block that `id` is, or is an entry into.
  public func container(of id: BlockID) -> BlockID {
    blocks[Int(id)].isEntry ? blocks[Int(id)].container : id
  }

  /// The guest code of a block, or of the one that `id` is an entry into.
  func code(_ id: BlockID) -> ClosedRange<UInt64> {
    let block = blocks[Int(container(of: id))]
    return block.key.pc...block.lastPC
  }

  /// The entries into a block besides its top.
  public func entries(_ id: BlockID) -> Range<BlockID> { id + 1..<parts(id).upperBound }

  /// A block and the entries into it.
  func parts(_ id: BlockID) -> Range<BlockID> { id..<id + 1 + UInt32(blocks[Int(id)].entryCount) }

  /// The entry of `id` at `pc`, its top included; 0 for none.
  func entry(_ id: BlockID, at pc: UInt64) -> BlockID {
    if blocks[Int(id)].key.pc == pc { return id }
    let end = entries(id).upperBound
    var (low, high) = (id + 1, end)
    while low < high {
      let middle = (low + high) / 2
      if blocks[Int(middle)].key.pc < pc { low = middle + 1 } else { high = middle }
    }
    return low < end && blocks[Int(low)].key.pc == pc ? low : 0
  }

  /// Notes one more sample of `id`.
  /// - Returns: how many there are.
  mutating func heat(_ id: BlockID) -> UInt8 {
    blocks[Int(id)].heat &+= 1
    return blocks[Int(id)].heat
  }

  /// The exit of compiled code that its host calls `site`; 0 for none.
  func exit(at site: UInt32) -> UInt32 { exits.find(site) }

  /// Notes that an exit is chained. The host must chain it too.
  mutating func chain(_ exit: UInt32, to target: BlockID) {
    exits[exit].chained = target
    exits[exit].next = blocks[Int(target)].firstIncoming
    blocks[Int(target)].firstIncoming = exit
  }

  /// Notes that a site of interpreted code is chained.
  /// - Parameter before: what takes that back.
  mutating func chain(interpreted site: UInt32, to target: BlockID, before: UInt32) {
    interpretedChainCount += 1
    chain(exits.append(interpreted: site, target: blocks[Int(target)].key.pc, before: before), to: target)
  }

  /// Takes an exit off its target's list. The host must unchain it too.
  mutating func unchain(_ exit: UInt32) {
    let target = exits[exit].chained
    guard target != 0 else { return }
    exits[exit].chained = 0
    takeOff(exit, target)
    if exits[exit].isInterpreted {
      interpretedChainCount -= 1
      exits.release(exit)
    }
  }

  private mutating func takeOff(_ exit: UInt32, _ target: BlockID) {
    let next = exits[exit].next
    var current = blocks[Int(target)].firstIncoming
    if current == exit {
      blocks[Int(target)].firstIncoming = next
      return
    }
    while current != 0 {
      if exits[current].next == exit {
        exits[current].next = next
        return
      }
      current = exits[current].next
    }
  }

  /// Exits chained to an entry, or to a block at any of its entries.
  public func incoming(_ id: BlockID) -> [UInt32] {
    var list: [UInt32] = []
    for entry in parts(id) {
      var exit = blocks[Int(entry)].firstIncoming
      while exit != 0 {
        list.append(exit)
        exit = exits[exit].next
      }
    }
    return list
  }

  /// The block that an exit is chained to; 0 for none.
  public func target(of exit: UInt32) -> BlockID { container(of: exits[exit].chained) }

  /// The translation flags of the code that an exit leads to.
  func flags(behind exit: UInt32) -> TranslationFlags {
    blocks[Int(exits[exit].source)].key.flags ^ TranslationFlags(exits[exit].change)
  }

  /// The exits of a compiled block, chained or not.
  public func outgoing(_ id: BlockID) -> Range<UInt32> {
    let block = blocks[Int(id)]
    return block.firstExit..<block.firstExit + UInt32(block.exitCount)
  }

  /// Valid blocks whose code overlaps the physical range, which lies in one page.
  func overlapping(_ range: Range<UInt64>) -> [BlockID] {
    var found: [BlockID] = []
    var id = pages.first(range.lowerBound & ~0xFFF)
    while id != 0 {
      if blocks[Int(id)].physicalRange.overlaps(range) { found.append(id) }
      id = blocks[Int(id)].nextInPage
    }
    return found
  }

  /// Calls `body` with each valid block that begins in a physical page.
  func forEachBlock(inPage page: UInt64, _ body: (TranslationBlock) -> Void) {
    var id = pages.first(page)
    while id != 0 {
      body(blocks[Int(id)])
      id = blocks[Int(id)].nextInPage
    }
  }

  /// Counts that the code at the physical PC of `id` has to be translated anew.
  mutating func noteInvalidation(of id: BlockID) { invalidated[blocks[Int(id)].key.physicalPC, default: 0] += 1 }

  /// Removes a block and its entries from all lists. Its exits and those into it must have been unchained.
  mutating func remove(_ id: BlockID) {
    for id in parts(id) {
      blocks[Int(id)].isValid = false
      index.remove(blocks[Int(id)].key.pc, blocks[Int(id)].key.flags, id)
    }
    let (range, after) = (blocks[Int(id)].physicalRange, blocks[Int(id)].nextInPage)
    let page = range.lowerBound & ~0xFFF
    pages.mark(range, isCode: false)
    if pages.first(page) == id { pages.setFirst(page, after) }
    var current = pages.first(page)
    while current != 0 {
      if blocks[Int(current)].nextInPage == id { blocks[Int(current)].nextInPage = after }
      let other = blocks[Int(current)].physicalRange
      if other.overlaps(range) { pages.mark(other, isCode: true) }
      current = blocks[Int(current)].nextInPage
    }
  }

  /// Forgets everything. Number 0 stays taken for blocks and exits, so that 0 can mean none.
  mutating func clear() {
    let none = BlockKey(pc: .max, physicalPC: .max - 0xFFF, flags: 0, variant: .normal)
    blocks.removeAll()
    blocks.append(
      TranslationBlock(
        key: none, guestSize: 0, instructionCount: 0, irOpCount: 0,
        compiled: CompiledBlock(entry: CodeAddress(0), size: 0), isValid: false, tier: .quick, secondPage: .max))
    exits.removeAll()
    interpretedChainCount = 0
    index.removeAll()
    pages.removeAll()
  }

  /// Physical pages that hold translated code.
  var codePages: [UInt64] { pages.occupied }
}
