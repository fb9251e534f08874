// Owns all translation blocks and their lists: by key, by physical page, by chain. Flat arrays, numbers for references.

import GuestKit
import HostKit
import IR

/// The blocks of a code cache. Knows which are chained to which, not how a host jumps.
public struct BlockStore {
  public private(set) var blocks: [TranslationBlock] = []
  public private(set) var exits: [BlockExit] = []
  /// A power of two, at least as many as blocks.
  private var buckets = [BlockID](repeating: 0, count: 1 << 12)
  /// Physical pages that hold translated code, or did: the place in `pageHeads` of the page's first block.
  private var pages: [UInt64: Int] = [:]
  private var pageHeads: [BlockID] = []
  /// The page last added to; the next block is likely in it too.
  private var lastPage: (page: UInt64, place: Int) = (.max, 0)
  /// How often a physical PC's block was thrown away.
  private var invalidated: [UInt64: UInt32] = [:]

  init() {
    // Room for most programs: growing copies everything.
    blocks.reserveCapacity(1 << 14)
    exits.reserveCapacity(1 << 15)
    clear()
  }

  public subscript(id: BlockID) -> TranslationBlock { blocks[Int(id)] }
  /// Valid blocks, oldest first.
  public var valid: [BlockID] { (1..<UInt32(blocks.count)).filter { blocks[Int($0)].isValid } }
  public var nextExit: UInt32 { UInt32(exits.count) }

  private func bucket(_ key: BlockKey) -> Int {
    var hash = key.pc &* 0x9E37_79B9_7F4A_7C15
    hash ^= UInt64(key.flags) &* 0xC2B2_AE3D_27D4_EB4F
    return Int(hash >> 32) & (buckets.count - 1)
  }

  func find(_ key: BlockKey) -> BlockID {
    var id = buckets[bucket(key)]
    while id != 0 {
      if blocks[Int(id)].key == key { return id }
      id = blocks[Int(id)].nextInBucket
    }
    return 0
  }

  func hasCode(inPage page: UInt64) -> Bool { firstBlock(inPage: page) != 0 }
  /// How often the code at the PC of `id` was translated before.
  public func retranslations(_ id: BlockID) -> UInt32 { invalidated[blocks[Int(id)].key.physicalPC] ?? 0 }

  private func firstBlock(inPage page: UInt64) -> BlockID { pages[page].map { pageHeads[$0] } ?? 0 }

  /// The place of a page in `pageHeads`.
  private mutating func place(ofPage page: UInt64) -> Int {
    if lastPage.page == page { return lastPage.place }
    let place = pages[page] ?? pageHeads.count
    if place == pageHeads.count {
      pages[page] = place
      pageHeads.append(0)
    }
    lastPage = (page, place)
    return place
  }

  private mutating func growBuckets() {
    buckets = [BlockID](repeating: 0, count: buckets.count * 2)
    for id in 1..<blocks.count where blocks[id].isValid {
      let slot = bucket(blocks[id].key)
      blocks[id].nextInBucket = buckets[slot]
      buckets[slot] = BlockID(id)
    }
  }

  /// Adds a block and the chainable exits among the ops it was compiled from, numbered from `block.firstExit`.
  mutating func insert(_ block: TranslationBlock, _ ops: [Op]) -> BlockID {
    if blocks.count > buckets.count { growBuckets() }
    let id = BlockID(blocks.count)
    var block = block
    let slot = bucket(block.key)
    block.nextInBucket = buckets[slot]
    buckets[slot] = id
    let place = place(ofPage: block.key.physicalPC & ~0xFFF)
    block.nextInPage = pageHeads[place]
    pageHeads[place] = id
    blocks.append(block)
    for op in ops where op.opcode == .exit || op.opcode == .exitIf {
      let mayChain = block.key.variant == .normal && !op.exitFlags.contains(.unchainable)
      exits.append(
        BlockExit(source: id, target: UInt64(bitPattern: op.imm), linked: 0, mayChain: mayChain, nextIncoming: 0))
    }
    return id
  }

  /// Notes one more sample of `id`.
  /// - Returns: how many there are.
  mutating func heat(_ id: BlockID) -> UInt8 {
    blocks[Int(id)].heat &+= 1
    return blocks[Int(id)].heat
  }

  mutating func link(exit: UInt32, to target: BlockID) {
    exits[Int(exit)].linked = target
    exits[Int(exit)].nextIncoming = blocks[Int(target)].firstIncoming
    blocks[Int(target)].firstIncoming = exit
  }

  /// Takes an exit off its target's list. The host must unlink it too.
  mutating func unlink(exit: UInt32) {
    let target = exits[Int(exit)].linked
    guard target != 0 else { return }
    exits[Int(exit)].linked = 0
    let next = exits[Int(exit)].nextIncoming
    var current = blocks[Int(target)].firstIncoming
    if current == exit {
      blocks[Int(target)].firstIncoming = next
      return
    }
    while current != 0 {
      if exits[Int(current)].nextIncoming == exit {
        exits[Int(current)].nextIncoming = next
        return
      }
      current = exits[Int(current)].nextIncoming
    }
  }

  /// Exits chained to `id`.
  public func incoming(_ id: BlockID) -> [UInt32] {
    var list: [UInt32] = []
    var exit = blocks[Int(id)].firstIncoming
    while exit != 0 {
      list.append(exit)
      exit = exits[Int(exit)].nextIncoming
    }
    return list
  }

  /// The exits of `id`, linked or not.
  public func outgoing(_ id: BlockID) -> Range<UInt32> {
    let block = blocks[Int(id)]
    return block.firstExit..<block.firstExit + UInt32(block.compiled.exitCount)
  }

  /// Valid blocks whose code overlaps the physical range, which lies in one page.
  func overlapping(_ range: Range<UInt64>) -> [BlockID] {
    var found: [BlockID] = []
    var id = firstBlock(inPage: range.lowerBound & ~0xFFF)
    while id != 0 {
      if blocks[Int(id)].physicalRange.overlaps(range) { found.append(id) }
      id = blocks[Int(id)].nextInPage
    }
    return found
  }

  /// Counts that the code at the physical PC of `id` has to be translated anew.
  mutating func noteInvalidation(of id: BlockID) { invalidated[blocks[Int(id)].key.physicalPC, default: 0] += 1 }

  /// Removes `id` from all lists. Its exits and those into it must have been unlinked.
  mutating func remove(_ id: BlockID) {
    blocks[Int(id)].isValid = false
    let key = blocks[Int(id)].key
    let slot = bucket(key)
    buckets[slot] = listWithout(id, head: buckets[slot], next: \.nextInBucket)
    let place = place(ofPage: key.physicalPC & ~0xFFF)
    pageHeads[place] = listWithout(id, head: pageHeads[place], next: \.nextInPage)
  }

  /// Takes `id` out of a list; returns the list's new head.
  private mutating func listWithout(
    _ id: BlockID, head: BlockID, next: WritableKeyPath<TranslationBlock, BlockID>
  ) -> BlockID {
    let after = blocks[Int(id)][keyPath: next]
    if head == id { return after }
    var current = head
    while current != 0 {
      if blocks[Int(current)][keyPath: next] == id {
        blocks[Int(current)][keyPath: next] = after
        break
      }
      current = blocks[Int(current)][keyPath: next]
    }
    return head
  }

  /// Forgets everything. Number 0 stays taken for blocks and exits, so that 0 can mean none.
  mutating func clear() {
    let none = BlockKey(pc: .max, physicalPC: .max - 0xFFF, flags: 0, variant: .normal)
    blocks.removeAll(keepingCapacity: true)
    blocks.append(
      TranslationBlock(
        key: none, guestSize: 0, instructionCount: 0, irOpCount: 0,
        compiled: CompiledBlock(entry: CodeAddress(0), size: 0, exitCount: 0), firstExit: 0, isValid: false,
        tier: .quick,
        secondPage: .max, firstIncoming: 0, nextInBucket: 0, nextInPage: 0))
    exits.removeAll(keepingCapacity: true)
    exits.append(BlockExit(source: 0, target: 0, linked: 0, mayChain: false, nextIncoming: 0))
    for index in buckets.indices { buckets[index] = 0 }
    pages.removeAll()
    pageHeads.removeAll()
    lastPage = (.max, 0)
  }

  /// Physical pages that hold translated code.
  var codePages: [UInt64] { pages.compactMap { pageHeads[$0.value] != 0 ? $0.key : nil } }
}
