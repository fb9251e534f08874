// Owns the way from a block's key to its number: a hash table of 16 bytes a slot, so that a look-up that finds nothing, as
// half of them do while code is translated, touches one cache line and no block.

import GuestKit
import IR

/// Open addressing with linear probing; at most two thirds full. Several blocks may have one PC: the caller tells them apart.
struct BlockIndex {
  private struct Slot: BitwiseCopyable {
    var pc: UInt64 = 0
    var flags: TranslationFlags = 0
    /// 0 for an empty slot.
    var id: BlockID = 0
  }

  private var slots: RawTable<Slot>
  private var count = 0

  init() {
    slots = RawTable(capacity: 1 << 14)
    slots.fill(Slot())
  }

  func deallocate() { slots.deallocate() }

  /// Neighbours in guest code are neighbours here, eight slots for 256 bytes: what is looked up next shares the line. The
  /// multiplier spreads the 256 bytes over the table (Knuth, The Art of Computer Programming 3, 6.4).
  private func home(_ pc: UInt64, _ flags: TranslationFlags) -> Int {
    let hash = (pc >> 8 ^ UInt64(flags) << 32) &* 0x9E37_79B9_7F4A_7C15
    return Int(truncatingIfNeeded: hash >> 32 &* 8 | pc >> 5 & 7) & (slots.capacity &- 1)
  }

  /// The newest of the blocks with this PC and these flags that `matches`; 0 for none.
  @inline(__always)
  func find(_ pc: UInt64, _ flags: TranslationFlags, _ matches: (BlockID) -> Bool) -> BlockID {
    var place = home(pc, flags)
    var found: BlockID = 0
    while slots[place].id != 0 {
      let slot = slots[place]
      if slot.pc == pc, slot.flags == flags, slot.id > found, matches(slot.id) { found = slot.id }
      place = (place &+ 1) & (slots.capacity &- 1)
    }
    return found
  }

  mutating func insert(_ pc: UInt64, _ flags: TranslationFlags, _ id: BlockID) {
    if count * 3 >= slots.capacity * 2 { grow() }
    count += 1
    put(Slot(pc: pc, flags: flags, id: id))
  }

  private mutating func put(_ slot: Slot) {
    var place = home(slot.pc, slot.flags)
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
    var hole = home(pc, flags)
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
      let distance = (place - home(slot.pc, slot.flags)) & mask
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
