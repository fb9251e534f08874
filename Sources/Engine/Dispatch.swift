// Owns the way from block to block: what is entered is run, what it leaves for is looked up, the way there is chained, until
// there is something to see to first.

import Bits
import GuestKit
import HostKit
import IR

extension VCPU {
  /// Runs the block `id` and all that it leads to, until code is left for another reason than that the next block is not
  /// chained, or that block is not to be entered yet. The state's header says where, and why.
  func dispatch(from id: BlockID) {
    isStepping = false
    prepare()
    defer { account() }
    if engineLog.showsEntries { code.unchainInterpreted() }
    var id = id
    while true {
      noteEntry()
      enter(code.blocks[id], state)
      let reason = state.exitReason
      guard reason == .unchained || reason == .indirectMiss else { return }
      let isInterpreted = code.blocks[id].tier == .interpreted
      let site = siteLeft(isInterpreted, reason)
      if reason == .indirectMiss { profile.statistics.indirectMisses &+= 1 }
      if let kicks, kicks.pending.isRaised { return noteStop() }
      let exit = profile.countsExecutions ? noteExit(reason, site) : 0
      let flushes = profile.statistics.flushes
      id = next(at: state.pc)
      guard id != 0 else { return noteLook(exit) }
      // Without room for the block, all code was dropped.
      if profile.statistics.flushes != flushes { continue }
      if isInterpreted || reason == .indirectMiss {
        if !engineLog.showsEntries { code.chain(interpreted: site, to: id) }
        if reason == .indirectMiss {
          let isEntered = enterInJumpCache(id)
          if profile.countsExecutions { profile.note(isEntered ? .jumpMiss : .jumpNotKept, at: state.pc) }
        }
      } else {
        let obstacle = code.chain(code.blocks.exit(at: site), to: id, isPaged: modes.memoryMode == .tlb)
        if profile.countsExecutions { profile.note(.exit(obstacle ?? .notTaken), at: exit) }
      }
      if watched[0].isPending { return }
    }
  }

  /// The site that code was left by, or that of interpreted code behind the call that compiled code has returned from; 0 for
  /// none.
  @inline(__always)
  private func siteLeft(_ isInterpreted: Bool, _ reason: ExitReason?) -> UInt32 {
    if reason == .unchained { return state.exitSite }
    // Where flags follow code, a return may lead to other flags than the call came from: it is looked up each time.
    guard !flagsFollowCode, let interpreter else { return 0 }
    return isInterpreted ? state.exitSite : interpreter.takeReturn(to: state.pc)
  }

  /// The block at `pc`; 0 if there is something to see to before, or none can be made.
  @inline(__always)
  private func next(at pc: UInt64) -> BlockID {
    if flagsFollowCode {
      modes.flags = guest.translationFlags(state)
      if modes.flags & ~codeFlags != mode.flags { return 0 }
    }
    guard !progress.runsNextAlone, let page = mode.codePage(pc & ~0xFFF),
      !debug.isBreakpoint(pc)
    else { return 0 }
    let key = BlockKey(pc: pc, physicalPC: page | pc & 0xFFF, flags: modes.flags, variant: .normal)
    let id = code.blocks.find(key)
    if id != 0, code.blocks[id].secondPage == .max, code.blocks[id].tier != .interpreted || !code.isWorn(id) {
      return id
    }
    // An error is dropped here: the run loop meets it again when it looks for the same block, and deals with it.
    if id == 0, let new = try? translator.translatePacked(self, key) { return new }
    return (try? block(at: pc, .normal)) ?? 0
  }

  /// Lets indirect jumps find a block.
  /// - Returns: whether they may.
  private func enterInJumpCache(_ id: BlockID) -> Bool {
    let block = code.blocks[id]
    guard code.mayChain, block.tier != .interpreted, block.key.flags & codeFlags == 0,
      block.secondPage == .max || mode.memoryMode != .tlb
    else { return false }
    mode.setJump(to: block.key.pc, target: host.jumpTarget(block.compiled.entry))
    return true
  }

  /// Runs one block by itself, of the instruction at the PC alone.
  func enterAlone(_ id: BlockID) {
    isStepping = true
    publish(modes.empty)
    prepare()
    noteEntry()
    enter(code.blocks[id], state)
    account()
    publish(mode)
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
  private func noteEntry() {
    profile.statistics.entries &+= 1
    if profile.countsExecutions { profile.note(\.entries, at: state.pc) }
    if engineLog.showsEntries, engineLog.covers(state.pc) {
      engineLog.write(.exec, "hart \(number): \(state.pc.hex0x())")
    }
  }
}
