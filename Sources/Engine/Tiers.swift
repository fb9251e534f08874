// Owns the choice between translating quickly and translating well: where the guest spends its time is sampled, and what
// is found there is translated again. (Before it is translated at all, code is interpreted: `InterpretedTier.swift`.)
//
// Sampling costs running code next to nothing: the budget that bounds a run is cut to `sampleInterval`, and loops and
// indirect jumps, which check it anyway, come back now and then. What they were about to enter is the head of a hot loop
// or a hot function. While samples find nothing new they are taken less and less often. It does not change when
// interrupts are taken or time slices end, and depends on nothing but the instruction count, so runs stay reproducible.
// Where nothing counts instructions, the timer that ends time slices kicks for samples too, after so many nanoseconds.
//
// Measured on 12 integer kernels and on OpenSBI + U-Boot: the optimiser's passes on single blocks take 80 to 110 ns per
// guest instruction and make hot code no faster, since lowering folds constants, forwards registers and drops dead ops
// itself. So they belong to the second tier.

import GuestKit

/// How much work went into a translation.
public enum Tier: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  /// Block by block, no passes, executed by the interpreter.
  case interpreted = 0
  /// Block by block, no passes.
  case quick = 1
  /// With all passes, as regions, registers chosen for their loops.
  case thorough
}

/// When code is translated at which tier.
public enum TierPolicy: String, Sendable, CaseIterable {
  /// Everything quickly, at once and for ever.
  case quick
  /// Interpreted at first where there is an interpreter, then quickly, thoroughly where samples find hot code.
  case adaptive
  /// Everything thoroughly, at once.
  case thorough
}

extension Engine {
  /// Instructions from sample to sample: as soon as something hot was found, and at most, once nothing is any more.
  static var shortestSampleInterval: Int64 { 1 << 16 }
  private static var longestSampleInterval: Int64 { 1 << 22 }
  /// Samples that make a block hot.
  private static var hotSamples: UInt8 { 2 }

  /// Takes a sample of `vcpu`, which stands between two blocks.
  func sample(_ vcpu: VCPU) {
    guard options.tiers == .adaptive else { return }
    statistics.samples &+= 1
    let pc = vcpu.state.pc
    guard let (physical, wholePage, _) = try? physicalPC(vcpu, pc), wholePage else { return }
    let id = store.find(BlockKey(pc: pc, physicalPC: physical, flags: vcpu.flags, variant: .normal))
    guard id != 0, store[id].tier == .quick else {
      sampleInterval = min(sampleInterval * 2, Self.longestSampleInterval)
      return
    }
    sampleInterval = Self.shortestSampleInterval
    guard store.heat(id) >= Self.hotSamples, store[id].secondPage == .max else { return }
    formRegion(vcpu, around: store.container(of: id), at: pc)
  }
}
