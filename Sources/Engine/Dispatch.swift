// Owns the way from block to block: what is entered is run, what it leaves for is looked up, the way there is chained, until
// there is something to see to first.

import Bits
import GuestKit
import HostKit
import IR

extension Engine {
  /// Runs the block `id` and all that it leads to, until code is left for another reason than that the next block is not
  /// chained, or that block is not to be entered yet. The state's header says where, and why.
  func dispatch(_ vcpu: VCPU, from id: BlockID) {
    vcpu.isStepping = false
    prepare(vcpu)
    defer { account(vcpu) }
    if log.showsEntries { unchainInterpreted() }
    var id = id
    while true {
      noteEntry(vcpu)
      enter(store[id], vcpu.state)
      let reason = vcpu.state.exitReason
      guard reason == .unchained || reason == .indirectMiss else { return }
      let isInterpreted = store[id].tier == .interpreted
      let site = siteLeft(vcpu, isInterpreted, reason)
      if reason == .indirectMiss {
        statistics.indirectMisses &+= 1
        note(\.jumpMisses, at: vcpu.state.pc)
      } else if options.countsExecutions {
        note(\.unchained, at: store[store.exit(store.exit(at: site)).source].key.pc)
      }
      if let kicks, kicks.pending.isRaised { return }
      let flushes = statistics.flushes
      id = next(vcpu, at: vcpu.state.pc)
      guard id != 0 else { return }
      // Without room for the block, all code was dropped.
      if statistics.flushes != flushes { continue }
      if isInterpreted || reason == .indirectMiss {
        chain(interpreted: site, to: id)
        if reason == .indirectMiss { enterInJumpCache(vcpu, id) }
      } else {
        chain(vcpu, store.exit(at: site), to: id)
      }
    }
  }

  /// The site that code was left by, or that of interpreted code behind the call that compiled code has returned from; 0 for
  /// none.
  @inline(__always)
  private func siteLeft(_ vcpu: VCPU, _ isInterpreted: Bool, _ reason: ExitReason?) -> UInt32 {
    if reason == .unchained { return vcpu.state.exitSite }
    // Code that is not always the same flags' does not return straight away.
    guard !flagsFollowCode, let interpreter else { return 0 }
    return isInterpreted ? vcpu.state.exitSite : interpreter.takeReturn(to: vcpu.state.pc)
  }

  /// The block at `pc`; 0 if there is something to see to before, or none can be made.
  @inline(__always)
  private func next(_ vcpu: VCPU, at pc: UInt64) -> BlockID {
    if flagsFollowCode {
      vcpu.flags = guest.translationFlags(vcpu.state)
      if vcpu.flags & ~codeFlags != vcpu.mode.flags { return 0 }
    }
    guard !vcpu.runsNextAlone, let page = vcpu.mode.codePage(pc & ~0xFFF),
      !debug.hasBreakpoints.value || !debug.isBreakpoint(pc)
    else { return 0 }
    let key = BlockKey(pc: pc, physicalPC: page | pc & 0xFFF, flags: vcpu.flags, variant: .normal)
    let id = store.find(key)
    if id != 0, store[id].secondPage == .max, store[id].tier != .interpreted || !isWorn(id) { return id }
    // What makes these throw is met again by who looks after it.
    if id == 0, let new = try? translatePacked(vcpu, key) { return new }
    return (try? block(vcpu, at: pc, .normal)) ?? 0
  }

  /// Lets indirect jumps find a block.
  private func enterInJumpCache(_ vcpu: VCPU, _ id: BlockID) {
    let block = store[id]
    guard block.tier != .interpreted, block.key.flags & codeFlags == 0,
      block.secondPage == .max || vcpu.mode.memoryMode != .tlb
    else { return }
    vcpu.mode.setJump(to: block.key.pc, target: host.jumpTarget(block.compiled.entry))
  }

  /// Runs one block by itself, of the instruction at the PC alone.
  func enterAlone(_ vcpu: VCPU, _ id: BlockID) {
    vcpu.isStepping = true
    vcpu.publish(vcpu.emptyMode)
    prepare(vcpu)
    noteEntry(vcpu)
    enter(store[id], vcpu.state)
    account(vcpu)
    vcpu.publish(vcpu.mode)
  }

  @inline(__always)
  private func enter(_ block: TranslationBlock, _ state: VCPUState) {
    if block.tier == .interpreted, let interpreter {
      interpreter.run(block.compiled.entry, state)
    } else {
      host.run(block.compiled.entry, state)
    }
  }

  @inline(__always)
  private func noteEntry(_ vcpu: VCPU) {
    statistics.entries &+= 1
    if options.countsExecutions { note(\.entries, at: vcpu.state.pc) }
    if log.showsEntries { log.write(.exec, "hart \(vcpu.number): \(vcpu.state.pc.hex0x())") }
  }
}
