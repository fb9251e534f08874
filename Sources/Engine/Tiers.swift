// Owns the choice between translating quickly and translating well: where the guest spends its time is sampled, and what
// is found there is translated again. (Before it is translated at all, code is interpreted: `InterpretedTier.swift`.)
//
// Sampling costs running code next to nothing: the budget that bounds a run is cut to `Sampler.interval`, and loops and
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

/// How often a vCPU is sampled.
struct Sampler {
  /// Instructions up to the next sample: as soon as something hot was found, and at most, once nothing is any more.
  private(set) var interval = Self.shortest
  /// On the host's monotonic clock (ns): when the next sample is due, where nothing counts instructions.
  var nextTime: UInt64 = 0

  private static var shortest: Int64 { 1 << 16 }
  private static var longest: Int64 { 1 << 22 }
  /// Host time that stands for an instruction between samples: a kick takes more than a look at the budget.
  private static var nanoseconds: UInt64 { 4 }

  mutating func adapt(foundCandidate: Bool) {
    interval = foundCandidate ? Self.shortest : min(interval * 2, Self.longest)
  }

  mutating func setNextTime(after now: UInt64) { nextTime = now &+ UInt64(interval) &* Self.nanoseconds }
}

extension VCPU {
  /// Samples that make a block hot.
  private static var hotSamples: UInt8 { 2 }

  /// Takes a sample; between two blocks.
  func sample() {
    guard options.tiers == .adaptive, code.mayChain else { return }
    profile.statistics.samples &+= 1
    let pc = state.pc
    guard let (physical, wholePage, _) = try? physicalPC(pc), wholePage else { return }
    let id = code.blocks.find(BlockKey(pc: pc, physicalPC: physical, flags: modes.flags, variant: .normal))
    let isCandidate = id != 0 && code.blocks[id].tier == .quick
    sampler.adapt(foundCandidate: isCandidate)
    guard isCandidate, code.blocks.heat(id) >= Self.hotSamples, code.blocks[id].secondPage == .max else { return }
    translator.formRegion(self, around: code.blocks.container(of: id), at: pc)
  }
}
