// Owns the causes for which guest code does not run on at full speed, and how often each was met where, while that is counted.

import Bits
import GuestKit
import HostKit
import IR

/// Why an exit to a known place leads to the engine in place of the block there.
public enum ChainObstacle: String, Hashable, Sendable, CaseIterable {
  /// None: it has not been taken since it was translated, or since its chain was cut.
  case notTaken
  /// Nothing is translated there.
  case untranslated
  /// Chains lead from compiled code to compiled code, or from interpreted code to such.
  case interpreted
  /// Interpreted code is not chained where a kick could not stop it.
  case kicksNeedExits
  /// What is there may be mapped elsewhere, or the mode may have changed.
  case mayMove
  /// By order of the user.
  case forbidden
  /// Nothing is chained: the log shows each block.
  case switchedOff
  /// The code there was translated for other flags.
  case otherFlags
  /// The instruction there lies in two pages of a paged guest.
  case twoPages
  /// There is a breakpoint.
  case breakpoint
  /// The address and the rights of the page there had to be looked up.
  case otherPage
  /// Something was to be seen to before the code there could run.
  case attention
  /// One of the two blocks has just been replaced.
  case replaced
}

/// Why the engine, or something else than translated code, had work to do.
public enum SlowCause: Hashable, Sendable {
  /// An exit led to the engine.
  case exit(ChainObstacle)
  /// The jump cache did not know an indirect jump's target, and does from then on; or may not.
  case jumpMiss, jumpNotKept
  /// Running code was made to come back at an interrupt point: to take an interrupt, at the end of a time slice, for a
  /// sample, since another thread wanted in, since what decides about interrupts has changed, or by a kick whose cause had
  /// been dealt with already.
  case interrupt, sliceEnd, sample, request, recheck, kick
  /// An instruction leaves.
  case left(ExitReason)
  /// Memory accesses by the slow path.
  case device, tlbFill, besideCode, watched, twoPages, otherAccess
  /// Such an access came as a fault of the host's.
  case hostFault
  /// The guest's helper of that name was called.
  case helper(String)

  /// Nanoseconds of the host, roughly: see ``SlowEvents/estimatedCost``.
  public var cost: UInt64 {
    switch self {
    case .exit, .jumpMiss, .jumpNotKept, .interrupt, .sliceEnd, .sample, .request, .recheck, .kick, .left: 50
    case .device, .besideCode, .watched, .twoPages, .otherAccess: 40
    case .tlbFill: 140
    case .hostFault: 2000
    case .helper: 5
    }
  }
}

/// A cause, where it was met.
struct PlacedCause: Hashable {
  var pc: UInt64
  var cause: SlowCause
}

/// How often a cause was met.
public struct SlowCauseCount: Sendable {
  public var cause: SlowCause
  public var count: UInt64
  /// Where most often: the PC of the block that an exit is of, of the instruction, or the one to go on at.
  public var pc: UInt64
  public var cost: UInt64 { count &* cause.cost }
}

extension Engine {
  /// The causes met since executions are counted, dearest first.
  /// - Parameter code: where, if not everywhere; that of exits is the PC of the block that they are of.
  public func slowCauses(in code: ClosedRange<UInt64> = 0...UInt64.max) -> [SlowCauseCount] {
    var counts: [PlacedCause: UInt64] = profile.causes
    profile.counters.forEach { key, count in
      guard case .helper(let number) = key.event, count > 0 else { return }
      let name = guest.helpers.indices.contains(number) ? guest.helpers[number].name : "helper \(number)"
      counts[PlacedCause(pc: key.pc, cause: .helper(name)), default: 0] &+= count
    }
    var sums: [SlowCause: (count: UInt64, most: UInt64, pc: UInt64)] = [:]
    for (key, count) in counts where code.contains(key.pc) {
      var sum = sums[key.cause] ?? (0, 0, key.pc)
      sum.count &+= count
      if count > sum.most || count == sum.most && key.pc < sum.pc { (sum.most, sum.pc) = (count, key.pc) }
      sums[key.cause] = sum
    }
    return sums.map { SlowCauseCount(cause: $0, count: $1.count, pc: $1.pc) }
      .sorted { ($0.cost, "\($1.cause)") > ($1.cost, "\($0.cause)") }
  }

  /// Why an exit is not chained; nil if it is.
  public func obstacle(_ chain: Chain) -> ChainObstacle? {
    guard !chain.isChained else { return nil }
    guard code.mayChain else { return .switchedOff }
    if chain.isForbidden { return .forbidden }
    guard chain.mayChain else { return .mayMove }
    let source = store[chain.source]
    if source.tier == .interpreted, !code.chainsInterpreted { return .kicksNeedExits }
    if debug.isBreakpoint(chain.targetPC) { return .breakpoint }
    let targets = store.valid.flatMap { store.parts($0) }.map { store[$0] }
      .filter { $0.key.pc == chain.targetPC && $0.key.variant == .normal }
    guard !targets.isEmpty else { return .untranslated }
    let sameTier = targets.filter { ($0.tier == .interpreted) == (source.tier == .interpreted) }
    guard !sameTier.isEmpty else { return .interpreted }
    let flags = chain.exit == 0 ? source.key.flags : store.flags(behind: chain.exit)
    let sameFlags = sameTier.filter { $0.key.flags == flags }
    guard !sameFlags.isEmpty else { return .otherFlags }
    return sameFlags.contains { $0.secondPage == .max } ? .notTaken : .twoPages
  }

  /// How often a block went on at a PC by its exits to known places; nil while that is not counted.
  public func exits(from id: BlockID, to pc: UInt64) -> UInt64? {
    guard profile.countsExecutions else { return nil }
    return store.parts(id).reduce(0) { $0 &+ (profile.exits(of: store[$1].key, to: pc) ?? 0) }
  }
}

extension VCPU {
  /// Notes that code was left by an exit to a known place, or by an indirect jump, while executions are counted.
  /// - Returns: the PC of the block that the exit is of.
  func noteExit(_ reason: ExitReason?, _ site: UInt32) -> UInt64 {
    if reason == .indirectMiss {
      profile.note(\.jumpMisses, at: state.pc)
      return state.pc
    }
    let pc = code.blocks[code.blocks.exit(code.blocks.exit(at: site)).source].key.pc
    profile.note(\.unchained, at: pc)
    return pc
  }

  /// Notes that the way on from an exit, of the block at a PC, led through the run loop.
  func noteLook(_ pc: UInt64) {
    guard profile.countsExecutions else { return }
    let isKnown = mode.codePage(state.pc & ~0xFFF) != nil
    profile.note(.exit(debug.isBreakpoint(state.pc) ? .breakpoint : isKnown ? .attention : .otherPage), at: pc)
  }

  /// Notes that running code has come back at an interrupt point.
  func noteStop() {
    guard profile.countsExecutions else { return }
    profile.note(\.stops, at: state.pc)
    profile.note(stopCause, at: state.pc)
  }

  private var stopCause: SlowCause {
    if guest.pendingInterrupt(state) != nil { return .interrupt }
    if runners.stopFlag.isRaised { return .request }
    if now >= deadline { return .sliceEnd }
    if progress.isKicked { return .recheck }
    guard kicks != nil else { return .sample }
    return options.tiers == .adaptive && HostClock.nanoseconds >= sampler.nextTime ? .sample : .kick
  }

  /// Makes an access, and notes why translated code could not.
  @inline(never)
  func countedAccess(_ address: UInt64, _ value: UInt64, _ third: UInt64, _ request: SlowAccess) -> UInt64 {
    let fills = profile.statistics.tlbFills
    let pc: UInt64 = state.load(StateOffset.currentPC)
    let isFault = profile.noteSlowAccess(state)
    let result = makeAccess(address, value, third, request)
    if isFault { profile.note(.hostFault, at: pc) }
    profile.note(accessCause(address, request, hasFilled: profile.statistics.tlbFills != fills), at: pc)
    return result
  }

  private func accessCause(_ address: UInt64, _ request: SlowAccess, hasFilled: Bool) -> SlowCause {
    if state.accessOutcome == .completedOnDevice { return .device }
    if address & 0xFFF &+ UInt64(request.access.size) > 0x1000 { return .twoPages }
    if hasFilled { return .tlbFill }
    if debug.watchesMemory, debug.watchesPage(address & ~0xFFF) { return .watched }
    let physical = memoryMode == .window ? address : mode.knownAddress(address, isWrite: true)
    if request.opcode != .load, let physical, code.isGuarded(physical & ~0xFFF) { return .besideCode }
    return .otherAccess
  }
}
