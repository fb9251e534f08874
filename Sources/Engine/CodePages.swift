// Owns which physical pages hold translated code, which of their bytes, and each page's list of blocks: flat, since every
// store to such a page asks.

import Bits
import IR

/// Pages of physical memory that hold, or have held, translated code, each with a place of its own.
struct CodePages: ~Copyable {
  /// Open addressing: a page and its place. Never full.
  private var slots = RawTable<Slot>(capacity: 1 << 10)
  private var count = 0
  /// By place: the page's first block, 0 for none.
  private var heads = RawList<BlockID>(reserving: 1 << 10)
  /// By place: 64 words with a bit for each byte.
  private var bits = RawList<UInt64>(reserving: 1 << 16)
  /// The page looked up last; others ask for it again.
  private let latest = RawCell(Slot())

  private struct Slot: BitwiseCopyable {
    var page = UInt64.max
    var place = -1
  }

  init() { slots.fill(Slot()) }

  deinit {
    slots.deallocate()
    heads.deallocate()
    bits.deallocate()
  }

  mutating func removeAll() {
    slots.fill(Slot())
    count = 0
    heads.removeAll()
    bits.removeAll()
    latest.value = Slot()
  }

  /// The pages that hold code now.
  var occupied: [UInt64] {
    (0..<slots.capacity).compactMap { slots[$0].place >= 0 && heads[slots[$0].place] != 0 ? slots[$0].page : nil }
  }

  // MARK: Places

  @inline(__always)
  private func slot(_ page: UInt64) -> Int {
    var index = Int(truncatingIfNeeded: (page >> 12) &* 0x9E37_79B9_7F4A_7C15 >> 32) & (slots.capacity &- 1)
    while slots[index].place >= 0, slots[index].page != page { index = (index &+ 1) & (slots.capacity &- 1) }
    return index
  }

  /// The place of a page; negative if it never held code.
  @inline(__always)
  private func place(_ page: UInt64) -> Int {
    if latest.value.page == page { return latest.value.place }
    let found = slots[slot(page)]
    latest.value = Slot(page: page, place: found.place)
    return found.place
  }

  private mutating func makePlace(_ page: UInt64) -> Int {
    let known = place(page)
    if known >= 0 { return known }
    if 2 * (count + 1) > slots.capacity { grow() }
    let new = Slot(page: page, place: count)
    slots[slot(page)] = new
    latest.value = new
    count += 1
    heads.append(0)
    for _ in 0..<64 { bits.append(0) }
    return new.place
  }

  private mutating func grow() {
    let old = slots
    slots = RawTable(capacity: 2 * old.capacity)
    slots.fill(Slot())
    for index in 0..<old.capacity where old[index].place >= 0 { slots[slot(old[index].page)] = old[index] }
    old.deallocate()
  }

  // MARK: Lists of blocks

  /// The first block in a page; 0 for none.
  @inline(__always)
  func first(_ page: UInt64) -> BlockID {
    let place = place(page)
    return place < 0 ? 0 : heads[place]
  }

  mutating func setFirst(_ page: UInt64, _ block: BlockID) {
    let place = makePlace(page)
    heads[place] = block
  }

  // MARK: Bytes

  /// Whether any of `count` bytes from `address` on, in one page, is code. At most 64.
  @inline(__always)
  func hasCode(_ address: UInt64, count: Int) -> Bool {
    let place = place(address & ~0xFFF)
    if place < 0 { return false }
    let offset = Int(address & 0xFFF)
    let mask = count >= 64 ? UInt64.max : (1 &<< UInt64(count)) &- 1
    let (word, shift) = (place &* 64 &+ offset >> 6, UInt64(offset & 63))
    if bits[word] & mask &<< shift != 0 { return true }
    return Int(shift) &+ count > 64 && offset >> 6 < 63 && bits[word &+ 1] & mask &>> (64 &- shift) != 0
  }

  /// Notes that the bytes of a range within one page are code, or are not.
  mutating func mark(_ range: Range<UInt64>, isCode: Bool) {
    guard !range.isEmpty else { return }
    let first = makePlace(range.lowerBound & ~0xFFF) * 64
    let (low, high) = (Int(range.lowerBound & 0xFFF), Int((range.upperBound &- 1) & 0xFFF))
    for word in low >> 6...high >> 6 {
      var mask = UInt64.max
      if word == low >> 6 { mask &= .max << UInt64(low & 63) }
      if word == high >> 6 { mask &= .max >> UInt64(63 - high & 63) }
      bits[first + word] = isCode ? bits[first + word] | mask : bits[first + word] & ~mask
    }
  }
}
