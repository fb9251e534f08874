// Owns the choice between translating quickly and translating well: where the guest spends its time is sampled, and what
// is found there is translated again.
//
// Sampling costs running code nothing: the budget that bounds a run is cut to `sampleInterval`, and loops and indirect
// jumps, which check it anyway, come back now and then. What they were about to enter is the head of a hot loop or a hot
// function. It does not change when interrupts are taken or time slices end, and depends on nothing but the instruction
// count, so runs stay reproducible.
//
// Measured on 12 integer kernels and on OpenSBI + U-Boot: the optimiser's passes on single blocks take 80 to 110 ns per
// guest instruction and make hot code no faster, since lowering folds constants, forwards registers and drops dead ops
// itself. So they belong to the second tier.

import GuestKit
import HostKit

/// How much work went into a translation.
public enum Tier: UInt8, Sendable, CaseIterable {
  /// Block by block, no passes.
  case quick = 1
  /// With all passes.
  case thorough
}

/// When code is translated at which tier.
public enum TierPolicy: String, Sendable, CaseIterable {
  /// Everything quickly, for ever.
  case quick
  /// Quickly at first, thoroughly where samples find hot code.
  case adaptive
  /// Everything thoroughly, at once.
  case thorough
}

extension Engine {
  /// Instructions from sample to sample.
  static var sampleInterval: Int64 { 1 << 16 }
  /// Samples that make a block hot.
  private static var hotSamples: UInt8 { 2 }
  /// Blocks translated again at once, the hot one included.
  private static var promotionLimit: Int { 16 }

  /// Takes a sample of `vcpu`, which stands between two blocks.
  func sample(_ vcpu: VCPU) {
    guard options.tiers == .adaptive else { return }
    statistics.samples &+= 1
    let pc = vcpu.state.pc
    guard let (physical, wholePage) = try? physicalPC(vcpu, pc), wholePage else { return }
    let id = store.find(BlockKey(pc: pc, physicalPC: physical, flags: vcpu.mode.flags, variant: .normal))
    guard id != 0, store[id].tier == .quick, store.heat(id) >= Self.hotSamples else { return }
    promote(vcpu, from: id)
  }

  /// Translates a hot block and those chained behind it thoroughly.
  private func promote(_ vcpu: VCPU, from id: BlockID) {
    var list = [store.container(of: id)]
    var next = 0
    while next < list.count, list.count < Self.promotionLimit {
      for exit in store.outgoing(list[next]) {
        let target = store.target(of: exit)
        if target != 0, store[target].tier == .quick, !list.contains(target), list.count < Self.promotionLimit {
          list.append(target)
        }
      }
      next += 1
    }
    for id in list where store[id].isValid { promote(vcpu, id) }
  }

  private func promote(_ vcpu: VCPU, _ id: BlockID) {
    let key = store[id].key
    guard key.variant == .normal, key.flags == vcpu.mode.flags, store[id].secondPage == .max else { return }
    let incoming = store.incoming(id)
    let generation = statistics.flushes
    guard let better = try? translate(vcpu, key, .thorough, single: false), statistics.flushes == generation else {
      return
    }
    remove(id)
    for exit in incoming where store[store.exits[Int(exit)].source].isValid {
      host.link(exit: exit, to: store[better].compiled.entry)
      store.link(exit: exit, to: better)
    }
  }
}
