// Owns the interpreted tier: code that has not run often is kept as packed IR, which an interpreter executes block by
// block, and compiled once it was entered so often that compiling would have paid.

import GuestKit
import HostKit
import IR

extension Engine {
  /// The host that runs what was translated at a tier.
  @inline(__always)
  func host(of tier: Tier) -> any Host { tier == .interpreted ? interpreter ?? host : host }

  /// Bytes of packed code that are interpreted.
  public var interpretedBytesUsed: Int { interpreter?.codeBytesUsed ?? 0 }

  /// Translates code that was not executed before for the interpreter; nil where that cannot be.
  func translatePacked(_ vcpu: VCPU, _ key: BlockKey) throws(TranslationFailure) -> BlockID? {
    // Counters are in compiled code, and profilers name that alone.
    guard let interpreter, !options.countsExecutions, observers.isEmpty else { return nil }
    if log.showsTranslation { return try? translate(vcpu, key, .interpreted, single: false) }
    let isTimed = statistics.interpreted.isTimed
    let start = isTimed ? monotonicNanoseconds() : 0
    do { try build(vcpu, key, options.maximumInstructions, region: nil, packs: true, &builder) } catch {
      throw .guest(error)
    }
    let decoded = isTimed ? monotonicNanoseconds() : 0
    let code = builder.code
    let extent = GuestExtent(code)
    // Its cache may be full, or it cannot do this block.
    guard let compiled = try? interpreter.adopt(code, labels: &labels) else { return nil }
    let id = store.insert(
      record(vcpu, key, .interpreted, extent, compiled, opCount: code.opCount), code, labels: labels)
    guardCode(of: id)
    statistics.interpreted.add(
      extent, opsAfterPasses: code.opCount, hostBytes: compiled.size,
      times: (start, decoded, decoded, isTimed ? monotonicNanoseconds() : 0))
    return id
  }

  /// Counts an entry into an interpreted block, and compiles the block once that was often enough.
  /// - Returns: where to enter instead.
  func warm(_ vcpu: VCPU, _ id: BlockID, _ pc: UInt64) throws(TranslationFailure) -> BlockID {
    guard store.heat(id) >= options.interpretedRuns else { return id }
    let container = store.container(of: id)
    var key = store[container].key
    remove(container)
    let whole = try translate(vcpu, key, .quick, single: false)
    let entry = store.entry(whole, at: pc)
    if entry != 0 { return entry }
    key.physicalPC &+= pc &- key.pc
    key.pc = pc
    return try translate(vcpu, key, .quick, single: false)
  }

  /// Runs the block `id`, and what it leads to as long as the interpreter has a part in it: where its blocks meet those of
  /// the other host, nothing is chained.
  ///
  /// - Returns: the block run last.
  func runThrough(_ vcpu: VCPU, from id: BlockID) -> BlockID {
    let state = vcpu.state
    let (mode, debug, interpreter, host) = (vcpu.mode, debug, interpreter ?? host, host)
    let goesOn = self.interpreter != nil && kicks == nil && !log.isOn(.exec)
    var id = id
    while true {
      let tier = store[id].tier
      let entry = store[id].compiled.entry
      if tier == .interpreted { interpreter.run(entry, state) } else { host.run(entry, state) }
      guard goesOn, state.exitReason == .unlinked || state.exitReason == .indirectMiss,
        !debug.hasBreakpoints.value
      else { return id }
      let next = next(vcpu, mode, at: state.pc)
      guard next != 0, tier == .interpreted || store[next].tier == .interpreted else { return id }
      id = next
      statistics.entries &+= 1
    }
  }

  /// The block at `pc`, its entry counted if it is an interpreted one, and such a one made if there is none; 0 if there is
  /// something to do before.
  @inline(__always)
  private func next(_ vcpu: VCPU, _ mode: ModeContext, at pc: UInt64) -> BlockID {
    if flagsFollowCode, guest.translationFlags(vcpu.state) != mode.flags { return 0 }
    guard !vcpu.runsNextAlone, let page = mode.codePage(pc & ~0xFFF) else { return 0 }
    let key = BlockKey(pc: pc, physicalPC: page | pc & 0xFFF, flags: mode.flags, variant: .normal)
    let id = store.find(key)
    // What makes this throw is met again by who looks after it.
    if id == 0 { return (try? translatePacked(vcpu, key)) ?? 0 }
    guard store[id].secondPage == .max else { return 0 }
    if store[id].tier == .interpreted {
      if store[id].heat >= options.interpretedRuns { return 0 }
      _ = store.heat(id)
    }
    return id
  }
}
