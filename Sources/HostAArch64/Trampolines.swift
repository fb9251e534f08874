// The hand-written code at the start of the code cache: entering and leaving translated code, and the jump cache.

import HostKit
import IR

/// Offsets of the shared pieces of code from the start of the code cache. The code is independent of where it runs.
struct Trampolines {
  /// C function (state, address of a block).
  private(set) var enter = 0
  /// Back to the caller of `enter`; the state says why.
  private(set) var leave = 0
  /// Called by an exit that is not chained: leave, with the return address, as an offset in the code cache, as the exit
  /// site.
  private(set) var leaveUnchained = 0
  /// Likewise with the budget used up.
  private(set) var leaveBudget = 0
  /// Leave for the PC in `ABI.jumpTarget`, which the jump cache does not know.
  private(set) var leaveMiss = 0
  /// Leave for that PC with the budget used up.
  private(set) var leaveBudgetIndirect = 0
  /// Go on at that PC if the jump cache knows it.
  private(set) var lookUp = 0

  /// - Parameter pins: state slots of the pinned registers, in the order of `ABI.pinned`.
  init(_ assembler: inout Assembler, pins: [RegisterSlot]) {
    // No code has address 0.
    for _ in 0..<4 { assembler.nop() }
    let saved: [(Register, Register)] = [
      (.x19, .x20), (.x21, .x22), (.x23, .x24), (.x25, .x26), (.x27, .x28), (.x29, .x30),
    ]
    enter = assembler.count
    assembler.add(.sp, .sp, -16 * saved.count)
    for (index, (first, second)) in saved.enumerated() { assembler.pair(loads: false, first, second, 16 * index) }
    assembler.add(.sp, .sp, -ABI.frameSize)
    assembler.mov(ABI.state, .x0, wide: true)
    assembler.mov(ABI.scratch, .x1, wide: true)
    assembler.transfer(.ldr, ABI.budget, ABI.state, StateOffset.budget)
    assembler.transfer(.ldr, ABI.window, ABI.state, StateOffset.dataBase)
    for (index, slot) in pins.enumerated() {
      assembler.transfer(slot.type.transfer(loads: true), ABI.pinned(index), ABI.state, slot.offset)
    }
    assembler.br(ABI.scratch)

    leave = assembler.count
    for (index, slot) in pins.enumerated() {
      assembler.transfer(slot.type.transfer(loads: false), ABI.pinned(index), ABI.state, slot.offset)
    }
    assembler.transfer(.str, ABI.budget, ABI.state, StateOffset.budget)
    assembler.add(.sp, .sp, ABI.frameSize)
    for (index, (first, second)) in saved.enumerated() { assembler.pair(loads: true, first, second, 16 * index) }
    assembler.add(.sp, .sp, 16 * saved.count)
    assembler.ret()

    leaveUnchained = leaving(.unchained, &assembler, site: true)
    leaveBudget = leaving(.budget, &assembler, site: true)
    leaveMiss = leaving(.indirectMiss, &assembler, site: false)
    leaveBudgetIndirect = leaving(.budget, &assembler, site: false)

    lookUp = assembler.count
    // Half the PC, modulo the number of entries, is the index.
    let known = assembler.makeLabel()
    assembler.transfer(.ldr, ABI.otherScratch, ABI.state, StateOffset.jumpCache)
    assembler.ubfx(ABI.scratch, ABI.jumpTarget, shift: 1, bits: JumpCache.count.trailingZeroBitCount)
    assembler.add(
      ABI.otherScratch, ABI.otherScratch, ABI.scratch, shift: JumpCache.entrySize.trailingZeroBitCount)
    assembler.transfer(.ldr, ABI.scratch, ABI.otherScratch, 0)
    assembler.cmp(ABI.scratch, ABI.jumpTarget, wide: true)
    assembler.b(.eq, known)
    assembler.b(toOffset: leaveMiss)
    assembler.bind(known)
    assembler.transfer(.ldr, ABI.scratch, ABI.otherScratch, 8)
    assembler.br(ABI.scratch)
    assembler.resolveLabels()
  }

  /// Notes why, and the exit by its return address or the PC that was sought.
  private func leaving(_ reason: ExitReason, _ assembler: inout Assembler, site: Bool) -> Int {
    let start = assembler.count
    if site {
      assembler.adr(ABI.scratch, offset: 0)
      assembler.sub(ABI.scratch, .x30, ABI.scratch)
      assembler.transfer(.strw, ABI.scratch, ABI.state, StateOffset.exitSite)
    } else {
      assembler.transfer(.str, ABI.jumpTarget, ABI.state, StateOffset.pc)
    }
    assembler.mov(ABI.scratch, Int64(reason.rawValue))
    assembler.transfer(.strw, ABI.scratch, ABI.state, StateOffset.exitReason)
    assembler.b(toOffset: leave)
    return start
  }
}
