// Owns the interpreted tier: code that has not run often is kept as packed IR, which an interpreter executes block by
// block, and compiled once it was entered so often that compiling would have paid.

import GuestKit
import HostKit
import IR

extension Engine {
  /// The host that runs what was translated at a tier.
  @inline(__always)
  func host(of tier: Tier) -> any Host { tier == .interpreted ? interpreter as (any Host)? ?? host : host }

  /// Bytes of packed code that are interpreted.
  public var interpretedBytesUsed: Int { interpreter?.codeBytesUsed ?? 0 }

  /// Translates code that was not executed before for the interpreter; nil where that cannot be.
  func translatePacked(_ vcpu: VCPU, _ key: BlockKey) throws(TranslationFailure) -> BlockID? {
    // Counters are in compiled code, and profilers name that alone.
    guard let interpreter, !options.countsExecutions, observers.isEmpty else { return nil }
    let isTimed = statistics.interpreted.isTimed
    let start = isTimed ? monotonicNanoseconds() : 0
    do { try build(vcpu, key, options.maximumInstructions, region: nil, packs: true, &builder) } catch {
      throw .guest(error)
    }
    let decoded = isTimed ? monotonicNanoseconds() : 0
    let code = builder.code
    let extent = GuestExtent(code)
    // Its cache may be full, or it cannot do this block.
    guard let compiled = try? interpreter.adopt(code) else { return nil }
    let id = store.insert(
      record(vcpu, key, .interpreted, extent, compiled, opCount: code.opCount), code)
    guardCode(of: id)
    statistics.interpreted.add(
      extent, opsAfterPasses: code.opCount, hostBytes: compiled.size,
      times: (start, decoded, decoded, isTimed ? monotonicNanoseconds() : 0))
    if log.showsTranslation,
      let block = try? decode(vcpu, key, maximumInstructions: max(1, Int(store[id].instructionCount)))
    {
      logTranslation(id, block, block)
    }
    return id
  }

  /// How often an interpreted block was entered where it was most often; nil for others.
  public func interpretedRuns(_ id: BlockID) -> UInt32? {
    guard store[id].tier == .interpreted, let interpreter else { return nil }
    return store.parts(id).map { interpreter.entries(store[$0].compiled.entry) }.max()
  }

  /// Compiles an interpreted block if it was entered often enough.
  /// - Returns: where to enter instead.
  func warm(_ vcpu: VCPU, _ id: BlockID, _ pc: UInt64) throws(TranslationFailure) -> BlockID {
    guard let interpreter, interpreter.isWorn(store[id].compiled.entry) else { return id }
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

  /// Whether what is interpreted may go on in the next block without a look at anything.
  private var connects: Bool { kicks == nil && forbiddenChains.isEmpty && !log.isOn(.exec) }

  /// Lets interpreted code leave at every exit, until it is connected anew.
  /// - Returns: how many exits there were.
  @discardableResult
  func disconnectInterpreted() -> Int { interpreter?.disconnectAll() ?? 0 }

  /// Runs the block `id`, and what it leads to as long as the interpreter has a part in it: where its blocks meet those of
  /// the other host, nothing is chained.
  ///
  /// - Returns: the exit that compiled code was left by; 0 for none.
  func runThrough(_ vcpu: VCPU, from id: BlockID) -> UInt32 {
    let state = vcpu.state
    guard let interpreter else {
      host.run(store[id].compiled.entry, state)
      return state.exitSite
    }
    let (debug, host) = (debug, host)
    let goesOn = kicks == nil && !log.isOn(.exec)
    let connects = connects
    var isInterpreted = store[id].tier == .interpreted
    var entry = store[id].compiled.entry
    while true {
      if isInterpreted { interpreter.run(entry, state) } else { host.run(entry, state) }
      let reason = state.exitReason
      guard goesOn, reason == .unlinked || reason == .indirectMiss, !debug.hasBreakpoints.value else {
        return isInterpreted ? 0 : state.exitSite
      }
      // Code that is not always the same flags' does not return straight away.
      let mayReturn = reason == .indirectMiss && !flagsFollowCode && connects
      var site: UInt32 = 0
      if isInterpreted {
        site = state.exitSite
      } else if mayReturn, !vcpu.runsNextAlone {
        site = interpreter.takeReturn(to: state.pc)
        if site != 0, let back = interpreter.returnEntry(site) {
          (isInterpreted, entry) = (true, back)
          statistics.entries &+= 1
          continue
        }
      }
      let next = next(vcpu, vcpu.mode, interpreter, at: state.pc)
      let staysHere = next != 0 && store[next].tier == .interpreted
      guard next != 0, isInterpreted || staysHere else { return isInterpreted ? 0 : state.exitSite }
      if site != 0, connects, staysHere, store[next].secondPage == .max, mayReturn || reason == .unlinked {
        interpreter.connect(site, isReturn: reason == .indirectMiss, to: store[next].compiled.entry)
      }
      isInterpreted = staysHere
      entry = store[next].compiled.entry
      statistics.entries &+= 1
    }
  }

  /// The block at `pc`, and an interpreted one made if there is none; 0 if there is something to do before.
  @inline(__always)
  private func next(_ vcpu: VCPU, _ mode: ModeContext, _ interpreter: any PackedHost, at pc: UInt64) -> BlockID {
    if flagsFollowCode {
      vcpu.flags = guest.translationFlags(vcpu.state)
      if vcpu.flags & ~codeFlags != mode.flags { return 0 }
    }
    guard !vcpu.runsNextAlone, let page = mode.codePage(pc & ~0xFFF) else { return 0 }
    let key = BlockKey(pc: pc, physicalPC: page | pc & 0xFFF, flags: vcpu.flags, variant: .normal)
    let id = store.find(key)
    // What makes this throw is met again by who looks after it.
    if id == 0 { return (try? translatePacked(vcpu, key)) ?? 0 }
    guard store[id].secondPage == .max else { return 0 }
    return store[id].tier == .interpreted && interpreter.isWorn(store[id].compiled.entry) ? 0 : id
  }
}
