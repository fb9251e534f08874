// Owns the way from a block's key to its number: a hash table of 8 bytes a slot, so that a look-up that finds nothing, as
// half of them do while code is translated, touches one cache line and no block.

import Bits
import GuestKit
import IR

/// Open addressing with linear probing; at most two thirds full. Several blocks may have one tag: the caller tells them apart.
struct BlockIndex {
  private struct Slot: BitwiseCopyable {
    var tag: UInt32 = 0
    /// 0 for an empty slot.
    var id: BlockID = 0
  }

  private var slots: RawTable<Slot>
  private var count = 0

  init() {
    slots = RawTable(capacity: 1 << 16)
    slots.fill(Slot())
  }

  func deallocate() { slots.deallocate() }

  /// From bit 0: where in 256 bytes of guest code (3), a hash of which 256 bytes (25), where in 32 bytes (4). So neighbours in
  /// guest code are neighbours here, and what is looked up next shares the line. The multiplier spreads the 256 bytes over
  /// the table (Knuth, The Art of Computer Programming 3, 6.4).
  @inline(__always)
  private func tag(_ pc: UInt64, _ flags: TranslationFlags) -> UInt32 {
    let hash = (pc >> 8 ^ UInt64(flags) << 32) &* 0x9E37_79B9_7F4A_7C15
    return UInt32(truncatingIfNeeded: pc >> 5 & 7 | (hash >> 39) << 3) | UInt32(truncatingIfNeeded: pc >> 1) << 28
  }

  @inline(__always)
  private func home(_ tag: UInt32) -> Int { Int(tag & 0x0FFF_FFFF) & (slots.capacity &- 1) }

  /// The newest of the blocks with the tag of this PC and these flags that `matches`; 0 for none.
  @inline(__always)
  func find(_ pc: UInt64, _ flags: TranslationFlags, _ matches: (BlockID) -> Bool) -> BlockID {
    let tag = tag(pc, flags)
    var place = home(tag)
    var found: BlockID = 0
    while slots[place].id != 0 {
      let slot = slots[place]
      if slot.tag == tag, slot.id > found, matches(slot.id) { found = slot.id }
      place = (place &+ 1) & (slots.capacity &- 1)
    }
    return found
  }

  mutating func insert(_ pc: UInt64, _ flags: TranslationFlags, _ id: BlockID) {
    if count * 3 >= slots.capacity * 2 { grow() }
    count += 1
    put(Slot(tag: tag(pc, flags), id: id))
  }

  private mutating func put(_ slot: Slot) {
    var place = home(slot.tag)
    while slots[place].id != 0 { place = (place &+ 1) & (slots.capacity &- 1) }
    slots[place] = slot
  }

  private mutating func grow() {
    let old = slots
    slots = RawTable(capacity: old.capacity * 2)
    slots.fill(Slot())
    for place in 0..<old.capacity where old[place].id != 0 { put(old[place]) }
    old.deallocate()
  }

  /// Takes out block `id`, and moves up what its slot had displaced.
  mutating func remove(_ pc: UInt64, _ flags: TranslationFlags, _ id: BlockID) {
    let mask = slots.capacity - 1
    var hole = home(tag(pc, flags))
    while slots[hole].id != id {
      if slots[hole].id == 0 { return }
      hole = (hole + 1) & mask
    }
    count -= 1
    var place = hole
    while true {
      place = (place + 1) & mask
      let slot = slots[place]
      if slot.id == 0 { break }
      let distance = (place - home(slot.tag)) & mask
      if distance >= (place - hole) & mask {
        slots[hole] = slot
        hole = place
      }
    }
    slots[hole] = Slot()
  }

  mutating func removeAll() {
    slots.fill(Slot())
    count = 0
  }
}
