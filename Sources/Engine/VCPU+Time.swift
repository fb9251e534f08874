// Owns how a vCPU goes through virtual time, and from mode to mode.

import Bits
import GuestKit
import HostKit
import IR

extension VCPU {
  /// Instructions executed since translated code was last entered, exact at a call out of it.
  /// Where virtual time follows the host's clock: ticks that have passed since.
  var executedInRun: UInt64 {
    if kicks != nil { return hostTicks }
    let start: Int64 = state.load(StateOffset.budgetStart)
    return UInt64(bitPattern: start &- state.budget) &+ state.load(StateOffset.pendingRetired, as: UInt64.self)
  }

  private var hostTicks: UInt64 {
    guard hostStart != .max else { return 0 }
    let now = HostClock.nanoseconds
    return (now &- min(hostStart, now)) / clock.nanosecondsPerInstruction
  }

  /// Instructions and steps so far: the vCPU's time, exact at a call out of translated code.
  public var now: UInt64 { progress.ticks &+ executedInRun }

  /// The same in virtual time (ns).
  @inline(__always)
  var time: UInt64 { now &* clock.nanosecondsPerInstruction }

  /// Forgets what a fence names in what this vCPU keeps.
  func forgetTranslations(_ fence: TranslationFence) {
    interpreter?.forgetReturns()
    for mode in modes.all where mode.memoryMode != .tlb || fence.covers(mode.space) {
      mode.forgetTranslations(of: fence.address, size: fence.size)
    }
  }

  /// Lets a tick pass in which no instruction retires, while translated code runs.
  func passTick() {
    progress.ticks &+= 1
    state.budget &-= 1
    state.store(state.load(StateOffset.budgetStart, as: Int64.self) &- 1, at: StateOffset.budgetStart)
  }

  /// Lets at most `count` more instructions run.
  func shortenBudget(to count: Int64) {
    let excess = state.budget &- count
    guard excess > 0 else { return }
    state.budget = count
    state.store(state.load(StateOffset.budgetStart, as: Int64.self) &- excess, at: StateOffset.budgetStart)
  }

  /// Makes the vCPU come back at the next exit that checks the budget, without changing what has been counted.
  func kick() {
    progress.isKicked = true
    if let kicks { return kicks.kick(state) }
    shortenBudget(to: 0)
  }

  /// Two visits with no more than the loop's own instructions between them, none of which has accessed a device: it will do
  /// the same until something else runs. So all the turns up to then are taken at once, which no guest can tell.
  func skipSpins(_ length: UInt64) {
    guard kicks == nil, !isStepping, opSession == nil, !profile.countsExecutions, length > 0 else { return }
    let (pc, now, slow) = (state.pc, retiredInstructions, profile.statistics.slowAccesses)
    let isSettled = lastSpin.pc == pc && now &- lastSpin.retired == length && lastSpin.slowAccesses == slow
    lastSpin = (pc, now, slow)
    let begun: Int64 = state.load(StateOffset.pendingRetired)
    let left = state.budget &- begun &- 1
    guard isSettled, left > 0 else { return }
    let skipped = (UInt64(left) + length - 1) / length * length
    state.budget &-= Int64(skipped)
    lastSpin.retired &+= skipped
    profile.statistics.spinsSkipped &+= 1
  }

}

extension VCPU {
  @inline(__always)
  var mode: ModeContext { modes.current }

  /// That of ``mode``.
  @inline(__always)
  var memoryMode: MemoryMode { modes.memoryMode }

  /// Whether translated code can make an access to a page of memory itself, as far as windows go.
  func isOpen(_ page: UInt64, isWrite: Bool) -> Bool {
    memoryMode != .tlb && windows.isOpen(page, at: mode.windowBase, isWrite: isWrite)
  }

  /// Switches jump cache and TLB to those of the current translation flags and address space.
  func enterMode() {
    modes.flags = guest.translationFlags(state)
    if modes.select(modes.flags & ~codeFlags, paging?.translationSpace(state) ?? TranslationSpace(), guest) {
      interpreter?.forgetReturns()
    }
    let mode = mode
    publish(mode)
    if mode.windowGeneration != windows.generation {
      mode.windowBase =
        mode.memoryMode == .restrictedWindow
        ? windows.find(protection?.memoryRestrictions(state) ?? []) : windows.base
      // Making one window may have ended another.
      mode.windowGeneration = windows.generation
    }
    windows.activate(mode.windowBase)
    state.store(mode.dataBase, at: StateOffset.dataBase)
    state.store(mode.softTLB, at: StateOffset.softTLB)
    publishGuide()
    if !guardian.watched.isEmpty { publishWatchGuide() }
  }

  /// Lets indirect jumps of translated code look into a mode's jump cache.
  @inline(__always)
  func publish(_ mode: ModeContext) { unsafe host.publish(jumpCache: UInt(bitPattern: mode.jumpCache), state) }
}
