// Owns the way from a vCPU's PC to a block in the code cache.

import GuestKit
import HostKit
import IR

extension VCPU {
  /// The physical address of `pc` for execution, whether that holds for its page, and for which part of it if not.
  func physicalPC(
    _ pc: UInt64
  ) throws(GuestException) -> (address: UInt64, wholePage: Bool, stretch: Range<UInt64>?) {
    let page = pc & ~0xFFF
    if let known = mode.codePage(page) { return (known | pc & 0xFFF, true, nil) }
    let found = try guest.translateAddress(state, pc, .execute, size: 2, space: .current, memory: self)
    if found.wholePage { mode.setCodePage(page, physical: found.physical & ~0xFFF, leafSize: found.leafSize) }
    return (found.physical, found.wholePage, found.stretch)
  }

  /// The block at the vCPU's PC, translated if need be.
  func block(at pc: UInt64, _ variant: BlockVariant) throws(TranslationFailure) -> BlockID {
    let (physical, wholePage, stretch): (UInt64, Bool, Range<UInt64>?)
    do { (physical, wholePage, stretch) = try physicalPC(pc) } catch { throw .guest(error) }
    let key = BlockKey(pc: pc, physicalPC: physical, flags: modes.flags, variant: variant)
    let known = code.blocks.find(key)
    /// Whether all of a block may be executed. Changes of that cut chains, so the way over a chain need not be checked.
    func isWithin(_ id: BlockID) -> Bool {
      guard !wholePage else { return true }
      let pcs = code.blocks.code(id)
      return stretch.map { $0.contains(pcs.lowerBound) && $0.contains(pcs.upperBound) } ?? false
    }
    if known != 0, isWithin(known), isCurrent(known) {
      return code.blocks[known].tier == .interpreted ? try warm(known, pc) : known
    }
    if known != 0 { guardian.invalidate(known, because: .remapped) }
    let tier: Tier = options.tiers == .thorough ? .thorough : .quick
    if variant == .normal, !wholePage, let stretch {
      let id = try translator.translate(self, key, tier, single: false, end: stretch.upperBound)
      if isWithin(id) { return id }
      // An instruction of it reaches beyond.
      guardian.invalidate(id, because: .remapped)
    }
    if variant == .normal, wholePage, let id = try translator.translatePacked(self, key) { return id }
    let id = try translator.translate(self, key, tier, single: variant == .step || !wholePage)
    if let stretch, !wholePage, code.blocks.code(id).upperBound >= stretch.upperBound {
      do { _ = try physicalPC(stretch.upperBound) } catch {
        guardian.invalidate(id, because: .remapped)
        throw .guest(error)
      }
    }
    return id
  }

  /// Whether a block that straddles pages still sees the second page where it was.
  private func isCurrent(_ id: BlockID) -> Bool {
    let second = code.blocks[id].secondPage
    guard second != .max else { return true }
    let next = (code.blocks[id].key.pc & ~0xFFF) &+ 0x1000
    return (try? physicalPC(next))?.address == second
  }
}
